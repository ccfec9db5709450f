//! What one may not read does not exist.

use control::{Caller, ClusterId, EnvironmentId, NewCluster, NewTrust, Refusal, Target};
use fault::Diagnose as _;
use serde_json::json;

use super::{Plane, new, sink};

/// Two tenants with a cluster and a connector each.
struct Two {
    world: Plane,
    admin: Caller,
    ours: Tenant,
    theirs: Tenant,
}

struct Tenant {
    admin: Caller,
    environment: EnvironmentId,
    cluster: ClusterId,
}

async fn tenant(world: &Plane, admin: &Caller, name: &str) -> Tenant {
    let environment = world.plane.create_environment(admin, name).await.unwrap().id;
    let tail = format!("/environment={environment}");
    let caller = world.with_role(admin, &format!("admin of {name}"), "EnvironmentAdmin", &tail).await;
    let config = [
        ("bootstrap.servers", "kafka.example.com:9092"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
    ];
    let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let cluster = NewCluster { environment: environment.clone(), display_name: format!("of {name}"), config };
    let cluster = world.plane.create_cluster(&caller, cluster).await.unwrap().id;
    world.plane.create_connector(&caller, &cluster, new("orders", sink(&[]))).await.unwrap();
    let spec =
        json!({ "kind": "keys", "region": "eu-west-1", "access_key_id": "AKIA1", "secret_access_key": "s3cr3t" });
    world.plane.put_connection(&caller, &environment, "lake", spec, None).await.unwrap();
    Tenant { admin: caller, environment, cluster }
}

async fn two() -> Two {
    let world = Plane::new().await;
    let admin = world.admin().await;
    let (ours, theirs) = (tenant(&world, &admin, "ours").await, tenant(&world, &admin, "theirs").await);
    Two { world, admin, ours, theirs }
}

/// A refusal with the name that was asked for taken out of it.
fn shape<T: std::fmt::Debug>(result: Result<T, Refusal>, name: &str) -> (String, String) {
    let refusal = result.unwrap_err();
    (refusal.code().to_owned(), refusal.to_string().replace(name, "NAME"))
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one line a call")]
async fn another_tenants_things_answer_as_things_that_are_not_there() {
    let Two { world, ours, theirs, .. } = two().await;
    let (world, me) = (&world, &ours.admin);
    let plane = &world.plane;
    let (no_env, no_lkc): (EnvironmentId, ClusterId) = ("env-absent".parse().unwrap(), "lkc-absent".parse().unwrap());
    let (env, lkc) = (&theirs.environment, &theirs.cluster);
    macro_rules! alike {
        ($call:expr, $there:expr, $absent:expr) => {
            let there = shape(($call)($there).await, $there.as_str());
            assert_eq!(there, shape(($call)($absent).await, $absent.as_str()));
        };
    }
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.environment(me, &id).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.clusters(me, &id).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.connections(me, &id).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.connection(me, &id, "lake").await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.delete_environment(me, &id).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.integrations(me, &id, None, 9).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move {
                let new = NewTrust { environment: id, display_name: "x".to_owned(), role: None };
                plane.create_integration(me, new).await
            }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move {
                let new = NewCluster {
                    environment: id,
                    display_name: "of theirs".to_owned(),
                    config: std::collections::BTreeMap::default(),
                };
                plane.create_cluster(me, new).await
            }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.put_connection(me, &id, "lake", json!({}), None).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { plane.delete_connection(me, &id, "lake", None).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &EnvironmentId| {
            let id = id.clone();
            async move { world.give(me, &me.principal, "EnvironmentAdmin", &format!("/environment={id}")).await }
        },
        env,
        &no_env
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.cluster(me, &id).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.delete_cluster(me, &id).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.connectors(me, &id).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.connector(me, &id, "orders").await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.create_connector(me, &id, new("orders", sink(&[]))).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.put_config(me, &id, "orders", sink(&[]), None).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.patch_config(me, &id, "orders", std::collections::BTreeMap::default(), None).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.delete_connector(me, &id, "orders", None).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.set_target(me, &id, "orders", Target::Paused).await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.offsets(me, &id, "orders").await }
        },
        lkc,
        &no_lkc
    );
    alike!(
        |id: &ClusterId| {
            let id = id.clone();
            async move { plane.active_topics(me, &id, "orders").await }
        },
        lkc,
        &no_lkc
    );

    // Lists and totals have no trace of them either.
    let seen: Vec<_> = plane.environments(me).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(seen, std::slice::from_ref(&ours.environment));
    assert!(plane.users(me).await.unwrap().is_empty());
    assert_eq!(plane.service_accounts(me).await.unwrap().len(), 1, "oneself");
    let bindings = plane.role_bindings(me, None, None, 100).await.unwrap();
    assert_eq!((bindings.items.len(), bindings.total), (1, 1));
    let audit = plane.audit(me, control::AuditQuery { size: 100, ..Default::default() }).await.unwrap();
    assert!(audit.total > 0 && audit.items.iter().all(|line| line.environment.as_ref() == Some(&ours.environment)));
    // Nor does their default cluster.
    assert_eq!(plane.default_cluster(me).await.unwrap_err().code(), "control.not-found");
}

