//! Confluent's surface: provider integrations, managed connectors, login, environments, keys and role bindings.
//!
//! Its clients are the `confluent` CLI, which puts `/api` before every path, and Terraform's provider, which does not: all
//! is answered at both places. Its errors have two shapes, by what they are about ([`Shape`]).
//!
//! ```text
//! request      Knock: target, path, body; Ask: with its caller
//!  -> handler  one file for each part of the API: reads the body, asks the control plane, shows what comes back
//!  -> outcome  Answer, or Problem in the shape of the routes
//! ```

mod answer;
mod ask;
mod body;
mod connectors;
mod iam;
mod integrations;
mod login;
mod logs;
mod names;
mod org;
mod paging;
mod problem;
mod routes;
mod target;

use axum::Router;
use control::ControlPlane;

use problem::Shape;
use routes::Routes;

/// The routes of this surface.
pub(crate) fn router(plane: &ControlPlane) -> Router {
    let login = login::routes(Routes::new(plane, Shape::Error)).router(&["/{*rest}"]);
    both(plane).nest("/api", both(plane).merge(login))
}

/// What is at the root and below `/api`.
fn both(plane: &ControlPlane) -> Router {
    let errors = Routes::new(plane, Shape::Errors);
    let errors = logs::routes(org::routes(iam::routes(integrations::routes(errors))));
    let errors = errors.router(&["/pim/{*rest}", "/iam/{*rest}", "/org/{*rest}", "/cmk/{*rest}", "/logs/{*rest}"]);
    errors.merge(connectors::routes(Routes::new(plane, Shape::Error)).router(&["/connect/v1/{*rest}"]))
}
