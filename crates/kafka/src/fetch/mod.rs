//! Fetching: from assigned partitions to their record batches, as fast as they are taken and no faster.
//!
//! What lives here: one loop for each broker that leads partitions of ours, the fetch sessions that make a thousand idle
//! partitions cost nothing, and what to do when a leader moves or an offset is gone. What may not: groups and commits;
//! what a record says.
//!
//! ```text
//! Fetcher::add           a partition, from an offset
//!  -> upkeep             finds its leader; later, where to go on when the offset is gone
//!  -> broker             asks its leader: waits for room in the budget first, skips partitions that are behind with
//!                        what they were given, passes whole responses on without copying
//!      -> session        what changed since the last request, and nothing else (KIP-227)
//!  -> Fetcher::next      batches of one partition at a time, in order
//! ```
//!
//! Memory: before a request is sent, the bytes that it may bring are charged to the budget; the response holds them until
//! the last of its records are dropped, because they are slices of one buffer. The share that fetched records may take is
//! bounded by itself, so that what they become always finds room.

mod broker;
mod error;
mod fetcher;
mod options;
mod partitions;
mod session;
mod upkeep;

pub use error::FetchError;
pub use fetcher::{Delivery, Fetcher, Gauge};
pub use options::{FetchOptions, OffsetReset};
pub use partitions::Progress;
pub(crate) use partitions::aborted;
