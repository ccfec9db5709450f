use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use connectors::{CheckReport, ConfigFaults, ConnectorFile, LoadError, WorkerConfig, WorkerRefusal};
use identity::{ConnectionFaults, Connections, Integrations};
use world::Environment;

use crate::args::{Exit, WorkerArguments};
use crate::serve::Ending;

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
    integrations: Option<Arc<dyn Integrations>>,
    environment: &Environment,
) -> Result<Loaded, String> {
    load_read(connectors::load_connectors(paths), arguments, integrations, environment)
}

/// The same of files that have been read already.
pub(crate) fn load_read(
    loaded: Vec<Result<ConnectorFile, LoadError>>,
    arguments: &WorkerArguments,
    integrations: Option<Arc<dyn Integrations>>,
    environment: &Environment,
) -> Result<Loaded, String> {
    let overrides = overrides(arguments, environment)?;
    let mut reports = Vec::new();
    let worker = match WorkerConfig::load(arguments.worker.as_deref(), overrides, environment) {
        Ok(worker) => worker,
        Err(WorkerRefusal { faults, rest }) => {
            reports.push(CheckReport::from(faults));
            match rest {
                Some(rest) => *rest,
                None => return Ok(Loaded { reports, warnings: Vec::new() }),
            }
        }
    };
    let worker = match connections(arguments, environment) {
        Ok(Some(connections)) => worker.with_connections(connections),
        Ok(None) => worker,
        Err(faults) => {
            // Without them every connector that names one would be told to be wrong for a reason that is not its own.
            reports.push(CheckReport::from(ConfigFaults::from(faults)));
            return Ok(Loaded { reports, warnings: worker.warnings().iter().map(ToString::to_string).collect() });
        }
    };
    let worker = worker.with_keys(arguments.keys());
    let worker = match integrations {
        Some(integrations) => worker.with_integrations(integrations),
        None => worker,
    };
    // Reports come in the order of the command line; files that can be read are checked together, for their names.
    let files: Vec<ConnectorFile> = loaded.iter().filter_map(|file| file.as_ref().ok().cloned()).collect();
    let mut checked = connectors::check_all(&files, &worker).into_iter().zip(&files).map(|(report, file)| {
        let clients = connectors::client_properties(file, &worker);
        runtime::check_clients(report, &clients)
    });
    for file in loaded {
        reports.extend(match file {
            Ok(_) => checked.next(),
            Err(error) => Some(CheckReport::from(ConfigFaults::from(error))),
        });
    }
    Ok(Loaded { reports, warnings: worker.warnings().iter().map(ToString::to_string).collect() })
}

/// The worker's settings alone, for who has no connector files; all that is wrong with them is told.
pub(crate) fn worker(arguments: &WorkerArguments, environment: &Environment) -> Result<WorkerConfig, Ending> {
    let overrides = overrides(arguments, environment).map_err(|text| Ending::new(Exit::Usage, text))?;
    let refused = |faults: ConfigFaults| Ending::new(Exit::Refused, CheckReport::from(faults).to_string());
    let worker = WorkerConfig::load(arguments.worker.as_deref(), overrides, environment)
        .map_err(|WorkerRefusal { faults, .. }| refused(faults))?;
    let connections = connections(arguments, environment).map_err(|faults| refused(faults.into()))?;
    let worker = match connections {
        Some(connections) => worker.with_connections(connections),
        None => worker,
    };
    Ok(worker.with_keys(arguments.keys()))
}

/// The file of connections, if one is given.
fn connections(
    arguments: &WorkerArguments,
    environment: &Environment,
) -> Result<Option<Connections>, ConnectionFaults> {
    let Some(path) = &arguments.connections else { return Ok(None) };
    Connections::load(path, environment, arguments.keys()).map(Some)
}

/// Settings from the environment, above them `--set`, above it `--bootstrap-server`.
fn overrides(arguments: &WorkerArguments, environment: &Environment) -> Result<BTreeMap<String, String>, String> {
    let mut overrides = connectors::worker_overrides(environment);
    for setting in &arguments.settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(format!("--set {setting:?} has no '='; write it as key=value"));
        };
        if key.trim().is_empty() {
            return Err(format!("--set {setting:?} names no key; write it as key=value"));
        }
        overrides.insert(key.trim().to_owned(), value.to_owned());
    }
    if let Some(servers) = &arguments.bootstrap_server {
        overrides.insert("bootstrap.servers".to_owned(), servers.clone());
    }
    Ok(overrides)
}
