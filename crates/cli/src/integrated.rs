use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::ConnectorPlan;
use control::{AwsSts, CurrentIds, Guard, GuardOptions, Integration, IntegrationId, Integrations, Prover, State};
use fault::{Chain, Diagnose as _};
use identity::{AssumeRole, ConnectionSpec, Fence, Purpose};
use jiff::Timestamp;
use runtime::{Metrics, Process};
use world::{Clock, Environment};

use crate::args::WorkerArguments;
use crate::integration::{StoreArguments, open, ours, store_path};

/// What is to be had of an integration.
type ConnectionOf = fn(&Integration, Timestamp) -> Result<AssumeRole, control::Error>;

/// The integrations that connectors may name, read once: what may be used of them, and why not where it may not.
#[derive(Debug)]
pub(crate) struct Known {
    store: Option<Integrations>,
    /// Who Tidegate is before it takes on any of their roles.
    ours: Result<Arc<ConnectionSpec>, String>,
    roles: Result<BTreeMap<String, Result<AssumeRole, String>>, String>,
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
        let (store, roles) = match Self::read_all(arguments, environment, connection).await {
            Ok((store, roles)) => (Some(store), Ok(roles)),
            Err(error) => (None, Err(told(&error))),
        };
        Some(Arc::new(Self { store, ours, roles }))
    }

    async fn read_all(
        arguments: &StoreArguments,
        environment: &Environment,
        connection: ConnectionOf,
    ) -> Result<(Integrations, BTreeMap<String, Result<AssumeRole, String>>), control::Error> {
        let store = open(arguments, environment, Clock::system()).await?;
        let mut roles = BTreeMap::new();
        for integration in store.list(None).await? {
            let role = connection(&integration, store.now()).map_err(|error| told(&error));
            roles.insert(integration.id.to_string(), role);
        }
        Ok((store, roles))
    }

    /// Proves the integrations of `plans` again, day by day, shows in the metrics what is known of them, and has sessions
    /// exchanged with the external IDs that the store has by then.
    pub(crate) fn guard(
        &self,
        plans: &[Arc<ConnectorPlan>],
        process: &Process,
        metrics: &Metrics,
    ) -> Result<Option<Guard>, identity::Error> {
        let (Some(store), Ok(ours), Ok(roles)) = (&self.store, &self.ours, &self.roles) else { return Ok(None) };
        let named = plans.iter().filter_map(|plan| Some(plan.connection_spec()?.name.as_str()));
        let mut ids: Vec<IntegrationId> =
            named.filter(|name| roles.contains_key(*name)).filter_map(|name| name.parse().ok()).collect();
        // Two connectors of one integration are one role to prove.
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Ok(None);
        }
        let opened = ids.iter().filter_map(|id| {
            let role = roles.get(id.as_str())?.as_ref().ok()?;
            Some((id.clone(), role.external_id.clone()?))
        });
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
        show(&guard, store, metrics);
        Ok(Some(guard))
    }
}

/// To be Tidegate is no reach for data: the fence is for the session at the end of the way.
pub(crate) fn unfenced(spec: &ConnectionSpec) -> ConnectionSpec {
    let mut spec = spec.clone();
    spec.fence = Fence::default();
    spec
}

impl identity::Integrations for Known {
    fn connection(&self, id: &str) -> Result<Option<Arc<ConnectionSpec>>, String> {
        let unusable = |why: &String| format!("integration {id} cannot be used: {why}");
        let Some(role) = self.roles.as_ref().map_err(unusable)?.get(id) else { return Ok(None) };
        // Names the integration itself.
        let role = role.as_ref().map_err(String::clone)?;
        let ours = self.ours.as_ref().map_err(unusable)?;
        let external_id = role.external_id.as_deref().unwrap_or_default();
        Ok(Some(Arc::new(ours.then_role(id, &role.role_arn, external_id))))
    }
}

fn told(error: &control::Error) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", Chain(error)),
        None => Chain(error).to_string(),
    }
}

fn show(guard: &Guard, integrations: &Integrations, metrics: &Metrics) {
    let read = guard.reader();
    metrics.add_gauge("tidegate_integration_state", "1 for the state that the integration is in", move || {
        let states = read().into_iter().flat_map(|(id, watched)| {
            State::ALL.map(|state| {
                let labels = vec![("integration", id.to_string()), ("state", state.name().to_owned())];
                (labels, f64::from(u8::from(state == watched.state)))
            })
        });
        states.collect()
    });
    let (read, integrations) = (guard.reader(), integrations.clone());
    let help = "Since the integration's role was last proven to let in nobody else";
    metrics.add_gauge("tidegate_integration_proof_age_seconds", help, move || {
        let ages = read().into_iter().filter_map(|(id, watched)| {
            let age = integrations.now().duration_since(watched.proven_at?).as_secs_f64();
            Some((vec![("integration", id.to_string())], age))
        });
        ages.collect()
    });
}
