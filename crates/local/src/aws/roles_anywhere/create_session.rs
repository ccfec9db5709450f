use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use iam::{Arn, Context};
use serde_json::{Value, json};
use x509_parser::prelude::X509Certificate;

use super::chain::{self, MAX_INTERMEDIATES, Untrusted};
use super::claim::Claim;
use super::registry::{Profile, TrustAnchor};
use super::tags::tags;
use super::x509::{self, Kind};
use crate::aws::ambient::{Asked, Limit, Taking, Untaken, take};
use crate::aws::reply::Reply;
use crate::aws::server::Shared;
use crate::aws::session::Minted;
use crate::aws::time;
use crate::aws::uri::Query;

/// The largest certificate that is taken (service quotas).
const MAX_CERTIFICATE: usize = 16 * 1024;

/// A refusal, in the words of a service that speaks JSON. Of AWS's texts two are known: `Untrusted signing certificate` and
/// `Not authorized to set roleSessionName.`; the others are ours.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
}

impl Refused {
    pub(super) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "AccessDeniedException", message: message.into() }
    }

    fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "ValidationException", message: message.into() }
    }

    fn missing(message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "ResourceNotFoundException", message: message.into() }
    }
}

/// Answers a request to `/sessions`.
pub(in crate::aws) fn handle(shared: &Shared, asked: &Asked<'_>) -> Reply {
    let id = uuid::Uuid::from_bytes(rand::random()).to_string();
    let reply = match create(shared, asked) {
        Ok(created) => Reply::new(StatusCode::CREATED, created.to_string()),
        Err(Refused { status, code, message }) => {
            Reply::new(status, json!({"message": message}).to_string()).with("x-amzn-errortype", code)
        }
    };
    reply.with("content-type", "application/json").with("x-amzn-requestid", id)
}

/// The parameters, each within its own constraints.
struct Wanted {
    profile_arn: String,
    role: Arn,
    trust_anchor_arn: String,
    duration: Option<Duration>,
    session_name: Option<String>,
}

fn create(shared: &Shared, asked: &Asked<'_>) -> Result<Value, Refused> {
    if asked.parts.method != Method::POST {
        return Err(Refused::invalid("CreateSession is asked for with POST"));
    }
    let body = asked.body.ok_or_else(|| Refused::invalid("The body is incomplete or too large"))?;
    let claim = Claim::read(&asked.parts.headers, asked.now)?;
    let wanted = read(asked.parts.uri.query().unwrap_or_default(), body)?;

    let decode = |text: &str| STANDARD.decode(text).ok().filter(|der| der.len() <= MAX_CERTIFICATE);
    let unreadable = || Refused::invalid("A certificate cannot be read");
    let der = decode(claim.certificate).ok_or_else(unreadable)?;
    let leaf = x509::read(&der).ok_or_else(unreadable)?;
    if claim.intermediates.len() > MAX_INTERMEDIATES {
        return Err(Refused::invalid("The certificate chain is too long"));
    }
    let ders: Vec<Vec<u8>> =
        claim.intermediates.iter().map(|text| decode(text).ok_or_else(unreadable)).collect::<Result<_, _>>()?;
    let intermediates: Vec<X509Certificate<'_>> =
        ders.iter().map(|der| x509::read(der).ok_or_else(unreadable)).collect::<Result<_, _>>()?;

    // Who asks, before anything is said of what there is.
    if claim.serial != leaf.tbs_certificate.serial.to_string() {
        return Err(Refused::denied("The credential is not the certificate's serial number"));
    }
    let mismatch = || Refused::denied("The request signature we calculated does not match the signature you provided");
    if let Some(reason) = x509::unfit(&leaf) {
        return Err(Refused::denied(reason));
    }
    let kind = Kind::of(leaf.public_key()).filter(|kind| claim.is_for(*kind)).ok_or_else(mismatch)?;
    let signed = claim.string_to_sign(asked.parts, body);
    if !x509::verifies(leaf.public_key(), kind, 256, signed.as_bytes(), &claim.signature) {
        return Err(mismatch());
    }

    let (anchor, profile) = resources(shared, &wanted, claim.region)?;
    match chain::verify(&leaf, &intermediates, &anchor, asked.now) {
        Ok(()) => {}
        Err(Untrusted::NoPath) => return Err(Refused::denied("Untrusted signing certificate")),
        Err(Untrusted::Revoked) => return Err(Refused::denied("The certificate has been revoked")),
    }
    let unable = |why: &str| Refused::denied(format!("Unable to assume role for {}{why}", wanted.role));
    if !profile.roles.iter().any(|role| *role == wanted.role.as_str()) {
        return Err(unable(". The role is not in the profile"));
    }
    if wanted.session_name.is_some() && !profile.accepts_session_name {
        return Err(Refused::denied("Not authorized to set roleSessionName."));
    }
    let minted = assume(shared, &wanted, &leaf, &anchor, &profile, asked.now)?;
    Ok(created(&wanted, &leaf, &anchor, &minted))
}

