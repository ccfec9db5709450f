//! The Security Token Service: sessions, and who one is.

mod assume_role;
mod assume_role_with_web_identity;
mod session_token;

use http::request::Parts;
use iam::AccountId;

use super::api_error::ApiError;
use super::authorize::{Asking, Facts, authorize};
use super::directory::Directory;
use super::reply::Reply;
use super::server::Shared;
use super::session::{Minted, account_of_key};
use super::sigv4::{Claim, Dialect, Verified, authenticate};
use super::time;
use super::uri::Query;
use super::validate;
use super::xml::Xml;

/// The namespace of its documents.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What is served.
const OPERATIONS: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetSessionToken",
];

/// Operations of STS that exist and are not served.
const NOT_SERVED: [&str; 5] =
    ["AssumeRoleWithSAML", "AssumeRoot", "GetDelegatedAccessToken", "GetFederationToken", "GetWebIdentityToken"];

/// The name of the operation asked for, for counting and for the fault plane.
pub(super) fn operation(form: &Query) -> &'static str {
    let action = form.get("Action").unwrap_or_default();
    OPERATIONS.into_iter().chain(NOT_SERVED).find(|known| *known == action).unwrap_or("Sts:Unknown")
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
    let directory = shared.directory();
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
        "GetSessionToken" => session_token::get_session_token(&shared.mint, &verified, facts, form, request_id),
        "GetAccessKeyInfo" => access_key_info(&directory, &verified, facts, form, request_id),
        "DecodeAuthorizationMessage" => decode(shared, &directory, &verified, facts, form, request_id),
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

/// Whose a key is: it stands in the id.
fn access_key_info(
    directory: &Directory,
    verified: &Verified,
    facts: &Facts,
    form: &Query,
    request_id: &str,
) -> Result<Reply, ApiError> {
    may(directory, verified, facts, "sts:GetAccessKeyInfo")?;
    let mut faults = validate::Faults::default();
    let id = form.get("AccessKeyId");
    faults.text("accessKeyId", id, true, 16..=128, validate::is_word, "[\\w]*");
    faults.result()?;
    let id = id.unwrap_or_default();
    // One that was written into the state by hand has no account in it.
    let account = directory.holder(id).map(|(account, _)| account).or_else(|| account_of_key(id));
    let account = account
        .ok_or_else(|| ApiError::of("ValidationError").saying(format!("{id} is not a valid AWS access key id")))?;
    Ok(answer("GetAccessKeyInfo", request_id, |xml| {
        xml.field("Account", account);
    }))
}

/// Opens what a refusal carried in its `x-tidegate-authorization-message`.
fn decode(
    shared: &Shared,
    directory: &Directory,
    verified: &Verified,
    facts: &Facts,
    form: &Query,
    request_id: &str,
) -> Result<Reply, ApiError> {
    may(directory, verified, facts, "sts:DecodeAuthorizationMessage")?;
    let mut faults = validate::Faults::default();
    let message = form.get("EncodedMessage");
    faults.text("encodedMessage", message, true, 1..=10_240, |_| true, "");
    faults.result()?;
    let decoded = shared.denials.decode(message.unwrap_or_default());
    let decoded = decoded.ok_or_else(|| ApiError::of("InvalidAuthorizationMessageException"))?;
    Ok(answer("DecodeAuthorizationMessage", request_id, |xml| {
        xml.field("DecodedMessage", decoded);
    }))
}

/// Refuses a call that is about nothing in particular unless the caller's policies allow it.
fn may(directory: &Directory, verified: &Verified, facts: &Facts, action: &str) -> Result<(), ApiError> {
    let requester = &verified.requester;
    let asking = Asking { action, resource: "*", owner: requester.account, policy: None, said: None };
    authorize(directory, requester, facts, &asking, |_| ()).map_err(|denied| denied.refuse("AccessDenied", "*"))
}

/// Refuses a session of a role whose account has switched STS off in the region that is asked.
fn is_active(directory: &Directory, account: AccountId, facts: &Facts) -> Result<(), ApiError> {
    let off = directory.entities(account).is_some_and(|own| own.regions.sts_deactivated.contains(&facts.region));
    if !off {
        return Ok(());
    }
    Err(ApiError::of("RegionDisabledException").saying(format!(
        "STS is not activated in this region for account:{account}. Your account administrator can activate STS in this region using the IAM Console."
    )))
}

/// What whoever asked for a session gets.
fn credentials(xml: &mut Xml, minted: &Minted) {
    xml.within("Credentials", |xml| {
        xml.field("AccessKeyId", &minted.session.key_id);
        xml.field("SecretAccessKey", minted.secret.expose());
        xml.field("SessionToken", minted.token.expose());
        xml.field("Expiration", time::iso_seconds(minted.session.expires_at()));
    });
}

/// The envelope around every result.
fn answer(action: &str, request_id: &str, result: impl FnOnce(&mut Xml)) -> Reply {
    let mut xml = Xml::document();
    xml.within(&format!("{action}Response xmlns=\"{NAMESPACE}\""), |xml| {
        xml.within(&format!("{action}Result"), result);
        xml.within("ResponseMetadata", |xml| {
            xml.field("RequestId", request_id);
        });
    });
    let mut reply = Reply::xml(xml.finish());
    reply.set("content-type", "text/xml");
    reply
}
