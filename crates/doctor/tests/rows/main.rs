//! Every row of the catalogue of failures, played: a scenario of the embedded AWS, examined, and the diagnosis that is
//! expected. The scenarios are files, so that a team can read them, run them (`tidegate doctor --fake-aws`), and write some.

mod conduct;
mod healthy;
mod special;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws::Clients;
use connectors::{ConnectorFile, WorkerConfig};
use doctor::{Depth, Place, Report, Status, Surroundings, Target, TargetKind, examine};
use identity::{Connections, KeyRule};
use local::scenario::{Scenario, Stage};
use tokio::task::JoinSet;
use toml::Value;

/// No examination takes longer; one that does hangs.
const BOUND: Duration = Duration::from_mins(2);

/// How many are played at once: each is a server and a client, and waits more than it works.
const AT_ONCE: usize = 6;

fn scenarios() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("there are scenarios")
        .map(|entry| entry.expect("a directory can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        // `ROWS=F07,F08 cargo test -p doctor --test rows` plays those alone.
        .filter(|path| {
            let wanted = world::Environment::process().get("ROWS");
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            wanted.is_none_or(|wanted| wanted.split(',').any(|row| name.starts_with(row)))
        })
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scenario_is_diagnosed_as_it_says() {
    let mut playing = JoinSet::new();
    let mut wrong = Vec::new();
    for path in scenarios() {
        while playing.len() >= AT_ONCE {
            wrong.extend(playing.join_next().await.expect("one is playing").expect("no scenario panics"));
        }
        playing.spawn(async move {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match tokio::time::timeout(BOUND, judge(&path)).await {
                Ok(faults) => faults.into_iter().map(|fault| format!("{name}: {fault}")).collect(),
                Err(_) => vec![format!("{name}: not done in {BOUND:?}")],
            }
        });
    }
    while let Some(faults) = playing.join_next().await {
        wrong.extend(faults.expect("no scenario panics"));
    }
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

async fn judge(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a scenario can be read");
    let origin = path.display().to_string();
    let scenario = match Scenario::parse(&origin, &text) {
        Ok(scenario) => scenario,
        Err(faults) => return vec![faults.to_string()],
    };
    let stage = match scenario.play(&BTreeMap::new()).await {
        Ok(stage) => stage,
        Err(error) => return vec![fault::Chain(&error).to_string()],
    };
    let Some(expect) = scenario.expect() else { return vec!["says nothing of what is expected".to_owned()] };
    let report = examined(&scenario, &stage, expect).await;
    let found = compare(&report, expect);
    if found.is_empty() { found } else { vec![format!("{}\n{}", found.join("; "), told(&report))] }
}

/// Examines what a scenario has on its stage.
async fn examined(scenario: &Scenario, stage: &Stage, expect: &Value) -> Report {
    let target = target(scenario, stage, expect);
    let depth = match text(expect, "depth") {
        Some(name) => Depth::ALL.into_iter().find(|depth| depth.name() == name).expect("a depth that there is"),
        None => target.depth(),
    };
    examine(&target, depth, &around(stage), &|_| ()).await
}

fn around(stage: &Stage) -> Surroundings {
    let (clock, environment) = (stage.clock(), stage.environment());
    Surroundings { clients: Clients::new(clock.clone(), environment.clone()), environment, clock }
}

fn target(scenario: &Scenario, stage: &Stage, expect: &Value) -> Target {
    let connections = Connections::read("scenario", stage.connections(), &stage.environment(), KeyRule::default());
    let mut target = match (stage.connector(), connections) {
        (Some(connector), connections) => {
            let worker = WorkerConfig::from_config(connectors::Config::new(), &stage.environment()).expect("a worker");
            let worker = match connections {
                Ok(connections) => worker.with_connections(connections),
                Err(_) => worker,
            };
            let file = ConnectorFile::from_json("scenario", connector).expect("a connector is an object");
            match connectors::plan(&file, &worker) {
                Ok(plan) => Target::connector(&Arc::new(plan)),
                Err(faults) => Target::refused_connector(TargetKind::Connector, &faults),
            }
        }
        (None, Ok(connections)) => {
            let name = scenario.target().expect("a connection is named");
            let spec = connections.get(name).expect("the connection is there");
            let place = text(expect, "bucket").map(|bucket| Place {
                region: text(expect, "region").unwrap_or(&spec.region).to_owned(),
                tags: expect.get("tags").is_some(),
                server_side_encryption: text(expect, "server_side_encryption").map(str::to_owned),
                kms_key: text(expect, "kms_key").map(str::to_owned),
                acl: text(expect, "acl").map(str::to_owned),
                ..Place::of(spec, bucket, text(expect, "prefix").unwrap_or_default())
            });
            Target::connection(spec, place)
        }
        (None, Err(faults)) => Target::unreadable_connection(TargetKind::Connection, "scenario", &faults),
    };
    target.trust_policy = text(expect, "trust_policy").map(str::to_owned);
    target.permission_policy = text(expect, "permission_policy").map(str::to_owned);
    target
}

fn text<'a>(table: &'a Value, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

/// What of `expect` the report does not show.
fn compare(report: &Report, expect: &Value) -> Vec<String> {
    const KNOWN: [&str; 19] = [
        "depth",
        "verdict",
        "check",
        "status",
        "row",
        "certainty",
        "also",
        "paste",
        "because",
        "not",
        "bucket",
        "prefix",
        "region",
        "tags",
        "acl",
        "server_side_encryption",
        "kms_key",
        "trust_policy",
        "permission_policy",
    ];
    let mut wrong = Vec::new();
    for key in expect.as_table().into_iter().flat_map(|table| table.keys()) {
        if !KNOWN.contains(&key.as_str()) {
            wrong.push(format!("expect.{key} is not known"));
        }
    }
    if let Some(verdict) = text(expect, "verdict").filter(|verdict| *verdict != report.verdict.name()) {
        wrong.push(format!("verdict is {}, not {verdict}", report.verdict.name()));
    }
    let rows: Vec<&str> = report.diagnoses().map(|(_, diagnosis)| diagnosis.cause.row).collect();
    if text(expect, "row").is_none() {
        // A healthy stage: nothing is to be said.
        let said = report.checks.iter().filter(|result| !matches!(result.status, Status::Passed | Status::Skipped));
        wrong.extend(said.map(|result| format!("{} is {}: {}", result.check.name, result.status, result.reason)));
        wrong.extend(rows.iter().map(|row| format!("{row} is diagnosed")));
        return wrong;
    }
    let row = text(expect, "row").unwrap_or_default();
    let Some(check) = text(expect, "check") else { return vec!["expect.check is missing".to_owned()] };
    let Some(result) = report.checks.iter().find(|result| result.check.name == check) else {
        wrong.push(format!("{check} was not made"));
        return wrong;
    };
    if let Some(status) = text(expect, "status").filter(|status| *status != result.status.name()) {
        wrong.push(format!("{check} is {}, not {status}", result.status));
    }
    match result.diagnoses.iter().find(|diagnosis| diagnosis.cause.row == row) {
        None => wrong.push(format!("{row} is not among the diagnoses of {check}: {rows:?}")),
        Some(diagnosis) => {
            let certainty = format!("{:?}", diagnosis.certainty).to_lowercase();
            if let Some(expected) = text(expect, "certainty").filter(|expected| *expected != certainty) {
                wrong.push(format!("{row} is {certainty}, not {expected}"));
            }
            if let Some(part) = text(expect, "because").filter(|part| !diagnosis.because.contains(part)) {
                wrong.push(format!("{row} does not say {part:?}: {}", diagnosis.because));
            }
            let says = |part: &str| {
                let pasted = diagnosis.remedies.iter().filter_map(|remedy| remedy.paste.as_ref());
                diagnosis.remedies.iter().any(|remedy| remedy.action.contains(part))
                    || pasted.into_iter().any(|paste| paste.text().contains(part))
            };
            if let Some(part) = text(expect, "paste").filter(|part| !says(part)) {
                wrong.push(format!("no remedy of {row} says {part:?}: {:?}", diagnosis.remedies));
            }
            if diagnosis.remedies.is_empty() {
                wrong.push(format!("{row} has no remedy"));
            }
        }
    }
    let listed = |key| expect.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    wrong
        .extend(listed("also").filter(|also| !rows.contains(also)).map(|also| format!("{also} is not told: {rows:?}")));
    wrong.extend(listed("not").filter(|not| rows.contains(not)).map(|not| format!("{not} is told and is not so")));
    wrong
}

fn told(report: &Report) -> String {
    let lines = report.checks.iter().filter(|result| result.status != Status::Skipped).map(|result| {
        let rows: Vec<_> = result
            .diagnoses
            .iter()
            .map(|diagnosis| format!("{} {:?}: {}", diagnosis.cause.row, diagnosis.certainty, diagnosis.because))
            .collect();
        format!("    {} {} {} {rows:?}", result.status, result.check.name, result.reason)
    });
    lines.collect::<Vec<_>>().join("\n")
}
