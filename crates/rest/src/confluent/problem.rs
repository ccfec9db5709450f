use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use control::{Error, Refusal};
use fault::Diagnose as _;
use serde_json::{Value, json};

/// Which of Confluent's two shapes an error has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `{"errors":[{"id","status","code","title","detail","source"}]}`: integrations, accounts, environments, clusters.
    Errors,
    /// `{"error":{"code","message"}}`: connectors, and the login.
    Error,
}

/// Where in a request something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A JSON pointer into the body.
    Pointer(Cow<'static, str>),
    /// A query parameter.
    Parameter(&'static str),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) detail: String,
    pub(super) source: Option<Source>,
    /// What to do; the CLI prints it as a suggestion.
    pub(super) resolution: Option<String>,
}

/// A request that is not done, in Confluent's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    /// Never empty.
    pub(super) entries: Vec<Entry>,
    /// The path, below this surface's root, of what is in the way (409).
    pub(super) in_the_way: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let entry = Entry { detail: detail.into(), source: None, resolution: None };
        Self { status, code, entries: vec![entry], in_the_way: None }
    }

    /// The request cannot be understood.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// A query parameter is missing or wrong.
    pub(super) fn parameter(name: &'static str, rule: &str) -> Self {
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "invalid_filter", format!("the query parameter {name} {rule}"));
        problem.entries[0].source = Some(Source::Parameter(name));
        problem
    }

    /// A part of the body is missing or wrong.
    pub(super) fn field(pointer: impl Into<Cow<'static, str>>, rule: &str) -> Self {
        let pointer = pointer.into();
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_configuration", format!("{pointer} {rule}"));
        problem.entries[0].source = Some(Source::Pointer(pointer));
        problem
    }

    /// Nobody is known to have sent the request.
    pub(super) fn of_stranger(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => Refusal::Unauthenticated.into(),
            other => internal(other),
        }
    }

    /// There is no such path.
    pub(super) fn no_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", short(path)))
    }

    pub(super) fn resolution(mut self, what: impl Into<String>) -> Self {
        self.entries[0].resolution = Some(what.into());
        self
    }

    fn title(&self) -> &'static str {
        match self.code {
            "user_unauthenticated" => "Authentication Required",
            "user_unauthorized" => "User Access Unauthorized",
            "quota_exceeded" => "Quota Exceeded",
            "resource_already_exists" => "Resource Already Exists",
            "resource_in_use" => "Resource In Use",
            "invalid_filter" => "Invalid Filter",
            "invalid_configuration" => "Validation Failed",
            _ => self.status.canonical_reason().unwrap_or("Error"),
        }
    }

    /// The answer. `root` is the address of this surface, for links.
    pub(super) fn response(&self, shape: Shape, request_id: &str, root: &str) -> Response {
        let body = match shape {
            Shape::Errors => {
                let entries = self.entries.iter().map(|entry| self.entry(entry, request_id));
                json!({ "errors": entries.collect::<Vec<_>>() })
            }
            Shape::Error => {
                let texts: Vec<String> = self.entries.iter().map(Entry::text).collect();
                json!({ "error": { "code": self.status.as_u16(), "message": texts.join("\n") } })
            }
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let why =
                HeaderValue::from_static(r#"Basic error="invalid_key", error_description="The API Key is invalid""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, why);
        }
        let in_the_way = self.in_the_way.as_ref().and_then(|path| format!("{root}{path}").parse().ok());
        if let Some(location) = in_the_way {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    fn entry(&self, entry: &Entry, request_id: &str) -> Value {
        let mut shown = json!({
            "id": request_id,
            "status": self.status.as_u16().to_string(),
            "code": self.code,
            "title": self.title(),
            "detail": entry.detail,
        });
        match &entry.source {
            Some(Source::Pointer(pointer)) => shown["source"] = json!({ "pointer": pointer }),
            Some(Source::Parameter(name)) => shown["source"] = json!({ "parameter": name }),
            None => {}
        }
        if let Some(resolution) = &entry.resolution {
            shown["resolution"] = json!(resolution);
        }
        shown
    }
}

impl Entry {
    fn text(&self) -> String {
        match &self.resolution {
            Some(resolution) => format!("{} ({resolution})", self.detail),
            None => self.detail.clone(),
        }
    }
}

/// A text of the caller's, cut so that it fills no answer.
pub(super) fn short(text: &str) -> String {
    fault::printable(&text.chars().take(120).collect::<String>()).into_owned()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        use StatusCode as S;
        let hint = refusal.hint().map(Cow::into_owned);
        let text = refusal.to_string();
        let mut problem = match refusal {
            Refusal::Unauthenticated => Self::new(S::UNAUTHORIZED, "user_unauthenticated", text),
            Refusal::Forbidden { .. } => Self::new(S::FORBIDDEN, "user_unauthorized", text),
            Refusal::NotFound { .. } => Self::new(S::NOT_FOUND, "not_found", text),
            Refusal::Exists { .. } => Self::new(S::CONFLICT, "resource_already_exists", text),
            Refusal::Config(faults) => {
                let entry = |fault: &connectors::ConfigFault| Entry {
                    detail: fault.to_string(),
                    source: (!fault.key.is_empty())
                        .then(|| Source::Pointer(format!("/config/{}", escaped(&fault.key)).into())),
                    resolution: fault.hint.clone(),
                };
                let entries = faults.faults().iter().map(entry).collect();
                return Self { status: S::BAD_REQUEST, code: "invalid_configuration", entries, in_the_way: None };
            }
            Refusal::NameMismatch { .. } => Self::bad_request(text),
            Refusal::Flawed { ref field, ref value, ref rule } => flawed(field, value, rule),
            Refusal::InUse { .. } => Self::new(S::CONFLICT, "resource_in_use", text),
            Refusal::Quota { .. } => Self::new(S::PAYMENT_REQUIRED, "quota_exceeded", text),
            Refusal::NotStopped { .. } | Refusal::Changed { .. } | Refusal::Busy { .. } => {
                Self::new(S::CONFLICT, "conflict", text)
            }
            // Confluent's clients repeat what answers 5xx, at length: only what may mend itself does.
            Refusal::Remote { ref cause, .. } => match cause.blame() {
                fault::Blame::Remote => Self::new(S::SERVICE_UNAVAILABLE, "unavailable", text),
                fault::Blame::Operator | fault::Blame::Bug => Self::bad_request(text),
            },
            Refusal::Store(error) => return Self::from(error),
            other => return internal(&other),
        };
        problem.entries[0].resolution = hint;
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        let text = error.to_string();
        match &error {
            // An id that cannot be is one that is not there.
            Error::Unknown { id } => not_found("integration", id.as_str()),
            Error::InvalidId { id } => not_found("integration", id),
            Error::Flawed { flaws } => {
                let mut all = Self::new(S::UNPROCESSABLE_ENTITY, "invalid_configuration", text);
                all.entries = flaws.iter().map(|flaw| flawed(flaw.field, &flaw.value, &flaw.rule).entries).fold(
                    Vec::new(),
                    |mut entries, mut more| {
                        entries.append(&mut more);
                        entries
                    },
                );
                all
            }
            Error::RoleTaken { by, .. } => {
                let mut problem = Self::new(S::CONFLICT, "resource_already_exists", text)
                    .resolution(format!("use integration {by}, or make a role of its own for this one"));
                problem.in_the_way = Some(format!("/pim/v1/integrations/{by}"));
                problem
            }
            Error::NoRole { .. } | Error::NotProven { .. } => Self::bad_request(text),
            Error::Changed { .. } | Error::Rotating { .. } | Error::NothingToRetire { .. } => {
                Self::new(S::CONFLICT, "conflict", text)
            }
            _ => internal(&error),
        }
    }
}

/// The same for what is not there and for what the caller may not know of.
pub(super) fn not_found(kind: &'static str, id: &str) -> Problem {
    Problem::from(Refusal::NotFound { kind, id: short(id) })
}

/// What is wrong with a field, at its place in the body of Confluent's requests.
fn flawed(field: &str, value: &str, rule: &str) -> Problem {
    let pointer: Cow<'static, str> = match field {
        "page" | "page_token" => {
            let mut problem = Problem::parameter("page_token", "is none that was given out here");
            problem.entries[0].resolution = Some("begin with the first page again".into());
            return problem;
        }
        // A setting of ours, which no request can mend.
        setting if setting.starts_with("--") => return Problem::bad_request(format!("{setting} {rule}")),
        "role ARN" => "/config/customer_iam_role_arn".into(),
        "name" | "display name" | "display_name" => "/display_name".into(),
        "environment" => "/environment/id".into(),
        "role" => "/role_name".into(),
        other => format!("/{}", other.replace(' ', "_")).into(),
    };
    let mut problem = Problem::field(pointer, rule);
    problem.entries[0].detail = format!("{field} {:?} {rule}", short(value));
    problem
}

