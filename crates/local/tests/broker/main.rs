//! The embedded broker, asked in the raw protocol by the codec's client side.
//!
//! With `TIDEGATE_TEST_BROKER=HOST:PORT` the tests that need no particular options ask that broker instead: what they
//! claim of the embedded broker must be true of Apache Kafka itself.

mod admin;
mod committed_offsets;
mod fetch;
mod groups;
mod offsets;
mod produce;
mod robustness;
mod storage;
mod versions;
mod wire;
