//! Rows that nothing fails of: they are known by what the report says of its target, by what it did not test, and by texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::{Config, ConnectorFile, WorkerConfig};
use doctor::{Certainty, Check, Depth, Report, Status, Target, TargetKind, Verdict, causes, examine};
use identity::{Connections, KeyRule};
use local::aws::{Effect, FaultRule};
use local::scenario::{Scenario, Stage};
use world::Environment;

use super::around;

/// A stage of the suite.
async fn stage(name: &str) -> (Scenario, Stage) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(&path).expect("the scenario is there");
    let scenario = Scenario::parse(name, &text).unwrap_or_else(|faults| panic!("{faults}"));
    let stage = scenario.play(&BTreeMap::new()).await.unwrap_or_else(|error| panic!("{error}"));
    (scenario, stage)
}

/// The connection of a stage, examined.
async fn examined(name: &str, depth: Depth) -> (Stage, Report) {
    let (_, stage) = stage(name).await;
    let connections = Connections::read(name, stage.connections(), &stage.environment(), KeyRule::default()).unwrap();
    let target = Target::connection(connections.get("lake").unwrap(), None);
    let report = examine(&target, depth, &around(&stage), &|_| ()).await;
    (stage, report)
}

/// A connector beside the connection `lake`, fenced to `lake/topics/`, examined without asking anybody.
async fn connector(more: &[(&str, &str)]) -> Report {
    let environment = Environment::of::<String, String>([]);
    let connections = r#"{"connections":{"lake":{"kind":"instance-role","region":"us-east-1","bucket":"lake","prefix":"topics/","roles":[{"arn":"arn:aws:iam::111111111111:role/orders"}]}}}"#;
    let connections = Connections::read("c", connections, &environment, KeyRule::default()).unwrap();
    let worker: Config = [("bootstrap.servers", "127.0.0.1:1")].into_iter().collect();
    let worker = WorkerConfig::from_config(worker, &environment).unwrap().with_connections(connections);
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let mut config: BTreeMap<&str, &str> = BTreeMap::from([
        ("name", "orders"),
        ("connector.class", "AivenKafkaConnectS3SinkConnector"),
        ("topics", "orders"),
        ("tidegate.connection", "lake"),
        ("aws.s3.bucket.name", "lake"),
        ("file.name.template", "topics/{{topic}}-{{partition}}-{{start_offset}}"),
        ("format.output.type", "jsonl"),
        ("key.converter", string),
        ("value.converter", string),
    ]);
    config.extend(more.iter().copied());
    let file = ConnectorFile::from_json("orders.json", &serde_json::to_string(&config).unwrap()).unwrap();
    let target = match connectors::plan(&file, &worker) {
        Ok(plan) => Target::connector(&Arc::new(plan)),
        Err(faults) => Target::refused_connector(TargetKind::Connector, &faults),
    };
    let (_, stage) = stage("healthy-role-of-another-account.toml").await;
    examine(&target, Depth::Offline, &around(&stage), &|_| ()).await
}

fn rows_of(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    causes::all()
        .into_iter()
        .filter(|cause| cause.texts.iter().any(|part| text.contains(part)))
        .map(|c| c.row)
        .collect()
}

/// Test red, work green: nothing is asked for but what the work asks for, and the text of one that does is known.
#[tokio::test(flavor = "multi_thread")]
async fn f58_all_buckets_are_never_listed() {
    let (stage, report) = examined("healthy-role-of-another-account.toml", Depth::Write).await;
    assert_eq!(report.verdict, Verdict::Passed);
    let asked = stage.aws().requests();
    assert!(asked.of("ListObjectsV2") > 0 && asked.of("ListBuckets") == 0, "{:?}", asked.counts());
    let told = rows_of(
        "An error occurred (AccessDenied) when calling the ListBuckets operation: User: u is not authorized to perform: s3:ListAllMyBuckets",
    );
    assert!(told.contains(&"F58"), "{told:?}");
}

