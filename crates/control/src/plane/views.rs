//! What the control plane shows. Secrets are masked in all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::{ClusterId, ConnectorId, EnvironmentId};

/// What stands for a secret in every answer; sent back, it keeps the stored secret. Any text of two or more asterisks is
/// taken for it (as Confluent's clients do).
pub const MASK: &str = "****************";

/// What is wanted of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Target {
    /// Records shall move.
    Running,
    /// Nothing shall move; its tasks are kept.
    Paused,
    /// Nothing shall move, and it has no tasks: offsets may be changed.
    Stopped,
}

/// What a connector or a task is doing, in Kafka Connect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Doing {
    /// It is not started yet.
    Unassigned,
    /// Records move, or would.
    Running,
    /// It holds still.
    Paused,
    /// It has no tasks (connectors only).
    Stopped,
    /// It has failed; see the trace.
    Failed,
    /// It is about to be started anew.
    Restarting,
}

/// Why a connector has failed: what `run` shows of one, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The kind of failure; it has a page in docs/errors.
    pub code: &'static str,
    /// What was tried, as whom, and what came back.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    /// What may have caused it, the likeliest first.
    pub causes: Vec<String>,
    /// When it failed first, without a success since.
    pub since: Timestamp,
    /// How often in a row.
    pub attempts: u32,
    /// When it is tried again by itself; `None`: not before it is restarted.
    #[serde(serialize_with = "seconds")]
    pub retry_in: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn seconds<S: serde::Serializer>(wait: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    wait.map(|wait| wait.as_secs_f64()).serialize(serializer)
}

/// What a connector is doing now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The connector.
    pub connector: Doing,
    /// Its tasks, by number. All are run by one loop, and so have one state.
    pub tasks: Vec<Doing>,
    /// Which worker has it, as `host:port`.
    pub worker_id: String,
    /// Why it has failed.
    pub explanation: Option<Explanation>,
}

/// A connector as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectorView {
    /// Its id.
    pub id: ConnectorId,
    /// Its name, unique among those of its cluster.
    pub name: String,
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What it reads from.
    pub cluster: ClusterId,
    /// Its configuration as it was written: references as they stand, secrets masked. With `name`.
    pub config: BTreeMap<String, String>,
    /// `sink` or `source`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is wanted.
    pub target: Target,
    /// How many tasks it has, if it is not stopped.
    pub tasks: u32,
    /// What it does.
    pub status: Status,
    /// Counts its changes: the ETag.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its configuration or its target was changed last.
    pub updated_at: Timestamp,
}

/// A connector to be made.
#[derive(Debug, Clone)]
pub struct NewConnector {
    /// Its name. Cut at both ends as Kafka Connect does.
    pub name: String,
    /// Its configuration; a `name` in it must be the same.
    pub config: BTreeMap<String, String>,
    /// What it shall do first.
    pub target: Target,
    /// Where it shall begin, if not where its group is.
    pub offsets: Vec<PartitionOffset>,
}

/// Where a sink's partition is, or shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The next record to read; `None` takes the partition back to its beginning (or `auto.offset.reset`).
    pub offset: Option<i64>,
}

/// What to restart (KIP-745).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restart {
    /// The tasks, too.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

/// How much of what is wanted works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the store can be read.
    pub store: bool,
    /// How many connectors of the operator's own shall run.
    pub wanted: usize,
    /// How many of them have been opened.
    pub opened: usize,
    /// How many of them have failed.
    pub failed: usize,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins, if there is more.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: usize,
}
