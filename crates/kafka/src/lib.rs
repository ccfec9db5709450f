//! Our Kafka client.
//!
//! What lives here: everything that speaks the Kafka protocol. What may not: AWS, file formats, what becomes of a record.
//! Message codecs come from `kafka-protocol`; connections, groups, batches and commits are ours, because a commit must
//! carry the epoch of its assignment (no other client lets us say which), and because handing out records one by one costs
//! several times what whole batches do.
//!
//! ```text
//! config::ClientConfig      the Java clients' property names, checked all at once
//!  -> net::Connection       one socket: TLS, SASL, versions, pipelining, throttling
//!  -> cluster::Cluster      metadata, leaders, coordinators, a connection per broker and purpose
//!      -> admin             topics and offsets
//!      -> group             which partitions are ours, and the one place that commits
//!      -> fetch::Fetcher    whole batches from every leader, as fast as they are taken
//!          -> records       batches, decoded into an arena
//!      -> produce::Producer dead letters, demo data, benchmarks
//!      -> inspect           looking on: nothing is joined, committed, created or written
//! ```
//!
//! Failures: [`net::Error`] where a socket is involved, [`cluster::Error`] above it; Kafka's own codes are [`ErrorCode`].

pub mod admin;
pub mod cluster;
mod code;
pub mod config;
pub mod fetch;
pub mod group;
pub mod inspect;
pub mod net;
pub mod produce;
pub mod records;
pub mod source;

pub use cluster::Cluster;
pub use code::ErrorCode;
pub use config::ClientConfig;
