//! What a member says to its coordinator and hears from it, in its own words: `wire_call.rs` turns them into messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data::{Offset, TopicPartition};
use transit::Commit;
use uuid::Uuid;

use super::assign::Assignor;
use crate::ErrorCode;

/// A request to the coordinator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    /// JoinGroup: take part in the next generation.
    Join {
        member: Arc<str>,
        /// What we say to each rule, in the order in which we like them.
        protocols: Vec<(Assignor, Bytes)>,
        reason: &'static str,
    },
    /// SyncGroup: what does this generation assign? The leader says it, everyone hears it.
    Sync { member: Arc<str>, generation: i32, assignor: Assignor, assignments: Vec<(Arc<str>, Bytes)> },
    /// Heartbeat of the classic protocol.
    Beat { member: Arc<str>, generation: i32 },
    /// LeaveGroup.
    Leave { member: Arc<str>, reason: &'static str },
    /// ConsumerGroupHeartbeat (KIP-848): joining, beating, acknowledging and leaving in one.
    Reconcile(Reconcile),
    /// OffsetCommit.
    Commit { member: Arc<str>, epoch: i32, entries: Vec<Commit> },
    /// OffsetFetch.
    Places { member: Arc<str>, epoch: i32, partitions: Vec<TopicPartition> },
}

/// A heartbeat of the protocol of KIP-848.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reconcile {
    pub(crate) member: Arc<str>,
    /// 0 joins, -1 leaves, -2 leaves for a while (static members).
    pub(crate) epoch: i32,
    /// Whether everything is said again, and everything is to be told again.
    pub(crate) full: bool,
    /// The topics wanted; `None` if they are as they were.
    pub(crate) topics: Option<BTreeSet<Arc<str>>>,
    /// The partitions held; `None` if they are as they were.
    pub(crate) owned: Option<BTreeMap<Uuid, BTreeSet<i32>>>,
}

/// A member joins with this epoch.
pub(crate) const JOINING: i32 = 0;
/// A member leaves with this epoch.
pub(crate) const LEAVING: i32 = -1;
/// A static member leaves with this epoch, to come back.
pub(crate) const LEAVING_FOR_A_WHILE: i32 = -2;

/// The coordinator's answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// To a JoinGroup without a member id: use this one (KIP-394).
    NeedsId(Arc<str>),
    /// To JoinGroup.
    Joined(Result<Joined, Refusal>),
    /// To SyncGroup: the bytes of our assignment.
    Synced(Result<Bytes, Refusal>),
    /// To Heartbeat.
    Beaten(Result<(), Refusal>),
    /// To LeaveGroup, or to the last heartbeat of KIP-848; whatever it says.
    Left,
    /// To ConsumerGroupHeartbeat.
    Reconciled(Result<Reconciled, Refusal>),
    /// To OffsetCommit: each partition with its error, if it has one.
    Committed(BTreeMap<TopicPartition, Option<ErrorCode>>),
    /// To OffsetFetch.
    Places(Result<Vec<(TopicPartition, Place)>, Refusal>),
}

/// A generation of the classic protocol, as JoinGroup tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) member: Arc<str>,
    pub(crate) generation: i32,
    /// The rule that was agreed on.
    pub(crate) assignor: Arc<str>,
    pub(crate) leader: bool,
    /// Whether the leader is to leave the assignment as it is (KIP-814).
    pub(crate) skip_assignment: bool,
    /// Told to the leader only: id, instance, subscription.
    pub(crate) members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>,
}

/// What a heartbeat of KIP-848 tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconciled {
    pub(crate) epoch: i32,
    pub(crate) interval: Duration,
    /// Everything that is assigned to us; `None` if nothing has changed.
    pub(crate) assigned: Option<BTreeMap<Uuid, BTreeSet<i32>>>,
}

/// What is committed for a partition.
pub(crate) type Place = Result<Option<(Offset, String)>, ErrorCode>;

/// The coordinator's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<Arc<str>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The request never left: there is no coordinator, or no connection to it.
    Unsent,
    /// The connection ended under it, by the far side or the network's word; the coordinator may have done what it asks.
    Broken,
    /// No answer in time. The request may still be under way.
    Expired,
}

impl Call {
    /// Its name in Kafka's protocol, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "JoinGroup",
            Self::Sync { .. } => "SyncGroup",
            Self::Beat { .. } => "Heartbeat",
            Self::Leave { .. } => "LeaveGroup",
            Self::Reconcile(_) => "ConsumerGroupHeartbeat",
            Self::Commit { .. } => "OffsetCommit",
            Self::Places { .. } => "OffsetFetch",
        }
    }
}
