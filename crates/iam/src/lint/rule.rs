use std::collections::HashSet;
use std::sync::Arc;

use crate::lint::scene::{Scene, Slots, Spot};
use crate::lint::{Finding, Options, Severity, condition, dead, external_id, half, principal, whole, width, window};
use crate::{Document, Draft, Effect, PolicyKind};

/// A rule: its name, why it matters, and where it strikes.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) why: &'static str,
    pub(super) find: fn(&Scene<'_>) -> Vec<Spot>,
}

/// What leads to no further remark after this many rounds never will.
const ROUNDS: usize = 12;

/// In the order in which they are mended: what names and matches at all comes before how wide it is.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        external_id::RULES,
        principal::RULES,
        dead::RULES,
        window::RULES,
        width::RULES,
        half::RULES,
        condition::RULES,
        whole::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Everything that a reviewer would say of a policy of `kind`, in the order of its statements, the worst first in each.
pub fn lint(document: &Document, kind: PolicyKind, options: &Options) -> Vec<Finding> {
    let scene = Scene { document, draft: Draft::from(document), kind, options };
    let mut findings = Vec::new();
    for rule in rules() {
        let spots = (rule.find)(&scene);
        if spots.is_empty() {
            continue;
        }
        let mended = mend_by(rule, document, kind, options).map(Arc::new);
        findings.extend(spots.into_iter().map(|spot| Finding {
            rule: rule.name,
            severity: spot.severity,
            statement: spot.statement.map(|index| index + 1),
            sid: spot.statement.and_then(|index| document.statements()[index].sid()).map(str::to_owned),
            what: spot.what,
            why: rule.why,
            mended: mended.clone(),
        }));
    }
    findings.sort_by_key(|finding| (finding.statement, std::cmp::Reverse(finding.severity)));
    findings
}

/// The policy with everything mended that can be, errors and warnings and notes alike. The same policy if there is
/// nothing to mend.
pub fn mend(document: &Document, kind: PolicyKind, options: &Options) -> Document {
    let mut mended = document.clone();
    for _ in 0..ROUNDS {
        let mut quiet = true;
        for rule in rules() {
            if let Some(better) = mend_by(rule, &mended, kind, options) {
                mended = better;
                quiet = false;
            }
        }
        if quiet {
            break;
        }
    }
    mended
}

/// The policy with all that one rule has against it mended; `None` if there is nothing, or no way.
fn mend_by(rule: &Rule, document: &Document, kind: PolicyKind, options: &Options) -> Option<Document> {
    let mut mended = document.clone();
    for round in 0..ROUNDS {
        let scene = Scene { document: &mended, draft: Draft::from(&mended), kind, options };
        let spots = (rule.find)(&scene);
        if spots.is_empty() {
            return (round > 0).then_some(mended);
        }
        let mut repaired = Slots {
            version: scene.draft.version,
            slots: scene.draft.statements.iter().map(|statement| vec![statement.clone()]).collect(),
        };
        for spot in spots {
            (spot.mend?)(&mut repaired);
        }
        let better = finish(&scene, repaired)?;
        if better == mended {
            return None;
        }
        mended = better;
    }
    None
}

fn finish(scene: &Scene<'_>, slots: Slots) -> Option<Document> {
    let mut draft = Draft { version: slots.version, id: scene.draft.id.clone(), statements: Vec::new() };
    let mut taken = HashSet::new();
    for mut statement in slots.slots.into_iter().flatten() {
        statement.actions.list.dedup();
        let mut number = 2;
        let sid = statement.sid.clone();
        while statement.sid.as_ref().is_some_and(|sid| taken.contains(sid)) {
            statement.sid = sid.as_ref().map(|sid| format!("{sid}{number}"));
            number += 1;
        }
        taken.extend(statement.sid.clone());
        draft.statements.push(statement);
    }
    let allows = draft.statements.iter().any(|statement| statement.effect == Effect::Allow);
    if draft.statements.is_empty() {
        // A role must have a trust policy, though nobody is to come in; any other policy is rather taken away.
        return (scene.is_trust() && !allows).then(crate::generate::placeholder_policy);
    }
    draft.build(scene.kind).ok()
}

/// A spot in a statement.
pub(super) fn spot(
    index: usize,
    severity: Severity,
    what: impl Into<String>,
    mend: impl Fn(&mut Slots) + 'static,
) -> Spot {
    Spot { statement: Some(index), severity, what: what.into(), mend: Some(Box::new(mend)) }
}

/// A spot in a statement, which only its owner can mend.
pub(super) fn unmended(index: usize, severity: Severity, what: impl Into<String>) -> Spot {
    Spot { statement: Some(index), severity, what: what.into(), mend: None }
}
