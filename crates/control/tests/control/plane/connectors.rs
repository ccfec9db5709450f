use control::{MASK, NewConnector, PartitionOffset, Refusal, Target};
use fault::Diagnose as _;

use super::{Plane, new, operator, sink};

#[tokio::test]
async fn a_connector_is_made_shown_without_its_secrets_and_there_after_a_restart() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    let made = world.plane.create_connector(&caller, &cluster, new(" orders ", sink(&[]))).await.unwrap();
    assert_eq!((made.name.as_str(), made.kind, made.target), ("orders", "sink", Target::Stopped));
    assert_eq!(made.config["aws.secret.access.key"], MASK);
    assert_eq!(made.config["name"], "orders");
    let again = world.plane.create_connector(&caller, &cluster, new("orders", sink(&[]))).await;
    assert!(matches!(again, Err(Refusal::Exists { .. })));
    let invalid = world.plane.create_connector(&caller, &cluster, new("orders", sink(&[("tasks.max", "x")]))).await;
    assert!(matches!(invalid, Err(Refusal::Config(_))), "an invalid one is invalid before it is taken");
    // What is shown and sent back is what there was.
    let (same, is_new) =
        world.plane.put_config(&caller, &cluster, "orders", made.config.clone(), Some(1)).await.unwrap();
    assert_eq!((same.revision, is_new), (2, false));
    let stale = world.plane.put_config(&caller, &cluster, "orders", made.config, Some(1)).await;
    assert!(matches!(stale, Err(Refusal::Changed { now: 2, .. })));
    let patch = [("tasks.max".to_owned(), Some("3".to_owned())), ("aws.s3.region".to_owned(), None)];
    let patched = world.plane.patch_config(&caller, &cluster, "orders", patch.into(), None).await.unwrap();
    assert_eq!(patched.config.get("tasks.max").map(String::as_str), Some("3"));
    assert!(!patched.config.contains_key("aws.s3.region"));
    world.plane.set_target(&caller, &cluster, "orders", Target::Paused).await.unwrap();

    let world = world.reopen().await;
    let shown = world.plane.connector(&caller, &cluster, "orders").await.unwrap();
    assert_eq!((shown.id, shown.revision, shown.target), (patched.id, 4, Target::Paused));
    assert_eq!(shown.config, patched.config);
    let store = std::fs::read(world.dir().join("tidegate.db")).unwrap();
    assert!(!String::from_utf8_lossy(&store).contains("s3cr3t-of-the-key"));
    world.plane.delete_connector(&caller, &cluster, "orders", None).await.unwrap();
    let gone = world.plane.connector(&caller, &cluster, "orders").await.unwrap_err();
    assert_eq!(gone.code(), "control.not-found");
}

#[tokio::test]
async fn a_mask_without_a_secret_and_a_group_of_another_are_refused() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    let masked = sink(&[("aws.secret.access.key", MASK)]);
    let refused = world.plane.create_connector(&caller, &cluster, new("a", masked)).await.unwrap_err();
    assert!(refused.to_string().contains("none is stored"), "{refused}");
    world.plane.create_connector(&caller, &cluster, new("a", sink(&[]))).await.unwrap();
    let thief = sink(&[("consumer.override.group.id", "connect-a")]);
    let refused = world.plane.create_connector(&caller, &cluster, new("b", thief)).await.unwrap_err();
    assert!(refused.to_string().contains("is that of connector a already"), "{refused}");
    let renamed = sink(&[("name", "c")]);
    let refused = world.plane.put_config(&caller, &cluster, "a", renamed, None).await.unwrap_err();
    assert!(matches!(refused, Refusal::NameMismatch { .. }));
}

#[tokio::test]
async fn a_new_connector_that_is_refused_for_its_group_has_not_moved_that_group() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    world.broker.create_topic("orders", 1, &[]).await.unwrap();
    let at = |offset| vec![PartitionOffset { topic: "orders".to_owned(), partition: 0, offset: Some(offset) }];
    let first = NewConnector { offsets: at(0), ..new("a", sink(&[])) };
    world.plane.create_connector(&caller, &cluster, first).await.unwrap();
    let thief = sink(&[("consumer.override.group.id", "connect-a")]);
    let thief = NewConnector { offsets: at(7), ..new("b", thief) };
    let refused = world.plane.create_connector(&caller, &cluster, thief).await.unwrap_err();
    assert!(refused.to_string().contains("is that of connector a already"), "{refused}");
    assert_eq!(world.plane.offsets(&caller, &cluster, "a").await.unwrap(), at(0));
}

