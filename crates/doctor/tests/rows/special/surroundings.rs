//! Regions, time, keys and stores.

use std::collections::BTreeMap;

use aws::Clients;
use aws::s3::S3Options;
use doctor::{Check, Depth, Status, Target, Verdict, causes};
use identity::{AccessKeyId, AssumeRole, Base, Connection, Connections, KeyRule, Profile, StaticKeys, StsEndpoint};
use local::aws::{Aws, AwsOptions, Effect, FaultRule};
use local::scenario::Scenario;
use world::{Clock, Environment};

async fn played(name: &str) -> (local::scenario::Stage, doctor::Report) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(path).expect("the scenario is there");
    let scenario = Scenario::parse(name, &text).unwrap();
    let stage = scenario.play(&BTreeMap::new()).await.unwrap();
    let report = crate::examined(&scenario, &stage).await;
    (stage, report)
}

/// Whether a message of another product's leads to that row.
fn leads(message: &str, row: &str) -> bool {
    let message = message.to_lowercase();
    let cause = causes::all().into_iter().find(|cause| cause.row == row).expect("there is such a row");
    cause.texts.iter().any(|text| message.contains(text))
}

#[tokio::test]
async fn f38_the_bucket_s_region_is_learnt_without_asking_for_its_location() {
    let (stage, report) = played("F35-bucket-in-another-region.toml").await;
    assert_eq!(report.facts["bucket_region"], "eu-central-1");
    let asked = stage.aws().requests().counts();
    assert!(!asked.keys().any(|(operation, _)| operation.contains("Location")), "{asked:?}");
    assert!(leads(
        "An error occurred (AuthorizationHeaderMalformed) when calling the GetBucketLocation operation",
        "F38"
    ));
}

#[tokio::test]
async fn f82_a_bucket_with_dots_is_reached_by_path_and_the_text_is_known() {
    let (_, report) = played("healthy-bucket-with-dots.toml").await;
    assert_eq!(report.check(Check::S3_REACHED).unwrap().status, Status::Passed);
    assert!(leads("hostname 'a.b.s3.amazonaws.com' doesn't match '*.s3.amazonaws.com'", "F82"));
}

/// Tidegate and F76: a long process reads the profile again when AWS refuses the token in it.
#[tokio::test]
async fn f76_a_token_that_was_written_anew_is_used_once_the_old_one_is_refused() {
    let aws = Aws::start(AwsOptions::default()).await.unwrap();
    let account = aws.account("111111111111".parse().unwrap());
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let user = account.user("ana").policy(allow).create().await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;
    let role = account.role("login", trust).policy(allow).create().await.unwrap();
    account.bucket("lake").create().await.unwrap();

    let clients = Clients::new(Clock::system(), Environment::of::<String, String>([]));
    let sts = StsEndpoint::new("us-east-1").at(aws.endpoint());
    let keys =
        StaticKeys { access_key_id: AccessKeyId::new(user.access_key_id), secret: user.secret_access_key, token: None };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    // What a person's login writes.
    let login = async |name: &str| {
        let hops = vec![AssumeRole::new(role.as_str(), name)];
        let connection = Connection { base: Base::Keys(keys.clone()), hops, sts: sts.clone() };
        let signer = clients.sessions().open(&connection).unwrap().signer().await.unwrap();
        let text = format!(
            "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
            signer.access_key_id(),
            signer.secret().expose(),
            signer.token().unwrap().expose()
        );
        tokio::fs::write(&file, text).await.unwrap();
    };
    login("first").await;
    let profile = Profile { credentials_file: Some(file.clone()), ..Profile::named("work") };
    let connection = Connection { base: Base::Profile(profile), hops: Vec::new(), sts: sts.clone() };
    let options = S3Options { endpoint: Some(aws.endpoint()), ..S3Options::new("lake", "us-east-1") };
    let probe = clients.s3_probe(&connection, options).unwrap();
    assert!(probe.list("", 1, false).await.answer.is_ok());
    login("second").await;
    // The first session ends as it is used.
    aws.faults().add(FaultRule::new(Effect::ExpireSession).operation("ListObjectsV2").count(1)).unwrap();
    let tried = probe.list("", 1, false).await;
    assert!(tried.answer.is_ok(), "{tried:?}");
    assert_eq!(tried.renewed, Some(("ListObjectsV2", "ExpiredToken".to_owned())));
}

/// A store of another maker has no STS, and AWS's knows nothing of its keys: nobody asks it.
#[tokio::test]
async fn keys_of_a_store_of_another_maker_are_tried_without_sts() {
    let text = r#"
        title = "a store"
        [accounts.111111111111.users.writer.policies.lake]
        Version = "2012-10-17"
        Statement = { Effect = "Allow", Action = "s3:*", Resource = ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"] }
        [buckets.lake]
        account = "111111111111"
        [caller]
        user = "111111111111/writer"
        [connections.lake]
        kind = "keys"
        region = "us-east-1"
        bucket = "lake"
        fence = "check"
    "#;
    let stage = Scenario::parse("store", text).unwrap().play(&BTreeMap::new()).await.unwrap();
    let mut written: serde_json::Value = serde_json::from_str(stage.connections()).unwrap();
    for service in ["sts", "kms", "rolesanywhere"] {
        written["connections"]["lake"]["endpoints"].as_object_mut().unwrap().remove(service);
    }
    let connections =
        Connections::read("store", &written.to_string(), &stage.environment(), KeyRule::default()).unwrap();
    let target = Target::connection(connections.get("lake").unwrap(), None);
    let report = doctor::examine(&target, Depth::Write, &crate::around(&stage), &|_| ()).await;
    assert_eq!(report.verdict, Verdict::Passed, "{}", crate::told(&report));
    assert_eq!(report.check(Check::STS_REACHED).unwrap().status, Status::Skipped);
    assert!(report.check(Check::BASE).unwrap().reason.contains("STS is not asked"));
    assert_eq!(report.check(Check::PUT).unwrap().status, Status::Passed);
}
