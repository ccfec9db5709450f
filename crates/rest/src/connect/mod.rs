//! Kafka Connect's REST API (kafka-connect.md 1), as version 4.1 answers it.

use axum::Router;
use control::ControlPlane;

/// The routes of this surface.
pub(crate) fn router(plane: ControlPlane) -> Router {
    let _ = plane;
    Router::new()
}
