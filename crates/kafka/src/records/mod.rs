//! Record batches: from the bytes of one partition of a Fetch response to records in an arena.
//!
//! What lives here: the three message formats that a broker may send (v2, and v0 and v1 of old segments), the five
//! codecs, and the rule by which aborted transactions are left out. What may not: a socket, a clock, a task. All of it
//! is pure, so all of it can be fuzzed.
//!
//! ```text
//! FetchedRecords        the partition's bytes, a slice of the response; holds the permit of the response
//!  -> frame             where the next batch begins and ends; a batch cut off at the end is not there yet
//!  -> crc               over the batch as it lies there, before anything in it is believed
//!  -> aborted           is it of a transaction that was aborted? then its records are passed over
//!  -> compression       its records, decompressed straight into the arena's buffer, bounded
//!  -> batch | legacy    varints to ranges of that buffer; nothing is allocated per record
//! ```
//!
//! A batch that cannot be read becomes a [`transit::PoisonBatch`] that names its offsets and what is wrong with it, and
//! reading goes on behind it. Every offset between the first and [`transit::Fetched::next_offset`] is in exactly one
//! of three states: handed out, left out by Kafka's own rules (control records, aborted, compacted away), or named by a
//! poison batch.

mod aborted;
mod batch;
mod compression;
mod cursor;
mod fetched;
mod frame;
mod legacy;
mod malformed;
#[cfg(test)]
pub(crate) mod tests;

pub use aborted::AbortedTransaction;
pub use fetched::{DEFAULT_BATCH_LIMIT, FetchedRecords, Held, Response};
