use axum::body::Body;
use control::Refusal;
use fault::Diagnose;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::route::Astray;
use crate::surface::Surface;

/// An error in Connect's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// JAX-RS says of its own errors (no route, wrong method, wrong media type) in a body without a type.
    typed: bool,
}

/// How an endpoint says that there is no such connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `Connector c not found`
    NotFound,
    /// `Unknown connector c`
    Unknown,
    /// `Unknown connector: c`
    UnknownColon,
    /// `No status found for connector c`
    NoStatus,
}

impl Missing {
    fn text(self, name: &str) -> String {
        match self {
            Self::NotFound => format!("Connector {name} not found"),
            Self::Unknown => format!("Unknown connector {name}"),
            Self::UnknownColon => format!("Unknown connector: {name}"),
            Self::NoStatus => format!("No status found for connector {name}"),
        }
    }
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), typed: true }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A request that reaches no endpoint.
    pub(super) fn astray(astray: &Astray) -> Self {
        let plain = |status: StatusCode| Self {
            status,
            message: format!("HTTP {} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()),
            typed: false,
        };
        match astray {
            Astray::Ambiguous(why) => Self::bad(*why),
            Astray::NotFound => plain(StatusCode::NOT_FOUND),
            Astray::NoTask => Self { typed: true, ..plain(StatusCode::NOT_FOUND) },
            // Without the `Allow` that RFC 9110 asks for: Connect leaves it out, too.
            Astray::Method => plain(StatusCode::METHOD_NOT_ALLOWED),
            // No error; it is answered before this is asked.
            Astray::Options(_) => plain(StatusCode::OK),
            Astray::MediaType => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Astray::NotAcceptable => plain(StatusCode::NOT_ACCEPTABLE),
        }
    }

    /// A refusal of the control plane, in Connect's words where it has some.
    pub(super) fn of(refusal: Refusal, missing: Missing) -> Self {
        let conflict = |message: String| Self::new(StatusCode::CONFLICT, message);
        match refusal {
            Refusal::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "User cannot access the resource."),
            Refusal::Forbidden { .. } => Self::new(StatusCode::FORBIDDEN, refusal.to_string()),
            Refusal::NotFound { kind: "connector", id } => Self::not_found(missing.text(&id)),
            Refusal::NotFound { kind: "task", id } => Self::not_found(format!("Unknown task: {id}")),
            Refusal::Exists { kind: "connector", id } => conflict(format!("Connector {id} already exists")),
            Refusal::Config(faults) => {
                Self::bad(invalid(faults.faults().iter().map(|fault| fault.text.as_str()), || {
                    // Connect prints the whole configuration here, secrets too.
                    "{..}".to_owned()
                }))
            }
            Refusal::NameMismatch { config, asked } => Self::bad(format!(
                "Connector name configuration ({config}) doesn't match connector name in the URL ({asked})"
            )),
            Refusal::NotStopped { name } => Self::bad(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
                 specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )),
            Refusal::Flawed { .. } => Self::bad(refusal.to_string()),
            Refusal::NotFound { .. } => Self::not_found(refusal.to_string()),
            Refusal::Exists { .. } | Refusal::InUse { .. } | Refusal::Changed { .. } | Refusal::Quota { .. } => {
                conflict(refusal.to_string())
            }
            Refusal::Busy { .. } => {
                // Tools try again when they read this.
                conflict(
                    "Cannot complete request because of a conflicting operation (e.g. worker rebalance)".to_owned(),
                )
            }
            other @ (Refusal::Remote { .. } | Refusal::Store(_)) => {
                tracing::error!(error = %fault::Chain(&other), "a request could not be answered");
                let hint = other.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{}{hint}", fault::Chain(&other)))
            }
            // Whoever adds one decides here what Connect's clients read.
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Surface::Connect.error(self.status, "", &self.message, "");
        if !self.typed {
            response.headers_mut().remove(CONTENT_TYPE);
        }
        response
    }
}

/// What every text about a class that is not there begins with.
const NO_CLASS: &str = "Failed to find any class that implements Connector";
const NO_CLASS_KEY: &str = "Missing required configuration \"connector.class\" which has no default value.";

/// The texts of faults as Connect gives them for a configuration that it refuses. `config` is what is said of a
/// configuration without a class.
pub(super) fn invalid<'a>(texts: impl Iterator<Item = &'a str> + Clone, config: impl FnOnce() -> String) -> String {
    // Without a class there is nobody to ask about the rest.
    if let Some(text) = texts.clone().find(|text| text.starts_with(NO_CLASS)) {
        return text.to_owned();
    }
    if texts.clone().any(|text| text == NO_CLASS_KEY) {
        return no_class(&config());
    }
    let mut message =
        format!("Connector configuration is invalid and contains the following {} error(s):", texts.clone().count());
    for text in texts {
        message.push('\n');
        message.push_str(text);
    }
    message.push_str(
        "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    );
    message
}

pub(super) fn no_class(config: &str) -> String {
    format!("Connector config {config} contains no connector type")
}

/// Whether a fault is that there is no such class.
pub(super) fn is_no_class(text: &str) -> bool {
    text.starts_with(NO_CLASS)
}

/// A body of JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    let text =
        serde_json::to_vec(body).unwrap_or_else(|_| json!({ "error_code": 500, "message": null }).to_string().into());
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// What `OPTIONS` gets.
pub(super) fn options(allow: &str) -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// With the place of what was made.
pub(super) fn at(mut response: Response<Body>, place: &str) -> Response<Body> {
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}