/// Test green, work red: what was not tested is said, and the depth of the work finds it.
#[tokio::test(flavor = "multi_thread")]
async fn f59_what_was_not_tested_is_said() {
    let (_, stage) = stage("F60-no-leave-to-write.toml").await;
    let connections = Connections::read("c", stage.connections(), &stage.environment(), KeyRule::default()).unwrap();
    let spec = connections.get("lake").unwrap();
    let target = Target::connection(spec, Some(doctor::Place::of(spec, "lake", "topics/")));
    let shallow = examine(&target, Depth::Identity, &around(&stage), &|_| ()).await;
    assert_eq!(shallow.verdict, Verdict::Passed);
    for untested in ["the bucket is there", "objects under the prefix can be read", "an object can be written"] {
        assert!(shallow.not_tested.iter().any(|text| text.contains(untested)), "{untested}: {:?}", shallow.not_tested);
    }
    // As deep as the work goes is what is done if nothing else is said.
    assert_eq!(target.depth(), Depth::Write);
    let deep = examine(&target, target.depth(), &around(&stage), &|_| ()).await;
    assert_eq!(deep.verdict, Verdict::Failed);
    assert!(rows_of("Connection test succeeded, and the job failed").contains(&"F59"));
}

/// The old bucket stayed behind in a setting: every place that is touched is told, and what is outside of the fence refused.
#[tokio::test(flavor = "multi_thread")]
async fn f64_a_bucket_of_another_environment_is_seen_before_anything_runs() {
    let well = connector(&[]).await;
    assert_eq!(well.verdict, Verdict::Passed, "{:?}", well.checks);
    assert_eq!(
        well.facts["touches"].to_string(),
        r#"["s3://lake/topics/","s3://lake/topics/.tidegate/","s3://lake/topics/orders-"]"#
    );
    let moved = connector(&[("aws.s3.bucket.name", "lake-test")]).await;
    let input = moved.check(Check::INPUT).unwrap();
    assert_eq!(input.status, Status::Failed);
    assert_eq!((input.diagnoses[0].cause.row, input.diagnoses[0].certainty), ("F64", Certainty::Decided));
    assert!(input.diagnoses[0].because.contains("lake-test"), "{}", input.diagnoses[0].because);
}

/// Nothing that somebody else has written is deleted, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn f65_what_is_deleted_is_said() {
    let once = connector(&[]).await;
    let said = once.facts["deletes"].as_str().unwrap();
    assert!(said.contains("manifests of its own under \"topics/.tidegate/\", and nothing else"), "{said}");
    let least = connector(&[("tidegate.write.mode", "at-least-once")]).await;
    assert_eq!(least.facts["deletes"].as_str(), Some("nothing"));
    let (_, connection) = examined("healthy-role-of-another-account.toml", Depth::Read).await;
    assert_eq!(connection.facts["deletes"].as_str(), Some("nothing"));
    assert!(rows_of("NoSuchKey: The specified key does not exist.").contains(&"F65"));
}

/// Names that hold the time of writing differ from one attempt to the next.
#[tokio::test(flavor = "multi_thread")]
async fn f66_names_that_do_not_repeat_are_warned_of() {
    let template = "topics/{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=HH}}";
    let by_clock = [("file.name.template", template), ("tidegate.write.mode", "at-least-once")];
    let report = connector(&by_clock).await;
    let names = report.check(Check::NAMES_REPEAT).unwrap();
    assert_eq!(names.status, Status::Warning, "{}", names.reason);
    assert_eq!((names.diagnoses[0].cause.row, names.diagnoses[0].certainty), ("F66", Certainty::Decided));
    for more in [&[("file.name.timestamp.source", "event")][..], &[("tidegate.write.mode", "exactly-once")]] {
        let report = connector(&[&by_clock[..], more].concat()).await;
        let names = report.check(Check::NAMES_REPEAT).unwrap();
        assert_eq!(names.status, Status::Passed, "{more:?}: {}", names.reason);
    }
}

/// A healthy connection whose role may delete for good, examined down to writing, while `fault` is at work.
async fn written_under(fault: FaultRule) -> (Stage, Report) {
    written_in("", fault).await
}

