//! What a proof found, in words that say what to do.

use fault::{Chain, Diagnose as _};
use iam::Arn;

use crate::{Integration, Outcome, ProbeKind, Proof, Verdict};

/// Another caller's proof says nothing about whom the role lets in.
pub(crate) fn another_caller(caller: &str, principal: &Arn) -> String {
    format!(
        "the integration is for {principal}, and Tidegate acts as {caller} here: run the proof where it acts as the former, \
         or make an integration for the latter",
        principal = principal.as_str()
    )
}

/// We do not know who we are.
pub(crate) fn no_caller(error: &identity::Error) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("who Tidegate is to AWS could not be learnt: {}{hint}", Chain(error))
}

/// The verdict in a sentence, with the causes as far as the evidence tells them apart.
pub(crate) fn reason(proof: &Proof, integration: &Integration) -> String {
    match proof.verdict {
        Verdict::Proven => proven(proof),
        Verdict::Open => open(proof),
        Verdict::Denied => denied(proof, integration),
        Verdict::Inconclusive => inconclusive(proof),
    }
}

fn proven(proof: &Proof) -> String {
    let mut text =
        "the role lets in Tidegate with the right external ID, and refuses it with none and with wrong ones".to_owned();
    if proof.refuses(ProbeKind::Right) {
        text.push_str(
            ". The right one is the older of two: the newer one is refused yet, as long as the trust policy does not name it",
        );
    } else if proof.lets_in(ProbeKind::Older) {
        text.push_str(". The older external ID is accepted too, until its statement is taken out of the trust policy");
    }
    text
}

/// Which shape of a trust policy lets in what (each confirmed with IAM's own semantics).
fn open(proof: &Proof) -> String {
    let [absent, wrong, near] = ProbeKind::FORBIDDEN.map(|kind| proof.lets_in(kind));
    let right = proof.lets_in(ProbeKind::Right) || proof.lets_in(ProbeKind::Older);
    let (what, shape) = match (absent, wrong, near) {
        (true, true, _) => (
            "without an external ID and with a wrong one",
            "a statement of its trust policy that names Tidegate has no condition on sts:ExternalId, or one that only \
             excludes some",
        ),
        (true, false, _) => (
            "without an external ID",
            "the condition on sts:ExternalId only counts if one is sent (StringEqualsIfExists, ForAllValues:StringEquals, \
             or Null: true)",
        ),
        (false, true, _) => {
            ("with a wrong external ID", "any external ID will do (StringLike \"*\", or Null: false alone)")
        }
        (false, false, _) => (
            "with a wrong external ID that begins and ends like the right one",
            "the condition on sts:ExternalId has a wildcard (StringLike)",
        ),
    };
    let but = if right { "" } else { ", though not with the right one" };
    format!("the role lets in Tidegate {what}{but}, and so anybody else who uses Tidegate: {shape}")
}

/// STS answers AccessDenied to each of four faults. What each would have shown otherwise is all there is to go by.
fn denied(proof: &Proof, integration: &Integration) -> String {
    let principal = integration.principal.as_str();
    let role = &proof.role;
    let message = match proof.probe(ProbeKind::Right).map(|probe| &probe.outcome) {
        Some(Outcome::Refused { message }) => message.as_str(),
        _ => "",
    };
    let begin = "the role refuses Tidegate with the right external ID too";
    // STS adds whose policy it was to callers of the same account or organisation only.
    if message.contains("identity-based policy") || message.contains("permissions boundary") {
        return format!(
            "{begin}: STS says that it is the policies of {principal} that do not allow sts:AssumeRole on {role}"
        );
    }
    if message.contains("service control policy") {
        return format!("{begin}: STS says that a service control policy of the account of {principal} denies it");
    }
    if message.contains("role trust policy") {
        return format!("{begin}: STS says that it is the role's trust policy");
    }
    for (action, what) in [("sts:TagSession", "session tags"), ("sts:SetSourceIdentity", "a source identity")] {
        if message.contains(action) {
            return format!(
                "{begin}: the session of {principal} hands on {what}, and the role's trust policy, or the policies of \
                 {principal}, do not allow {action} beside sts:AssumeRole"
            );
        }
    }
    let changed = match integration.proven_at {
        Some(at) => format!(" It did not on {at}, so something has been changed since."),
        None => String::new(),
    };
    format!(
        "{begin}, and STS gives one answer for four causes.{changed} Most likely first: the trust policy does not hold the \
         statement of this integration (still the placeholder, another external ID, blanks pasted with it); it names \
         another principal than {principal}, or one that was deleted and made anew since; there is no role {role}; \
         or the policies of {principal} do not allow sts:AssumeRole on it"
    )
}

fn inconclusive(proof: &Proof) -> String {
    let unclear = proof.probes.iter().find_map(|probe| match &probe.outcome {
        Outcome::Unclear { code, text, .. } => Some((probe.kind, code, text)),
        Outcome::LetIn | Outcome::Refused { .. } => None,
    });
    match unclear {
        Some((kind, code, text)) => format!(
            "with {} STS answered neither yes nor AccessDenied, which proves nothing ({code}): {text}",
            kind.sent()
        ),
        None => {
            "the role let in Tidegate with the right external ID at first, and refused it afterwards: its trust policy \
                 is being changed"
                .to_owned()
        }
    }
}
