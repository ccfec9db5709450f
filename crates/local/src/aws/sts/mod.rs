//! The Security Token Service: sessions, and who one is.

mod assume_role;
mod assume_role_with_web_identity;
mod validate;

use http::request::Parts;

use super::authorize::Facts;
use super::error::ApiError;
use super::reply::Reply;
use super::server::Shared;
use super::sigv4::{Claim, Dialect, Verified, authenticate};
use super::uri::Query;
use super::xml::Xml;

/// Operations of STS that exist and are not served.
const NOT_SERVED: [&str; 7] = [
    "AssumeRoleWithSAML",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// The name of the operation asked for, for counting and for the fault plane.
pub(super) fn operation(form: &Query) -> &'static str {
    match form.get("Action") {
        Some("AssumeRole") => "AssumeRole",
        Some("AssumeRoleWithWebIdentity") => "AssumeRoleWithWebIdentity",
        Some("GetCallerIdentity") => "GetCallerIdentity",
        Some(other) => NOT_SERVED.into_iter().find(|known| *known == other).unwrap_or("Sts:Unknown"),
        None => "Sts:Unknown",
    }
}

/// Answers a request. `form` holds its parameters, `payload_hash` is of its whole body.
pub(super) fn handle(
    shared: &Shared,
    parts: &Parts,
    form: &Query,
    claim: Option<Claim>,
    payload_hash: &str,
    facts: &Facts,
    request_id: &str,
) -> Result<Reply, ApiError> {
    // The one that nobody signs: whoever asks has no key yet.
    if (form.get("Action"), form.get("Version")) == (Some("AssumeRoleWithWebIdentity"), Some("2011-06-15")) {
        return assume_role_with_web_identity::assume_role_with_web_identity(shared, facts, form, request_id);
    }
    let claim = claim.ok_or_else(|| ApiError::of("MissingAuthenticationToken"))?;
    let directory = shared.directory.read().expect("no thread panics while it holds this lock");
    let verified = authenticate(Dialect::Sts, parts, claim, payload_hash, &directory, &shared.mint, facts.now)?;
    let action = form.get("Action").ok_or_else(|| {
        ApiError::of("MissingAction").saying("Could not find operation: the parameter Action is missing")
    })?;
    match form.get("Version") {
        Some("2011-06-15") => {}
        version => {
            let version = version.unwrap_or("(none)");
            return Err(ApiError::of("InvalidAction")
                .saying(format!("Could not find operation {action} for version {version}")));
        }
    }
    match action {
        "AssumeRole" => assume_role::assume_role(&shared.mint, &directory, &verified, facts, form, request_id),
        "GetCallerIdentity" => Ok(caller_identity(&verified, request_id)),
        action if NOT_SERVED.contains(&action) => {
            Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not serve sts:{action} yet")))
        }
        action => {
            Err(ApiError::of("InvalidAction")
                .saying(format!("Could not find operation {action} for version 2011-06-15")))
        }
    }
}

/// Needs no permission, and none can deny it.
fn caller_identity(verified: &Verified, request_id: &str) -> Reply {
    let requester = &verified.requester;
    answer("GetCallerIdentity", request_id, |xml| {
        xml.field("Arn", &requester.arn);
        xml.field("UserId", &requester.user_id);
        xml.field("Account", requester.account);
    })
}

/// The envelope around every result.
fn answer(action: &str, request_id: &str, result: impl FnOnce(&mut Xml)) -> Reply {
    let mut xml = Xml::document();
    xml.within(&format!("{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\""), |xml| {
        xml.within(&format!("{action}Result"), result);
        xml.within("ResponseMetadata", |xml| {
            xml.field("RequestId", request_id);
        });
    });
    let mut reply = Reply::xml(xml.finish());
    reply.set("content-type", "text/xml");
    reply
}
