//! A role that does not let us in.
//!
//! AWS has one text for eight causes. What decides: the policies themselves, where they were given or are ours to read;
//! AWS's own words within an account; another external ID that is let in. What is left is told in the order of how often it
//! is the reason, each with what would tell it apart.

use iam::{Arn, Document};
use identity::{Error, Refusal};

use super::assume::{self, Asked, Word};
use super::condition::{self, ADDRESS, DENY, HOUR, MFA, SPREADING};
use super::external_id::{DIFFERS, OF_ANOTHER};
use super::principal::{self, NOT_ALLOWED, OTHER, RECREATED};
use super::remedy::{assume_statement, external_id_setting, trust_policy, update_command};
use super::shell::word;
use super::{Case, external_id, input};
use crate::{Certainty, Check, Diagnosis, Remedy};

pub(super) fn explain(case: &mut Case<'_>) {
    let Some((index, Error::Refused(refusal))) = &case.facts.hop_error else { return };
    if refusal.code != "AccessDenied" || refusal.operation != "sts:AssumeRole" || super::tags::is_cause(case) {
        return;
    }
    for diagnosis in denied(case, *index, refusal) {
        case.explain(Check::ROLES, diagnosis);
    }
}

fn denied(case: &Case<'_>, index: usize, refusal: &Refusal) -> Vec<Diagnosis> {
    let Some(asked) = Asked::of(case, index) else { return Vec::new() };
    if let Some(diagnosis) = principal::root(case, asked.caller_arn) {
        return vec![diagnosis];
    }
    if case.facts.ours.role_is_absent {
        return vec![input::no_such_role(&asked.role)];
    }
    if let Some(diagnosis) = principal::not_as_told(case, index, asked.caller_arn) {
        return vec![diagnosis];
    }
    if let Some(accepted) = &case.facts.accepted_id {
        let sent = asked.hop.external_id.as_deref();
        return vec![external_id::differs(case, index, sent, std::slice::from_ref(accepted), "the role")];
    }
    let role = case.facts.ours.role.as_ref();
    let (text, whose) = match (role, &case.target.trust_policy) {
        (Some(role), _) => (Some(&role.trust_policy), format!("the trust policy of {}", asked.role)),
        (None, given) => (given.as_ref(), "the trust policy that was given".to_owned()),
    };
    let document = text.and_then(|text| Document::parse(text).ok());
    let of_trust = document.as_ref().map(|document| assume::trust(case, &asked, document, &whose));
    let of_own = assume::own(case, &asked, document.as_ref());
    let mut found = Vec::new();
    for word in [&of_trust, &of_own].into_iter().flatten() {
        if let Word::Refuses(diagnoses) = word {
            found.extend(diagnoses.clone());
        }
    }
    // What the policies say names the statement; what AWS says names their kind.
    if found.is_empty() {
        found.extend(assume::text(case, &asked, refusal));
    }
    if !found.is_empty() {
        return found;
    }
    let open = |word: Option<Word>| match word {
        Some(Word::Open(diagnoses)) => diagnoses,
        Some(Word::Allows | Word::Refuses(_)) | None => Vec::new(),
    };
    let trust_allows = matches!(of_trust, Some(Word::Allows));
    let own_allows = matches!(of_own, Some(Word::Allows));
    let trust_is_known = of_trust.is_some();
    // What we do not know decides, and that it was refused says how.
    let (by_trust, by_own) = (open(of_trust), open(of_own));
    let sure = if own_allows && by_trust.len() == 1 { Certainty::Decided } else { Certainty::Likely };
    found.extend(assume::lessened(by_trust, sure));
    found.extend(assume::lessened(by_own, Certainty::Likely));
    let is_ours = role.is_some();
    found.extend(ranked(case, &asked).into_iter().filter(|diagnosis| match diagnosis.cause.row {
        "F13" => !own_allows,
        "F26" => true,
        _ => !trust_is_known,
    }));
    if trust_allows {
        // What is written allows it. Either it is not what is in force, or who asks may not ask.
        for diagnosis in &mut found {
            if diagnosis.cause.row == "F26" && (own_allows || !is_ours) {
                diagnosis.certainty = Certainty::Likely;
                diagnosis.because = format!("{whose} lets us in, so that another one is in force still");
            } else if diagnosis.cause.row == "F13" && is_ours {
                diagnosis.certainty = Certainty::Likely;
                diagnosis.because = format!("{whose} lets us in, so that our own side is left");
            }
        }
    }
    found
}

