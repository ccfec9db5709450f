//! The record way: from records fetched to objects published and offsets committed, each record exactly once.
//!
//! What lives here: the types that a record passes through ([`Arena`], [`RecordView`], [`Span`]), the byte budget, the
//! rules by which records are grouped and cut, the protocol that publishes a cut, and the task that drives it all. What
//! may not: any vendor. Where records come from is a [`Source`], where they go is a [`Sink`], what they become is an
//! `format::Encode`.
//!
//! ```text
//! Source::next            whole record batches as fetched (still compressed), under a permit of the budget
//!  -> Fetched::decode     one record batch at a time into an arena that its thread uses again and again
//!  -> Route::route        which object does this record go to (pure)
//!  -> Encode::record      bytes of that object, compressed tile by tile
//!  -> Sink::upload        parts go up while reading goes on; nothing is visible
//!  -> cut                 all objects of a lane close together: spans + sealed objects = an intent
//!  -> Committer::commit   prepare: the unchanged offset with the intent beside it
//!  -> Sink::publish       the objects become visible
//!  -> Committer::commit   the new offset
//! ```
//!
//! A **lane** is what is cut together: one partition where an object holds records of one partition only, else all
//! partitions of the task. Lanes run side by side on the cores; within a lane everything is in order.

mod budget;
mod compute;
mod cut;
mod dead_letter;
pub mod intent;
mod lane;
mod mark;
mod mend;
mod place;
pub mod protocol;
mod recover;
mod route;
mod sink;
mod source;
mod stats;
mod task;
mod upload;

pub use budget::{Budget, FETCH_SHARE, Permit};
pub use compute::{Compute, Workspace};
pub use cut::{CommitRefused, UploadGone};
pub use data::{Arena, Header, Headers, Offset, RecordFault, RecordView, TopicPartition};
pub use dead_letter::{DeadLetter, DeadLetters, Tolerance};
pub use lane::{Encoders, RecordFailure};
pub use mark::is_later;
pub use mend::TornCut;
pub use place::{Assignment, Span};
pub use protocol::WriteMode;
pub use recover::{IntentUnreadable, Settled, settle};
pub use route::{GroupIndex, Lanes, Route, Routed, Router};
pub use sink::{Finished, IntentObject, ObjectName, PartTag, Sink, UploadId};
pub use source::{Assigned, Commit, CommitOutcome, Committer, Fetched, PoisonBatch, Revoked, Source, SourceEvent};
pub use stats::{Progress, TaskStats};
pub use task::{JobPanicked, SharedLaneLost, TaskError, TaskOptions, TaskParts, run};
