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
use doctor::{Expectation, Report, Status, Surroundings, Target, TargetKind, examine};
use identity::{Connections, KeyRule};
use local::scenario::{Scenario, Stage};
use tokio::task::JoinSet;

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
    let expect = match expect.clone().try_into::<Expectation>() {
        Ok(expect) => expect,
        Err(error) => return vec![error.to_string()],
    };
    // A row is told at a check, or nothing is to be said at all: what says less proves less.
    if expect.row.is_some() != expect.check.is_some() {
        return vec!["names a row without its check, or a check without its row".to_owned()];
    }
    let before = stage.aws().holdings();
    let report = report(&scenario, &stage, &expect).await;
    let mut found = expect.unmet(&report);
    found.extend(left(&before, &stage).map(|left| format!("left behind: {left}")));
    if found.is_empty() { found } else { vec![format!("{}\n{}", found.join("; "), told(&report))] }
}

/// What is in the buckets that was not there before, seen or hidden.
fn left(before: &[String], stage: &Stage) -> impl Iterator<Item = String> {
    stage.aws().holdings().into_iter().filter(|held| !before.contains(held))
}

/// Examines what a scenario has on its stage.
async fn examined(scenario: &Scenario, stage: &Stage) -> Report {
    let expect = scenario.expect().expect("it says what is expected").clone();
    report(scenario, stage, &expect.try_into().expect("what is expected can be read")).await
}

async fn report(scenario: &Scenario, stage: &Stage, expect: &Expectation) -> Report {
    let target = target(scenario, stage, expect);
    let depth = expect.depth.unwrap_or_else(|| target.depth());
    examine(&target, depth, &around(stage), &|_| ()).await
}

fn around(stage: &Stage) -> Surroundings {
    let (clock, environment) = (stage.clock(), stage.environment());
    Surroundings { clients: Clients::new(clock.clone(), environment.clone()), environment, clock }
}

fn target(scenario: &Scenario, stage: &Stage, expect: &Expectation) -> Target {
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
            let place = expect.place(spec);
            Target::connection(spec, place)
        }
        (None, Err(faults)) => Target::unreadable_connection(TargetKind::Connection, "scenario", &faults),
    };
    target.trust_policy.clone_from(&expect.trust_policy);
    target.permission_policy.clone_from(&expect.permission_policy);
    target
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
