//! Signature Version 4, from the verifier's side. AWS's public test vectors are its tests.

mod canonical;
mod chunked;
mod claim;
mod payload;
mod verify;

pub(super) use canonical::sha256_hex;
pub(super) use claim::Claim;
pub(super) use payload::Payload;
pub(super) use verify::{Dialect, Verified, authenticate};
