use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use world::Secret;

use super::sign::{PATH, Unsigned, sign};
use super::{CertificateError, Pair, RolesAnywhere, Signed};
use crate::{AccessKeyId, Error, Refusal, Session};

/// What the exchange is called in messages and in policies.
pub const OPERATION: &str = "rolesanywhere:CreateSession";

/// A signed request, to be sent as it is with `POST`.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// All headers, the `Host` header among them.
    pub headers: Vec<(&'static str, String)>,
    /// The body. No secret: it names ARNs.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    profile_arn: &'a str,
    role_arn: &'a str,
    trust_anchor_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_session_name: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(default)]
    credential_set: Vec<CredentialSet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialSet {
    credentials: Option<Credentials>,
    assumed_role_user: Option<AssumedRoleUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    arn: Option<String>,
}

impl RolesAnywhere {
    /// The one request that exchanges the certificate for a session, signed at `now` (AWS's time).
    pub fn request(&self, pair: &Pair, now: SystemTime) -> Result<Request, CertificateError> {
        let body = Asked {
            profile_arn: &self.profile_arn,
            role_arn: &self.role_arn,
            trust_anchor_arn: &self.trust_anchor_arn,
            duration_seconds: self.duration.map(|duration| duration.as_secs()),
            role_session_name: self.session_name.as_deref(),
        };
        let body = serde_json::to_vec(&body).expect("the request is plain data");
        let endpoint = self.endpoint();
        let unsigned = Unsigned {
            host: host(&endpoint),
            region: &self.region,
            content_type: "application/json",
            body: &body,
            time: now,
        };
        let Signed { headers, .. } = sign(&unsigned, pair)?;
        Ok(Request { url: format!("{endpoint}{PATH}"), headers, body })
    }

    /// Reads the answer: 201 is a session, anything else AWS's no. `error_type` and `request_id` are the answer's headers
    /// `x-amzn-errortype` and `x-amzn-requestid`.
    pub fn read(
        &self,
        pair: &Pair,
        status: u16,
        error_type: Option<&str>,
        request_id: Option<&str>,
        body: &[u8],
    ) -> Result<Session, Error> {
        let target = self.to_string();
        if !(200..300).contains(&status) {
            let (code, message) = said(status, error_type, body);
            return Err(Error::Refused(Arc::new(Refusal {
                operation: OPERATION,
                target,
                as_whom: AsWhom(pair).to_string(),
                endpoint: self.endpoint(),
                status,
                code,
                message,
                request_id: request_id.map(str::to_owned),
                with_external_id: false,
            })));
        }
        let missing = |missing| Error::Malformed { operation: OPERATION, target: target.clone(), missing };
        let created: Created = serde_json::from_slice(body).map_err(|_| missing("a body that can be read"))?;
        let set = created.credential_set.into_iter().next().ok_or_else(|| missing("credentials"))?;
        let credentials = set.credentials.ok_or_else(|| missing("credentials"))?;
        let expires_at: Timestamp = credentials.expiration.parse().map_err(|_| missing("a possible expiration"))?;
        let session = Session::new(
            AccessKeyId::new(credentials.access_key_id),
            Secret::new(credentials.secret_access_key),
            Secret::new(credentials.session_token),
            expires_at.into(),
        );
        Ok(match set.assumed_role_user.and_then(|user| user.arn) {
            Some(arn) => session.acting_as(arn),
            None => session,
        })
    }
}

/// The certificate, as the one who asks.
struct AsWhom<'a>(&'a Pair);

impl fmt::Display for AsWhom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = self.0.certificate();
        write!(f, "certificate {} (serial {})", certificate.subject(), certificate.serial())
    }
}

/// `https://HOST:PORT/..` without what is around the host and port.
fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// AWS's code and text. The code stands in a header or in the body, with a namespace before it or a URL behind it.
fn said(status: u16, error_type: Option<&str>, body: &[u8]) -> (String, String) {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
    let code = error_type.or_else(|| text("__type")).or_else(|| text("code"));
    let code = code.and_then(|code| code.rsplit('#').next()).and_then(|code| code.split(':').next());
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    (code.map_or_else(|| status.to_string(), str::to_owned), message.to_owned())
}

/// What to do about a no, by AWS's text: its codes do not tell one reason from another.
pub(crate) fn hint(refusal: &Refusal) -> Option<Cow<'static, str>> {
    let Refusal { target, as_whom, message, .. } = refusal;
    let says = |words: &str| message.to_ascii_lowercase().contains(words);
    Some(if says("untrusted") && says("certificate") {
        format!(
            "give the intermediates between {as_whom} and the trust anchor's authority in `intermediates`, or name the \
             trust anchor of the authority that has issued it"
        )
        .into()
    } else if says("rolesessionname") {
        "leave the session name out, or let the profile accept one: `aws rolesanywhere update-profile --profile-id ID \
         --accept-role-session-name`"
            .into()
    } else if says("failed to be mapped") {
        format!(
            "have {as_whom} issued without characters that session tags do not take (letters, digits, spaces and \
             _ . : / = + - @ are taken), or narrow the profile's attribute mapping"
        )
        .into()
    } else if says("revoked") {
        format!("have a new certificate issued: {as_whom} has been revoked").into()
    } else if says("expired") || says("not yet valid") {
        "compare this machine's clock with AWS's, and the certificate's dates with both".into()
    } else if says("durationseconds") || says("maxsessionduration") || says("session duration") {
        format!("ask for a shorter session, or raise the maximum of the profile and of {target}").into()
    } else if says("disabled") {
        "enable the trust anchor and the profile in Roles Anywhere".into()
    } else if says("insufficient permissions") || says("unable to assume role") || says("not authorized to perform") {
        format!(
            "let the trust policy of {target} allow sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity to the service \
             rolesanywhere.amazonaws.com, and check its conditions on aws:SourceArn and aws:PrincipalTag against the trust \
             anchor and the certificate"
        )
        .into()
    } else if refusal.code.contains("ResourceNotFound") {
        "correct the trust anchor's or the profile's ARN: one of them is not in this account and region".into()
    } else if refusal.code.contains("AccessDenied") {
        format!(
            "check that the profile is enabled and lists {target}, and that its trust policy allows sts:AssumeRole, \
             sts:TagSession and sts:SetSourceIdentity to rolesanywhere.amazonaws.com"
        )
        .into()
    } else {
        return None;
    })
}
