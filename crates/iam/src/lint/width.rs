//! More than anything needs.

use crate::generate::WRITE_ACTIONS;
use crate::lint::Severity;
use crate::lint::rule::{Rule, spot, unmended};
use crate::lint::scene::{
    NO_ACCOUNT, NO_BUCKET, Scene, Spot, demands_one_of, glob, is_wild, known, lower, s3_name, service_of,
};
use crate::reference::Target;
use crate::{DraftList, DraftStatement, Principal};

const BLAST: &str = "whoever steals one session has all of it";

pub(super) const RULES: &[Rule] = &[
    Rule { name: "all-actions", why: BLAST, find: all_actions },
    Rule {
        name: "not-action-allow",
        why: "Allow with NotAction allows every action of every service that is not listed, those of tomorrow too",
        find: not_action,
    },
    Rule {
        name: "not-resource-allow",
        why: "Allow with NotResource allows everything that is not listed, what is made tomorrow too",
        find: not_resource,
    },
    Rule { name: "all-resources", why: BLAST, find: all_resources },
    Rule {
        name: "bucket-wildcard",
        why: "names of buckets are everybody's: the pattern fits buckets of other people and of tomorrow",
        find: bucket_wildcard,
    },
    Rule {
        name: "pass-role-any",
        why: "whoever may hand any role to a service can make itself that role, administrators' roles too",
        find: pass_role,
    },
];

/// What Tidegate calls on the bucket itself.
const ON_BUCKET: [&str; 2] = ["s3:ListBucket", "s3:ListBucketMultipartUploads"];

/// The actions to put in place of all of a service's: those that a data mover needs, as far as the resources take them.
fn instead_of(service: &str, resources: Option<&DraftList>) -> Option<Vec<String>> {
    let names: Vec<&str> = match service {
        "s3" => {
            let text: Vec<&str> = resources.iter().flat_map(|list| &list.list).map(String::as_str).collect();
            let all = resources.is_none_or(|list| list.except) || text.iter().any(|text| reaches_both(text));
            let objects = all || text.iter().any(|text| s3_name(text).is_some_and(|name| name.contains('/')));
            let buckets = all || text.iter().any(|text| s3_name(text).is_some_and(|name| !name.contains('/')));
            let objects = objects.then_some(WRITE_ACTIONS).into_iter().flatten();
            objects.chain(buckets.then_some(ON_BUCKET).into_iter().flatten()).collect()
        }
        "sts" => vec!["sts:AssumeRole"],
        "kms" => vec!["kms:Decrypt", "kms:GenerateDataKey"],
        _ => return None,
    };
    (!names.is_empty()).then(|| names.into_iter().map(str::to_owned).collect())
}

/// Whether a resource takes in buckets and objects alike.
fn reaches_both(text: &str) -> bool {
    text == "*" || s3_name(text).is_some_and(|name| !name.contains('/') && name.ends_with('*'))
}

/// A key's own policy gives the key to its account; AWS makes it so.
fn is_key_of_account(scene: &Scene<'_>, index: usize, statement: &DraftStatement) -> bool {
    let of_keys = statement.actions.list.iter().all(|action| lower(action).starts_with("kms:"));
    scene.is_resource() && of_keys && scene.named(index).iter().all(|one| matches!(one, Principal::Account(_)))
}

fn all_actions(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.grants() {
        if statement.actions.except || is_key_of_account(scene, index, statement) {
            continue;
        }
        let is_all =
            |pattern: &&String| pattern.split(':').next_back().is_some_and(|name| name.chars().all(|c| c == '*'));
        for pattern in statement.actions.list.iter().filter(is_all) {
            let service = lower(pattern.split(':').next().unwrap_or_default());
            let (severity, what) = if service.contains('*') {
                (Severity::Error, "every action of every service is allowed".to_owned())
            } else {
                (Severity::Warning, format!("every action of {service} is allowed, deleting and giving away too"))
            };
            let service = if service.contains('*') { if scene.is_trust() { "sts" } else { "s3" } } else { &service };
            let Some(instead) = instead_of(service, statement.resources.as_ref()) else {
                spots.push(unmended(index, severity, what));
                continue;
            };
            let pattern = pattern.clone();
            spots.push(spot(index, severity, what, move |slots| {
                slots.each(index, |statement| {
                    statement.actions.list.retain(|action| *action != pattern);
                    let more: Vec<_> =
                        instead.iter().filter(|a| !statement.actions.list.contains(a)).cloned().collect();
                    statement.actions.list.extend(more);
                });
            }));
        }
    }
    spots
}

