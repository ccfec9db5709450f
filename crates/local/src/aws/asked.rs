use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::api_error::ApiError;
use super::iam;
use super::kms;
use super::s3::{Operation, Target};
use super::sigv4::{Claim, Dialect, sha256_hex};
use super::sts;
use super::uri::Query;

/// The largest form or JSON that a service takes: policies and fifty tags, encoded.
const MAX_FORM: usize = 128 * 1024;

/// What a request turns out to be, before anybody asks who sent it.
#[derive(Debug)]
pub(super) enum Asked {
    /// To STS or IAM, which speak forms and XML.
    Form {
        dialect: Dialect,
        form: Query,
        claim: Option<Claim>,
        payload_hash: String,
    },
    /// To KMS, which speaks JSON.
    Kms {
        operation: String,
        body: Bytes,
        claim: Option<Claim>,
        payload_hash: String,
    },
    S3 {
        operation: Operation,
        target: Target,
        query: Query,
        claim: Option<Claim>,
    },
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
        let looks_like_form =
            parts.uri.path() == "/" && ((parts.method == Method::POST && form) || query.has("Action"));
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let kms = target.and_then(|target| target.strip_prefix(kms::TARGET));
        match (service, kms) {
            (Some("sts"), _) => Self::form(Dialect::Sts, query, claim, body, idle).await,
            (Some("iam"), _) => Self::form(Dialect::Iam, query, claim, body, idle).await,
            (Some("kms") | None, Some(operation)) => {
                (Dialect::Kms, Self::kms(operation.to_owned(), claim, body, idle).await)
            }
            // Unsigned: which of the two it is for is told by the version that it speaks.
            (None, None) if looks_like_form => Self::form(Dialect::Sts, query, claim, body, idle).await,
            (None | Some("s3"), _) => (Dialect::S3, Self::s3(parts, query, claim)),
            (Some(other), _) => {
                let text =
                    format!("the embedded AWS serves sts, iam, s3 and kms, and the request is signed for {other}");
                (Dialect::Sts, Err(ApiError::of("NotImplemented").saying(text)))
            }
        }
    }

    /// The operation's name in AWS's API reference.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Form { dialect: Dialect::Iam, form, .. } => iam::operation(form),
            Self::Form { form, .. } => sts::operation(form),
            Self::Kms { operation, .. } => kms::operation(operation),
            Self::S3 { operation, .. } => operation.name(),
        }
    }

    /// The service that is asked, as actions begin with it.
    pub(super) fn service(&self) -> &'static str {
        match self {
            Self::Form { dialect: Dialect::Iam, .. } => "iam",
            Self::Form { .. } => "sts",
            Self::Kms { .. } => "kms",
            Self::S3 { .. } => "s3",
        }
    }

    /// Bucket and key; empty where there are none.
    pub(super) fn target(&self) -> (&str, &str) {
        match self {
            Self::Form { .. } | Self::Kms { .. } => ("", ""),
            Self::S3 { target, .. } => (&target.bucket, &target.key),
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Form { claim, .. } | Self::Kms { claim, .. } | Self::S3 { claim, .. } => claim.as_ref(),
        }
    }

    async fn form(
        dialect: Dialect,
        query: Query,
        claim: Result<Option<Claim>, ApiError>,
        body: &mut Incoming,
        idle: Duration,
    ) -> (Dialect, Result<Self, ApiError>) {
        let body = match read_body(body, idle).await {
            Ok(body) => body,
            Err(error) => return (dialect, Err(error)),
        };
        let mut form = match Query::parse(&String::from_utf8_lossy(&body)) {
            Ok(form) => form,
            Err(error) => return (dialect, Err(error)),
        };
        form.0.extend(query.0);
        let unsigned = matches!(claim, Ok(None));
        let dialect = if unsigned && form.get("Version") == Some(iam::VERSION) { Dialect::Iam } else { dialect };
        // Its own word for whatever is wrong with the header.
        let claim = claim.map_err(|error| ApiError::of("IncompleteSignature").saying(error.message().to_owned()));
        let asked = claim.map(|claim| Self::Form { dialect, form, claim, payload_hash: sha256_hex(&body) });
        (dialect, asked)
    }

    async fn kms(
        operation: String,
        claim: Result<Option<Claim>, ApiError>,
        body: &mut Incoming,
        idle: Duration,
    ) -> Result<Self, ApiError> {
        let body = read_body(body, idle).await?;
        let claim =
            claim.map_err(|error| ApiError::of("IncompleteSignatureException").saying(error.message().to_owned()))?;
        Ok(Self::Kms { operation, payload_hash: sha256_hex(&body), claim, body })
    }

    fn s3(parts: &Parts, query: Query, claim: Result<Option<Claim>, ApiError>) -> Result<Self, ApiError> {
        let target = Target::read(parts)?;
        let operation = Operation::find(&parts.method, &target, &query, &parts.headers)?;
        Ok(Self::S3 { operation, target, query, claim: claim? })
    }
}

async fn read_body(body: &mut Incoming, idle: Duration) -> Result<Bytes, ApiError> {
    let collected = tokio::time::timeout(idle, Limited::new(body, MAX_FORM).collect()).await;
    let collected = collected.map_err(|_| ApiError::of("RequestTimeout"))?;
    Ok(collected.map_err(|_| ApiError::of("IncompleteBody"))?.to_bytes())
}
