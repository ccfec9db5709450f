use jiff::Timestamp;
use rusqlite::{Row, named_params};
use serde::Serialize;
use serde_json::Value;

use super::crn::Resource;
use super::rights::Action;
use super::{ControlPlane, Page, Refusal, time};
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
    /// Whose resource holds this text.
    pub resource: Option<String>,
    /// As the last answer gave it.
    pub page: Option<String>,
    /// How many at most.
    pub size: usize,
}

/// As many lines as an answer may have.
const LARGEST: usize = 1000;

/// Which lines are meant, and may be seen: `:mine` lists the environments, and `:all` is true for who sees every line.
const WHICH: &str = "(:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
    AND (:principal IS NULL OR principal = :principal)
    AND (:action IS NULL OR substr(action, 1, length(:action)) = :action)
    AND (:resource IS NULL OR instr(resource, :resource) > 0)
    AND (:all OR environment IN (SELECT value FROM json_each(:mine)))";

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let json = |at: usize| -> rusqlite::Result<Option<Value>> {
        Ok(row.get::<_, Option<String>>(at)?.and_then(|text| serde_json::from_str(&text).ok()))
    };
    Ok(AuditEntry {
        number: row.get(0)?,
        at: time(row.get(1)?),
        principal: row.get(2)?,
        action: row.get(3)?,
        resource: row.get(4)?,
        environment: row.get::<_, Option<String>>(5)?.and_then(|id| id.parse().ok()),
        before: json(6)?,
        after: json(7)?,
        address: row.get(8)?,
        surface: row.get(9)?,
        request_id: row.get(10)?,
        result: row.get(11)?,
    })
}

impl ControlPlane {
    /// Lines that the caller may see (of environments that they administrate), newest first.
    pub async fn audit(&self, caller: &Caller, query: AuditQuery) -> Result<Page<AuditEntry>, Refusal> {
        let before = match query.page.as_deref().map(str::parse::<u64>) {
            None => i64::MAX as u64,
            Some(Ok(number)) => number.min(i64::MAX as u64),
            Some(Err(_)) => {
                let value = query.page.unwrap_or_default().chars().take(80).collect();
                let rule = "is none that was given out: begin again without it".to_owned();
                return Err(Refusal::Flawed { field: "page_token".to_owned(), value, rule });
            }
        };
        self.look(caller, move |at| {
            let all = at.rights.is_admin();
            let ids = at.table.rows("SELECT id FROM environments", [], |row| super::id::<EnvironmentId>(row, 0))?;
            let mine: Vec<EnvironmentId> =
                ids.into_iter().filter(|id| at.may(Action::Audit, &Resource::Environment(id))).collect();
            if !all && mine.is_empty() {
                return Err(at.forbidden("read", "the audit log"));
            }
            let mine = serde_json::to_string(&mine).expect("ids are plain texts");
            let size = query.size.clamp(1, LARGEST);
            let (since, until) =
                (query.since.map(Timestamp::as_millisecond), query.until.map(Timestamp::as_millisecond));
            let lines = format!(
                "SELECT number, at, principal, action, resource, environment, before, after, address, surface,
                        request_id, result
                 FROM audit WHERE number < :number AND {WHICH} ORDER BY number DESC LIMIT :size"
            );
            let values = named_params! {
                ":number": before, ":size": size + 1, ":since": since, ":until": until, ":principal": query.principal,
                ":action": query.action, ":resource": query.resource, ":all": all, ":mine": mine
            };
            let mut items = at.table.rows(&lines, values, read)?;
            let values = named_params! {
                ":since": since, ":until": until, ":principal": query.principal, ":action": query.action,
                ":resource": query.resource, ":all": all, ":mine": mine
            };
            let count = format!("SELECT count(*) FROM audit WHERE {WHICH}");
            let total = at.table.first(&count, values, |row| row.get::<_, u64>(0))?.unwrap_or_default() as usize;
            let next = (items.len() > size).then(|| {
                items.truncate(size);
                items.last().map(|last| last.number.to_string())
            });
            Ok(Page { items, next: next.flatten(), total })
        })
        .await
    }
}
