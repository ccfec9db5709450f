//! Conditions that hold more often than they seem to, or never.

use crate::lint::Severity;
use crate::lint::external_id::{ask_for, known_ids};
use crate::lint::rule::{Rule, spot};
use crate::lint::scene::{Scene, Spot, lower};
use crate::operator::{Set, Test};
use crate::{DraftCondition, Effect};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "literal-wildcard",
        why: "StringEquals takes * and ? for characters; only StringLike takes them for wildcards",
        find: literal_wildcard,
    },
    Rule {
        name: "ip-everybody",
        why: "a block of /0 is every address there is, so that the condition asks for nothing",
        find: everybody,
    },
    Rule {
        name: "for-all-values",
        why: "ForAllValues holds where the key is missing, and in an Allow that lets in whoever leaves it out",
        find: |scene| {
            loose(
                scene,
                |condition| condition.operator.set == Set::All,
                |condition| condition.operator.set = Set::Single,
            )
        },
    },
    Rule {
        name: "if-exists",
        why: "IfExists holds where the key is missing, and in an Allow that lets in whoever leaves it out",
        find: |scene| {
            loose(scene, |condition| condition.operator.if_exists, |condition| condition.operator.if_exists = false)
        },
    },
];

/// Keys that have one value and that somebody writes to keep people out. Others are meant to be missing now and then.
const GUARDS: [&str; 12] = [
    "aws:principalorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:multifactorauthpresent",
    "s3:prefix",
    "s3:resourceaccount",
    "kms:viaservice",
];

fn is_guard(condition: &DraftCondition) -> bool {
    let key = lower(&condition.key);
    GUARDS.contains(&key.as_str()) || key.ends_with(":sub")
}

fn loose(scene: &Scene<'_>, is_loose: fn(&DraftCondition) -> bool, tighten: fn(&mut DraftCondition)) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows() {
        let found: Vec<&DraftCondition> =
            statement.conditions.iter().filter(|condition| is_loose(condition) && is_guard(condition)).collect();
        if found.is_empty() {
            continue;
        }
        let names: Vec<String> = found.iter().map(|one| format!("{} on {}", one.operator, one.key)).collect();
        let what = format!("{} asks for nothing of a request without it", names.join(" and "));
        spots.push(spot(index, Severity::Warning, what, move |slots| {
            slots.each(index, |statement| {
                let tight = statement.conditions.iter_mut().filter(|one| is_loose(one) && is_guard(one));
                tight.for_each(tighten);
                join_equal(&mut statement.conditions);
            });
        }));
    }
    spots
}

/// Two lines of one operator and key have become one: what both take in is what is left.
fn join_equal(conditions: &mut Vec<DraftCondition>) {
    let mut joined: Vec<DraftCondition> = Vec::new();
    for condition in conditions.drain(..) {
        match joined.iter_mut().find(|one| one.operator == condition.operator && one.is_about(&condition.key)) {
            Some(one) => {
                let both: Vec<String> = one.values.iter().filter(|v| condition.values.contains(v)).cloned().collect();
                if !both.is_empty() {
                    one.values = both;
                }
            }
            None => joined.push(condition),
        }
    }
    *conditions = joined;
}

fn has_literal_wildcard(condition: &DraftCondition) -> bool {
    let compares = matches!(condition.operator.test, Test::StringEquals | Test::StringEqualsIgnoreCase);
    compares && condition.values.iter().any(|value| super::scene::is_wild(value))
}

fn literal_wildcard(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        for condition in statement.conditions.iter().filter(|condition| has_literal_wildcard(condition)) {
            let (operator, key) = (condition.operator, condition.key.clone());
            let severity = if operator.negated == (statement.effect == Effect::Deny) {
                Severity::Error
            } else {
                Severity::Warning
            };
            let what = format!("{operator} on {key} compares with {:?}, letter by letter", condition.values.join(", "));
            if condition.is_about("sts:ExternalId") && statement.effect == Effect::Allow {
                // No external ID has a wildcard; as a pattern it would be an open door.
                let ids = known_ids(scene, index);
                spots.push(spot(index, severity, what, move |slots| slots.each(index, |one| ask_for(one, &ids))));
                continue;
            }
            spots.push(spot(index, severity, what, move |slots| {
                slots.each(index, |statement| {
                    for condition in statement.conditions.iter_mut().filter(|condition| has_literal_wildcard(condition))
                    {
                        condition.operator.test = Test::StringLike;
                    }
                    join_equal(&mut statement.conditions);
                });
            }));
        }
    }
    spots
}

/// TEST-NET-1 (RFC 5737): nobody has an address in it.
const NO_ADDRESS: &str = "192.0.2.0/24";

fn everybody(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    let is_all = |condition: &DraftCondition| {
        condition.operator.test == Test::IpAddress && condition.values.iter().any(|value| value.ends_with("/0"))
    };
    for (index, statement) in scene.all() {
        if !statement.conditions.iter().any(is_all) {
            continue;
        }
        spots.push(spot(index, Severity::Warning, "every address is in the block", move |slots| {
            slots.each(index, |statement| {
                for condition in statement.conditions.iter_mut().filter(|condition| is_all(condition)) {
                    condition.values.retain(|value| !value.ends_with("/0"));
                    if condition.values.is_empty() {
                        condition.values.push(NO_ADDRESS.to_owned());
                    }
                }
            });
        }));
    }
    spots
}
