//! The client against a real Apache Kafka.
//!
//! These tests are left out, and say so, unless `TIDEGATE_TEST_KAFKA=1`; then they fail if Kafka cannot be started.
//! `KAFKA_VERSION` chooses which one. `dev/kafka` brings it up; the whole binary shares one node.

mod cluster;
mod frozen;
mod group;
mod offsets;
mod produce;
mod security;
mod source;
mod support;
