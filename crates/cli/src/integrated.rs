use std::sync::Arc;

use connectors::ConnectorPlan;
use control::{
    AwsSts, ConnectionOf, CurrentIds, Guard, GuardOptions, Integration, IntegrationId, Integrations, Prover,
    show_guard, unfenced,
};
use fault::{Chain, Diagnose as _};
use identity::{ConnectionSpec, Purpose};
use runtime::{Metrics, Process};
use world::{Clock, Environment};

use crate::args::WorkerArguments;
use crate::integration::{StoreArguments, open, ours, store_path};

/// The integrations that connectors may name, read once.
#[derive(Debug)]
pub(crate) struct Known {
    store: Option<Integrations>,
    known: control::Known,
}

impl Known {
    /// Reads the store, if there is one: looking is no reason to make it.
    pub(crate) async fn read(
        arguments: &StoreArguments,
        worker: &WorkerArguments,
        environment: &Environment,
    ) -> Option<Arc<Self>> {
        Self::read_as(arguments, worker, environment, Integration::connection).await
    }

    /// The same, with roles that are not proven too: for who writes their policies, and never takes them on.
    pub(crate) async fn read_unproven(
        arguments: &StoreArguments,
        worker: &WorkerArguments,
        environment: &Environment,
    ) -> Option<Arc<Self>> {
        Self::read_as(arguments, worker, environment, Integration::unproven_connection).await
    }

    async fn read_as(
        arguments: &StoreArguments,
        worker: &WorkerArguments,
        environment: &Environment,
        connection: ConnectionOf,
    ) -> Option<Arc<Self>> {
        if !store_path(arguments, environment).exists() {
            return None;
        }
        let ours = ours(arguments, None, worker.connections.as_deref(), worker.keys(), environment);
        let read = async {
            let store = open(arguments, environment, Clock::system()).await?;
            let all = store.list(None).await?;
            Ok::<_, control::Error>((store, all))
        };
        Some(Arc::new(match read.await {
            Ok((store, all)) => {
                let known = control::Known::of(&all, store.now(), ours, connection);
                Self { store: Some(store), known }
            }
            Err(error) => Self { store: None, known: control::Known::unreadable(&error, ours) },
        }))
    }

    /// Proves the integrations of `plans` again, day by day, shows in the metrics what is known of them, and has sessions
    /// exchanged with the external IDs that the store has by then.
    pub(crate) fn guard(
        &self,
        plans: &[Arc<ConnectorPlan>],
        process: &Process,
        metrics: &Metrics,
    ) -> Result<Option<Guard>, identity::Error> {
        let (Some(store), Ok(ours)) = (&self.store, self.known.ours()) else { return Ok(None) };
        let named = plans.iter().filter_map(|plan| Some(plan.connection_spec()?.name.as_str()));
        let mut ids: Vec<IntegrationId> =
            named.filter(|name| self.known.has(name)).filter_map(|name| name.parse().ok()).collect();
        // Two connectors of one integration are one role to prove.
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Ok(None);
        }
        let opened = self.known.opened().filter(|(id, _)| ids.contains(id));
        process.clients().sessions().ask_for_external_ids(Arc::new(CurrentIds::new(store.clone(), opened)));
        let connection = unfenced(ours).bind("tidegate", Purpose::S3);
        let sts = AwsSts::new(process.clients(), &connection).inspect_err(|error| {
            tracing::error!(
                hint = error.hint().as_deref(),
                "integrations cannot be proven again as {connection}: {}",
                Chain(error)
            );
        })?;
        let prover = Prover::new(Arc::new(sts), process.clock().clone());
        let guard = Guard::start(store.clone(), prover, ids, GuardOptions::default());
        show_guard(&guard, store, metrics);
        Ok(Some(guard))
    }
}

impl identity::Integrations for Known {
    fn connection(&self, id: &str) -> Result<Option<Arc<ConnectionSpec>>, String> {
        self.known.connection(id)
    }
}
