//! Whom roles let in.

use control::Outcome;
use iam::generate::{Trust, Trusted};
use identity::Error;

use super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static WRONG_ID: Cause = Cause {
    row: "F01",
    code: "trust.external-id-differs",
    title: "the trust policy asks for another external ID than the one that is sent",
    symptom: "AccessDenied on sts:AssumeRole",
    why: "the external ID in the trust policy is stale, is another tenant's, differs in case, or has a blank in it",
    apart: "compare the two, character by character",
    cure: "write the external ID that is sent into the trust policy",
    texts: &["is not authorized to perform: sts:assumerole"],
};

static OPEN: Cause = Cause {
    row: "F02",
    code: "trust.no-external-id-asked",
    title: "the trust policy does not ask for an external ID",
    symptom: "everything works",
    why: "whoever may use Tidegate could name this role, and would be let in: the confused deputy",
    apart: "the role lets us in without an external ID",
    cure: "put sts:ExternalId into the condition of every statement that lets us in",
    texts: &[],
};

static TAGS: Cause = Cause {
    row: "F07",
    code: "trust.tag-session-not-allowed",
    title: "the trust policy does not allow sts:TagSession",
    symptom: "AccessDenied that names sts:TagSession",
    why: "session tags are sent, and the trust policy allows sts:AssumeRole alone",
    apart: "without tags the role lets us in",
    cure: "allow sts:TagSession beside sts:AssumeRole, under the same condition",
    texts: &["is not authorized to perform: sts:tagsession"],
};

pub(super) static CAUSES: &[&Cause] = &[&WRONG_ID, &OPEN, &TAGS];

pub(super) fn explain(case: &mut Case<'_>) {
    if case.facts.absent_id == Some(Outcome::LetIn) {
        let because = "the role let us in without an external ID";
        let diagnosis = Diagnosis::decided(&OPEN, because).cure(trust_policy(case));
        case.explain(Check::ID_REQUIRED, diagnosis);
    }
    if matches!(case.facts.without_tags, Some(Trial::Done)) {
        let because = "without tags the role lets us in";
        case.explain(Check::TAGS, Diagnosis::decided(&TAGS, because).cure(trust_policy(case)));
        return;
    }
    let Some((index, Error::Refused(refusal))) = &case.facts.hop_error else { return };
    if refusal.code == "AccessDenied" && refusal.operation == "sts:AssumeRole" {
        let sent = case.target.connection.as_ref().and_then(|connection| connection.hops[*index].external_id.clone());
        if let Some(sent) = sent {
            let apart = format!("look whether sts:ExternalId in the trust policy is {sent:?}");
            case.explain(Check::ROLES, Diagnosis::possible(&WRONG_ID, apart).cure(trust_policy(case)));
        }
    }
}

/// The trust policy that would let us in, and nobody else.
fn trust_policy(case: &Case<'_>) -> Remedy {
    let action = "replace the role's trust policy by this";
    if let Some(integration) = &case.target.integration {
        return Remedy::paste(action, Paste::TrustPolicy(integration.trust_policy.clone()));
    }
    let hop = case.target.connection.as_ref().and_then(|connection| connection.hops.last());
    let principal = case.facts.base_arn.as_deref().and_then(control::principal_of);
    let (Some(hop), Some(principal)) = (hop, principal) else {
        return Remedy::to("let the role's trust policy name who we are, with the external ID as its condition");
    };
    let Some(external_id) = hop.external_id.clone() else {
        return Remedy::to(format!("let the role's trust policy name {principal}"));
    };
    let trusted = vec![Trusted::Party { principal: principal.as_str().to_owned(), external_id, exists: true }];
    let tag_session = !hop.tags.is_empty();
    let set_source_identity = hop.source_identity.is_some();
    let trust = Trust { trusted, tag_session, set_source_identity, ..Trust::default() };
    match trust.policy() {
        Ok(policy) => Remedy::paste(action, Paste::TrustPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("let the role's trust policy name {principal} ({error})")),
    }
}
