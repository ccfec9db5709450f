use std::sync::Arc;

use crate::connector::Connector;
use crate::state::State;

/// A connector as the metrics show it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub name: Arc<str>,
    /// What tells connectors of one name apart, where several clusters are read; shown as the label `cluster`.
    pub cluster: Option<String>,
    /// `sink` or `source`.
    pub kind: &'static str,
    /// The class as its plan calls it, if it has one.
    pub class: Option<&'static str>,
    /// What it is doing, in Kafka Connect's words and small letters: `running`.
    pub state: &'static str,
    /// How many tasks it has now.
    pub tasks: u32,
    /// How often it was started anew.
    pub restarts: u64,
    /// The run that goes on.
    pub running: Option<Arc<Connector>>,
}

pub(super) type Labels = Vec<(&'static str, String)>;

impl Shown {
    /// One of a process that runs nothing but what it was started with.
    pub(super) fn of(connector: Arc<Connector>) -> Self {
        let state = match (connector.failure(), connector.state()) {
            (Some(_), _) | (None, State::Failed(_)) => "failed",
            (None, State::Running) => "running",
            (None, State::Starting) => "unassigned",
            (None, State::Stopped) => "stopped",
        };
        Self {
            name: connector.name().into(),
            cluster: None,
            kind: "sink",
            class: Some(connector.plan().class()),
            state,
            tasks: if state == "stopped" { 0 } else { connector.plan().tasks_max() },
            restarts: connector.retries(),
            running: Some(connector),
        }
    }

    /// Its labels, and more.
    pub(super) fn labels(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
        let cluster = self.cluster.clone().map(|cluster| ("cluster", cluster));
        std::iter::once(("connector", self.name.to_string())).chain(cluster).chain(more).collect()
    }
}
