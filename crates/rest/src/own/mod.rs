//! Our own surface at `/v1`.
//!
//! One table ([`table`]) says what there is: routes are found in it, requests are checked by it, and the OpenAPI document
//! is made from it, so that none of the three can say something else than the others.
//!
//! ```text
//! path and method   the table's route, or 404 with what may have been meant, or 405 with what it takes
//!  -> caller        credentials, always before anything is said of what there is
//!  -> query, body   against the route's shapes: everything that is wrong, at once
//!  -> handler       one call of the control plane
//!  -> answer        JSON, with the revision as ETag; or a problem (RFC 9457)
//! ```

mod accounts;
mod ask;
mod audit;
mod connections;
mod connectors;
mod events;
mod idempotency;
mod integrations;
mod keys;
mod openapi;
mod pages;
mod paging;
mod places;
mod rates;
mod read;
mod sessions;
mod shape;
mod shapes;
mod table;
mod trouble;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use control::{Caller, ControlPlane, Recalled};
use http::{HeaderMap, HeaderValue, header};

use self::ask::{Ask, Content, Reply};
use self::idempotency::{Answer, Keys, fingerprint};
use self::read::Read;
use self::trouble::Trouble;

/// What all requests of this surface share.
pub(super) struct State {
    plane: ControlPlane,
    keys: Keys,
    rates: rates::Rates,
    tests: tokio::sync::Semaphore,
    streams: Arc<tokio::sync::Semaphore>,
}

/// The routes of this surface.
pub(crate) fn router(plane: ControlPlane) -> Router {
    let state = Arc::new(State {
        plane,
        keys: Keys::default(),
        rates: rates::Rates::default(),
        tests: tokio::sync::Semaphore::new(connections::TESTS),
        streams: Arc::new(tokio::sync::Semaphore::new(events::CLIENTS)),
    });
    // Not axum's routes: they know no `{name}:test`, and the table must be the only one.
    let answer = axum::routing::any(move |request: Request| {
        let state = state.clone();
        async move { answer(state, request).await }
    });
    Router::new().route("/v1", answer.clone()).route("/v1/", answer.clone()).route("/v1/{*rest}", answer)
}

async fn answer(state: Arc<State>, request: Request) -> Response {
    let request_id = read::request_id(&request);
    match answered(&state, request).await {
        Ok(response) => response,
        Err(trouble) => trouble.respond(&request_id),
    }
}

async fn answered(state: &Arc<State>, request: Request) -> Result<Response, Trouble> {
    let caller = read::caller(&request)?;
    let closing = request.extensions().get().cloned();
    let Read { route, path, query, body, bytes, expected, key, target } = read::read(request).await?;
    let principal = format!("{} {:?}", caller.principal, caller.only_cluster);
    let ask = Ask { state: state.clone(), caller, path, query, body, expected, closing };
    let Some(key) = key else { return (route.run)(ask).await.map(respond) };
    let request = fingerprint(&[route.method.as_bytes(), target.as_bytes(), &bytes]);
    let caller = ask.caller.clone();
    let make = async {
        if let Some(answer) = recalled(&state.plane, &caller, &key, request).await? {
            return Ok(answer);
        }
        let answer = (route.run)(ask).await?.whole();
        if answer.status.is_success() && !route.shows_secret {
            keep(&state.plane, &caller, &key, request, &answer).await;
        }
        Ok(answer)
    };
    state.keys.once(principal, &key, request, make).await.map(|answer| {
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    })
}

/// What was answered before this process began.
async fn recalled(
    plane: &ControlPlane,
    caller: &Caller,
    key: &str,
    request: [u8; 32],
) -> Result<Option<Answer>, Trouble> {
    match plane.recall(caller, key, request).await? {
        Recalled::New => Ok(None),
        Recalled::Answer(text) => Ok(Answer::read(text.expose())),
        Recalled::Other => Err(Trouble::KeyReused { key: key.to_owned() }),
    }
}

/// What was made is there whether its answer can be kept or not.
async fn keep(plane: &ControlPlane, caller: &Caller, key: &str, request: [u8; 32], answer: &Answer) {
    let Some(text) = answer.written() else { return };
    if let Err(refusal) = plane.keep_answer(caller, key, request, &text).await {
        tracing::warn!("the answer to a request with an Idempotency-Key is not kept: {}", fault::Chain(&refusal));
    }
}

fn respond(reply: Reply) -> Response {
    if let Content::Stream(response) = reply.body {
        return response;
    }
    let answer = reply.whole();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

impl Reply {
    /// The answer as bytes. Streams have none: no creation answers with one.
    fn whole(self) -> Answer {
        let mut headers = HeaderMap::new();
        let (kind, body) = match self.body {
            Content::Empty | Content::Stream(_) => (None, String::new()),
            Content::Json(value) => (Some("application/json"), value.to_string()),
            Content::Text(kind, text) => (Some(kind), text),
        };
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        // Configurations, keys, audit: nothing of it is for a cache on the way.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(revision) = self.revision {
            let tag = HeaderValue::from_str(&format!("\"{revision}\"")).expect("a number is ASCII");
            headers.insert(header::ETAG, tag);
        }
        if let Some(location) = self.location {
            let location = HeaderValue::from_str(&location).expect("its parts were percent-encoded");
            headers.insert(header::LOCATION, location);
        }
        Answer { status: self.status, headers, body: body.into() }
    }
}