fn read(query: &str, body: &Bytes) -> Result<Wanted, Refused> {
    let query = Query::parse(query).map_err(|_| Refused::invalid("The query cannot be read"))?;
    let body: Value = if body.is_empty() { json!({}) } else { serde_json::from_slice(body).unwrap_or_default() };
    let body = body.as_object().ok_or_else(|| Refused::invalid("The body is not a JSON object"))?;
    let text = |name: &str| match (query.get(name), body.get(name)) {
        (Some(text), _) => Ok(Some(text.to_owned())),
        (None, None | Some(Value::Null)) => Ok(None),
        (None, Some(Value::String(text))) => Ok(Some(text.clone())),
        (None, Some(_)) => Err(Refused::invalid(format!("{name} must be a string"))),
    };
    let arn = |name: &str| {
        let text = text(name)?.ok_or_else(|| Refused::invalid(format!("{name} is missing")))?;
        text.parse::<Arn>().map_err(|_| Refused::invalid(format!("{name} is not an ARN")))
    };
    let (profile, role, trust_anchor) = (arn("profileArn")?, arn("roleArn")?, arn("trustAnchorArn")?);
    let duration = match body.get("durationSeconds") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64() {
            Some(seconds @ 900..=43_200) => Some(Duration::from_secs(seconds)),
            _ => return Err(Refused::invalid("durationSeconds must be an integer from 900 to 43200")),
        },
    };
    let session_name = text("roleSessionName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if session_name.as_ref().is_some_and(|name| !(2..=64).contains(&name.len()) || !name.chars().all(allowed)) {
        return Err(Refused::invalid("roleSessionName must have 2 to 64 characters of [\\w+=,.@-]"));
    }
    Ok(Wanted {
        profile_arn: profile.to_string(),
        role,
        trust_anchor_arn: trust_anchor.to_string(),
        duration,
        session_name,
    })
}

/// The anchor and the profile: both there, both on, and in the place where they are asked for.
fn resources(shared: &Shared, wanted: &Wanted, region: &str) -> Result<(TrustAnchor, Profile), Refused> {
    let registry = &shared.ambient.anywhere;
    let anchor = registry.anchor(&wanted.trust_anchor_arn).filter(|anchor| anchor.arn.region() == region);
    let anchor = anchor.ok_or_else(|| Refused::missing("The trust anchor cannot be found"))?;
    let profile = registry.profile(&wanted.profile_arn).filter(|profile| profile.arn.region() == region);
    let profile = profile.filter(|profile| profile.arn.account() == anchor.arn.account());
    let profile = profile.ok_or_else(|| Refused::missing("The profile cannot be found"))?;
    if !anchor.enabled {
        return Err(Refused::denied("The trust anchor is disabled"));
    }
    if !profile.enabled {
        return Err(Refused::denied("The profile is disabled"));
    }
    Ok((anchor, profile))
}

fn assume(
    shared: &Shared,
    wanted: &Wanted,
    leaf: &X509Certificate<'_>,
    anchor: &TrustAnchor,
    profile: &Profile,
    now: SystemTime,
) -> Result<Minted, Refused> {
    let unable = |why: &str| Refused::denied(format!("Unable to assume role for {}{why}", wanted.role));
    if wanted.role.account() != anchor.arn.account() {
        return Err(unable(""));
    }
    let tags = tags(leaf).map_err(|which| unable(&format!(". {which}")))?;
    // The serial number is the name of whoever did not give one.
    let serial = format!("{:x}", leaf.tbs_certificate.serial);
    let session_name = wanted.session_name.as_deref().unwrap_or(&serial);
    let identity = source_identity(leaf);
    // Not refused but cut down, as the least of the three (CreateSession's documentation).
    let duration = wanted.duration.unwrap_or(profile.duration).min(profile.duration);
    let mapped = tags.clone();
    let taking = Taking {
        role: &wanted.role,
        caller: "rolesanywhere.amazonaws.com",
        actions: &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        session_name,
        duration,
        limit: Some(Limit::Cut),
        policy: profile.session_policy.as_deref(),
        tags,
        transitive: Vec::new(),
        source_identity: identity.as_deref(),
    };
    let account = anchor.arn.account().map(|account| account.to_string()).unwrap_or_default();
    let keys = |context: &mut Context| {
        context.set("aws:SourceArn", anchor.arn.as_str());
        context.set("aws:SourceAccount", account);
        context.set("aws:PrincipalIsAWSService", "true");
        // They are being set by this call, and yet the trust policies of AWS's own guide ask for them as the principal's.
        for (key, value) in mapped {
            context.set(&format!("aws:PrincipalTag/{key}"), value);
        }
    };
    take(shared, taking, now, keys).map_err(|untaken| match untaken {
        Untaken::NoRole | Untaken::NotTrusted { .. } | Untaken::TooLong => unable(""),
    })
}

/// The subject's common name, where it can be one: 2 to 64 characters of AWS's set.
fn source_identity(leaf: &X509Certificate<'_>) -> Option<String> {
    let name = leaf.subject().iter_common_name().next()?.as_str().ok()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    ((2..=64).contains(&name.len()) && name.chars().all(allowed)).then(|| name.to_owned())
}

fn created(wanted: &Wanted, leaf: &X509Certificate<'_>, anchor: &TrustAnchor, minted: &Minted) -> Value {
    let session = &minted.session;
    let (account, role, name) = (&session.account, &session.role, &session.name);
    let partition = wanted.role.partition().name();
    // One subject a certificate's subject, as AWS keeps them.
    let subject = crate::aws::sigv4::sha256_hex(leaf.subject().as_raw());
    let subject = uuid::Uuid::parse_str(&subject[..32]).unwrap_or_default();
    json!({
        "credentialSet": [{
            "assumedRoleUser": {
                "arn": format!("arn:{partition}:sts::{account}:assumed-role/{role}/{name}"),
                "assumedRoleId": format!("{}:{name}", session.role_id),
            },
            "credentials": {
                "accessKeyId": session.key_id,
                "secretAccessKey": minted.secret.expose(),
                "sessionToken": minted.token.expose(),
                "expiration": time::iso_seconds(session.expires_at()),
            },
            "roleArn": wanted.role.as_str(),
            "sourceIdentity": session.source_identity,
        }],
        "subjectArn": format!("arn:{partition}:rolesanywhere:{}:{account}:subject/{subject}", anchor.arn.region()),
    })
}
