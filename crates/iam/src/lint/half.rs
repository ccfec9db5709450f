//! Buckets and objects have ARNs of their own, and each action is for one of them.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot};
use crate::lint::scene::{Scene, Spot, known, s3_name, sid_beside};
use crate::reference::Target;
use crate::{DraftCondition, DraftList, DraftStatement, Operator};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "object-action-on-bucket",
        why: "what is done to objects is asked for on arn:aws:s3:::BUCKET/KEY, which the bucket's own ARN does not match",
        find: |scene| find(scene, Target::Object),
    },
    Rule {
        name: "bucket-action-on-object",
        why: "listing and the like is asked for on the bucket's own ARN, which no ARN with a / matches",
        find: |scene| find(scene, Target::Bucket),
    },
];

fn is_bucket(text: &str) -> bool {
    s3_name(text).is_some_and(|name| !name.contains('/'))
}

/// Whether a resource can be what `target` acts on.
fn reaches(text: &str, target: Target) -> bool {
    match s3_name(text) {
        None => text == "*",
        Some(name) => (name.contains('/') == (target == Target::Object)) || (is_bucket(text) && name.ends_with('*')),
    }
}

/// The actions of a list that act on nothing else.
fn only_on(list: &DraftList, target: Target) -> Vec<String> {
    let on = |pattern: &&String| {
        let known = known(pattern);
        !known.is_empty() && known.iter().all(|action| action.target == target)
    };
    list.list.iter().filter(on).cloned().collect()
}

fn find(scene: &Scene<'_>, target: Target) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.all() {
        let Some(resources) = statement.resources.as_ref().filter(|list| !list.except) else { continue };
        let lost = only_on(&statement.actions, target);
        let names_some = resources.list.iter().any(|text| s3_name(text).is_some());
        let reached = resources.list.iter().any(|text| reaches(text, target));
        if statement.actions.except || lost.is_empty() || !names_some || reached {
            continue;
        }
        let on = resources.list.join(", ");
        let what = format!("{} never matches {on}", lost.join(", "));
        let alone = lost.len() == statement.actions.list.len();
        spots.push(spot(index, Severity::Error, what, move |slots| {
            let whole = std::mem::take(&mut slots.slots[index]);
            for statement in whole {
                slots.slots[index].extend(match target {
                    Target::Object => vec![with_objects(statement, alone)],
                    _ => with_buckets(&statement, &lost),
                });
            }
        }));
    }
    spots
}

/// Adds the objects of each bucket; where nothing is done to the buckets themselves, in their place.
fn with_objects(mut statement: DraftStatement, alone: bool) -> DraftStatement {
    if let Some(resources) = &mut statement.resources {
        let objects: Vec<String> = resources.list.iter().filter(|t| is_bucket(t)).map(|t| format!("{t}/*")).collect();
        if alone {
            resources.list.retain(|text| !is_bucket(text));
        }
        resources.list.extend(objects);
    }
    statement
}

/// Gives what is done to buckets a statement of its own. What the objects' ARNs said of names it says by `s3:prefix`.
fn with_buckets(statement: &DraftStatement, lost: &[String]) -> Vec<DraftStatement> {
    let names: Vec<String> = statement.resources.iter().flat_map(|list| &list.list).cloned().collect();
    let (mut buckets, mut prefixes) = (Vec::new(), Vec::new());
    for text in &names {
        let Some((bucket, key)) = s3_name(text).and_then(|name| name.split_once('/')) else { continue };
        let head = text.strip_suffix(&format!("{bucket}/{key}")).unwrap_or_default();
        buckets.push(format!("{head}{bucket}"));
        prefixes.push(key.to_owned());
    }
    buckets.sort_unstable();
    buckets.dedup();
    let lists = |action: &String| {
        known(action).iter().all(|action| action.name.starts_with("ListBucket") && !action.name.ends_with("Uploads"))
    };
    let narrowed = statement.conditions.iter().any(|condition| condition.is_about("s3:prefix"));
    let narrow = !narrowed && !prefixes.iter().any(|prefix| prefix == "*");
    let (listing, others): (Vec<String>, Vec<String>) =
        lost.iter().cloned().partition(|action| lists(action) && narrow);
    let mut out = Vec::new();
    let rest: Vec<String> = statement.actions.list.iter().filter(|action| !lost.contains(action)).cloned().collect();
    let with = |actions: Vec<String>, word: &str, resources: &[String]| DraftStatement {
        sid: sid_beside(statement.sid.as_ref(), word),
        actions: DraftList { except: false, list: actions },
        resources: Some(DraftList { except: false, list: resources.to_vec() }),
        ..statement.clone()
    };
    if !rest.is_empty() {
        out.push(with(rest, "", &names));
    }
    if !listing.is_empty() {
        let mut listing = with(listing, "List", &buckets);
        listing.conditions.push(DraftCondition {
            operator: Operator::STRING_LIKE,
            key: "s3:prefix".to_owned(),
            values: prefixes,
        });
        out.push(listing);
    }
    if !others.is_empty() {
        out.push(with(others, "Bucket", &buckets));
    }
    out
}