/// Something of ours went wrong. What it was is for the log, not for the caller.
fn internal(error: &(dyn fault::Diagnose + 'static)) -> Problem {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::error!(error = %fault::Chain(error), "a request could not be done");
    let text = "the request could not be done for a reason that is in the server's log, under this request's id";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", text)
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parts(problem: &Problem, shape: Shape) -> (StatusCode, Option<String>, Value) {
        let response = problem.response(shape, "r-1", "http://h");
        let status = response.status();
        let why = response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, why, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_has_both_shapes() {
        let problem = Problem::from(Refusal::NotFound { kind: "integration", id: "cspi-abc".into() });
        let (status, _, body) = parts(&problem, Shape::Errors).await;
        assert_eq!(status, 404);
        let entry = json!({
            "id": "r-1", "status": "404", "code": "not_found", "title": "Not Found",
            "detail": "integration cspi-abc not found",
        });
        assert_eq!(body, json!({ "errors": [entry] }));
        let (_, _, body) = parts(&problem, Shape::Error).await;
        assert_eq!(body, json!({ "error": { "code": 404, "message": "integration cspi-abc not found" } }));
    }

    #[tokio::test]
    async fn who_is_not_known_is_told_how_to_show_it() {
        let problem = Problem::from(Refusal::Unauthenticated);
        let (status, why, body) = parts(&problem, Shape::Errors).await;
        assert_eq!(status, 401);
        assert!(why.unwrap().starts_with("Basic error="));
        assert_eq!(body["errors"][0]["code"], "user_unauthenticated");
        assert!(body["errors"][0]["resolution"].as_str().unwrap().contains("log in"));
    }

    #[test]
    fn an_id_that_cannot_be_looks_like_one_that_is_not_there() {
        let odd = Problem::from(Error::InvalidId { id: "pim-abc123".into() });
        let missing = Problem::from(Refusal::NotFound { kind: "integration", id: "pim-abc123".into() });
        assert_eq!(odd, missing);
    }

    #[test]
    fn flaws_point_into_the_body() {
        let refusal = Refusal::Flawed { field: "role ARN".into(), value: "x".into(), rule: "must be one".into() };
        let problem = Problem::from(refusal);
        assert_eq!(problem.status, 422);
        assert_eq!(problem.entries[0].source, Some(Source::Pointer("/config/customer_iam_role_arn".into())));
        assert_eq!(problem.entries[0].detail, r#"role ARN "x" must be one"#);
        let refusal = Refusal::Flawed { field: "page".into(), value: "x".into(), rule: "r".into() };
        assert_eq!(Problem::from(refusal).entries[0].source, Some(Source::Parameter("page_token")));
    }

    #[test]
    fn a_quota_is_402() {
        let refusal = Refusal::Quota { kind: "Provider integrations", limit: 100, per: "organization" };
        let problem = Problem::from(refusal);
        assert_eq!((problem.status.as_u16(), problem.code), (402, "quota_exceeded"));
        assert_eq!(problem.entries[0].detail, "Provider integrations are currently limited to 100 per organization");
    }
}
