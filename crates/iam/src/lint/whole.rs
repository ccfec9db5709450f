//! The policy as a whole.

use crate::lint::Severity;
use crate::lint::rule::{Rule, spot};
use crate::lint::scene::{Scene, Spot, covers};
use crate::{DraftStatement, Effect, PolicyKind, Version};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "too-large",
        why: "AWS counts the characters that are not white space, and refuses to save or to pass what has more",
        find: too_large,
    },
    Rule {
        name: "old-version",
        why: "variables, and whatever AWS adds, are in the language of 2012-10-17 only",
        find: old_version,
    },
    Rule { name: "redundant", why: "another statement says all of it already", find: redundant },
];

/// Quotas of IAM ("IAM and AWS STS quotas"): a trust policy unless the quota was raised, a managed policy, a session policy.
fn limit(kind: PolicyKind) -> Option<(usize, &'static str)> {
    if kind == PolicyKind::Trust {
        Some((2048, "a trust policy"))
    } else if kind == PolicyKind::Session {
        Some((2048, "a session policy"))
    } else if kind == PolicyKind::Identity {
        Some((6144, "a managed policy"))
    } else {
        None
    }
}

fn too_large(scene: &Scene<'_>) -> Vec<Spot> {
    let size = scene.document.size();
    match limit(scene.kind) {
        Some((most, name)) if size > most => {
            let what = format!("it has {size} characters, and {name} may have {most}");
            vec![Spot { statement: None, severity: Severity::Warning, what, mend: None }]
        }
        _ => Vec::new(),
    }
}

fn old_version(scene: &Scene<'_>) -> Vec<Spot> {
    // What has a `${` in it has another finding, and a worse one.
    if scene.draft.version == Some(Version::V2012) || scene.document.to_string().contains("${") {
        return Vec::new();
    }
    let what = match scene.draft.version {
        None => "it names no version, and is read as one of 2008-10-17",
        Some(_) => "it is written in the language of 2008-10-17",
    };
    let mut found = spot(0, Severity::Note, what, |slots| slots.version = Some(Version::V2012));
    found.statement = None;
    vec![found]
}

fn redundant(scene: &Scene<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    let says = |wide: &DraftStatement, narrow: &DraftStatement| {
        let frees = wide.conditions.is_empty() || wide.conditions == narrow.conditions;
        wide.effect == narrow.effect && frees && covers(wide, narrow)
    };
    for (index, statement) in scene.all() {
        let twice = |(other, wide): &(usize, &DraftStatement)| {
            // Of two that say the same the first stays.
            *other != index && says(wide, statement) && (*other < index || !says(statement, wide))
        };
        let Some((other, _)) = scene.all().find(twice) else { continue };
        let verb = if statement.effect == Effect::Allow { "allows" } else { "denies" };
        let what = format!("statement {} {verb} it too", other + 1);
        spots.push(spot(index, Severity::Note, what, move |slots| slots.remove(index)));
    }
    spots
}
