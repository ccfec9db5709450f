//! Profiles of the shared config and credentials files, followed to their end. Pure: whoever asks reads the files.
//!
//! Ours and not the SDK's: `duration_seconds` is unknown to the Rust SDK's own (a role would live an hour whatever the
//! profile says), `mfa_serial` would be passed over, and what is wrong is to be told with the profile and the key.

mod files;
mod follow;

pub use files::{ProfileFiles, Section};
pub use follow::{Followed, ProfileProblem, Source};
