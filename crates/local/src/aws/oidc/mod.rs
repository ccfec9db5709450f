//! A small OpenID Connect issuer, as a Kubernetes cluster or a CI service is one, and the check of tokens that STS makes.
//!
//! An issuer's URL is of the `https` kind that IAM asks for, and its documents are under [`PREFIX`] at the embedded AWS:
//! the check does not fetch them but looks at the keys themselves, for nothing else could be at that URL.

mod discovery;
mod issuer;
mod keys;
mod verify;

pub(super) use discovery::{PREFIX, handle};
pub use issuer::Issuer;
pub(super) use issuer::Issuers;
pub use keys::Algorithm;
pub(super) use verify::{Claims, verify};
