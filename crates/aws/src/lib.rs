//! The only crate that builds AWS SDK clients.
//!
//! What lives here: [`Clients`], which holds what all of them share (connections, the clock, sessions, counters); the
//! exchanges that `identity` asks for (STS, instance and container metadata, profiles, the default chain); [`reach`], which
//! looks how far a service is away; [`s3`], the S3 implementation of [`transit::Sink`]; and [`objects`], what a person or a
//! script does with objects: get, put, list, copy and the like.
//! What may not: a decision about who we are (that is `identity`), and anything about records.
//!
//! ```text
//! Clients::s3(connection, options)     one S3Sink a connector; no call is made yet
//!  -> S3Sink::call                     asks the session cache, waits for the bucket's limiter, sends one attempt
//!  -> Failure -> Verdict               what came back, and what it means: retry, slow down, renew, or give up
//!  -> s3::Error                        only for what waiting cannot mend: what was tried, as whom, what came back
//! ```
//!
//! The SDK's own retries, identity cache, clock correction and stall detection are off. Not because they are bad: a
//! promise of "for as long as it takes" needs one loop that knows all of it, and the session is shared with what the SDK
//! does not sign (Kafka's IAM token).

mod ambient;
mod backoff;
mod bounded;
mod bridge;
mod chain;
mod clients;
mod container;
mod counters;
mod evidence;
mod failure;
mod file;
mod iam_read;
mod instance;
mod limiter;
mod msk;
mod plain;
mod process;
mod roles_anywhere;
mod sts;
mod walk;
mod xml;

pub mod objects;
pub mod reach;
pub mod s3;

pub use backoff::Backoff;
pub use clients::Clients;
pub use counters::{Counters, RequestCount};
pub use evidence::{Metadata, MetadataState, Offered, Provider, Providing};
pub use iam_read::{IamEndpoint, ReadGrants, ReadPolicy, ReadRole};
pub use msk::{MskTokenError, msk_token};
pub use sts::Won;
pub use walk::{SignedWith, Stop};
