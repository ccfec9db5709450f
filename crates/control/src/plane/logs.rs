use super::rights::Action;
use super::{ControlPlane, Refusal};
use crate::{Caller, ClusterId, ConnectorId, LogLine};

impl ControlPlane {
    /// The last lines of a connector's log, the oldest first.
    pub async fn connector_logs(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<(ConnectorId, Vec<LogLine>), Refusal> {
        let (cluster, name) = (cluster.clone(), name.to_owned());
        let found =
            self.look(caller, move |at| at.connector_at(&cluster, &name, Action::Logs, "read the log of", None));
        let id = found.await?.id;
        let lines = self.0.settings.logs.of(&id);
        Ok((id, lines))
    }
}
