use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::request::Parts;

use super::canonical::{PathStyle, SigningKey, canonical_request, string_to_sign};
use super::claim::Claim;
use crate::aws::api_error::ApiError;
use crate::aws::authorize::Requester;
use crate::aws::directory::{Directory, KeyFault};
use crate::aws::region::is_opt_in;
use crate::aws::session::Mint;
use crate::aws::time;

/// How far a client's clock may be off. S3 and STS allow a quarter of an hour.
const MAX_SKEW: Duration = Duration::from_mins(15);

/// In whose words a refusal is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aws) enum Dialect {
    S3,
    Sts,
    Iam,
    Kms,
}

/// A request whose signature is right.
#[derive(Debug)]
pub(in crate::aws) struct Verified {
    pub(in crate::aws) requester: Requester,
    pub(in crate::aws) claim: Claim,
    /// With which chunks of the body are signed too.
    pub(in crate::aws) key: SigningKey,
}

/// Finds out who sent a request. `payload_hash` is what the client signed as the body's hash; that the body agrees is
/// checked when it is read.
pub(in crate::aws) fn authenticate(
    dialect: Dialect,
    parts: &Parts,
    claim: Claim,
    payload_hash: &str,
    directory: &Directory,
    mint: &Mint,
    now: SystemTime,
) -> Result<Verified, ApiError> {
    let (requester, secret) = directory
        .resolve(&claim.key_id, claim.token.as_deref(), mint, now)
        .map_err(|fault| key_refused(dialect, fault, &claim))?;
    if !is_known(directory, &requester, &claim.region) {
        let fault = if claim.token.is_some() { KeyFault::Token } else { KeyFault::Unknown };
        return Err(key_refused(dialect, fault, &claim));
    }
    check_time(dialect, &claim, now)?;
    check_signed_headers(dialect, &claim, &parts.headers)?;
    let style = match dialect {
        Dialect::S3 => PathStyle::Once,
        Dialect::Sts | Dialect::Iam | Dialect::Kms => PathStyle::Twice,
    };
    let query = parts.uri.query().unwrap_or_default();
    let method = parts.method.as_str();
    let canonical = canonical_request(method, parts.uri.path(), query, &parts.headers, &claim, payload_hash, style);
    let to_sign = string_to_sign(&claim.time_text, &claim.scope(), &canonical);
    let key = SigningKey::derive(secret.expose(), &claim.date, &claim.region, &claim.service);
    if !key.verify(&to_sign, &claim.signature) {
        return Err(signature_refused(dialect, &claim, &to_sign, &canonical));
    }
    Ok(Verified { requester, claim, key })
}

/// Whether a region has heard of who asks: of his account, of the account that took his role on, and of tokens like his.
fn is_known(directory: &Directory, requester: &Requester, region: &str) -> bool {
    let session = requester.session();
    let taken_by = session.and_then(|session| session.taken_by.as_deref()?.parse().ok());
    let is_global = session.is_some_and(|session| session.is_global);
    directory.is_known_in(requester.account, region)
        && taken_by.is_none_or(|account| directory.is_known_in(account, region))
        && !(is_global && is_opt_in(region))
}

fn key_refused(dialect: Dialect, fault: KeyFault, claim: &Claim) -> ApiError {
    match (dialect, fault) {
        (Dialect::S3, KeyFault::Unknown) => ApiError::of("InvalidAccessKeyId").field("AWSAccessKeyId", &claim.key_id),
        (Dialect::S3, KeyFault::Token) => ApiError::of("InvalidToken"),
        (Dialect::S3, KeyFault::Expired) => ApiError::of("ExpiredToken"),
        (Dialect::Sts | Dialect::Iam, KeyFault::Unknown | KeyFault::Token) => ApiError::of("InvalidClientTokenId"),
        // STS answers 403 where S3 answers 400, in words of its own.
        (Dialect::Kms, KeyFault::Unknown | KeyFault::Token) => ApiError::of("UnrecognizedClientException"),
        (Dialect::Kms, KeyFault::Expired) => ApiError::of("ExpiredTokenException"),
        (Dialect::Sts | Dialect::Iam, KeyFault::Expired) => ApiError::of("ExpiredToken")
            .status(http::StatusCode::FORBIDDEN)
            .saying("The security token included in the request is expired"),
    }
}

