//! The audit log.

use control::AuditQuery;
use jiff::Timestamp;

use super::ask::{Ask, Reply, as_json};
use super::paging::Paging;
use super::trouble::Trouble;

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let Paging { size, after } = ask.paging()?;
    let text = |name| ask.parameter(name).map(ToOwned::to_owned);
    let time = |name| -> Option<Timestamp> { ask.parameter(name)?.parse().ok() };
    let query = AuditQuery {
        since: time("since"),
        until: time("until"),
        principal: text("principal"),
        action: text("action"),
        resource: text("resource"),
        page: after,
        size,
    };
    Ok(Paging::of(&ask.plane().audit(&ask.caller, query).await?, as_json))
}
