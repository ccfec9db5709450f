//! Statements, or parts of them, that never match.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot, unmended};
use crate::lint::scene::{Scene, Spot, covers, glob, known, lower, s3_name, service_of, sid_beside};
use crate::operator::{Order, Set, Test};
use crate::reference::{self, KNOWN_SERVICES, Target};
use crate::{DraftCondition, DraftList, DraftStatement, Effect, Principal, Version};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "unknown-service",
        why: "no request is for an action of a service that does not exist",
        find: unknown_service,
    },
    Rule {
        name: "unknown-action",
        why: "AWS takes the name and never matches it; operations are often called otherwise than their permissions",
        find: unknown_action,
    },
    Rule {
        name: "variable-as-text",
        why: "without \"Version\": \"2012-10-17\" a ${..} is no variable but these very characters",
        find: variable,
    },
    Rule {
        name: "unknown-condition-key",
        why: "no request has the key: what asks for it never matches, and what forbids it forbids nothing",
        find: unknown_key,
    },
    Rule {
        name: "condition-key-never-there",
        why: "requests for these actions do not have the key, so that the condition never holds for them",
        find: key_never_there,
    },
    Rule { name: "wrong-resource", why: "the action is never asked for on such a resource", find: wrong_resource },
    Rule { name: "shadowed-by-deny", why: "a Deny wins, always: the Allow beside it allows nothing", find: shadowed },
    Rule { name: "expired", why: "its time is over: it says nothing any more", find: expired },
    Rule { name: "empty-window", why: "it begins after its end, so that it never matches", find: empty_window },
];

fn keep_actions(statement: &mut DraftStatement, dead: &[String]) {
    statement.actions.list.retain(|action| !dead.contains(action));
}

/// Takes actions out of a statement, and the statement with the last of them.
fn without(dead: Vec<String>, index: usize) -> impl Fn(&mut super::scene::Slots) {
    move |slots| {
        slots.each(index, |statement| keep_actions(statement, &dead));
        slots.slots[index].retain(|statement| !statement.actions.list.is_empty());
    }
}

fn unknown_service(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let unknown =
            |pattern: &&String| pattern.split_once(':').is_some_and(|(service, _)| !reference::is_service(service));
        let dead: Vec<String> = statement.actions.list.iter().filter(unknown).cloned().collect();
        if dead.is_empty() {
            continue;
        }
        let what = format!("{} is of no service that AWS lists", dead.join(", "));
        spots.push(spot(index, Severity::Error, what, without(dead, index)));
    }
    spots
}

fn unknown_action(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        for pattern in &statement.actions.list {
            let Some((service, name)) = pattern.split_once(':') else { continue };
            let service = lower(service);
            if !KNOWN_SERVICES.contains(&service.as_str()) || !known(pattern).is_empty() {
                continue;
            }
            let pattern = pattern.clone();
            let Some(meant) = reference::meant_by(&service, name) else {
                let what = format!("{pattern} is no action of {service}");
                spots.push(spot(index, Severity::Error, what, without(vec![pattern], index)));
                continue;
            };
            let meant = format!("{service}:{meant}");
            let what = format!("{pattern} is no action of {service}; what it is called is {meant}");
            spots.push(spot(index, Severity::Error, what, move |slots| {
                slots.each(index, |statement| {
                    let there = statement.actions.list.contains(&meant);
                    statement.actions.list.retain(|action| *action != pattern || !there);
                    for action in statement.actions.list.iter_mut().filter(|action| **action == pattern) {
                        action.clone_from(&meant);
                    }
                });
            }));
        }
    }
    spots
}

fn variable(scene: &Scene<'_>) -> Vec<Spot> {
    if scene.draft.version == Some(Version::V2012) {
        return Vec::new();
    }
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let resources = statement.resources.iter().flat_map(|list| &list.list);
        let values = statement.conditions.iter().flat_map(|condition| &condition.values);
        let Some(text) = resources.chain(values).find(|text| text.contains("${")) else { continue };
        let what = format!("{text:?} is compared letter by letter");
        spots.push(spot(index, Severity::Error, what, |slots| slots.version = Some(Version::V2012)));
    }
    spots
}

