use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{ControlPlane, Page, Refusal};
use crate::{Caller, EnvironmentId};

/// One line of the audit log: a write that was tried, or an exchange for a session.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    /// Its number: they have no gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a principal, or `Tidegate` for what it does by itself.
    pub principal: String,
    /// What: `connector.create`, `session.exchange`.
    pub action: String,
    /// To what: `connector orders of lkc-abc123`.
    pub resource: String,
    /// In which environment, if in one.
    pub environment: Option<EnvironmentId>,
    /// What was there before; secrets masked.
    pub before: Option<Value>,
    /// What is there now; secrets masked.
    pub after: Option<Value>,
    /// Where it came from.
    pub address: Option<String>,
    /// Through which surface.
    pub surface: String,
    /// The request's id.
    pub request_id: String,
    /// `done`, or the code of the refusal.
    pub result: String,
}

/// Which lines to show.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// From then on.
    pub since: Option<Timestamp>,
    /// Until then.
    pub until: Option<Timestamp>,
    /// Of one principal.
    pub principal: Option<String>,
    /// Actions that begin like this.
    pub action: Option<String>,
    /// About this.
    pub resource: Option<String>,
    /// As the last answer gave it.
    pub page: Option<String>,
    /// How many at most.
    pub size: usize,
}

impl ControlPlane {
    /// Lines that the caller may see (of environments that they administrate), newest first.
    pub async fn audit(&self, caller: &Caller, query: AuditQuery) -> Result<Page<AuditEntry>, Refusal> {
        let _ = (caller, query);
        todo!("store")
    }
}