fn not_action(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.grants().filter(|(_, statement)| statement.actions.except) {
        let service = if scene.is_trust() { "sts" } else { "s3" };
        let Some(instead) = instead_of(service, statement.resources.as_ref()) else {
            spots.push(unmended(index, Severity::Error, "it says what is not allowed, and allows the rest"));
            continue;
        };
        spots.push(spot(index, Severity::Error, "it says what is not allowed, and allows the rest", move |slots| {
            slots.each(index, |statement| {
                statement.actions = DraftList { except: false, list: instead.clone() };
            });
        }));
    }
    spots
}

fn not_resource(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    let except = |statement: &DraftStatement| statement.resources.as_ref().is_some_and(|list| list.except);
    for (index, _) in scene.grants().filter(|(_, statement)| except(statement)) {
        let what = "it says what is left out, and takes in the rest";
        spots.push(spot(index, Severity::Error, what, move |slots| {
            slots.each(index, |statement| {
                statement.resources = Some(DraftList { except: false, list: bucket_arns(&[NO_BUCKET.to_owned()]) });
            });
        }));
    }
    spots
}

fn bucket_arns(buckets: &[String]) -> Vec<String> {
    buckets.iter().flat_map(|name| [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")]).collect()
}

/// Whether a resource is every bucket or object there is.
fn is_every(text: &str) -> bool {
    text == "*" || s3_name(text).is_some_and(|name| name.starts_with('*') && name.chars().all(|c| c == '*' || c == '/'))
}

fn all_resources(scene: &Scene<'_>) -> Vec<Spot> {
    // What says whose the resource is, or that a service asks.
    const NARROWING: [&str; 7] = [
        "aws:ResourceAccount",
        "aws:ResourceOrgID",
        "aws:ResourceOrgPaths",
        "aws:ResourceTag/",
        "s3:ResourceAccount",
        "kms:ViaService",
        "kms:RequestAlias",
    ];
    let mut spots = Vec::new();
    for (index, statement) in scene.grants().filter(|_| !scene.is_resource()) {
        let Some(resources) = statement.resources.as_ref().filter(|list| !list.except) else { continue };
        let every: Vec<String> = resources.list.iter().filter(|text| is_every(text)).cloned().collect();
        if every.is_empty() || statement.actions.except || demands_one_of(statement, &NARROWING) {
            continue;
        }
        // Only what has resources and is known: for all else `*` may be what AWS asks for.
        let targets = |pattern: &str| -> Vec<Target> {
            let s3_only = every.iter().all(|text| text != "*");
            let of = known(pattern).into_iter().filter(|action| !s3_only || action.service == "s3");
            // A bucket's region is no secret: AWS tells it to whoever asks for the bucket.
            let of = of.filter(|action| action.name != "GetBucketLocation");
            of.map(|action| action.target).filter(|t| !matches!(t, Target::Nothing | Target::Other)).collect()
        };
        let (wide, rest): (Vec<String>, Vec<String>) =
            statement.actions.list.iter().cloned().partition(|pattern| !targets(pattern).is_empty());
        if wide.is_empty() {
            continue;
        }
        let mut narrow: Vec<String> = resources.list.iter().filter(|text| !is_every(text)).cloned().collect();
        let all: Vec<Target> = wide.iter().flat_map(|pattern| targets(pattern)).collect();
        let has = |target| all.contains(&target);
        let buckets = scene.buckets();
        if has(Target::Bucket) {
            narrow.extend(buckets.iter().map(|name| format!("arn:aws:s3:::{name}")));
        }
        if has(Target::Object) {
            narrow.extend(buckets.iter().map(|name| format!("arn:aws:s3:::{name}/*")));
        }
        if has(Target::Role) {
            narrow.push(format!("arn:aws:iam::{NO_ACCOUNT}:role/REPLACE-WITH-THE-ROLE"));
        }
        if has(Target::Key) {
            narrow.push(format!("arn:aws:kms:*:{NO_ACCOUNT}:key/REPLACE-WITH-THE-KEY"));
        }
        narrow.sort_unstable();
        narrow.dedup();
        let what = format!("{} is allowed on everything", wide.join(", "));
        spots.push(spot(index, Severity::Warning, what, move |slots| {
            let whole = std::mem::take(&mut slots.slots[index]);
            for statement in whole {
                let mut one = statement.clone();
                one.actions.list.clone_from(&wide);
                one.resources = Some(DraftList { except: false, list: narrow.clone() });
                slots.slots[index].push(one);
                if !rest.is_empty() {
                    let mut other = statement;
                    other.actions.list.clone_from(&rest);
                    slots.slots[index].push(other);
                }
            }
        }));
    }
    spots
}

fn bucket_wildcard(scene: &Scene<'_>) -> Vec<Spot> {
    fn split(text: &str) -> Option<(&str, Option<&str>)> {
        let name = s3_name(text)?;
        let (bucket, key) = name.split_once('/').map_or((name, None), |(bucket, key)| (bucket, Some(key)));
        (is_wild(bucket) && !is_every(text)).then_some((bucket, key))
    }
    let mut spots = Vec::new();
    for (index, statement) in scene.grants().filter(|_| !scene.is_resource()) {
        let Some(resources) = statement.resources.as_ref().filter(|list| !list.except) else { continue };
        let wild: Vec<&str> = resources.list.iter().map(String::as_str).filter(|text| split(text).is_some()).collect();
        if wild.is_empty()
            || demands_one_of(statement, &["s3:ResourceAccount", "aws:ResourceAccount", "aws:ResourceOrgID"])
        {
            continue;
        }
        let what = format!("{} fits more than one bucket", wild.join(", "));
        spots.push(spot(index, Severity::Warning, what, move |slots| {
            slots.each(index, |statement| {
                let Some(resources) = &mut statement.resources else { return };
                let mut list = Vec::new();
                for text in std::mem::take(&mut resources.list) {
                    let Some((bucket, key)) = split(&text) else {
                        list.push(text);
                        continue;
                    };
                    let kept: String = bucket.chars().filter(|c| !matches!(c, '*' | '?')).collect();
                    let whole = kept.len() >= 3 && !kept.ends_with(['-', '.']) && !kept.starts_with(['-', '.']);
                    let name = if whole { kept } else { NO_BUCKET.to_owned() };
                    let head = text.strip_suffix(s3_name(&text).unwrap_or_default()).unwrap_or_default();
                    match key {
                        Some(key) => list.push(format!("{head}{name}/{key}")),
                        None => list.extend([format!("{head}{name}"), format!("{head}{name}/*")]),
                    }
                }
                list.sort_unstable();
                list.dedup();
                resources.list = list;
            });
        }));
    }
    spots
}

fn pass_role(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (index, statement) in scene.grants() {
        let passes = |pattern: &&String| pattern.contains(':') && glob(&lower(pattern), "iam:passrole");
        let Some(resources) = statement.resources.as_ref().filter(|list| !list.except) else { continue };
        let any = |text: &String| {
            text == "*" || (service_of(text) == Some("iam") && (text.ends_with(":role/*") || text.ends_with(":*")))
        };
        if statement.actions.except
            || !statement.actions.list.iter().any(|p| passes(&p))
            || !resources.list.iter().any(any)
        {
            continue;
        }
        // Of `iam:*` nobody can say what should be left.
        if statement.actions.list.iter().any(|pattern| is_wild(pattern)) {
            spots.push(unmended(index, Severity::Warning, "any role may be handed to a service"));
            continue;
        }
        let account = scene.own_account();
        spots.push(spot(index, Severity::Warning, "any role may be handed to a service", move |slots| {
            let whole = std::mem::take(&mut slots.slots[index]);
            for statement in whole {
                let (pass, rest): (Vec<String>, Vec<String>) =
                    statement.actions.list.iter().cloned().partition(|pattern| lower(pattern) == "iam:passrole");
                let mut one = statement.clone();
                one.actions.list = pass;
                let role = format!("arn:aws:iam::{account}:role/REPLACE-WITH-THE-ROLE");
                one.resources = Some(DraftList { except: false, list: vec![role] });
                slots.slots[index].push(one);
                if !rest.is_empty() {
                    let mut other = statement;
                    other.actions.list = rest;
                    slots.slots[index].push(other);
                }
            }
        }));
    }
    spots
}