fn unknown_key(scene: &Scene<'_>) -> Vec<Spot> {
    // What people write for the key that they mean.
    const MEANT: [(&str, &str); 8] = [
        ("aws:externalid", "sts:ExternalId"),
        ("sts:external-id", "sts:ExternalId"),
        ("sts:external_id", "sts:ExternalId"),
        ("sts:sourceip", "aws:SourceIp"),
        ("aws:sourceipaddress", "aws:SourceIp"),
        ("aws:principalorgids", "aws:PrincipalOrgID"),
        ("aws:rolesessionname", "sts:RoleSessionName"),
        ("aws:mfapresent", "aws:MultiFactorAuthPresent"),
    ];
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        for condition in statement.conditions.iter().filter(|one| reference::is_key(&one.key) == Some(false)) {
            let key = condition.key.clone();
            if let Some((_, meant)) = MEANT.iter().find(|(wrong, _)| wrong.eq_ignore_ascii_case(&key)) {
                let what = format!("{key} does not exist; {meant} does");
                let there = statement.conditions.iter().any(|other| other.is_about(meant));
                if there {
                    spots.push(unmended(index, Severity::Error, what));
                    continue;
                }
                spots.push(spot(index, Severity::Error, what, move |slots| {
                    slots.each(index, |statement| {
                        for condition in statement.conditions.iter_mut().filter(|one| one.key == key) {
                            (*meant).clone_into(&mut condition.key);
                        }
                    });
                }));
                continue;
            }
            let what = format!("condition key {key} does not exist");
            // Only what never matches can be taken out without changing what is allowed.
            if never_holds_without(condition) {
                spots.push(spot(index, Severity::Error, what, move |slots| slots.remove(index)));
            } else {
                spots.push(unmended(index, Severity::Error, what));
            }
        }
    }
    spots
}

/// Whether a condition does not hold where its key is missing.
fn never_holds_without(condition: &DraftCondition) -> bool {
    let operator = condition.operator;
    if operator.test == Test::Null {
        return condition.values.iter().all(|value| value.eq_ignore_ascii_case("false"));
    }
    !operator.if_exists && (operator.set == Set::Any || (!operator.negated && operator.set == Set::Single))
}

fn key_never_there(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all().filter(|(_, statement)| !statement.actions.except) {
        for condition in statement.conditions.iter().filter(|condition| never_holds_without(condition)) {
            let Some(with) = reference::actions_with(&condition.key) else { continue };
            let service = lower(condition.key.split(':').next().unwrap_or_default());
            let has = |pattern: &str| {
                let pattern = lower(pattern);
                with.clone().any(|name| glob(&pattern, &format!("{service}:{}", lower(name))))
            };
            let (alive, dead): (Vec<String>, Vec<String>) =
                statement.actions.list.iter().cloned().partition(|pattern| has(pattern));
            if dead.is_empty() {
                continue;
            }
            let what = format!("{} is never asked for with {}", dead.join(", "), condition.key);
            if condition.is_about("s3:prefix") && condition.operator.set == Set::Single && prefixes(condition).is_some()
            {
                spots.push(spot(index, Severity::Error, what, move |slots| {
                    let whole = std::mem::take(&mut slots.slots[index]);
                    for statement in whole {
                        slots.slots[index].extend(split_by_prefix(&statement, &alive, &dead));
                    }
                }));
            } else {
                spots.push(spot(index, Severity::Error, what, without(dead, index)));
            }
            // One at a time: the next round sees what is left.
            break;
        }
    }
    spots
}

/// The beginnings of names that a condition on `s3:prefix` lets through, as patterns.
fn prefixes(condition: &DraftCondition) -> Option<Vec<String>> {
    if !matches!(condition.operator.test, Test::StringEquals | Test::StringLike) || condition.values.is_empty() {
        return None;
    }
    let whole = |value: &String| if value.ends_with('*') { value.clone() } else { format!("{value}*") };
    Some(condition.values.iter().map(whole).collect())
}

