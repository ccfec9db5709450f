//! Rows that a scenario file cannot express.

use std::collections::BTreeMap;

use doctor::{Check, Status, causes};
use local::scenario::Scenario;

async fn played(name: &str) -> (local::scenario::Stage, doctor::Report) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(path).expect("the scenario is there");
    let scenario = Scenario::parse(name, &text).unwrap();
    let stage = scenario.play(&BTreeMap::new()).await.unwrap();
    let report = super::examined(&scenario, &stage, scenario.expect().unwrap()).await;
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
