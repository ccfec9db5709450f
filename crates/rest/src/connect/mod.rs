//! Kafka Connect's REST API (kafka-connect.md 1), as version 4.1 answers it.

use axum::Router;
use control::ControlPlane;

use crate::LogLevels;

/// The routes of this surface.
pub(crate) fn router(plane: ControlPlane, log_levels: Option<LogLevels>) -> Router {
    let _ = (plane, log_levels);
    Router::new()
}
