use std::ops::Deref;

use axum::extract::{FromRequestParts as _, OriginalUri, RawPathParams, Request};
use axum::http::header::HOST;
use axum::http::{Extensions, HeaderMap};
use bytes::Bytes;
use control::{Caller, ControlPlane, Credentials, Origin};
use jiff::Timestamp;

use super::body::Body;
use super::problem::Problem;
use super::target::Target;
use crate::request::{self, Asker, Secure};

/// Where a request came from, as the server put it down.
pub(super) fn origin(extensions: &Extensions) -> Origin {
    extensions.get().cloned().unwrap_or_else(|| Origin { address: None, request_id: "".into(), surface: "confluent" })
}

/// A request of whoever it may be.
#[derive(Debug)]
pub(super) struct Knock {
    pub(super) plane: ControlPlane,
    pub(super) origin: Origin,
    pub(super) target: Target,
    asker: Asker,
    params: Vec<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Knock {
    /// Takes in a request. The target comes back in any case: the answer's links need it.
    pub(super) async fn read(plane: ControlPlane, request: Request) -> (Target, Result<Self, Problem>) {
        let (mut parts, body) = request.into_parts();
        let whole = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        // Where the client believes us to be. It only comes back to the same client.
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let below = if whole.path().starts_with("/api/") { "/api" } else { "" };
        let scheme = if parts.extensions.get::<Secure>().is_some_and(|secure| secure.0) { "https" } else { "http" };
        let root = if host.is_empty() { below.to_owned() } else { format!("{scheme}://{host}{below}") };
        let target = || Target::new(root.clone(), parts.uri.path(), parts.uri.query());
        let (shown, kept) = (target(), target());
        let params = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Err(_) => return (shown, Err(Problem::no_path(kept.path()))),
        };
        // It is here already, and no larger than the server takes.
        let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
            return (shown, Err(Problem::bad_request("the body could not be read")));
        };
        let asker = parts.extensions.get().cloned().unwrap_or_else(Asker::unasked);
        let origin = origin(&parts.extensions);
        (shown, Ok(Self { plane, origin, target: kept, asker, params, headers: parts.headers, bytes }))
    }

    /// A part of the path; empty if the route has none of that name, which no id or name is.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.plane.settings().clock.now_millis()).unwrap_or(Timestamp::MAX)
    }

    /// The body, a JSON object.
    pub(super) fn body(&self) -> Result<Body, Problem> {
        Body::read(&self.bytes)
    }

    /// What came to show who asks.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        request::credentials(&self.headers)
    }

    /// With its caller.
    pub(super) fn let_in(self) -> Result<Ask, Problem> {
        let caller = match self.asker.caller() {
            Ok(caller) => caller.clone(),
            Err(refusal) => return Err(Problem::of_stranger(refusal)),
        };
        Ok(Ask { caller, knock: self })
    }
}

/// A request of somebody who has shown who they are.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) caller: Caller,
    knock: Knock,
}

impl Deref for Ask {
    type Target = Knock;

    fn deref(&self) -> &Knock {
        &self.knock
    }
}
