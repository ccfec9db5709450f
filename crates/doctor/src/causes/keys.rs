//! Access keys that AWS does not take.

use identity::{Base, Error};

use super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static USERS_SESSION: Cause = Cause {
    row: "F24",
    code: "keys.session-without-mfa",
    title: "the keys are a user's session, which IAM does not take",
    symptom: "InvalidClientTokenId, the security token included in the request is invalid, from IAM or STS",
    why: "keys of GetSessionToken may not call IAM unless they were had with a second factor, and of STS only AssumeRole and GetCallerIdentity",
    apart: "sts:GetCallerIdentity works with them, and names a user, though the key begins with ASIA",
    cure: "take on a role, and use its session for IAM",
    texts: &["the security token included in the request is invalid", "invalidclienttokenid"],
};

static NO_TOKEN: Cause = Cause {
    row: "F25",
    code: "keys.session-token-missing",
    title: "keys of a session are given without the session's token",
    symptom: "InvalidClientTokenId or InvalidAccessKeyId on any call",
    why: "a key that begins with ASIA is a session's, and AWS knows it only together with its token",
    apart: "the key begins with ASIA, and no token is set",
    cure: "set the session token that came with the key",
    texts: &["the security token included in the request is invalid", "invalidclienttokenid", "invalidaccesskeyid"],
};

static BLANK: Cause = Cause {
    row: "F27",
    code: "keys.blank-inside",
    title: "a blank or a line break is in an access key",
    symptom: "IncompleteSignature: not a valid key=value pair (missing equal-sign) in Authorization header",
    why: "a key that was pasted with a blank breaks the header that it is written into",
    apart: "it shows in the key itself",
    cure: "write the key without it",
    texts: &["not a valid key=value pair", "incompletesignature"],
};

pub(super) static CAUSES: &[&Cause] = &[&USERS_SESSION, &NO_TOKEN, &BLANK];

pub(super) fn explain(case: &mut Case<'_>) {
    for fault in case.target.faults.iter().chain(&case.facts.environment_faults) {
        let because = format!("{} {}", fault.key, fault.text);
        let is_key = ["access_key_id", "secret_access_key", "session_token"]
            .iter()
            .any(|key| fault.key.ends_with(key) || fault.key == format!("AWS_{}", key.to_uppercase()));
        if !is_key {
            continue;
        }
        if fault.text.contains("begins with ASIA") {
            let remedy = if fault.key.starts_with("AWS_") {
                let text = "export AWS_SESSION_TOKEN=THE-TOKEN-OF-THE-SESSION".to_owned();
                Remedy::paste("set the token that came with the key", Paste::Command(text))
            } else {
                let text = "session_token = { env = \"AWS_SESSION_TOKEN\" }".to_owned();
                Remedy::paste("name the token that came with the key", Paste::Setting(text))
            };
            case.explain(Check::INPUT, Diagnosis::decided(&NO_TOKEN, because).cure(remedy));
        } else if fault.text.contains("blanks or line breaks") {
            let remedy = Remedy::to(format!("write {} without blanks and line breaks", fault.key));
            case.explain(Check::INPUT, Diagnosis::decided(&BLANK, because).cure(remedy));
        }
    }
    users_session(case);
    let Some(Error::Refused(refusal)) = &case.facts.base_error else { return };
    if refusal.code == "IncompleteSignature" {
        let because = format!("AWS says: {}", refusal.message);
        let remedy = Remedy::to("write the access key without blanks and line breaks");
        case.explain(Check::BASE, Diagnosis::decided(&BLANK, because).cure(remedy));
    }
    let is_session = refusal.as_whom.contains("access key ASIA");
    let has_token = match case.target.connection.as_ref().map(|connection| &connection.base) {
        Some(Base::Keys(keys)) => keys.token.is_some(),
        // Of these it is known only that the variables have been looked at.
        _ => true,
    };
    if ["InvalidClientTokenId", "InvalidAccessKeyId"].contains(&refusal.code.as_str()) && is_session && !has_token {
        let because = format!("{} is a session's, and no token is sent", refusal.as_whom);
        let text = "session_token = { env = \"AWS_SESSION_TOKEN\" }".to_owned();
        let remedy = Remedy::paste("name the token that came with the key", Paste::Setting(text));
        case.explain(Check::BASE, Diagnosis::decided(&NO_TOKEN, because).cure(remedy));
    }
}

/// STS takes the keys, and IAM, which was asked for a diagnosis, does not.
fn users_session(case: &mut Case<'_>) {
    let is_user = case.facts.base_arn.as_deref().is_some_and(|arn| arn.contains(":user/"));
    // Where nothing was refused there is nobody who needs IAM.
    let is_asked = case.facts.hop_error.is_some();
    if is_asked && is_user && case.facts.ours.refused_with.as_deref() == Some("InvalidClientTokenId") {
        let because = "STS takes the keys as a user's, and IAM refuses them with InvalidClientTokenId";
        let remedy = Remedy::to(
            "for what needs IAM, use the user's own keys, a session with a second factor (aws sts get-session-token \
             --serial-number ARN --token-code CODE), or a role; the role below can be taken on with these",
        );
        case.explain(Check::BASE, Diagnosis::decided(&USERS_SESSION, because).cure(remedy));
    }
}
