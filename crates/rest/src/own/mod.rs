//! Our own surface at `/v1`.

use axum::Router;
use control::ControlPlane;

/// The routes of this surface.
pub(crate) fn router(plane: ControlPlane) -> Router {
    let _ = plane;
    Router::new()
}