fn check_time(dialect: Dialect, claim: &Claim, now: SystemTime) -> Result<(), ApiError> {
    let future = claim.time.duration_since(now).is_ok_and(|ahead| ahead > MAX_SKEW);
    let past = now.duration_since(claim.time).unwrap_or_default();
    let (request, server) = (&claim.time_text, time::compact(now));
    if let Some(lifetime) = claim.expires {
        if future {
            return Err(ApiError::of("AccessDenied").saying("Request is not valid yet"));
        }
        if past > lifetime {
            let expired = time::iso_seconds(claim.time + lifetime);
            return Err(ApiError::of("AccessDenied")
                .saying("Request has expired")
                .field("X-Amz-Expires", lifetime.as_secs().to_string())
                .field("Expires", expired)
                .field("ServerTime", time::iso_seconds(now)));
        }
        return Ok(());
    }
    if !future && past <= MAX_SKEW {
        return Ok(());
    }
    Err(match dialect {
        Dialect::S3 => ApiError::of("RequestTimeTooSkewed")
            .field("RequestTime", request)
            .field("ServerTime", time::iso_seconds(now))
            .field("MaxAllowedSkewMilliseconds", MAX_SKEW.as_millis().to_string()),
        _ if future => mismatch(dialect).saying(format!(
            "Signature not yet current: {request} is still later than {} ({server} + 15 min.)",
            time::compact(now + MAX_SKEW),
        )),
        Dialect::Sts | Dialect::Iam | Dialect::Kms => mismatch(dialect).saying(format!(
            "Signature expired: {request} is now earlier than {} ({server} - 15 min.)",
            time::compact(now - MAX_SKEW),
        )),
    })
}

/// The host and everything that begins with `x-amz-` must be signed, or a thief of the request could change them.
fn check_signed_headers(dialect: Dialect, claim: &Claim, headers: &HeaderMap) -> Result<(), ApiError> {
    let signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    let malformed = || match dialect {
        Dialect::S3 => ApiError::of("AuthorizationHeaderMalformed")
            .saying("The authorization header is malformed; the signed headers must be sorted and include host."),
        Dialect::Kms => ApiError::of("IncompleteSignatureException"),
        Dialect::Sts | Dialect::Iam => ApiError::of("IncompleteSignature")
            .saying("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."),
    };
    if !signed("host") || !headers.contains_key("host") || !claim.signed_headers.is_sorted() {
        return Err(malformed());
    }
    let unsigned = |name: &&str| name.starts_with("x-amz-") && !signed(name);
    let missing: Vec<&str> = headers.keys().map(http::HeaderName::as_str).filter(unsigned).collect();
    if dialect == Dialect::S3 && !missing.is_empty() {
        return Err(ApiError::of("AccessDenied")
            .saying("There were headers present in the request which were not signed")
            .field("HeadersNotSigned", missing.join(", ")));
    }
    Ok(())
}

fn signature_refused(dialect: Dialect, claim: &Claim, to_sign: &str, canonical: &str) -> ApiError {
    let error = mismatch(dialect);
    match dialect {
        // As the real one does: what the server hashed is the only way to find out what the client did otherwise.
        Dialect::S3 => error
            .field("AWSAccessKeyId", &claim.key_id)
            .field("StringToSign", to_sign)
            .field("SignatureProvided", &claim.signature)
            .field("CanonicalRequest", canonical),
        Dialect::Sts | Dialect::Iam | Dialect::Kms => error.saying(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
    }
}

/// The word for a signature that is not right, or not right now.
fn mismatch(dialect: Dialect) -> ApiError {
    match dialect {
        Dialect::S3 | Dialect::Sts | Dialect::Iam => ApiError::of("SignatureDoesNotMatch"),
        Dialect::Kms => ApiError::of("InvalidSignatureException"),
    }
}
