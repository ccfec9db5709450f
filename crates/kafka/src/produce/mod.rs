//! Writing records: dead letters, the demo's data, the benchmark's.
//!
//! ```text
//! Producer::send   chooses the partition (Java's murmur2, sticky without a key), waits for room in buffer.memory
//!  -> BatchWriter  the record's bytes go straight into the open batch of its partition
//!  -> sender       one task: full or lingering batches, grouped by leader, one batch in flight a partition
//!  -> compress     off the network's threads where it takes long
//!  -> Delivery     offset, or why not
//! ```
//!
//! An idempotent producer writes each record once whatever is sent again: a batch carries producer id, epoch and sequence,
//! and a partition has one batch in flight, so nothing overtakes. Where the broker lost track, the epoch is raised and
//! sequences of that partition begin anew (KIP-360). Transactions are not here: nobody in Tidegate needs them.

mod batch;
mod compress;
mod config;
mod delivery;
mod error;
mod partitioner;
mod producer;
mod request;
mod sender;
mod slot;
#[cfg(test)]
mod tests;

pub use compress::Compression;
pub use config::{Acks, ProducerConfig};
pub use delivery::{Acked, Delivery};
pub use error::Error;
pub use partitioner::{murmur2, partition_of_key};
pub use producer::{Producer, Record};
