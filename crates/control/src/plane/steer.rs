//! From what is written down to what runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use ::connectors::{ConnectorPlan, WorkerConfig};
use fault::Chain;

use super::ground::{Ground, blocking, plan};
use super::kept_connector::KeptConnector;
use super::{ControlPlane, Refusal};
use crate::supervisor::Wanted;
use crate::{ClusterId, ConnectorId};

/// What a connector was planned as, or why it could not be.
pub(crate) type Planned = Result<Arc<ConnectorPlan>, String>;

impl ControlPlane {
    /// Tells the supervisor of everything that there is.
    pub(crate) async fn want_all(&self) -> Result<(), Refusal> {
        let plane = self.clone();
        let read = self.0.store.read(move |table| {
            let connectors = KeptConnector::all(table, None)?;
            let mut grounds: BTreeMap<ClusterId, Ground> = BTreeMap::new();
            for connector in &connectors {
                if !grounds.contains_key(&connector.cluster) {
                    grounds.insert(connector.cluster.clone(), Ground::read(table, &plane.0, &connector.cluster, None)?);
                }
            }
            Ok::<_, Refusal>((connectors, grounds))
        });
        let (connectors, grounds) = read.await?;
        let plane = self.clone();
        let planned = blocking(move || {
            let workers: BTreeMap<_, _> =
                grounds.iter().map(|(cluster, ground)| (cluster, ground.worker(&plane.0))).collect();
            let plan = |connector: KeptConnector| {
                let planned = match &workers[&connector.cluster] {
                    Ok(worker) => plane.planned(&connector, worker),
                    Err(refusal) => Err(Chain(refusal).to_string()),
                };
                (connector, planned)
            };
            Ok(connectors.into_iter().map(plan).collect::<Vec<_>>())
        });
        for (connector, planned) in planned.await? {
            if let Err(why) = &planned {
                tracing::error!(connector = connector.name, cluster = %connector.cluster, "cannot be started: {why}");
            }
            self.want(&connector, planned);
        }
        Ok(())
    }

    /// What a connector of the store comes to now.
    pub(crate) fn planned(&self, connector: &KeptConnector, worker: &WorkerConfig) -> Planned {
        let config = connector.open(&self.0.vault)?;
        plan(&config, worker).map(Arc::new).map_err(|faults| faults.to_string())
    }

    /// Tells the supervisor what is wanted of a connector.
    pub(crate) fn want(&self, connector: &KeptConnector, plan: Planned) {
        self.plans().insert(connector.id.clone(), (connector.config_revision, plan.clone()));
        self.0.supervisor.want(Wanted {
            id: connector.id.clone(),
            name: connector.name.as_str().into(),
            cluster: connector.cluster.clone(),
            config_revision: connector.config_revision,
            plan,
            target: connector.target,
            tasks: connector.tasks_shown(),
        });
    }

    /// Plans a connector anew, because what it names has changed or its plan could not be made, and tells the supervisor.
    pub(crate) async fn replan(&self, id: &ConnectorId) -> Result<(), Refusal> {
        let id = id.clone();
        let find =
            |id: ConnectorId| self.0.store.read(move |table| Ok::<_, Refusal>(KeptConnector::by_id(table, &id)?));
        let Some(found) = find(id.clone()).await? else { return Ok(()) };
        let _claim = self.0.claims.take(&found.cluster, &found.name).await?;
        // It may have been changed while its claim was waited for.
        let Some(found) = find(id).await? else { return Ok(()) };
        let (worker, _) = self.worker(&found.cluster, None).await?;
        let (plane, connector) = (self.clone(), found.clone());
        let planned = blocking(move || Ok(plane.planned(&connector, &worker))).await?;
        self.want(&found, planned);
        Ok(())
    }

    /// What a connector was planned as.
    pub(crate) fn plan_of(&self, id: &ConnectorId) -> Option<Planned> {
        self.plans().get(id).map(|(_, planned)| planned.clone())
    }

    /// The plan of the configuration that a connector has now, and of what that names now.
    pub(crate) fn plan_at(&self, connector: &KeptConnector) -> Option<Arc<ConnectorPlan>> {
        let plans = self.plans();
        let (revision, planned) = plans.get(&connector.id)?;
        planned.as_ref().ok().filter(|_| *revision == connector.config_revision).cloned()
    }

    pub(crate) fn plans(&self) -> std::sync::MutexGuard<'_, BTreeMap<ConnectorId, (u64, Planned)>> {
        self.0.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does all of `work`, whether or not whoever asked for it waits for its end: what was written down is on its way to
    /// what runs.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        tokio::spawn(work).await.unwrap_or(Err(Refusal::Store(crate::Error::Abandoned)))
    }
}
