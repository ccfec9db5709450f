//! IAM Roles Anywhere: a session for a certificate, by our own signer.
//!
//! What lives here: what a user declares ([`RolesAnywhere`]), the certificate and key that prove it ([`Pair`], kept and read
//! anew by [`Pairs`]), and the one request ([`RolesAnywhere::request`]) with its answer ([`RolesAnywhere::read`]). What may
//! not: sending it, which `aws` does.
//!
//! ```text
//! RolesAnywhere::flaws   shapes, ranges, regions and accounts of the three ARNs; no file is opened
//!  -> Pairs::pair        reads the files: a pair that has changed takes the old one's place only if it is whole and fit
//!  -> Certificate::faults  everything that AWS would refuse the certificate for, before it is asked
//!  -> sign               canonical request, string to sign, signature: pure, the same bytes as AWS's own client
//!  -> RolesAnywhere::read  201 is a session, anything else a refusal
//! ```
//!
//! The private key never leaves the process and is in no message; nor is the text of a file that cannot be read.

mod certificate;
mod declared;
mod error;
mod exchange;
mod expiry;
mod key;
mod material;
mod pair;
mod pairs;
mod sign;
#[cfg(test)]
mod vectors;

pub use certificate::{Certificate, KeyKind};
pub use declared::RolesAnywhere;
pub use error::CertificateError;
pub(crate) use exchange::hint;
pub use exchange::{OPERATION, Request};
pub use expiry::{CertificateExpiry, ExpiryNotice};
pub use pair::Pair;
pub use pairs::Pairs;
pub use sign::{Signed, Unsigned, sign};
