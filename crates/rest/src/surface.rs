//! The three surfaces, and how each says that something did not work before it got the request.

use axum::body::Body;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

/// Whose words a request is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Kafka Connect's, and all paths that are nobody's.
    Connect,
    /// Confluent's.
    Confluent,
    /// Our own.
    Own,
}

/// The first segments of Confluent's paths.
const CONFLUENT: &[&str] = &["api", "pim", "iam", "org", "cmk", "connect", "logs"];

impl Surface {
    /// The one that answers `path`.
    pub(crate) fn of(path: &str) -> Self {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        match segments.next() {
            Some("v1") => Self::Own,
            Some(first) if CONFLUENT.contains(&first) => Self::Confluent,
            _ => Self::Connect,
        }
    }

    /// As the audit log calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Confluent => "confluent",
            Self::Own => "v1",
        }
    }

    /// An error in this surface's shape: for what went wrong on the way to it.
    pub(crate) fn error(self, status: StatusCode, code: &str, text: &str, request_id: &str) -> Response<Body> {
        let (kind, body) = match self {
            Self::Connect => ("application/json", json!({ "error_code": status.as_u16(), "message": text })),
            Self::Confluent => {
                let error = json!({ "id": request_id, "status": status.as_str(), "code": code, "detail": text });
                ("application/json", json!({ "errors": [error] }))
            }
            Self::Own => {
                let title = status.canonical_reason().unwrap_or("Error");
                (
                    "application/problem+json",
                    json!({
                        // No page of its own: the status says it (RFC 9457, 4.2.1).
                        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": text,
                        "code": code, "hint": null, "faults": [], "request_id": request_id,
                    }),
                )
            }
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2: a 401 says how to do better. Clients that send credentials only when asked wait for this.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tidegate\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_surface() {
        for (path, surface) in [
            ("/", Surface::Connect),
            ("/connectors/v1", Surface::Connect),
            ("/connect/v1/environments/env-1", Surface::Confluent),
            ("/connector-plugins", Surface::Connect),
            ("/api/sessions", Surface::Confluent),
            ("/v1", Surface::Own),
            ("/v1/connectors", Surface::Own),
            ("/v10", Surface::Connect),
            ("//v1", Surface::Connect),
            ("*", Surface::Connect),
        ] {
            assert_eq!(Surface::of(path), surface, "{path}");
        }
    }
}