#[tokio::test]
async fn a_patch_of_the_class_shows_no_secret_of_the_class_before() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    world.plane.create_connector(&caller, &cluster, new("a", sink(&[]))).await.unwrap();
    let class = ("connector.class".to_owned(), Some("io.confluent.connect.s3.S3SinkConnector".to_owned()));
    let patch = [class.clone()].into();
    let refused = world.plane.patch_config(&caller, &cluster, "a", patch, None).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Flawed { field, .. } if field == "aws.access.key.id"), "{refused}");
    // Whoever writes the value knows it.
    let patch = [class, ("aws.access.key.id".to_owned(), Some("AKIAI44QH8DHBEXAMPLE".to_owned()))].into();
    let refused = world.plane.patch_config(&caller, &cluster, "a", patch, None).await;
    assert!(!matches!(refused, Err(Refusal::Flawed { .. })));
}

#[tokio::test]
async fn who_may_not_know_of_the_default_cluster_does_not_learn_its_id() {
    let world = Plane::new().await;
    let admin = world.admin().await;
    let cluster = world.plane.default_cluster(&admin).await.unwrap();
    let tenant = world.plane.create_environment(&admin, "tenant").await.unwrap();
    let tail = format!("/environment={}", tenant.id);
    let stranger = world.with_role(&admin, "stranger", "EnvironmentAdmin", &tail).await;
    let refused = world.plane.default_cluster(&stranger).await.unwrap_err();
    assert!(
        matches!(refused, Refusal::NotFound { .. }) && !refused.to_string().contains(cluster.as_str()),
        "{refused}"
    );
}

#[tokio::test]
async fn a_second_serve_on_the_same_directory_is_refused() {
    let world = Plane::new().await;
    let refused = super::open(world.settings()).await.unwrap_err();
    assert_eq!(refused.code(), "control.held");
    assert!(refused.hint().is_some_and(|hint| hint.contains("--data-dir")));
}

#[tokio::test]
async fn a_damaged_store_and_another_key_are_refused_with_what_to_do() {
    let world = Plane::new().await;
    let caller = operator();
    let cluster = world.plane.default_cluster(&caller).await.unwrap();
    for n in 0..20 {
        world.plane.create_connector(&caller, &cluster, new(&format!("c{n}"), sink(&[]))).await.unwrap();
    }
    world.plane.close().await;
    let copy = tempfile::tempdir().unwrap();
    world.plane.backup(&copy.path().join("tidegate.db")).await.unwrap();
    let again = world.plane.backup(&copy.path().join("tidegate.db")).await.unwrap_err();
    assert_eq!(again.code(), "integration.store-file", "nothing is written over");

    let key = copy.path().join("tidegate.key");
    let open_copy = || {
        let mut settings = world.settings();
        settings.data_dir = copy.path().to_owned();
        super::open(settings)
    };
    let lost = open_copy().await.unwrap_err();
    assert_eq!(lost.code(), "control.key");
    assert!(lost.to_string().contains("it is not there") && !key.exists(), "a lost key is not made anew: {lost}");
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(open_copy().await.unwrap_err().to_string().contains("it is another one"));
    std::fs::copy(world.dir().join("tidegate.key"), &key).unwrap();
    let plane = super::eventually_open({
        let mut settings = world.settings();
        settings.data_dir = copy.path().to_owned();
        settings
    })
    .await;
    assert_eq!(plane.connectors(&caller, &cluster).await.unwrap().len(), 20);
    plane.close().await;
    drop(plane);

    let broken = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(copy.path().join("tidegate.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(broken.path().join("tidegate.db"), bytes).unwrap();
    std::fs::copy(&key, broken.path().join("tidegate.key")).unwrap();
    let mut settings = world.settings();
    settings.data_dir = broken.path().to_owned();
    let refused = super::open(settings).await.unwrap_err();
    assert!(refused.to_string().ends_with("is damaged"), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("put a copy of it back")));
}
