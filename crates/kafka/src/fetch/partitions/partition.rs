//! One partition that is being fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use data::{Offset, TopicPartition};
use tokio::sync::Notify;
use tokio::time::Instant;
use transit::{Assignment, Permit};
use uuid::Uuid;

use crate::cluster::Backoff;

/// A partition that is being fetched.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) assignment: Assignment,
    /// The topic's id when its leader was first found, nil if the cluster has none.
    pub(super) topic_id: Option<Uuid>,
    /// Whether a leader has had the position, so that it is one of this log.
    pub(super) known: bool,
    /// What is asked for next.
    pub(super) position: i64,
    /// The leader epoch of the batch before it, -1 if unknown.
    pub(super) last_epoch: i32,
    pub(super) standing: Standing,
    pub(super) backoff: Backoff,
    pub(super) handed: Arc<Handed>,
    /// What one answer had to be raised to for a whole batch to fit in.
    pub(super) least_bytes: usize,
    pub(super) turn: u64,
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Standing {
    /// Nobody is known to ask, or who was asked is not the right one (`stale`).
    Leaderless { stale: bool, not_before: Instant },
    /// This broker is asked.
    Led(Lead),
    /// The offset is not in the log, or of another log (`anew`): where does the log begin and end?
    Astray { anew: bool, not_before: Instant },
    /// That has been asked.
    Asking { anew: bool },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lead {
    pub(super) node: i32,
    pub(super) epoch: i32,
    pub(super) topic_id: Uuid,
}

/// The bytes of a partition that were made ready and are not dropped yet.
#[derive(Debug)]
pub(super) struct Handed(pub(super) AtomicUsize);

/// Keeps an answer's bytes counted until its last record is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) handed: Arc<Handed>,
    pub(super) bytes: usize,
    /// Below this the partition can be asked for again.
    pub(super) limit: usize,
    pub(super) askable: Arc<Notify>,
    pub(super) _permits: Arc<ResponsePermits>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.handed.0.fetch_sub(self.bytes, Ordering::Relaxed);
        if before >= self.limit && before - self.bytes < self.limit {
            self.askable.notify_waiters();
        }
    }
}

/// A response's bytes, charged to the share of fetched records and to the whole budget.
#[derive(Debug)]
pub(in crate::fetch) struct ResponsePermits {
    pub(in crate::fetch) share: Permit,
    pub(in crate::fetch) whole: Permit,
}

impl ResponsePermits {
    pub(in crate::fetch) fn resize(&mut self, bytes: usize) {
        self.share.resize(bytes);
        self.whole.resize(bytes);
    }
}

/// How far the fetching of a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which partition.
    pub partition: TopicPartition,
    /// The next offset to be fetched.
    pub position: Offset,
    /// The end of the log as the leader last said; `None` before its first answer.
    pub high_watermark: Option<Offset>,
    /// The end of what `read_committed` may read; `None` before the first answer.
    pub last_stable: Option<Offset>,
    /// The first offset that retention has left; `None` before the first answer.
    pub log_start: Option<Offset>,
}

impl Progress {
    /// How many offsets are still to be fetched.
    pub fn lag(&self) -> Option<i64> {
        self.high_watermark.map(|end| (end.0 - self.position.0).max(0))
    }
}

impl Partition {
    /// Has it fetched at `position`, when its leader is known again.
    pub(super) fn go_on(&mut self, position: i64) {
        self.position = position;
        self.last_epoch = -1;
        let pause = self.backoff.next_pause();
        self.standing = Standing::Leaderless { stale: true, not_before: Instant::now() + pause };
    }
}