/// All that it may be, the most frequent first.
fn ranked(case: &Case<'_>, asked: &Asked<'_>) -> Vec<Diagnosis> {
    let index = asked.index;
    let asks =
        control::principal_of(asked.caller_arn).map_or_else(|| asked.caller_arn.to_owned(), |arn| arn.to_string());
    let in_account = asked.caller_arn.parse::<Arn>().ok().and_then(|arn| arn.account()) == asked.role.account();
    let by_policy =
        |diagnosis: Diagnosis| diagnosis.cure(trust_policy(case, Some(index))).cure(update_command(case, index));
    let possible = |cause, apart: String| Diagnosis::possible(cause, apart);

    let id = external_id_differs(case, asked, by_policy);
    let other = by_policy(possible(&OTHER, format!("look whether the trust policy of {} names {asks}", asked.role)));
    let recreated = by_policy(possible(
        &RECREATED,
        format!("look whether a principal of the trust policy begins with AROA or AIDA, where {asks} should stand"),
    ));
    let not_allowed =
        possible(&NOT_ALLOWED, format!("look whether a policy of {asks} allows sts:AssumeRole on {}", asked.role))
            .cure(assume_statement(case, index));
    let deny = by_policy(possible(&DENY, "look for \"Effect\": \"Deny\" in the trust policy".to_owned()));
    let spreading = spreading(case);
    let copied = case.target.integration.as_ref().map(|known| {
        let ids = known.external_ids.join(" and ");
        let apart = format!("look whether the trust policy has {ids}, issued for {} at {}", known.id, known.issued_at);
        by_policy(possible(&OF_ANOTHER, apart))
    });
    let of = |cause, apart: &str| condition::cured(case, index, possible(cause, apart.to_owned()));
    let mfa = of(&MFA, "look for aws:MultiFactorAuthPresent in the trust policy");
    let address = of(&ADDRESS, "look for aws:SourceIp, aws:SourceVpc or aws:SourceVpce in the trust policy");
    let hour = of(&HOUR, "look for aws:CurrentTime in the trust policy");

    let has_let_in = case.target.integration.as_ref().is_some_and(|known| known.proven_at.is_some());
    let order = if has_let_in && id.certainty == Certainty::Possible {
        // It worked with this very ID: something has changed since.
        vec![
            Some(hour),
            Some(address),
            Some(recreated),
            Some(deny),
            Some(id),
            Some(not_allowed),
            Some(other),
            spreading,
            copied,
            Some(mfa),
        ]
    } else if in_account && asked.hop.external_id.is_none() {
        vec![
            Some(other),
            Some(not_allowed),
            Some(recreated),
            Some(deny),
            spreading,
            Some(mfa),
            Some(id),
            Some(address),
            Some(hour),
        ]
    } else {
        vec![
            Some(id),
            Some(other),
            Some(not_allowed),
            Some(recreated),
            Some(deny),
            spreading,
            copied,
            Some(mfa),
            Some(address),
            Some(hour),
        ]
    };
    // A role that has let us in was there.
    let mistyped = (!has_let_in).then(|| input::may_not_exist(&asked.role));
    order.into_iter().chain([mistyped]).flatten().collect()
}

fn external_id_differs(case: &Case<'_>, asked: &Asked<'_>, by_policy: impl Fn(Diagnosis) -> Diagnosis) -> Diagnosis {
    let Some(sent) = &asked.hop.external_id else {
        let apart = "look whether the trust policy asks for sts:ExternalId; none is sent".to_owned();
        return Diagnosis::possible(&DIFFERS, apart)
            .cure(external_id_setting(case, "THE-EXTERNAL-ID-OF-THE-TRUST-POLICY"));
    };
    let known = case.target.integration.as_ref();
    let newer = known.and_then(|known| {
        let proven = known.proven_at.as_ref()?;
        let [issued, proven] = [&known.issued_at, proven].map(|at| at.parse::<jiff::Timestamp>().ok());
        (issued? > proven?).then(|| {
            format!(
                "{sent:?} was issued at {}, and the role last let us in at {}",
                known.issued_at,
                known.proven_at.as_deref().unwrap_or_default()
            )
        })
    });
    by_policy(match newer {
        Some(because) => Diagnosis::likely(&DIFFERS, because),
        None => Diagnosis::possible(&DIFFERS, format!("look whether sts:ExternalId in the trust policy is {sent:?}")),
    })
}

fn spreading(case: &Case<'_>) -> Option<Diagnosis> {
    // It was waited for long enough.
    if case.facts.waited.is_some_and(|waited| waited.as_secs() >= 60) {
        return None;
    }
    let target = &case.target;
    let called = if target.command.is_empty() { word(&target.name) } else { target.command.clone() };
    let again = Remedy::paste(
        "if the trust policy was changed just now, wait for it",
        crate::Paste::Command(format!("tidegate doctor {called} --wait 60")),
    );
    Some(Diagnosis::possible(&SPREADING, "changes in IAM take up to a minute to arrive: try again then").cure(again))
}
