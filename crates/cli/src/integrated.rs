use std::collections::HashMap;
use std::sync::Arc;

use connectors::{CheckReport, ConfigFault, ConnectorPlan};
use control::{AwsSts, Error, Guard, GuardOptions, IntegrationId, Integrations, Prover, State, Watched};
use fault::{Chain, Diagnose as _};
use identity::{AssumeRole, Connection};
use runtime::{Metrics, Process, Readings};
use world::{Clock, Environment};

use crate::integration::{StoreArguments, open, store_path};

/// The key by which a connector names an integration.
const KEY: &str = "provider.integration.id";

/// Gives each connector that names an integration its role; where that may not be used, the connector is refused. The
/// store is opened if there is one, and a connector asks for it.
pub(crate) async fn resolve(
    reports: &mut [CheckReport],
    arguments: &StoreArguments,
    environment: &Environment,
) -> Option<Integrations> {
    let named = |report: &CheckReport| report.plan().is_some_and(ConnectorPlan::awaits_integration);
    if !reports.iter().any(named) {
        return None;
    }
    let path = store_path(arguments, environment);
    // Looking is no reason to make one.
    let store = if path.exists() {
        open(arguments, environment, Clock::system()).await.map_err(|error| told(&error))
    } else {
        let hint = "name it with --store or TIDEGATE_STORE, or make one with: tidegate integration create";
        Err((format!("there is no store of integrations at {}", path.display()), Some(hint.to_owned())))
    };
    for report in reports.iter_mut().filter(|report| named(report)) {
        let Some(id) = report.plan().and_then(ConnectorPlan::integration).map(|named| named.id.clone()) else {
            continue;
        };
        let found = match &store {
            Ok(integrations) => role_of(integrations, &id).await.map_err(|error| told(&error)),
            Err(told) => Err(told.clone()),
        };
        match found {
            Ok(role) => report.map_plan(|plan| plan.with_integration(role)),
            Err((text, hint)) => {
                report.add_fault(ConfigFault { key: KEY.to_owned(), value: Some(id), text, allowed: Vec::new(), hint });
            }
        }
    }
    store.ok()
}

async fn role_of(integrations: &Integrations, id: &str) -> Result<AssumeRole, Error> {
    integrations.connection(&id.parse()?).await
}

fn told(error: &Error) -> (String, Option<String>) {
    (Chain(error).to_string(), error.hint().map(std::borrow::Cow::into_owned))
}

/// Proves the integrations of `plans` again, day by day, and shows in the metrics what is known of them: one guard for
/// each way of being Tidegate.
pub(crate) fn guard(
    plans: &[Arc<ConnectorPlan>],
    integrations: Option<&Integrations>,
    process: &Process,
    metrics: &Metrics,
) -> Result<Vec<Guard>, identity::Error> {
    let Some(integrations) = integrations else { return Ok(Vec::new()) };
    let mut ours: HashMap<Connection, Vec<IntegrationId>> = HashMap::new();
    for plan in plans {
        let Some(id) = plan.integration().and_then(|named| named.id.parse::<IntegrationId>().ok()) else { continue };
        // Two connectors of one integration are one role to prove.
        if !ours.values().flatten().any(|known| *known == id) {
            ours.entry(plan.base_connection()).or_default().push(id);
        }
    }
    let mut guards = Vec::new();
    for (connection, ids) in ours {
        let sts = AwsSts::new(process.clients(), &connection).inspect_err(|error| {
            tracing::error!(
                hint = error.hint().as_deref(),
                "integrations cannot be proven again as {connection}: {}",
                Chain(error)
            );
        })?;
        let prover = Prover::new(Arc::new(sts), process.clock().clone());
        guards.push(Guard::start(integrations.clone(), prover, ids, GuardOptions::default()));
    }
    if !guards.is_empty() {
        show(&guards, integrations, metrics);
    }
    Ok(guards)
}

fn show(guards: &[Guard], integrations: &Integrations, metrics: &Metrics) {
    let readers: Arc<[_]> = guards.iter().map(Guard::reader).collect();
    let each = move |value: &dyn Fn(&IntegrationId, &Watched) -> Readings| -> Readings {
        readers.iter().flat_map(|read| read()).flat_map(|(id, watched)| value(&id, &watched)).collect()
    };
    let states = each.clone();
    metrics.add_gauge("tidegate_integration_state", "1 for the state that the integration is in", move || {
        states(&|id, watched| {
            let value = |state: State| f64::from(u8::from(state == watched.state));
            let labels = |state: State| vec![("integration", id.to_string()), ("state", state.name().to_owned())];
            State::ALL.into_iter().map(|state| (labels(state), value(state))).collect()
        })
    });
    let integrations = integrations.clone();
    let help = "Since the integration's role was last proven to let in nobody else";
    metrics.add_gauge("tidegate_integration_proof_age_seconds", help, move || {
        each(&|id, watched| {
            let age = watched.proven_at.map(|at| integrations.now().duration_since(at).as_secs_f64());
            age.map(|age| (vec![("integration", id.to_string())], age)).into_iter().collect()
        })
    });
}
