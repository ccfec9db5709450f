//! Kafka Connect's REST API (kafka-connect.md 1), as version 4.1 answers it.
//!
//! ```text
//! route    path and method: which endpoint; 404, 405, 415 and 406 as JAX-RS gives them
//!  -> body    what was sent, coerced to texts as Jackson does
//!  -> api     one call of the control plane
//!  -> answer  objects, codes and texts: tools match on these
//! ```

mod answer;
mod api;
mod body;
mod loggers;
mod offsets;
mod plugins;
mod query;
mod route;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use control::ControlPlane;

use crate::LogLevels;
use answer::ApiError;
use api::Api;

/// The version that clients are told: kcctl reads two numbers from it, and asks only for what that version has.
const VERSION: &str = "4.1.0";

/// The routes of this surface. One handler: what JAX-RS does about slashes, methods and media types is a table of its own.
pub(crate) fn router(plane: ControlPlane, log_levels: Option<LogLevels>) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(Api::new(plane, log_levels)))
}

async fn handle(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // It was read and measured before it came here.
    let body =
        http_body_util::BodyExt::collect(body).await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    api.answer(&parts, &body).await.unwrap_or_else(ApiError::into_response).map(Body::new)
}

#[cfg(test)]
mod tests;
