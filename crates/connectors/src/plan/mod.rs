//! The plan: a configuration proven consistent, as plain data for the runtime.

mod connector;
mod errors;
mod needs;
mod s3;
mod show;
mod topics;

pub use connector::{ConnectorPlan, Rotation};
pub(crate) use connector::{PlanParts, SinkPlan};
pub use errors::{DeadLetterQueue, ErrorPolicy};
pub use s3::{ExistingObject, PayloadSignature, S3Retry, S3Target};
pub use topics::TopicSelection;
