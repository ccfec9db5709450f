//! Confluent's surface: provider integrations, managed connectors, login, environments, keys and role bindings.

use axum::Router;
use control::ControlPlane;

/// The routes of this surface.
pub(crate) fn router(plane: ControlPlane) -> Router {
    let _ = plane;
    Router::new()
}
