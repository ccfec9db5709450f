//! Who Tidegate is when it takes on the roles of customers, and whether those still let in nobody else.

use std::sync::Arc;

use fault::Chain;
use identity::{ConnectionSpec, Fence, Purpose};
use runtime::Metrics;

use super::{ControlPlane, Refusal};
use crate::{AwsSts, CurrentIds, Guard, GuardOptions, Prover, show_guard};

/// To be Tidegate is no reach for data: the fence is for the session at the end of the way.
pub fn unfenced(spec: &ConnectionSpec) -> ConnectionSpec {
    let mut spec = spec.clone();
    spec.fence = Fence::default();
    spec
}

impl ControlPlane {
    /// What tries roles as who Tidegate is. Makes no call.
    pub(crate) fn prover(&self) -> Result<Prover, Refusal> {
        let settings = &self.0.settings;
        let unknown = |why: String| Refusal::Flawed {
            field: "--as".to_owned(),
            value: String::new(),
            rule: format!("must say who Tidegate is to AWS, for no integration can be proven without: {why}"),
        };
        let ours = settings.ours.as_ref().map_err(|why| unknown(why.clone()))?;
        let connection = unfenced(ours).bind("tidegate", Purpose::S3);
        let clients = self.0.supervisor.process().clients();
        let sts = AwsSts::new(clients, &connection).map_err(|error| unknown(Chain(&error).to_string()))?;
        Ok(Prover::new(Arc::new(sts), settings.clock.clone()))
    }

    /// From now on, sessions are exchanged with the external IDs that the store has by then, each exchange is written into
    /// the audit log, and integrations that connectors name are proven day by day.
    pub(crate) fn begin_trust(&self) {
        let sessions = self.0.supervisor.process().clients().sessions().clone();
        let current = Arc::new(CurrentIds::new(self.0.integrations.clone(), []));
        sessions.ask_for_external_ids(Arc::clone(&current) as Arc<dyn identity::ExternalIds>);
        self.0.current_ids.set(current).ok();
        sessions.watch(self.exchange_log());
        match self.prover() {
            Ok(prover) => {
                let guard = Guard::start_of_used(self.0.integrations.clone(), prover, GuardOptions::default());
                self.0.guard.set(guard).ok();
            }
            Err(refusal) => tracing::warn!("integrations are not proven again: {}", Chain(&refusal)),
        }
    }

    /// Shows in `metrics` what is known of the integrations that connectors name.
    pub fn show_trust(&self, metrics: &Metrics) {
        if let Some(guard) = self.0.guard.get() {
            show_guard(guard, &self.0.integrations, metrics);
        }
    }
}
