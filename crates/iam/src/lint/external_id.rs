//! Whether a third party can be made to use a role on behalf of another of its customers: the confused deputy.
//!
//! What an external ID is worth is found out by trying: with none, with another one, and with another one of the same
//! shape, each against the statement's own conditions and against every `Deny` that speaks of nothing else. All other
//! conditions are taken to hold, as they may.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot, unmended};
use crate::lint::scene::{NO_EXTERNAL_ID, Scene, Spot, Whose, account_of, demands_one_of, is_wild, takes_in};
use crate::operator::Test;
use crate::{Condition, Context, DraftCondition, DraftStatement, Effect, Operator, Principal};

const KEY: &str = "sts:ExternalId";
const ASSUME: &str = "sts:AssumeRole";

const DEPUTY: &str = "any other customer of that party can have it use this role, by giving it the role's ARN";

pub(super) const RULES: &[Rule] = &[
    Rule { name: "external-id-missing", why: DEPUTY, find: |scene| find(scene, Flaw::Missing) },
    Rule { name: "open-second-statement", why: DEPUTY, find: |scene| find(scene, Flaw::Second) },
    Rule { name: "external-id-optional", why: DEPUTY, find: |scene| find(scene, Flaw::Optional) },
    Rule { name: "external-id-any", why: DEPUTY, find: |scene| find(scene, Flaw::Any) },
    Rule {
        name: "external-id-pattern",
        why: "the party makes external IDs of one shape for all its customers, so that the pattern fits theirs too",
        find: |scene| find(scene, Flaw::Pattern),
    },
    Rule {
        name: "tag-session-open",
        why: "AWS asks for sts:TagSession in the same call as sts:AssumeRole: what the external ID guards is guarded whole or not at all",
        find: tag_session,
    },
    Rule {
        name: "crossed-pairs",
        why: "each of these principals may use each of these external IDs, not its own alone",
        find: crossed,
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Nothing asks for one.
    Missing,
    /// Nothing asks for one here, though another statement does for the same principal.
    Second,
    /// It may be left out.
    Optional,
    /// Any will do.
    Any,
    /// Any of a shape will do.
    Pattern,
}

fn is_about_id(condition: &Condition) -> bool {
    condition.key().eq_ignore_ascii_case(KEY)
}

/// The principals of a statement that are, or may be, somebody else's.
fn parties<'a>(scene: &'a Scene<'_>, index: usize) -> Vec<(&'a Principal, Whose)> {
    let whose = |principal: &'a Principal| {
        let whose = match principal {
            Principal::UniqueId(_) => Whose::Unknown,
            other => scene.whose(account_of(other)?),
        };
        (whose != Whose::Own).then_some((principal, whose))
    };
    scene.named(index).iter().filter_map(whose).collect()
}

/// Whether something else than an external ID says that no third party is meant.
fn is_in_house(statement: &DraftStatement) -> bool {
    demands_one_of(statement, &["aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:MultiFactorAuthPresent"])
}

/// Whether somebody with this external ID gets past a statement, as far as external IDs go.
fn passes(scene: &Scene<'_>, index: usize, action: &str, id: Option<&str>) -> bool {
    let mut context = Context::new();
    if let Some(id) = id {
        context.set(KEY, id);
    }
    let statements = scene.document.statements();
    let holds = |conditions: &[Condition]| conditions.iter().filter(|c| is_about_id(c)).all(|c| c.holds(&context));
    let denied = scene.all().filter(|(_, other)| other.effect == Effect::Deny).any(|(deny, other)| {
        let conditions = statements[deny].conditions();
        let all_are_named = scene
            .named(index)
            .iter()
            .all(|one| scene.named(deny).iter().any(|denied| *denied == Principal::Anyone || denied == one));
        takes_in(&other.actions, action) && all_are_named && conditions.iter().all(is_about_id) && holds(conditions)
    });
    holds(statements[index].conditions()) && !denied
}

