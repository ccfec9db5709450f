//! What goes wrong on this surface, as problem details (RFC 9457).

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use control::{Error, Refusal};
use fault::{Blame, Chain, Code, Diagnose, Retry};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// How many are told of what is not known: a request may bring hundreds of thousands.
pub(super) const MOST_FLAWS: usize = 100;

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where: a member, a parameter, a header.
    pub(super) key: String,
    /// What is there, if it may be shown.
    pub(super) value: Option<String>,
    /// What is wrong.
    pub(super) text: String,
    /// What would be right, if that can be listed.
    pub(super) allowed: Vec<String>,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl Flaw {
    pub(super) fn new(key: &str, value: Option<String>, text: String) -> Self {
        Self { key: key.to_owned(), value, text, allowed: Vec::new(), hint: None }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "key": self.key, "value": self.value, "text": self.text, "allowed": self.allowed, "hint": self.hint,
        })
    }
}

/// Why a request of `/v1` is not answered as it was meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The control plane does not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request is not what it must be: everything that is wrong with it, at once.
    #[error("the request is not valid: {}", one_line(.flaws))]
    Invalid {
        /// What.
        flaws: Vec<Flaw>,
    },
    /// The body is no JSON.
    #[error("{why}")]
    NotJson {
        /// Where it stops being so.
        why: String,
    },
    /// The body is of another kind.
    #[error("the body is of type {given}, and only application/json is read")]
    MediaType {
        /// What it says to be.
        given: String,
    },
    /// The body is too large.
    #[error("the body is larger than {most} bytes")]
    TooLarge {
        /// How much is read.
        most: usize,
    },
    /// There is nothing at this path.
    #[error("there is nothing at {path}")]
    NoRoute {
        /// The path, cut off.
        path: String,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// The path takes other methods.
    #[error("{path} does not take {method}, but {allowed}")]
    Method {
        /// The path, cut off.
        path: String,
        /// What was asked.
        method: String,
        /// What it takes.
        allowed: String,
    },
    /// The idempotency key was used for another request.
    #[error("Idempotency-Key {key} was used for another request")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// As many as may be are at it.
    #[error("{what} are made for {limit} clients at once, and no more")]
    Full {
        /// What.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// It took too long, and was ended.
    #[error("{what} took longer than {seconds} s and was ended")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long.
        seconds: u64,
    },
}

fn one_line(flaws: &[Flaw]) -> String {
    let each = flaws.iter().take(8).map(|flaw| match flaw.key.as_str() {
        "" => format!("the body {}", flaw.text),
        key => format!("{key} {}", flaw.text),
    });
    let each: Vec<_> = each.collect();
    each.join("; ")
}

impl Trouble {
    /// One flaw.
    pub(super) fn flaw(key: &str, value: Option<&str>, text: impl Into<String>) -> Self {
        let value = value.map(|value| value.chars().take(120).collect());
        Self::Invalid { flaws: vec![Flaw::new(key, value, text.into())] }
    }

    /// There is none, or none that the caller may know of: what the control plane says of one that is not there.
    pub(super) fn not_found(kind: &'static str, id: &str) -> Self {
        Self::Refused(Refusal::NotFound { kind, id: id.to_owned() })
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => status_of(refusal),
            Self::Invalid { .. } | Self::NotJson { .. } => StatusCode::BAD_REQUEST,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoute { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::KeyReused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => match refusal {
                Refusal::Unauthenticated => "Not authenticated",
                Refusal::Forbidden { .. } => "Not allowed",
                Refusal::NotFound { .. } => "Not found",
                Refusal::Exists { .. } => "It exists already",
                Refusal::Config(_) => "The configuration is refused",
                Refusal::NameMismatch { .. } => "Two names for one connector",
                Refusal::Flawed { .. } => "The request is not valid",
                Refusal::InUse { .. } => "It is used",
                Refusal::Quota { .. } => "The quota is reached",
                Refusal::NotStopped { .. } => "The connector is not stopped",
                Refusal::Changed { .. } => "It was changed meanwhile",
                Refusal::Busy { .. } => "It is busy",
                Refusal::Remote { .. } => "Kafka or AWS did not do it",
                Refusal::Store(error) if of_caller(error).is_none() => "The store failed",
                _ => "It is refused",
            },
            Self::Invalid { .. } => "The request is not valid",
            Self::NotJson { .. } => "The body is no JSON",
            Self::MediaType { .. } => "The body is of another kind",
            Self::TooLarge { .. } => "The body is too large",
            Self::NoRoute { .. } => "Nothing is there",
            Self::Method { .. } => "Another method is wanted",
            Self::KeyReused { .. } => "The idempotency key is used up",
            Self::Full { .. } => "There are too many at once",
            Self::TooLong { .. } => "It took too long",
        }
    }

