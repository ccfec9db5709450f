//! The log of one partition: validated batches behind one another, found by offset and by time.

mod batch;
mod memory;
mod partition_log;
mod producers;
mod records;
mod segment;

pub(crate) use batch::{Compression, Header, Refusal, validate};
pub(crate) use memory::Memory;
pub(crate) use partition_log::{Appended, LEADER_EPOCH, Log, OutOfRange, Settings, Storage};
pub(crate) use records::Stamp;
pub(crate) use segment::Slice;
