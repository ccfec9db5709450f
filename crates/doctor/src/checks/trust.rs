use std::time::Duration;

use control::Outcome;
use identity::{AssumeRole, Connection, Lifetime};

use super::identity::caller_before;
use super::ours;
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult};

/// Whoever holds the session may do nothing.
pub(crate) const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// How many of other parties' external IDs are tried.
const MOST_CROSSED: usize = 3;

/// What the role must refuse: only AccessDenied is a refusal, and a session that is won is thrown away unread.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let role = x.target.connection.clone().and_then(|connection| {
        let id = connection.hops.last()?.external_id.clone()?;
        Some((connection, id))
    });
    let Some((connection, right)) = role else {
        x.skip(Check::ID_REQUIRED, "no external ID is sent");
        x.skip(Check::WRONG_ID, "no external ID is sent");
        return;
    };
    if x.wants(Check::ID_REQUIRED) {
        let watch = Watch::start();
        let outcome = try_id(x, &connection, None).await;
        x.put(judged(&watch, Check::ID_REQUIRED, &outcome, "without an external ID"));
        x.facts.absent_id = Some(outcome);
    }
    if x.wants(Check::WRONG_ID) {
        let watch = Watch::start();
        let mut worst: Option<Outcome> = None;
        for wrong in wrong_ids(&right) {
            let outcome = try_id(x, &connection, Some(wrong)).await;
            let is_worse = matches!(
                (&worst, &outcome),
                (None, _) | (_, Outcome::LetIn) | (Some(Outcome::Refused { .. }), Outcome::Unclear { .. })
            );
            if is_worse {
                worst = Some(outcome);
            }
        }
        let crossed = crossed(x, &connection, &right).await;
        if let Some(outcome) = worst {
            let result = judged(&watch, Check::WRONG_ID, &outcome, "with a wrong external ID");
            x.put(match &crossed {
                Some(id) if outcome != Outcome::LetIn => {
                    let told =
                        format!("the role let us in with external ID {id:?}, which its trust policy lists beside ours");
                    watch.failed(Check::WRONG_ID, told)
                }
                _ => result,
            });
            x.facts.wrong_id = Some(outcome);
            x.facts.crossed_id = crossed;
        }
    }
}

/// Another party's external ID with which the role lets us in too: where one statement lists several parties and several
/// external IDs, each of them may use each.
async fn crossed(x: &mut Examination<'_>, connection: &Connection, right: &str) -> Option<String> {
    if x.target.trust_policy.is_none() && x.facts.ours.role.is_none() {
        ours::role(x, connection, connection.hops.len() - 1).await;
    }
    let given = x.target.trust_policy.as_deref();
    let text = given.or(x.facts.ours.role.as_ref().map(|role| role.trust_policy.as_str()))?;
    let document = iam::Document::parse(text).ok()?;
    let own: Vec<&str> =
        x.target.integration.iter().flat_map(|known| known.external_ids.iter().map(String::as_str)).collect();
    let several = document.statements().iter().filter(|statement| {
        let listed = statement.principals().is_some_and(|principals| principals.list().len() > 1);
        listed && statement.effect() == iam::Effect::Allow
    });
    let conditions = several.flat_map(iam::Statement::conditions);
    let about_ids = conditions.filter(|condition| condition.key().eq_ignore_ascii_case("sts:ExternalId"));
    let others = about_ids.flat_map(iam::Condition::values).filter(|id| *id != right && !own.contains(id));
    let plain: Vec<String> =
        others.filter(|id| !id.contains(['*', '?', '$'])).take(MOST_CROSSED).map(str::to_owned).collect();
    for id in plain {
        let outcome = try_id(x, connection, Some(id.clone())).await;
        let is_in = outcome == Outcome::LetIn;
        x.facts.other_id = Some(outcome);
        if is_in {
            return Some(id);
        }
    }
    None
}

/// One of its own, one that is the right one and more, and one with the same beginning and end: what a wildcard lets in.
fn wrong_ids(right: &str) -> [String; 3] {
    let middle = right.chars().count() / 2;
    let near: String =
        right.chars().enumerate().flat_map(|(index, c)| if index == middle { vec!['x', c] } else { vec![c] }).collect();
    [format!("tidegate-doctor-{:016x}", rand::random::<u64>()), format!("{right}x"), near]
}

async fn try_id(x: &Examination<'_>, connection: &Connection, id: Option<String>) -> Outcome {
    let index = connection.hops.len() - 1;
    let role = AssumeRole {
        // The name that is used otherwise: one that the trust policy does not take would be refused for that alone.
        session_name: connection.hops[index].session_name.clone(),
        external_id: id,
        duration: Lifetime::Exactly(Duration::from_mins(15)),
        policy: Some(NOTHING.to_owned()),
        ..AssumeRole::new(connection.hops[index].role_arn.clone(), "")
    };
    match caller_before(x, connection, index).await {
        Ok((signer, arn)) => match x.around.clients.try_role(&role, &connection.sts, &signer, &arn).await {
            Ok(_) => Outcome::LetIn,
            Err(error) => Outcome::of(&error),
        },
        Err(error) => Outcome::of(&error),
    }
}

fn judged(watch: &Watch, check: &'static Check, outcome: &Outcome, how: &str) -> CheckResult {
    match outcome {
        Outcome::LetIn => watch.failed(check, format!("the role let us in {how}")),
        Outcome::Refused { .. } => watch.passed(check, format!("STS answered AccessDenied {how}")),
        Outcome::Unclear { code, text, .. } => watch.unproven(check, text.clone()).code(Some(code.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::wrong_ids;

    #[test]
    fn wrong_ids_are_wrong_and_look_right() {
        for right in ["ab", "c-7f3", "tidegate:7f3e"] {
            for wrong in wrong_ids(right) {
                assert_ne!(wrong, right);
            }
            let [_, longer, near] = wrong_ids(right);
            assert!(
                longer.starts_with(right) && near.starts_with(&right[..1]) && near.ends_with(&right[right.len() - 1..])
            );
        }
    }
}
