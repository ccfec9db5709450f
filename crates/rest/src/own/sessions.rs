//! Sessions in the cache: that they are there, never what they are.

use identity::SessionStats;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ask::{Ask, Reply};
use super::trouble::Trouble;

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().sessions(&ask.caller).await?;
    let now = ask.now();
    Ok(ask.paging()?.cut(all, |one| one.target.clone(), |one| as_shown(one, now)))
}

fn as_shown(stats: &SessionStats, now: Timestamp) -> Value {
    let SessionStats { target, age, left, renewals, failures, drops } = stats;
    let expires_at = left.and_then(|left| SignedDuration::try_from(left).ok()).map(|left| now + left);
    json!({
        "target": target,
        "age_seconds": age.map(|age| age.as_secs_f64()),
        "left_seconds": left.map(|left| left.as_secs_f64()),
        "expires_at": expires_at,
        "renewals": renewals,
        "failures": failures,
        "drops": drops,
    })
}
