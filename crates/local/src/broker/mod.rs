//! An embedded broker: as much of Apache Kafka as a demonstration, a developer's machine and a test need, in the process.
//!
//! It behaves as a single node of Kafka 4.1 would for the requests that it claims in ApiVersions, and refuses what Kafka
//! refuses with Kafka's codes. What it does not have it does not claim: transactions, access control, TLS, replication,
//! compaction (accepted as a configuration, as Kafka too compacts when it likes), quotas, share groups.
//!
//! ```text
//! server      accepts; owns the connections and the timers
//!  -> connection   frames: one request at a time, size and number bounded
//!  -> api          one file a family of requests: decode (bounded_buf: lengths may lie), ask the cluster, answer (reply)
//!  -> cluster      what all connections share
//!      catalogue    topics, their configuration and ids; written down as catalogue.json
//!      topic        partitions; who waits for one to grow (waiters)
//!      log          batches behind one another, in memory or in files, found by offset and time
//!      group        members, generations, committed offsets; written down as offsets.jsonl
//! ```
//!
//! Record batches are stored as they came and sent as they are stored: checked by their checksum, given their offsets in
//! the header, never decoded and never compressed again. Answers hand slices of the log to the socket without copying.
//!
//! With a directory everything survives: what is answered is in the file system's cache before the answer goes out, so
//! that a process that is killed loses nothing, and is made durable every second and at a clean stop.

mod api;
mod bounded_buf;
mod catalogue;
mod cluster;
mod connection;
mod error;
mod group;
mod log;
mod options;
mod reply;
mod server;
mod topic;
mod topic_config;
mod waiters;

pub use error::BrokerError;
pub use options::BrokerOptions;
pub use server::Broker;
