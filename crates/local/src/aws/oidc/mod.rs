//! A small OpenID Connect issuer, as a Kubernetes cluster or a CI service is one, and the check of tokens that STS makes.
//!
//! Its documents are under [`PREFIX`] at the embedded AWS. The check does not fetch them but looks at the keys themselves:
//! an issuer's URL is of the `https` kind that IAM asks for, and nobody is there.

mod discovery;
mod issuer;
mod keys;
mod verify;

pub(super) use discovery::{PREFIX, handle};
pub use issuer::Issuer;
pub(super) use issuer::{Issuers, audiences};
pub use keys::Algorithm;
pub(super) use verify::{Claims, verify};
