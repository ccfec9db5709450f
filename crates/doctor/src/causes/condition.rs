//! What else a trust policy may ask for, and what may stand in its way.

use iam::PolicyKind;

use super::Case;
use super::remedy::{mended, trust_policy, update_command};
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

pub(super) static MFA: Cause = Cause {
    row: "F14",
    code: "trust.mfa-required",
    title: "the trust policy asks for a second factor, which a machine does not have",
    symptom: "AccessDenied on sts:AssumeRole, for machines only",
    why: "the condition aws:MultiFactorAuthPresent (the console's box \"Require MFA\") holds for people who have signed in with one",
    apart: "look for aws:MultiFactorAuthPresent in the trust policy",
    cure: "take that condition out, and ask for an external ID instead",
    texts: &["is not authorized to perform: sts:assumerole on resource", "multifactorauthentication"],
};

pub(super) static ADDRESS: Cause = Cause {
    row: "F15",
    code: "trust.source-address",
    title: "the trust policy lets in requests from certain addresses or networks only",
    symptom: "it worked, and is AccessDenied now, with no change on either side",
    why: "our address has changed, or requests go through a VPC endpoint now, where aws:SourceIp is not there",
    apart: "look for aws:SourceIp, aws:SourceVpc or aws:SourceVpce in the trust policy, and compare with where we come from",
    cure: "add the address that we come from, or for a VPC endpoint a condition on aws:SourceVpce",
    texts: &["is not authorized to perform: sts:assumerole on resource"],
};

pub(super) static HOUR: Cause = Cause {
    row: "F16",
    code: "trust.time-window",
    title: "the trust policy lets in at certain times only, and this is none of them",
    symptom: "it stopped at a certain hour, with AccessDenied",
    why: "a condition on aws:CurrentTime is over, or has not begun",
    apart: "look for aws:CurrentTime in the trust policy",
    cure: "set a later end, or take the condition out",
    texts: &["is not authorized to perform: sts:assumerole on resource"],
};

pub(super) static DENY: Cause = Cause {
    row: "F17",
    code: "trust.deny-left-over",
    title: "a Deny stands in the trust policy beside what allows",
    symptom: "AccessDenied on sts:AssumeRole, though a statement allows it",
    why: "a Deny wins, always; a placeholder that lets nobody in has to be replaced, not added to",
    apart: "look for \"Effect\": \"Deny\" in the trust policy",
    cure: "take the Deny out",
    texts: &[
        "is not authorized to perform: sts:assumerole on resource",
        "with an explicit deny in a role trust policy",
    ],
};

pub(super) static SPREADING: Cause = Cause {
    row: "F26",
    code: "trust.change-on-its-way",
    title: "a change of the trust policy has not arrived everywhere yet",
    symptom: "AccessDenied on sts:AssumeRole, right after the trust policy was mended",
    why: "IAM's changes take seconds, and sometimes a minute, to be seen by STS",
    apart: "try again after a minute",
    cure: "wait a minute",
    texts: &[],
};

/// Not one of the catalogue that this began with.
pub(super) static OTHER: Cause = Cause {
    row: "F99",
    code: "trust.condition-unmet",
    title: "a condition of the trust policy does not hold",
    symptom: "AccessDenied on sts:AssumeRole",
    why: "the statement that would let us in asks for more than who we are and an external ID",
    apart: "look at the conditions of the trust policy",
    cure: "meet the condition, or take it out",
    texts: &[],
};

pub(super) static CAUSES: &[&Cause] = &[&MFA, &ADDRESS, &HOUR, &DENY, &SPREADING, &OTHER];

pub(super) fn explain(case: &mut Case<'_>) {
    for (kind, finding) in &case.facts.findings {
        let row = match finding.rule {
            "shadowed-by-deny" => &DENY,
            "expired" | "empty-window" => &HOUR,
            _ => continue,
        };
        if *kind == PolicyKind::Trust {
            let remedy = mended(finding).unwrap_or_else(|| Remedy::to(row.cure));
            case.explain(Check::POLICIES, Diagnosis::decided(row, finding.to_string()).cure(remedy));
        }
    }
}

/// The cause behind a condition on this key.
pub(super) fn cause_of(key: &str) -> &'static Cause {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    match key {
        _ if is("aws:MultiFactorAuthPresent") || is("aws:MultiFactorAuthAge") => &MFA,
        _ if ["aws:SourceIp", "aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce"].into_iter().any(is) => &ADDRESS,
        _ if is("aws:CurrentTime") || is("aws:EpochTime") => &HOUR,
        _ => &OTHER,
    }
}

/// What to do about a condition that stands in our way.
pub(super) fn cured(case: &Case<'_>, index: usize, diagnosis: Diagnosis) -> Diagnosis {
    match diagnosis.cause.row {
        "F14" => diagnosis.cure(trust_policy(case, Some(index))).cure(update_command(case, index)),
        "F15" => diagnosis
            .cure(Remedy::paste(
                "find out which address we come from, and add it to aws:SourceIp in the trust policy",
                Paste::Command("curl -s https://checkip.amazonaws.com".to_owned()),
            ))
            .cure(Remedy::to(
                "where STS is asked through a VPC endpoint, ask for aws:SourceVpce in place of aws:SourceIp, which is not there then",
            )),
        "F16" => diagnosis
            .cure(Remedy::to("set a later end in the condition on aws:CurrentTime, or take it out"))
            .cure(trust_policy(case, Some(index))),
        _ => diagnosis.cure(Remedy::to("meet the condition, or take it out")).cure(trust_policy(case, Some(index))),
    }
}
