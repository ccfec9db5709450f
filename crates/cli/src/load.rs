use std::collections::BTreeMap;
use std::path::PathBuf;

use connectors::{CheckReport, ConnectorFile, WorkerConfig};
use world::Environment;

use crate::args::WorkerArguments;

/// What connector files and worker settings came to.
pub(crate) struct Loaded {
    /// One report a connector (and one for the worker, if it is what is refused).
    pub(crate) reports: Vec<CheckReport>,
    /// What to know about the worker's settings.
    pub(crate) warnings: Vec<String>,
}

impl Loaded {
    /// Whether everything can run.
    pub(crate) fn is_ok(&self) -> bool {
        self.reports.iter().all(CheckReport::is_ok)
    }
}

/// Reads and checks everything, so that all faults of all files are told at once.
pub(crate) fn load(
    paths: &[PathBuf],
    arguments: &WorkerArguments,
    environment: &Environment,
) -> Result<Loaded, String> {
    let overrides = overrides(arguments, environment)?;
    let worker = match WorkerConfig::load(arguments.worker.as_deref(), overrides, environment) {
        Ok(worker) => worker,
        Err(faults) => return Ok(Loaded { reports: vec![CheckReport::from(faults)], warnings: Vec::new() }),
    };
    let mut reports = Vec::new();
    let mut names = BTreeMap::new();
    for (path, file) in paths.iter().zip(connectors::load_connectors(paths)) {
        let report = match file {
            Ok(file) => check(&file, &worker),
            Err(error) => CheckReport::from(connectors::ConfigFaults::from(error)),
        };
        if let Some(plan) = report.plan()
            && let Some(other) = names.insert(plan.name().to_owned(), path.clone())
        {
            return Err(format!(
                "{} and {} both declare connector {}; names must differ, for each is a consumer group",
                other.display(),
                path.display(),
                plan.name()
            ));
        }
        reports.push(report);
    }
    Ok(Loaded { reports, warnings: worker.warnings().iter().map(ToString::to_string).collect() })
}

fn check(file: &ConnectorFile, worker: &WorkerConfig) -> CheckReport {
    let report = connectors::check(file, worker);
    runtime::check_clients(report)
}

/// Settings from the environment, above them `--set`, above it `--bootstrap-server`.
fn overrides(arguments: &WorkerArguments, environment: &Environment) -> Result<BTreeMap<String, String>, String> {
    let mut overrides = connectors::worker_overrides(environment);
    for setting in &arguments.settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(format!("--set {setting:?} has no '='; write it as key=value"));
        };
        overrides.insert(key.trim().to_owned(), value.to_owned());
    }
    if let Some(servers) = &arguments.bootstrap_server {
        overrides.insert("bootstrap.servers".to_owned(), servers.clone());
    }
    Ok(overrides)
}
