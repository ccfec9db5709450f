//! IAM Roles Anywhere, as far as sessions go: trust anchors and profiles are made by the program, `CreateSession` is asked
//! for over HTTP.
//!
//! ```text
//! claim       who the signature says it is from, and every rule about the headers
//!  -> x509    the certificate, its own rules, the signature by its key
//!  -> chain   is there a way from it to the trust anchor, and is nothing on it revoked
//!  -> tags    what of the certificate becomes session tags
//!  -> create_session   profile, role and trust policy, then the session
//! ```

mod builder;
mod chain;
mod claim;
mod create_session;
mod registry;
mod tags;
mod x509;

pub use builder::{ProfileBuilder, TrustAnchorBuilder};
pub(super) use create_session::handle;
pub(super) use registry::Registry;

/// Where CreateSession is.
pub(super) const PATH: &str = "/sessions";
