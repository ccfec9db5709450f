//! A request of this surface after it was read, and what is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use control::{Caller, ClusterId, ControlPlane, EnvironmentId, Refusal};
use futures_util::future::BoxFuture;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::State;
use super::paging::Paging;
use super::trouble::Trouble;
use crate::server::Closing;

/// What a handler is.
pub(super) type Handler = fn(Ask) -> BoxFuture<'static, Result<Reply, Trouble>>;

/// A request whose path, query and body are what the table says that they must be.
pub(super) struct Ask {
    /// What all requests share.
    pub(super) state: Arc<State>,
    /// Who asks.
    pub(super) caller: Caller,
    /// The parts of the path that have names, decoded.
    pub(super) path: Vec<(&'static str, String)>,
    /// The query.
    pub(super) query: BTreeMap<&'static str, String>,
    /// The body; null if there is none.
    pub(super) body: Value,
    /// The revision of `If-Match`.
    pub(super) expected: Option<u64>,
    /// Tells when the server closes.
    pub(super) closing: Option<Closing>,
}

impl Ask {
    /// What `serve` holds.
    pub(super) fn plane(&self) -> &ControlPlane {
        &self.state.plane
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::try_from(self.plane().settings().clock.now()).expect("the clock is within jiff's years")
    }

    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).expect("the table names the parts of its paths")
    }

    /// A parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A text of the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// A text of the body that was checked to be there.
    pub(super) fn needed(&self, name: &str) -> &str {
        self.text(name).expect("the body was checked")
    }

    /// An id in the path. What is no id names nothing.
    pub(super) fn id<T: std::str::FromStr>(&self, kind: &'static str) -> Result<T, Trouble> {
        let text = self.part("id");
        text.parse().map_err(|_| Trouble::not_found(kind, text))
    }

    /// Which page is asked for.
    pub(super) fn paging(&self) -> Result<Paging, Trouble> {
        Paging::read(self.parameter("page_size"), self.parameter("cursor"))
    }

    /// The cluster that is asked about, or the caller's own.
    pub(super) async fn cluster(&self) -> Result<ClusterId, Trouble> {
        match self.parameter("cluster").or_else(|| self.text("cluster")) {
            Some(text) => text.parse().map_err(|_| Trouble::not_found("cluster", text)),
            None => self.default_cluster().await,
        }
    }

    /// The cluster of the API key, the server's own, or the only one that the caller may see. The one that is not to be seen
    /// is not named either.
    async fn default_cluster(&self) -> Result<ClusterId, Trouble> {
        match self.plane().default_cluster(&self.caller).await {
            Err(Refusal::NotFound { .. }) => {}
            found => return Ok(found?),
        }
        let mut seen = Vec::new();
        for environment in self.plane().environments(&self.caller).await? {
            seen.extend(self.plane().clusters(&self.caller, &environment.id).await?);
        }
        match <[_; 1]>::try_from(seen) {
            Ok([only]) => Ok(only.id),
            Err(_) => Err(Trouble::flaw("cluster", None, "is missing: say which with ?cluster=lkc-..")),
        }
    }

    /// The environment that is asked about: that of the caller's cluster, or the only one that they may see.
    pub(super) async fn environment(&self) -> Result<EnvironmentId, Trouble> {
        if let Some(text) = self.parameter("environment").or_else(|| self.text("environment")) {
            return text.parse().map_err(|_| Trouble::not_found("environment", text));
        }
        if let Ok(cluster) = self.plane().default_cluster(&self.caller).await
            && let Ok(cluster) = self.plane().cluster(&self.caller, &cluster).await
        {
            return Ok(cluster.environment);
        }
        let seen = self.plane().environments(&self.caller).await?;
        match <[_; 1]>::try_from(seen) {
            Ok([only]) => Ok(only.id),
            Err(_) => Err(Trouble::flaw("environment", None, "is missing: say which with ?environment=env-..")),
        }
    }
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Content,
    /// The revision of what is shown.
    pub(super) revision: Option<u64>,
    /// Where what was made is to be found.
    pub(super) location: Option<String>,
}

/// The body of an answer.
pub(super) enum Content {
    Empty,
    Json(Value),
    /// Text of a kind.
    Text(&'static str, String),
    /// One that does not end soon.
    Stream(Response),
}

impl Reply {
    /// 200 with what was asked for.
    pub(super) fn shown(value: impl Serialize) -> Self {
        Self::json(StatusCode::OK, &value)
    }

    /// 201 with what was made.
    pub(super) fn made(value: impl Serialize, location: String) -> Self {
        Self { location: Some(location), ..Self::json(StatusCode::CREATED, &value) }
    }

    /// 204.
    pub(super) fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Content::Empty, revision: None, location: None }
    }

    /// A page of a list.
    pub(super) fn page(items: &[Value], next: Option<&str>) -> Self {
        Self::shown(json!({ "items": items, "next": next }))
    }

    pub(super) fn text(kind: &'static str, text: String) -> Self {
        Self { status: StatusCode::OK, body: Content::Text(kind, text), revision: None, location: None }
    }

    pub(super) fn stream(response: Response) -> Self {
        Self { status: StatusCode::OK, body: Content::Stream(response), revision: None, location: None }
    }

    pub(super) fn at(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }

    fn json<T: Serialize>(status: StatusCode, value: &T) -> Self {
        let body = Content::Json(as_json(value));
        Self { status, body, revision: None, location: None }
    }
}

pub(super) fn as_json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("what is shown has only text for keys, and no numbers without end")
}

/// A segment of a path as it stands in a URL.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The principal that a text names.
pub(super) fn principal(key: &str, text: &str) -> Result<control::Principal, Trouble> {
    let id = text.strip_prefix("User:").unwrap_or(text);
    let user = id.parse().map(control::Principal::User).ok();
    let found = user.or_else(|| id.parse().map(control::Principal::ServiceAccount).ok());
    found.ok_or_else(|| Trouble::flaw(key, Some(text), "must be a user or a service account: User:u-.. or User:sa-.."))
}
