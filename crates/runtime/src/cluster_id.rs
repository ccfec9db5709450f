use std::sync::Arc;

use connectors::{Config, ConnectorFile, WorkerConfig, client_properties};
use fault::Fault;
use kafka::Cluster;

use crate::process::Process;
use crate::{consumer, msk};

/// What the Kafka cluster of `worker` calls itself. Asks it, as an admin client of the worker's.
///
/// A cluster of Amazon MSK is asked with what its login module says, or as the machine; where the worker names a connection
/// for it, that one belongs to connectors, and nobody is asked.
pub async fn cluster_id(process: &Process, worker: &WorkerConfig) -> Result<Option<Arc<str>>, Fault> {
    let properties = client_properties(&ConnectorFile::from_config("tidegate", Config::new()), worker).admin;
    let tokens = msk::tokens_for("tidegate", None, process.clients(), process.environment(), &properties)?;
    let (config, _) = consumer::client(&properties, tokens)?;
    Ok(Cluster::connect(config).await?.metadata().cluster_id.clone())
}
