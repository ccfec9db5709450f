//! An embedded AWS: STS, IAM, S3 and the part of KMS that S3 asks, on one HTTP port, several accounts at once.
//!
//! It is strict. Every request is authenticated by Signature Version 4 and authorised by [`::iam::evaluate`], with default
//! deny; what AWS refuses is refused with AWS's code, status and text. What it does not serve it refuses with
//! `NotImplemented` and the name of the thing; it ignores no header or parameter that would have changed the outcome.
//!
//! ```text
//! connection     one TCP connection; can be reset in the middle of anything
//!  -> ambient    instance metadata, container endpoint, Roles Anywhere, token issuer: what is not signed as all else is
//!  -> gate       which operation is this; ask the fault plane; count
//!  -> sigv4      who signed it, and is it what was signed (also chunk by chunk, while the body streams)
//!  -> sts | iam | s3 | kms   authorise by every policy that applies, then do it
//!  -> store      buckets, objects, uploads: in memory, on disk, or counted and thrown away
//! ```
//!
//! The fault plane ([`Faults`]) makes it slow, forgetful or rude on purpose: above all it can apply a request and lose
//! the answer, which is what exactly-once delivery has to survive. Counters ([`Requests`]) say what was asked of it.
//!
//! Bodies are never whole in memory on the way in or out: frames go from the socket into the store as they are, hashed
//! in passing.

mod account;
mod admin;
mod ambient;
mod api_error;
mod asked;
mod authorize;
mod connection;
mod container;
mod denials;
mod directory;
mod effect;
mod entity;
mod error;
mod faults;
mod gate;
mod iam;
mod imds;
mod kept;
mod kms;
mod managed;
mod oidc;
mod organization;
mod propagation;
mod region;
mod remote;
mod reply;
mod requests;
mod roles_anywhere;
mod s3;
mod server;
mod session;
mod sigv4;
mod state;
mod stock;
mod store;
mod sts;
mod surroundings;
#[cfg(test)]
pub(crate) mod tests;
mod time;
mod uri;
mod validate;
mod xml;

pub use account::{Account, BucketBuilder, NewUser, RoleBuilder, UserBuilder};
pub use container::{Container, PodIdentity};
pub use effect::Effect;
pub use error::AwsError;
pub use faults::{FaultRule, Faults};
pub use imds::Instance;
pub use oidc::{Algorithm, Issuer};
pub(crate) use organization::Organization;
pub(crate) use region::Regions;
pub use remote::Remote;
pub use requests::Requests;
pub use roles_anywhere::{ProfileBuilder, TrustAnchorBuilder};
pub(crate) use s3::access_point_alias;
pub use server::{Aws, AwsOptions, Bodies};
pub use stock::BucketContents;
pub(crate) use stock::{
    AccessPointStock, BucketStock, EncryptionStock, Keys, ObjectStock, WhoStock, check, check_bucket_policy,
};
pub use store::Tally;
pub(crate) use store::{LockMode, Ownership, Retention};
pub(crate) use surroundings::{Path, VpcEndpoint};
