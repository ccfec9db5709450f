//! A cluster as its clients see it: who leads what, who coordinates whom, and a connection to each.

mod backoff;
#[expect(clippy::module_inception, reason = "the file has the type that the module is named for")]
mod cluster;
mod coordinator;
mod error;
mod metadata;
mod pool;

pub use backoff::Backoff;
pub use cluster::Cluster;
pub use coordinator::CoordinatorKey;
pub use error::Error;
pub use metadata::{Broker, Leader, Metadata, Partition, Topic};
pub use pool::Purpose;
