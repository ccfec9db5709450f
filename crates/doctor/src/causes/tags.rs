//! Session tags: whether the role takes them, and whether there is room for them.

use identity::{Error, Refusal};

use super::Case;
use super::remedy::{assume_statement, before, trust_policy, update_command};
use crate::checks::identity::NEARLY_FULL;
use crate::{Cause, Check, Diagnosis, Remedy, Trial};

static NOT_ALLOWED: Cause = Cause {
    row: "F07",
    code: "trust.tag-session-not-allowed",
    title: "the trust policy does not allow sts:TagSession",
    symptom: "AccessDenied that names sts:TagSession",
    why: "session tags are sent, and the trust policy allows sts:AssumeRole alone",
    apart: "without tags the role lets us in",
    cure: "allow sts:TagSession beside sts:AssumeRole, under the same condition",
    texts: &["not authorized to perform: sts:tagsession", "not authorized to perform: sts:setsourceidentity"],
};

static MISLEADING: Cause = Cause {
    row: "F08",
    code: "trust.tags-refused",
    title: "the session's tags are refused, and AWS names sts:AssumeRole",
    symptom: "AccessDenied that names sts:AssumeRole, and not sts:TagSession",
    why: "tags are weighed together with the role: what refuses them refuses it",
    apart: "without tags the role lets us in",
    cure: "allow sts:TagSession beside sts:AssumeRole, and these tags in its conditions",
    texts: &["not authorized to perform: sts:assumerole on resource"],
};

static TOO_LARGE: Cause = Cause {
    row: "F19",
    code: "sts.packed-policy-too-large",
    title: "the session's tags and policy are too large together",
    symptom: "PackedPolicyTooLarge",
    why: "AWS packs tags, inherited tags and the session policy into one space; EKS Pod Identity's own tags take most of it",
    apart: "AWS says so, with the percentage",
    cure: "send fewer or shorter tags, or fewer buckets in the fence",
    texts: &["packedpolicytoolarge", "packed size of session", "of allotted space"],
};

pub(super) static CAUSES: &[&Cause] = &[&NOT_ALLOWED, &MISLEADING, &TOO_LARGE];

fn refusal<'a>(case: &Case<'a>) -> Option<(usize, &'a Refusal)> {
    match &case.facts.hop_error {
        Some((index, Error::Refused(refusal))) => Some((*index, refusal)),
        _ => None,
    }
}

/// What takes up less room.
fn smaller(diagnosis: Diagnosis) -> Diagnosis {
    diagnosis
        .cure(Remedy::to(
            "take tags out of roles[].tags, or shorten their values; transitive ones of the roles before count too",
        ))
        .cure(Remedy::to("name fewer buckets and prefixes in the fence, or set fence = \"check\""))
}

/// Whether the role is refused for what is handed on with the request, and for nothing else.
pub(super) fn is_cause(case: &Case<'_>) -> bool {
    matches!(case.facts.without_tags, Some(Trial::Done))
        || refusal(case).is_some_and(|(_, refusal)| named(refusal).is_some())
}

/// What AWS says that it did not find beside sts:AssumeRole.
fn named(refusal: &Refusal) -> Option<&'static str> {
    let names = |action: &&str| refusal.message.contains(&format!("to perform: {action}"));
    ["sts:TagSession", "sts:SetSourceIdentity"].into_iter().find(names).filter(|_| refusal.code == "AccessDenied")
}

pub(super) fn explain(case: &mut Case<'_>) {
    if let Some(percent) = case.facts.packed_percent.filter(|percent| *percent >= NEARLY_FULL)
        && case.is_unwell(Check::ROLES)
        && case.facts.hop_error.is_none()
    {
        let because = format!("AWS says that {percent} % of it are taken; above 100 % the role is refused");
        case.explain(Check::ROLES, smaller(Diagnosis::likely(&TOO_LARGE, because)));
    }
    let Some((index, refusal)) = refusal(case) else { return };
    let is_bare_let_in = matches!(case.facts.without_tags, Some(Trial::Done));
    if refusal.code == "PackedPolicyTooLarge" {
        let diagnosis = smaller(Diagnosis::decided(&TOO_LARGE, format!("AWS says: {}", refusal.message)));
        let at = if is_bare_let_in { Check::TAGS } else { Check::ROLES };
        case.explain(at, diagnosis);
        return;
    }
    if refusal.code != "AccessDenied" || !is_cause(case) {
        return;
    }
    let by_policy = |diagnosis: Diagnosis| {
        diagnosis
            .cure(trust_policy(case, Some(index)))
            .cure(update_command(case, index))
            .cure(assume_statement(case, index))
    };
    let diagnosis = by_policy(match named(refusal) {
        Some(action) if is_bare_let_in => {
            Diagnosis::decided(&NOT_ALLOWED, format!("without them the role lets us in, and AWS names {action}"))
        }
        // They were set further up: by a role before it, a certificate, a pod's identity.
        Some(action) => {
            let asks = before(case, index).unwrap_or("who asks");
            Diagnosis::decided(&NOT_ALLOWED, format!("AWS names {action}, for what the session of {asks} hands on"))
        }
        None => Diagnosis::decided(&MISLEADING, "without tags and source identity the role lets us in"),
    });
    case.explain(if is_bare_let_in { Check::TAGS } else { Check::ROLES }, diagnosis);
}
