//! The policy that a session is cut down to.

use identity::Error;

use super::Case;
use crate::{Cause, Check, Diagnosis, Remedy};

static MALFORMED: Cause = Cause {
    row: "F20",
    code: "session-policy.malformed",
    title: "the session policy is none",
    symptom: "MalformedPolicyDocument: Syntax errors in policy, or that it is not in the valid JSON format",
    why: "it is no JSON, or lacks Version, Statement, Effect, Action or Resource, or names a principal",
    apart: "it shows in the policy itself",
    cure: "mend roles[].policy; tidegate policy lint says what is wrong with it",
    texts: &["malformedpolicydocument", "syntax errors in policy", "not in the valid json format"],
};

static TOO_LONG: Cause = Cause {
    row: "F21",
    code: "session-policy.too-long",
    title: "the session policy is too long",
    symptom: "ValidationError: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
    why: "a session policy may have 2048 characters, and at most 10 managed policies may be named beside it",
    apart: "count its characters",
    cure: "write fewer statements, use wildcards, or name fewer buckets in the fence",
    texts: &["at 'policy' failed to satisfy constraint: member must have length less than or equal to 2048"],
};

pub(super) static CAUSES: &[&Cause] = &[&MALFORMED, &TOO_LONG];

pub(super) fn explain(case: &mut Case<'_>) {
    for fault in &case.target.faults {
        let because = format!("{}: {}", fault.key, fault.text);
        if fault.text.contains("is no session policy") {
            let remedy = Remedy::to(format!(
                "write {} as a policy of Effect, Action and Resource, without a principal",
                fault.key
            ));
            case.explain(Check::INPUT, Diagnosis::decided(&MALFORMED, because).cure(remedy));
        } else if fault.text.contains("must have 1 to 2048") || is_long_fence(&fault.text) {
            let remedy = Remedy::to(match fault.hint.as_deref() {
                Some(hint) => hint.to_owned(),
                None => format!("shorten {} to 2048 characters: fewer statements, or wildcards", fault.key),
            });
            case.explain(Check::INPUT, Diagnosis::decided(&TOO_LONG, because).cure(remedy));
        }
    }
    let Some((_, Error::Refused(refusal))) = &case.facts.hop_error else { return };
    let because = format!("AWS says: {}", refusal.message);
    if refusal.code == "MalformedPolicyDocument" {
        let remedy = Remedy::to("mend roles[].policy, or leave it out");
        case.explain(Check::ROLES, Diagnosis::decided(&MALFORMED, because).cure(remedy));
    } else if refusal.code == "ValidationError" && refusal.message.to_lowercase().contains("at 'policy'") {
        let remedy = Remedy::to("shorten roles[].policy to 2048 characters, or name fewer buckets in the fence");
        case.explain(Check::ROLES, Diagnosis::decided(&TOO_LONG, because).cure(remedy));
    }
}

/// Whether a fence is refused for the length of the policy that it makes.
fn is_long_fence(text: &str) -> bool {
    text.contains("2048") && text.contains("characters")
}
