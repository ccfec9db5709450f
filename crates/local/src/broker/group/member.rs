use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who sends a request, as the listings show it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) host: String,
}

/// A member of a classic group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client: Client,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_timeout: Duration,
    /// What it can be assigned by, the most preferred first, each with its subscription.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// Waits for the other members to join.
    pub(super) joining: Option<oneshot::Sender<JoinGroupResponse>>,
    /// Waits for the leader's assignment.
    pub(super) syncing: Option<oneshot::Sender<SyncGroupResponse>>,
    /// When it is dropped unless it is heard of (a member that waits for an answer of ours is not).
    pub(super) deadline: Instant,
    /// It has not yet been part of a generation.
    pub(super) is_new: bool,
}

impl Member {
    /// It was heard of.
    pub(super) fn touch(&mut self, now: Instant) {
        self.deadline = now + self.session_timeout;
    }

    /// Whether it is dropped.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let waits_for_us = self.joining.is_some() || self.syncing.is_some();
        self.deadline <= now && (self.is_new || !waits_for_us)
    }

    pub(super) fn subscription(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    /// Ends whatever it waits for.
    pub(super) fn refuse(&mut self, member_id: &str, error: ResponseError) {
        if let Some(joining) = self.joining.take() {
            answer_join(joining, join_error(member_id, error));
        }
        if let Some(syncing) = self.syncing.take() {
            answer_sync(syncing, sync_error(error));
        }
    }
}

/// Answers a join. Its connection may be gone, then nobody hears.
pub(super) fn answer_join(to: oneshot::Sender<JoinGroupResponse>, response: JoinGroupResponse) {
    drop(to.send(response));
}

/// Answers a sync.
pub(super) fn answer_sync(to: oneshot::Sender<SyncGroupResponse>, response: SyncGroupResponse) {
    drop(to.send(response));
}

/// The answer to a join that is refused.
pub(crate) fn join_error(member_id: &str, error: ResponseError) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_member_id(member_id.to_owned().into())
}

/// The answer to a sync that is refused.
pub(crate) fn sync_error(error: ResponseError) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(error.code())
}
