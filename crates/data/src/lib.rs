//! The Connect data model: records as they were fetched, schemas, values, converters, and later transforms. Pure.
//!
//! What lives here: where a record is ([`TopicPartition`], [`Offset`]), what it is made of ([`Arena`], [`RecordView`]),
//! and what is wrong with one that cannot be used ([`RecordFault`]). What may not: I/O, files' formats, a vendor.

mod arena;
mod place;
mod record_fault;

pub use arena::{Arena, Header, Headers, RecordView};
pub use place::{Offset, TopicPartition};
pub use record_fault::{RecordFault, Stage};
