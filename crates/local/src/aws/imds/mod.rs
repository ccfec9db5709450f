//! Instance metadata of one EC2 instance, version 2 unless told otherwise: a session of its role for whoever runs on it.
//!
//! A token is asked for with PUT and shown with every GET, so that a request which somebody else makes this machine send
//! (a GET with no header of his choice, or one that came through a proxy) gets nothing.

mod credentials;
mod instance;
mod request;

pub use instance::Instance;
pub(super) use instance::Metadata;
pub(super) use request::{handle, is_version};
