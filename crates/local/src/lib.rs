//! The world in one process: an embedded broker ([`broker`]) and, beside it, an embedded AWS. For the demonstration, for
//! development, and for tests that need no real far side.
//!
//! What lives here: what answers as Kafka and AWS answer. What may not: anything that the product itself runs on.

pub mod broker;
