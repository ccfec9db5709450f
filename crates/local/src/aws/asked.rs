use std::time::Duration;

use http::Method;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::error::ApiError;
use super::s3::{Operation, Target};
use super::sigv4::{Claim, Dialect, sha256_hex};
use super::sts;
use super::uri::Query;

/// The largest form that STS takes: a session policy and fifty tags, encoded.
const MAX_FORM: usize = 128 * 1024;

/// What a request turns out to be, before anybody asks who sent it.
#[derive(Debug)]
pub(super) enum Asked {
    Sts { form: Query, claim: Option<Claim>, payload_hash: String },
    S3 { operation: Operation, target: Target, query: Query, claim: Option<Claim> },
}

impl Asked {
    /// Reads head and, of STS requests, the body. Says in whose words to answer even where there is nothing to do.
    pub(super) async fn read(parts: &Parts, body: &mut Incoming, idle: Duration) -> (Dialect, Result<Self, ApiError>) {
        let query = match Query::parse(parts.uri.query().unwrap_or_default()) {
            Ok(query) => query,
            Err(error) => return (Dialect::S3, Err(error)),
        };
        let claim = Claim::read(&parts.headers, &query);
        let service = claim.as_ref().ok().and_then(|claim| claim.as_ref()).map(|claim| &*claim.service);
        let form = parts
            .headers
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let looks_like_sts = parts.uri.path() == "/" && ((parts.method == Method::POST && form) || query.has("Action"));
        match service {
            Some("sts") => (Dialect::Sts, Self::sts(query, claim, body, idle).await),
            None if looks_like_sts => (Dialect::Sts, Self::sts(query, claim, body, idle).await),
            None | Some("s3") => (Dialect::S3, Self::s3(parts, query, claim)),
            Some(other) => {
                let text = format!("the embedded AWS serves sts and s3, and the request is signed for {other}");
                (Dialect::Sts, Err(ApiError::of("NotImplemented").saying(text)))
            }
        }
    }

    /// The operation's name in AWS's API reference.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Sts { form, .. } => sts::operation(form),
            Self::S3 { operation, .. } => operation.name(),
        }
    }

    /// Bucket and key; empty where there are none.
    pub(super) fn target(&self) -> (&str, &str) {
        match self {
            Self::Sts { .. } => ("", ""),
            Self::S3 { target, .. } => (&target.bucket, &target.key),
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Sts { claim, .. } | Self::S3 { claim, .. } => claim.as_ref(),
        }
    }

    async fn sts(
        query: Query,
        claim: Result<Option<Claim>, ApiError>,
        body: &mut Incoming,
        idle: Duration,
    ) -> Result<Self, ApiError> {
        let collected = tokio::time::timeout(idle, Limited::new(body, MAX_FORM).collect()).await;
        let collected = collected.map_err(|_| ApiError::of("RequestTimeout"))?;
        let body = collected.map_err(|_| ApiError::of("IncompleteBody"))?.to_bytes();
        // Its own word for whatever is wrong with the header.
        let claim = claim.map_err(|error| ApiError::of("IncompleteSignature").saying(error.message().to_owned()))?;
        let mut form = Query::parse(&String::from_utf8_lossy(&body))?;
        form.0.extend(query.0);
        Ok(Self::Sts { form, claim, payload_hash: sha256_hex(&body) })
    }

    fn s3(parts: &Parts, query: Query, claim: Result<Option<Claim>, ApiError>) -> Result<Self, ApiError> {
        let target = Target::read(parts)?;
        let operation = Operation::find(&parts.method, &target, &query, &parts.headers)?;
        Ok(Self::S3 { operation, target, query, claim: claim? })
    }
}