/// Other external IDs: one of no particular shape, and those that the statement's own patterns let through.
fn wrong_ones(scene: &Scene<'_>, index: usize) -> (String, Vec<String>) {
    let values = scene.document.statements()[index].conditions().iter().filter(|c| is_about_id(c));
    let shaped = values.flat_map(Condition::values).filter(|value| is_wild(value));
    let shaped = shaped.map(|value| value.replace('*', "Qx7zQ").replace('?', "Q")).collect();
    ("wrong/Qx7zQ-9".to_owned(), shaped)
}

fn flaw(scene: &Scene<'_>, index: usize) -> Option<Flaw> {
    let statement = &scene.draft.statements[index];
    if !takes_in(&statement.actions, ASSUME) || parties(scene, index).is_empty() || is_in_house(statement) {
        return None;
    }
    let (other, shaped) = wrong_ones(scene, index);
    let absent = passes(scene, index, ASSUME, None);
    let wrong = passes(scene, index, ASSUME, Some(&other));
    let asked = statement.conditions.iter().any(|condition| condition.is_about(KEY));
    match (absent, wrong) {
        (true, _) if asked => Some(Flaw::Optional),
        (true, true) => Some(if guarded_elsewhere(scene, index) { Flaw::Second } else { Flaw::Missing }),
        (true, false) => Some(Flaw::Optional),
        (false, true) => Some(Flaw::Any),
        (false, false) => shaped.iter().any(|id| passes(scene, index, ASSUME, Some(id))).then_some(Flaw::Pattern),
    }
}

/// Whether another statement lets one of the same principals in by its external ID alone.
fn guarded_elsewhere(scene: &Scene<'_>, index: usize) -> bool {
    guards(scene, index).next().is_some()
}

fn guards<'a>(scene: &'a Scene<'_>, index: usize) -> impl Iterator<Item = usize> + 'a {
    scene.allows().map(|(other, _)| other).filter(move |&other| {
        let shares = scene.named(other).iter().any(|one| scene.named(index).contains(one));
        let takes = takes_in(&scene.draft.statements[other].actions, ASSUME);
        let guarded = scene.draft.statements[other].conditions.iter().any(|condition| condition.is_about(KEY));
        other != index && shares && takes && guarded && flaw(scene, other).is_none()
    })
}

fn find(scene: &Scene<'_>, wanted: Flaw) -> Vec<Spot> {
    if !scene.is_trust() {
        return Vec::new();
    }
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|(index, _)| flaw(scene, *index) == Some(wanted)) {
        let parties = parties(scene, index);
        let foreign = parties.iter().any(|(_, whose)| *whose == Whose::Foreign);
        let meant = scene.all().any(|(_, other)| other.conditions.iter().any(|condition| condition.is_about(KEY)));
        let severity = if foreign || meant { Severity::Error } else { Severity::Warning };
        let who: Vec<&str> = parties.iter().map(|(principal, _)| principal.written().1).collect();
        let who = who.join(", ");
        let own = if foreign || meant { "" } else { ", unless that is an account of yours," };
        let operators: Vec<String> = statement
            .conditions
            .iter()
            .filter(|condition| condition.is_about(KEY))
            .map(|condition| format!("{} {:?}", condition.operator, condition.values.join(", ")))
            .collect();
        let by = operators.join(" and ");
        let what = match wanted {
            Flaw::Missing => format!("{who} comes in{own} without an external ID"),
            Flaw::Second => format!("{who} comes in here without the external ID that another statement asks for"),
            Flaw::Optional if by.is_empty() => format!("{who} comes in without an external ID"),
            Flaw::Optional => format!("{who} comes in without an external ID too: {by} holds where none is given"),
            Flaw::Any if by.is_empty() => format!("{who} comes in with any external ID"),
            Flaw::Any => format!("{who} comes in with any external ID: {by} holds for all of them"),
            Flaw::Pattern => format!("{who} comes in with any external ID that fits {by}"),
        };
        let ids = known_ids(scene, index);
        spots.push(spot(index, severity, what, move |slots| slots.each(index, |statement| ask_for(statement, &ids))));
    }
    spots
}

