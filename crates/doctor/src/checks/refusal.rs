//! What is tried after a role has refused us: whether it only takes its time, whether it knows us by another external ID,
//! and what may be read of it.

use std::time::Duration;

use ::identity::{AssumeRole, Connection, Error, Lifetime};
use tokio::time::{Instant, sleep};

use super::identity::try_role;
use super::ours;
use super::trust::NOTHING;
use crate::examination::Examination;
use crate::{Check, Trial};

/// How long it is waited between two attempts: at first briefly, as most changes arrive within seconds.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(5)];

/// No more external IDs than this are tried: each is a line in the account's log.
const MOST_IDS: usize = 6;

/// Whether AWS said that the role does not let us in, which may change by itself.
pub(crate) fn is_denial(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal)
        if refusal.code == "AccessDenied" && refusal.status == 403 && refusal.operation == "sts:AssumeRole")
}

/// Waits until the role of hop `index` lets us in, as long as was asked for. Whoever watches is told of the check anew at
/// each attempt. `true` if it was let in.
pub(crate) async fn wait(x: &mut Examination<'_>, connection: &Connection, index: usize) -> bool {
    let (begin, limit) = (Instant::now(), x.target.wait);
    let mut pauses = PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]));
    while let Some(left) = limit.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        (x.begins)(Check::ROLES);
        sleep(pauses.next().unwrap_or(left).min(left)).await;
        let policy = Some(NOTHING.to_owned());
        let role = AssumeRole { policy, ..connection.hops[index].clone() };
        let answer = try_role(x, connection, index, &role).await;
        x.facts.waited = Some(begin.elapsed());
        match answer {
            Trial::Done => return true,
            answer if answer.is_denied() => {}
            // Something else is wrong now: it is told by whoever asks next.
            Trial::Refused { .. } | Trial::Lost { .. } | Trial::NotTried { .. } => return false,
        }
    }
    false
}

/// Looks closer at the role of hop `index`, which has refused `caller`.
pub(crate) async fn look_closer(x: &mut Examination<'_>, connection: &Connection, index: usize, caller: Option<&str>) {
    ours::role(x, connection, index).await;
    if let Some(caller) = caller {
        x.facts.ours.grants = ours::grants(x, connection, index, caller).await;
    }
    for id in other_ids(x, connection, index) {
        let duration = Lifetime::Exactly(Duration::from_mins(15));
        let (external_id, policy) = (Some(id.clone()), Some(NOTHING.to_owned()));
        let role = AssumeRole { external_id, policy, duration, ..connection.hops[index].clone() };
        if try_role(x, connection, index, &role).await.is_done() {
            x.facts.accepted_id = Some(id);
            return;
        }
    }
}

/// What the role may know us by instead: the integration's other IDs, and the one that is sent in other letters.
fn other_ids(x: &Examination<'_>, connection: &Connection, index: usize) -> Vec<String> {
    let Some(sent) = &connection.hops[index].external_id else { return Vec::new() };
    let mut ids: Vec<String> =
        x.target.integration.iter().flat_map(|known| known.external_ids.iter().cloned()).collect();
    ids.extend([sent.to_lowercase(), sent.to_uppercase()]);
    ids.retain(|id| id != sent);
    ids.dedup();
    ids.truncate(MOST_IDS);
    ids
}