/// The same with more keys of the bucket.
async fn written_in(bucket: &str, fault: FaultRule) -> (Stage, Report) {
    let name = "healthy-role-of-another-account.toml";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(&path).expect("the scenario is there");
    let text = text.replace("\"s3:DeleteObject\"", "\"s3:DeleteObject\", \"s3:DeleteObjectVersion\"");
    let text = text.replace("[buckets.lake]\n", &format!("[buckets.lake]\n{bucket}"));
    let scenario = Scenario::parse(name, &text).unwrap_or_else(|faults| panic!("{faults}"));
    let stage = scenario.play(&BTreeMap::new()).await.unwrap_or_else(|error| panic!("{error}"));
    stage.aws().faults().add(fault).unwrap();
    let connections = Connections::read(name, stage.connections(), &stage.environment(), KeyRule::default()).unwrap();
    let target = Target::connection(connections.get("lake").unwrap(), None);
    let report = examine(&target, Depth::Write, &around(&stage), &|_| ()).await;
    (stage, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_taken_away_and_told_of() {
    let lost = FaultRule::new(Effect::Reset { applied: true }).operation("PutObject").key("*.tidegate-doctor/*");
    let (stage, report) = written_under(lost).await;
    assert_eq!(report.check(Check::PUT).unwrap().status, Status::Unproven);
    let clean = report.check(Check::CLEAN).unwrap();
    assert_eq!(clean.status, Status::Warning, "{}", clean.reason);
    assert!(clean.reason.contains("S3 did not say whether it was written; deleted"), "{}", clean.reason);
    // Two to learn whether it may be deleted, and one that does.
    assert_eq!(stage.aws().requests().of("DeleteObject"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_not_aborted_is_told_of() {
    // The first abort asks whether one may be.
    let refused = Effect::Error { code: "InternalError".into(), applied: false };
    let (_, report) = written_under(FaultRule::new(refused).operation("AbortMultipartUpload").skip(1)).await;
    let clean = report.check(Check::CLEAN).unwrap();
    assert_eq!(clean.status, Status::Warning, "{}", clean.reason);
    assert!(clean.reason.contains("an upload in parts of topics/.tidegate-doctor/"), "{}", clean.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_it_is_not_known_whether_it_would_be_locked() {
    let lost = FaultRule::new(Effect::Reset { applied: false }).operation("GetObjectLockConfiguration");
    let (stage, report) = written_in("versioning = 'enabled'\n", lost.clone()).await;
    let put = report.check(Check::PUT).unwrap();
    assert_eq!((put.status, report.verdict), (Status::Unproven, Verdict::Unproven), "{}", put.reason);
    assert_eq!(stage.aws().requests().of("PutObject"), 0);
    // A bucket that keeps no versions cannot lock, and is not asked.
    let (stage, report) = written_under(lost).await;
    assert_eq!(report.check(Check::PUT).unwrap().status, Status::Passed);
    assert_eq!(stage.aws().requests().of("GetObjectLockConfiguration"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_of_a_deletion_that_s3_did_not_answer_is_told_of() {
    let lost = FaultRule::new(Effect::Reset { applied: true }).operation("DeleteObject").skip(1).count(1);
    let (_, report) = written_in("versioning = 'enabled'\n", lost).await;
    let clean = report.check(Check::CLEAN).unwrap();
    assert_eq!(clean.status, Status::Warning, "{}", clean.reason);
    assert!(clean.reason.contains("a mark that topics/.tidegate-doctor/"), "{}", clean.reason);
}

/// S3 names the region of every bucket that is there, also to whom it refuses. A 403 without one shows nothing by itself;
/// what is done in the bucket afterwards may.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_names_no_region_does_not_show_that_the_bucket_is_there() {
    let bare = || FaultRule::new(Effect::Error { code: "AccessDenied".into(), applied: false });
    let (_, report) = written_under(bare().operation("HeadBucket")).await;
    let bucket = report.check(Check::BUCKET).unwrap();
    assert_eq!(bucket.status, Status::Passed, "{}", bucket.reason);
    assert!(bucket.reason.contains("as what was done in it shows"), "{}", bucket.reason);
    let (_, report) = written_under(bare().bucket("lake")).await;
    let bucket = report.check(Check::BUCKET).unwrap();
    assert_eq!(bucket.status, Status::Unproven, "{}", bucket.reason);
    // What comes after is tried all the same, and says what is refused.
    assert_eq!(report.check(Check::LIST).unwrap().status, Status::Failed);
}