/// `StringEquals`, and nothing else about it.
pub(super) fn ask_for(statement: &mut DraftStatement, ids: &[String]) {
    statement.conditions.retain(|condition| !condition.is_about(KEY));
    let condition = DraftCondition { operator: Operator::STRING_EQUALS, key: KEY.to_owned(), values: ids.to_vec() };
    // Before all others: it is what the policy is about.
    statement.conditions.insert(0, condition);
}

/// The external ID, from whoever told it: the caller, the statement itself, another statement for the same principals.
pub(super) fn known_ids(scene: &Scene<'_>, index: usize) -> Vec<String> {
    if let Some(id) = &scene.options.external_id {
        return vec![id.clone()];
    }
    let exact = |statement: &DraftStatement| -> Vec<String> {
        let positive = |condition: &&DraftCondition| {
            let operator = condition.operator;
            let compares =
                matches!(operator.test, Test::StringEquals | Test::StringEqualsIgnoreCase | Test::StringLike);
            // A Deny that spares an ID tells which is the right one.
            condition.is_about(KEY) && compares && operator.negated == (statement.effect == Effect::Deny)
        };
        let values = statement.conditions.iter().filter(positive).flat_map(|condition| condition.values.clone());
        values.filter(|value| !value.contains(['*', '?', '$'])).collect()
    };
    let own = exact(&scene.draft.statements[index]);
    if !own.is_empty() {
        return own;
    }
    for (other, statement) in scene.all() {
        let shares = scene.named(other).iter().any(|one| *one == Principal::Anyone || scene.named(index).contains(one));
        let found = exact(statement);
        if shares && !found.is_empty() {
            return found;
        }
    }
    vec![NO_EXTERNAL_ID.to_owned()]
}

fn tag_session(scene: &Scene<'_>) -> Vec<Spot> {
    const BESIDE: [&str; 2] = ["sts:TagSession", "sts:SetSourceIdentity"];
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        let actions: Vec<&str> = BESIDE.into_iter().filter(|action| takes_in(&statement.actions, action)).collect();
        let open = actions.iter().any(|action| passes(scene, index, action, None));
        if takes_in(&statement.actions, ASSUME) || !open || parties(scene, index).is_empty() || is_in_house(statement) {
            continue;
        }
        let Some(guard) = guards(scene, index).next() else { continue };
        let what = format!("{} is allowed without the external ID that sts:AssumeRole asks for", actions.join(" and "));
        let alone = statement.conditions.is_empty() && !statement.actions.except;
        if alone && statement.principals == scene.draft.statements[guard].principals {
            let moved = statement.actions.list.clone();
            spots.push(spot(index, Severity::Warning, what, move |slots| {
                slots.remove(index);
                slots.each(guard, |guard| {
                    let more: Vec<String> = moved.iter().filter(|a| !guard.actions.list.contains(a)).cloned().collect();
                    guard.actions.list.extend(more);
                });
            }));
        } else {
            let ids = known_ids(scene, index);
            spots.push(spot(index, Severity::Warning, what, move |slots| slots.each(index, |one| ask_for(one, &ids))));
        }
    }
    spots
}

fn crossed(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows().filter(|_| scene.is_trust()) {
        let exact =
            |condition: &&DraftCondition| condition.is_about(KEY) && condition.operator.test == Test::StringEquals;
        let Some(condition) = statement.conditions.iter().find(exact) else { continue };
        let (ids, named) = (condition.values.clone(), scene.named(index).len());
        if ids.len() < 2 || named < 2 || parties(scene, index).len() < 2 {
            continue;
        }
        let what = format!("{named} principals share {} external IDs", ids.len());
        if ids.len() != named {
            spots.push(unmended(index, Severity::Warning, what));
            continue;
        }
        // In the order in which they are written; who wrote them so may have meant pairs.
        spots.push(spot(index, Severity::Warning, what, move |slots| {
            let whole = std::mem::take(&mut slots.slots[index]);
            for statement in whole {
                for (at, id) in ids.iter().enumerate() {
                    let mut one = statement.clone();
                    if let Some(principals) = &mut one.principals {
                        principals.list = principals.list.get(at).cloned().into_iter().collect();
                    }
                    ask_for(&mut one, std::slice::from_ref(id));
                    slots.slots[index].push(one);
                }
            }
        }));
    }
    spots
}
