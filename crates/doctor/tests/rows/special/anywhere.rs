//! Certificates.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Clients;
use doctor::{Certainty, Check, Depth, Status, Surroundings, Target, Verdict, causes, examine};
use identity::{Connections, KeyRule};
use local::scenario::Scenario;
use world::Clock;

/// Tidegate has no store to select from: the row is known by the text of AWS's own helper.
#[test]
fn f94_several_identities_are_known_by_what_the_helper_says() {
    let said = "multiple matching identities were found for the given selector".to_lowercase();
    let fitting = causes::all().into_iter().filter(|cause| cause.texts.iter().any(|text| said.contains(text)));
    assert_eq!(fitting.map(|cause| cause.row).collect::<Vec<_>>(), ["F94"]);
}

/// A clock that is a year on is AWS's too, in a scenario; so nobody is asked here.
#[tokio::test]
async fn f96_a_certificate_that_ends_within_a_month_is_warned_of() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/healthy-certificate.toml")).unwrap();
    let stage = Scenario::parse("scenario", &text).unwrap().play(&BTreeMap::new()).await.unwrap();
    let environment = stage.environment();
    let connections = Connections::read("scenario", stage.connections(), &environment, KeyRule::default()).unwrap();
    let target = Target::connection(connections.get("lake").unwrap(), None);
    for (days, expected, step) in [
        (300, Status::Passed, None),
        (340, Status::Warning, Some("30 days")),
        (360, Status::Warning, Some("7 days")),
        (364, Status::Warning, Some("1 day")),
        (366, Status::Failed, None),
    ] {
        let clock = Clock::manual(stage.clock().now() + Duration::from_hours(24 * days));
        let clients = Clients::new(clock.clone(), environment.clone());
        let around = Surroundings { clients, environment: environment.clone(), clock };
        let report = examine(&target, Depth::Offline, &around, &|_| ()).await;
        let result = report.check(Check::CERTIFICATE).unwrap();
        assert_eq!(result.status, expected, "after {days} days: {}", result.reason);
        assert_eq!(result.threshold, step, "after {days} days");
        let rows: Vec<_> = result.diagnoses.iter().map(|found| (found.cause.row, found.certainty)).collect();
        let expected_rows = if expected == Status::Passed { Vec::new() } else { vec![("F96", Certainty::Decided)] };
        assert_eq!(rows, expected_rows, "after {days} days");
        assert_eq!(report.verdict == Verdict::Failed, expected == Status::Failed);
    }
}
