//! The built binary between a real Apache Kafka and the embedded S3.
//!
//! These tests are left out, and say so, unless `TIDEGATE_TEST_KAFKA=1`; then they fail if Kafka cannot be started.
//! `KAFKA_VERSION` chooses which one. One node and one `tidegate local` serve all tests; each has topics and buckets of
//! its own. Records are produced and objects are read by clients that are not ours: `dev/witness.py`.

mod cluster;
mod contents;
mod errors;
mod faults;
mod group;
mod moved;
mod naming;
mod security;
mod support;
mod topics;
mod transactions;
mod witness;