    fn faults(&self) -> Vec<Value> {
        match self {
            Self::Invalid { flaws } => flaws.iter().map(Flaw::to_json).collect(),
            Self::Refused(Refusal::Config(faults)) => faults
                .faults()
                .iter()
                .map(|fault| {
                    json!({
                        "key": fault.key, "value": fault.value, "text": fault.text, "allowed": fault.allowed,
                        "hint": fault.hint,
                    })
                })
                .collect(),
            Self::Refused(Refusal::Flawed { field, value, rule }) => {
                vec![Flaw::new(field, Some(value.clone()), rule.clone()).to_json()]
            }
            Self::Refused(Refusal::Store(Error::Flawed { flaws })) => flaws
                .iter()
                .map(|flaw| Flaw::new(flaw.field, Some(flaw.value.clone()), flaw.rule.clone()).to_json())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The problem as this surface shows it. `type` leads to the page of the code, which the same server has.
    pub(super) fn problem(&self, request_id: &str) -> Value {
        let (status, code) = (self.status(), self.code());
        let detail = if status == StatusCode::INTERNAL_SERVER_ERROR {
            // What the store says is for the log: it may hold what the caller must not know.
            "it failed inside of Tidegate; its log says more under the request id".to_owned()
        } else {
            Chain(self).to_string()
        };
        json!({
            "type": format!("/v1/errors/{code}"),
            "title": self.title(),
            "status": status.as_u16(),
            "detail": detail,
            "code": code,
            "hint": self.hint(),
            "faults": self.faults(),
            "request_id": request_id,
        })
    }

    /// The whole answer.
    pub(super) fn respond(&self, request_id: &str) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(request_id, error = %Chain(self), "a request of /v1 failed");
        }
        let mut response = Response::new(Body::from(self.problem(request_id).to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Refused(Refusal::Unauthenticated) => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"tidegate\", charset=\"UTF-8\""),
                );
            }
            Self::Method { allowed, .. } => {
                headers.insert(header::ALLOW, HeaderValue::from_str(allowed).expect("methods are ASCII"));
            }
            Self::Refused(Refusal::Busy { .. }) | Self::Full { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
        Refusal::Forbidden { .. } => StatusCode::FORBIDDEN,
        Refusal::NotFound { .. } => StatusCode::NOT_FOUND,
        Refusal::Config(_) | Refusal::NameMismatch { .. } | Refusal::Flawed { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Exists { .. }
        | Refusal::InUse { .. }
        | Refusal::Quota { .. }
        | Refusal::NotStopped { .. }
        | Refusal::Busy { .. } => StatusCode::CONFLICT,
        Refusal::Changed { .. } => StatusCode::PRECONDITION_FAILED,
        Refusal::Remote { .. } => StatusCode::BAD_GATEWAY,
        Refusal::Store(error) => of_caller(error).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What an error of integrations is on the wire, if it is the caller's and not the store's.
fn of_caller(error: &Error) -> Option<StatusCode> {
    match error {
        Error::Unknown { .. } => Some(StatusCode::NOT_FOUND),
        Error::InvalidId { .. } | Error::Flawed { .. } => Some(StatusCode::UNPROCESSABLE_ENTITY),
        Error::RoleTaken { .. }
        | Error::NoRole { .. }
        | Error::NotProven { .. }
        | Error::Rotating { .. }
        | Error::NothingToRetire { .. } => Some(StatusCode::CONFLICT),
        Error::Changed { .. } => Some(StatusCode::PRECONDITION_FAILED),
        _ => None,
    }
}

impl Diagnose for Trouble {
    fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Invalid { .. } => "rest.invalid",
            Self::NotJson { .. } => "rest.not-json",
            Self::MediaType { .. } => "rest.media-type",
            Self::TooLarge { .. } => "rest.too-large",
            Self::NoRoute { .. } => "rest.no-route",
            Self::Method { .. } => "rest.method",
            Self::KeyReused { .. } => "rest.idempotency-key",
            Self::Full { .. } => "rest.full",
            Self::TooLong { .. } => "rest.too-long",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Refused(refusal) => refusal.blame(),
            Self::Full { .. } | Self::TooLong { .. } => Blame::Remote,
            Self::Invalid { .. }
            | Self::NotJson { .. }
            | Self::MediaType { .. }
            | Self::TooLarge { .. }
            | Self::NoRoute { .. }
            | Self::Method { .. }
            | Self::KeyReused { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Refused(refusal) => refusal.retry(),
            Self::Full { .. } | Self::TooLong { .. } => Retry::Backoff,
            Self::Invalid { .. }
            | Self::NotJson { .. }
            | Self::MediaType { .. }
            | Self::TooLarge { .. }
            | Self::NoRoute { .. }
            | Self::Method { .. }
            | Self::KeyReused { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Refused(refusal) => return refusal.hint(),
            Self::Invalid { flaws } => return flaws.iter().find_map(|flaw| flaw.hint.clone()).map(Cow::Owned),
            Self::NotJson { .. } => "send one JSON object in UTF-8, no member twice, nested at most 64 deep".into(),
            Self::MediaType { .. } => "send Content-Type: application/json".into(),
            Self::TooLarge { .. } => "send less: no object of this surface is that large".into(),
            Self::NoRoute { near: Some(near), .. } => format!("did you mean {near}?").into(),
            Self::NoRoute { .. } => "see /v1/openapi.json for all that there is".into(),
            Self::Method { allowed, .. } => format!("use {allowed}").into(),
            Self::KeyReused { .. } => "draw a new key for each thing to be made".into(),
            Self::Full { .. } => "come again in a moment".into(),
            Self::TooLong { .. } => "ask for less: a lesser depth".into(),
        })
    }
}