#[tokio::test]
async fn a_name_that_only_another_tenant_has_is_free() {
    let Two { world, ours, theirs, .. } = two().await;
    let made = world.plane.create_service_account(&theirs.admin, "ci", "").await.unwrap();
    let same = world.plane.create_service_account(&ours.admin, "ci", "").await.unwrap();
    assert_ne!(made.id, same.id);
    let again = world.plane.create_service_account(&ours.admin, "ci", "").await;
    assert!(matches!(again, Err(Refusal::Exists { .. })));
    // And one cannot make keys for it, nor give it anything.
    let owner = control::Principal::ServiceAccount(made.id);
    let refused = world.plane.create_api_key(&ours.admin, owner.clone(), control::KeyScope::Cloud, "").await;
    assert_eq!(refused.unwrap_err().code(), "control.not-found");
    let refused =
        world.give(&ours.admin, &owner, "EnvironmentAdmin", &format!("/environment={}", ours.environment)).await;
    assert_eq!(refused.unwrap_err().code(), "control.not-found");
}

#[tokio::test]
async fn a_tenants_connector_has_nothing_of_the_machine() {
    let Two { world, ours, .. } = two().await;
    let refused = |more: &[(&str, &str)], without: &[&str]| {
        let mut config = sink(more);
        for key in without {
            config.remove(*key);
        }
        let (plane, caller, cluster) = (world.plane.clone(), ours.admin.clone(), ours.cluster.clone());
        async move {
            match plane.create_connector(&caller, &cluster, new("x", config)).await {
                Err(Refusal::Config(faults)) => {
                    faults.faults().iter().map(|fault| fault.key.clone()).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let keys = ["aws.access.key.id", "aws.secret.access.key"];
    assert_eq!(refused(&[], &keys).await, ["provider.integration.id"]);
    assert!(
        refused(&[("aws.s3.endpoint", "http://169.254.169.254")], &[]).await.contains(&"aws.s3.endpoint".to_owned())
    );
    let files = refused(&[("consumer.override.ssl.truststore.location", "/etc/hostname")], &[]).await;
    assert_eq!(files, ["consumer.override.ssl.truststore.location"], "and nobody looks whether it is there");
    assert_eq!(refused(&[("tidegate.connection", "nobodys")], &keys).await, ["tidegate.connection"]);
    let integration = refused(&[("provider.integration.id", "cspi-abcdef")], &keys).await;
    assert_eq!(integration, ["provider.integration.id"]);
    for (spec, key) in [
        (json!({ "kind": "instance-role", "region": "eu-west-1" }), "kind"),
        (
            json!({ "kind": "keys", "region": "eu-west-1", "access_key_id": "A", "secret_access_key": { "file": "/etc/shadow" } }),
            "secret_access_key",
        ),
        (
            json!({ "kind": "anonymous", "region": "eu-west-1", "endpoints": { "s3": "http://10.0.0.1" } }),
            "endpoints.s3",
        ),
    ] {
        let refused = world.plane.put_connection(&ours.admin, &ours.environment, "x", spec, None).await;
        let Err(Refusal::Config(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!(faults.faults()[0].key, format!("connections.x.{key}"));
    }
    let config = [("bootstrap.servers".to_owned(), "10.0.0.1:9092".to_owned())].into();
    let cluster = NewCluster { environment: ours.environment.clone(), display_name: "inside".to_owned(), config };
    assert!(matches!(world.plane.create_cluster(&ours.admin, cluster).await, Err(Refusal::Config(_))));
}

#[tokio::test]
async fn what_a_connector_names_cannot_be_taken_away_and_whoever_may_not_use_it_does_not_find_it() {
    let Two { world, ours, admin, .. } = two().await;
    let (plane, env, lkc) = (&world.plane, &ours.environment, &ours.cluster);
    let mut config = sink(&[("tidegate.connection", "lake")]);
    config.remove("aws.access.key.id");
    config.remove("aws.secret.access.key");
    let tail = format!("/environment={env}/cloud-cluster={lkc}");
    let manager = world.with_role(&admin, "manager", "CloudClusterAdmin", &tail).await;
    let refused = plane.create_connector(&manager, lkc, new("x", config.clone())).await.unwrap_err();
    assert!(refused.to_string().contains("connection lake is not in"), "{refused}");
    world.give(&admin, &manager.principal, "Assigner", &format!("/environment={env}/connection=lake")).await.unwrap();
    plane.create_connector(&manager, lkc, new("x", config.clone())).await.unwrap();
    let used = plane.delete_connection(&ours.admin, env, "lake", None).await.unwrap_err();
    assert_eq!(used.to_string(), "connection lake is used by x");
    assert!(matches!(plane.delete_cluster(&ours.admin, lkc).await, Err(Refusal::InUse { .. })));
    // Whoever may configure it, and not use what it names, is told so.
    let writer = world.with_role(&admin, "writer", "DeveloperWrite", &format!("{tail}/connector=x")).await;
    let refused = plane.put_config(&writer, lkc, "x", config, None).await.unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden { action: "assign", .. }), "{refused}");
    let refused = plane.set_target(&writer, lkc, "x", Target::Paused).await.unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden { action: "pause", .. }), "{refused}");
    let integration = NewTrust { environment: env.clone(), display_name: "x".to_owned(), role: None };
    let refused = plane.create_integration(&writer, integration).await.unwrap_err();
    assert!(refused.to_string().ends_with(&format!("may not create integrations of {env}")), "{refused}");
    plane.delete_connector(&manager, lkc, "x", None).await.unwrap();
    plane.delete_connection(&ours.admin, env, "lake", None).await.unwrap();
}

#[tokio::test]
async fn whoever_may_only_look_at_the_state_sees_no_configuration() {
    let Two { world, ours, admin, .. } = two().await;
    let tail = format!("/environment={}/cloud-cluster={}", ours.environment, ours.cluster);
    let operator = world.with_role(&admin, "looker", "Operator", &tail).await;
    let seen = world.plane.connector(&operator, &ours.cluster, "orders").await.unwrap();
    assert_eq!(seen.config.keys().collect::<Vec<_>>(), ["connector.class", "name"]);
    assert_eq!(world.plane.connectors(&operator, &ours.cluster).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_write_is_in_the_audit_log_with_its_result_and_without_secrets() {
    let Two { world, ours, admin, .. } = two().await;
    let refused = world.plane.delete_connector(&ours.admin, &ours.cluster, "nope", None).await;
    assert!(refused.is_err());
    let all = world.plane.audit(&admin, control::AuditQuery { size: 1000, ..Default::default() }).await.unwrap();
    let numbers: Vec<_> = all.items.iter().rev().map(|line| line.number).collect();
    assert_eq!(numbers, (1..=all.total as u64).collect::<Vec<_>>(), "without a gap");
    let text = serde_json::to_string(&all.items).unwrap();
    assert!(!text.contains("s3cr3t") && !text.contains(super::PASSWORD), "{text}");
    let line = &all.items[0];
    assert_eq!((line.action.as_str(), line.result.as_str()), ("connector.delete", "control.not-found"));
    assert_eq!(
        (line.principal.clone(), line.address.as_deref()),
        (ours.admin.principal.to_string(), Some("127.0.0.1"))
    );
    let made = all.items.iter().find(|line| line.action == "connector.create").unwrap();
    assert_eq!(made.after.as_ref().unwrap()["aws.secret.access.key"], control::MASK);
    let page = control::AuditQuery { size: 2, action: Some("environment.".to_owned()), ..Default::default() };
    let first = world.plane.audit(&admin, page.clone()).await.unwrap();
    assert_eq!((first.items.len(), first.total, first.next.is_some()), (2, 2, false));
    let nobody = world.with_role(&admin, "nobody", "Operator", "").await;
    assert_eq!(world.plane.audit(&nobody, page).await.unwrap_err().code(), "control.forbidden");
}

#[tokio::test]
async fn nobody_gives_themselves_more_and_the_last_admin_stays() {
    let Two { world, ours, admin, .. } = two().await;
    for (role, tail) in [
        ("OrganizationAdmin", String::new()),
        ("EnvironmentAdmin", "/environment=*".to_owned()),
        ("Operator", String::new()),
    ] {
        let refused = world.give(&ours.admin, &ours.admin.principal, role, &tail).await.unwrap_err();
        assert_eq!(refused.code(), "control.forbidden", "{role} {tail}");
    }
    let bindings = world.plane.role_bindings(&admin, None, None, 100).await.unwrap().items;
    let last = bindings.iter().find(|binding| binding.role == control::RoleName::OrganizationAdmin).unwrap();
    assert!(matches!(world.plane.delete_role_binding(&admin, &last.id).await, Err(Refusal::Flawed { .. })));
    let control::Principal::User(user) = &admin.principal else { panic!() };
    assert!(matches!(world.plane.delete_user(&admin, user).await, Err(Refusal::Flawed { .. })));
    world.give(&admin, &ours.admin.principal, "OrganizationAdmin", "").await.unwrap();
    world.plane.delete_role_binding(&admin, &last.id).await.unwrap();
    assert!(world.plane.users(&admin).await.unwrap().len() == 1, "one sees oneself");
    assert_eq!(world.plane.create_environment(&admin, "x").await.unwrap_err().code(), "control.forbidden");
}

/// `/readyz` asks for no credentials.
#[tokio::test]
async fn whether_the_service_is_ready_tells_nothing_of_tenants() {
    let Two { world, admin, theirs, .. } = two().await;
    let run = async |caller: &Caller, cluster: &ClusterId| {
        world.plane.set_target(caller, cluster, "orders", Target::Running).await.unwrap();
    };
    run(&theirs.admin, &theirs.cluster).await;
    let ready = world.plane.readiness().await;
    assert!(ready.store);
    assert_eq!((ready.wanted, ready.opened, ready.failed), (0, 0, 0));
    let cluster = world.plane.default_cluster(&admin).await.unwrap();
    world.plane.create_connector(&admin, &cluster, new("orders", sink(&[]))).await.unwrap();
    run(&admin, &cluster).await;
    assert_eq!(world.plane.readiness().await.wanted, 1, "the operator's own counts");
}