/// What lists keeps the condition; what acts on objects says the same by their ARNs; the rest says it not at all.
fn split_by_prefix(statement: &DraftStatement, alive: &[String], dead: &[String]) -> Vec<DraftStatement> {
    const OF_LISTS: [&str; 3] = ["s3:prefix", "s3:delimiter", "s3:max-keys"];
    let about_prefix = |condition: &&DraftCondition| condition.is_about("s3:prefix");
    let Some(prefixes) = statement.conditions.iter().find(about_prefix).and_then(prefixes) else {
        return vec![statement.clone()];
    };
    let part = |actions: Vec<String>, word: &str, keep: bool| DraftStatement {
        sid: sid_beside(statement.sid.as_ref(), word),
        actions: DraftList { except: false, list: actions },
        conditions: {
            let of_lists = |one: &DraftCondition| OF_LISTS.iter().any(|key| one.is_about(key));
            statement.conditions.iter().filter(|one| keep || !of_lists(one)).cloned().collect()
        },
        ..statement.clone()
    };
    let acts_on_objects = |pattern: &String| known(pattern).iter().any(|action| action.target == Target::Object);
    let (objects, others): (Vec<String>, Vec<String>) = dead.iter().cloned().partition(acts_on_objects);
    let mut out = Vec::new();
    if !alive.is_empty() {
        out.push(part(alive.to_vec(), "", true));
    }
    if !objects.is_empty() {
        let mut one = part(objects, "Objects", false);
        if let Some(resources) = one.resources.as_mut().filter(|list| !list.except) {
            let mut list = Vec::new();
            for text in std::mem::take(&mut resources.list) {
                let Some(name) = s3_name(&text) else {
                    list.push(text);
                    continue;
                };
                let bucket = name.split('/').next().unwrap_or_default();
                let head = text.strip_suffix(name).unwrap_or_default();
                match name.split_once('/') {
                    Some((_, key)) if key != "*" => list.push(text.clone()),
                    _ => list.extend(prefixes.iter().map(|prefix| format!("{head}{bucket}/{prefix}"))),
                }
            }
            list.sort_unstable();
            list.dedup();
            resources.list = list;
        }
        out.push(one);
    }
    if !others.is_empty() {
        out.push(part(others, "Others", false));
    }
    out
}

fn wrong_resource(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all().filter(|(_, statement)| !statement.actions.except) {
        let Some(resources) = statement.resources.as_ref().filter(|list| !list.except) else { continue };
        let fits = |target: Target, service: &str| {
            resources.list.iter().any(|text| match target {
                Target::Bucket | Target::Object => text == "*" || service_of(text) == Some("s3"),
                Target::Role => text == "*" || service_of(text) == Some("iam"),
                Target::Key => text == "*" || service_of(text) == Some("kms"),
                // `arn:aws:s3:::*` is what AWS itself shows for s3:ListAllMyBuckets.
                Target::Nothing => text == "*" || (service == "s3" && s3_name(text) == Some("*")),
                Target::Other => true,
            })
        };
        let lost = |pattern: &&String| {
            let known = known(pattern);
            !known.is_empty() && !known.iter().any(|action| fits(action.target, action.service))
        };
        let dead: Vec<String> = statement.actions.list.iter().filter(lost).cloned().collect();
        if dead.is_empty() {
            continue;
        }
        let what = format!("{} is never asked for on {}", dead.join(", "), resources.list.join(", "));
        let without_any: Vec<String> = dead
            .iter()
            .filter(|pattern| known(pattern).iter().all(|action| action.target == Target::Nothing))
            .cloned()
            .collect();
        let resource_policy = scene.is_resource();
        spots.push(spot(index, Severity::Error, what, move |slots| {
            let whole = std::mem::take(&mut slots.slots[index]);
            for statement in whole {
                let mut rest = statement.clone();
                keep_actions(&mut rest, &dead);
                if !rest.actions.list.is_empty() {
                    slots.slots[index].push(rest);
                }
                if !without_any.is_empty() && !resource_policy {
                    let mut any = statement;
                    any.sid = sid_beside(any.sid.as_ref(), "Account");
                    any.actions.list.clone_from(&without_any);
                    any.resources = Some(DraftList { except: false, list: vec!["*".to_owned()] });
                    slots.slots[index].push(any);
                }
            }
        }));
    }
    spots
}

