//! S3 as a place where objects go: [`S3Sink`] is the [`transit::Sink`] of exactly once, and more for those who do without.
//!
//! An object is a multipart upload from its first byte, however small it is, because only a multipart upload is a fence:
//! completing happens once, and whoever comes late is told `NoSuchUpload` (docs/adr on exactly once). Every object carries
//! its cut in the metadata `tidegate-cut`; that mark is how "it is done already" is told from "it is gone".
//!
//! ```text
//! begin     CreateMultipartUpload                an answer lost leaves an orphan, which the sweep finds
//! part      UploadPart                           sent again it replaces itself
//! publish   CompleteMultipartUpload              an answer lost: NoSuchUpload, then the mark says who was first
//! finish    ListParts, CompleteMultipartUpload   the same, knowing only the intent
//! sweep     ListMultipartUploads                 aborts what is a day old, ours by name and by initiator
//! ```

pub(crate) mod body;
pub(crate) mod client;
mod error;
pub(crate) mod operation;
mod options;
mod probe;
mod read;
mod resolve;
pub(crate) mod signing;
mod sink;
mod sweep;
mod upload;
pub(crate) mod verdict;

pub use error::{Error, Refusal};
pub use options::{ExistingObject, Payload, S3Options};
pub use probe::{ProbeError, Put, PutShape, S3Probe, Seen, Tried};
pub use read::Listed;
pub use sink::{S3Sink, Trouble};
pub use sweep::{Sweep, Swept};