fn shadowed(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.allows() {
        let denies = |(_, other): &(usize, &DraftStatement)| {
            other.effect == Effect::Deny && other.conditions.is_empty() && covers(other, statement)
        };
        let by = scene.all().find(denies).or_else(|| partly(scene, index));
        let Some((deny, _)) = by else { continue };
        let what = format!("statement {} denies all that it allows", deny + 1);
        // The Deny of a placeholder was to be replaced; any other one was meant.
        let placeholder = scene.is_trust() && scene.named(deny) == [Principal::Anyone];
        spots.push(spot(index, Severity::Error, what, move |slots| {
            slots.remove(if placeholder { deny } else { index });
        }));
    }
    spots
}

/// A trust policy whose `sts:AssumeRole` is denied to all is dead, whatever else it allows beside that.
fn partly<'a>(scene: &'a Scene<'_>, index: usize) -> Option<(usize, &'a DraftStatement)> {
    let allow = &scene.draft.statements[index];
    let assume = DraftList { except: false, list: vec!["sts:AssumeRole".to_owned()] };
    let assumes = scene.is_trust() && allow.actions.list.iter().any(|action| lower(action) == "sts:assumerole");
    let only = DraftStatement { actions: assume, ..allow.clone() };
    let denies = |(_, other): &(usize, &DraftStatement)| {
        other.effect == Effect::Deny && other.conditions.is_empty() && covers(other, &only)
    };
    scene.all().filter(|_| assumes).find(denies)
}

/// The instants between which a statement's conditions on the time hold, as far as they say so.
fn window(statement: &DraftStatement) -> (Option<jiff::Timestamp>, Option<jiff::Timestamp>) {
    let (mut from, mut until) = (None, None);
    for condition in &statement.conditions {
        let about_time = condition.is_about("aws:CurrentTime") || condition.is_about("aws:EpochTime");
        let operator = condition.operator;
        let instants: Option<Vec<_>> = condition.values.iter().map(|value| crate::date::instant(value)).collect();
        let (true, false, Set::Single, Some(instants)) = (about_time, operator.negated, operator.set, instants) else {
            continue;
        };
        let (Test::Date(order) | Test::Numeric(order)) = operator.test else { continue };
        // Any of the values will do: the earliest beginning, the latest end.
        match order {
            Order::GreaterThan | Order::GreaterThanEquals => from = from.max(instants.iter().min().copied()),
            Order::LessThan | Order::LessThanEquals => {
                let end = instants.iter().max().copied();
                until = if until.is_none() { end } else { until.min(end) };
            }
            Order::Equals => {}
        }
    }
    (from, until)
}

fn expired(scene: &Scene<'_>) -> Vec<Spot> {
    let Some(now) = scene.options.now else { return Vec::new() };
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let (_, Some(until)) = window(statement) else { continue };
        if until > now {
            continue;
        }
        let (severity, verb) = match statement.effect {
            Effect::Allow => (Severity::Warning, "allowed"),
            Effect::Deny => (Severity::Note, "denied"),
        };
        let what = format!("nothing is {verb} by it since {until}");
        spots.push(spot(index, severity, what, move |slots| slots.remove(index)));
    }
    spots
}

fn empty_window(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let (Some(from), Some(until)) = window(statement) else { continue };
        if from < until {
            continue;
        }
        let what = format!("it holds from {from} to {until}");
        spots.push(spot(index, Severity::Error, what, move |slots| slots.remove(index)));
    }
    spots
}
