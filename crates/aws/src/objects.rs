//! What a person or a script does with objects: get, put, list, head, delete, copy, move, presign and tag them, and find
//! out where a bucket is.
//!
//! [`Bucket`] is one bucket as one identity sees it. Unlike the sink, which tries for as long as it takes, every call here
//! has an end: [`BucketOptions::tries_for`] is how long one request may go without a success, its attempts
//! included. Nothing half done stays behind that somebody could take for whole:
//!
//! ```text
//! put    up to 16 MiB one PutObject; above it parts side by side, invisible until the last request
//! get    ranges side by side into NAME.tidegate-part, which gets its name once size and checksum are right
//! move   copy, look at the copy, and only then delete what was copied, and only if it is still the same
//! ```
//!
//! A transfer may leave notes (an upload's id, which ranges are there), so that another process can go on where this one was
//! killed: [`Uploads`] for put, `NAME.tidegate-part.notes` for get. They hold no secret.

mod bucket;
mod call;
mod check;
mod checksum;
mod copy;
mod delete;
mod download;
mod encryption;
mod error;
mod head;
mod key;
mod list;
mod locate;
mod multipart;
mod notes;
mod part_file;
mod parts;
mod piece;
mod presign;
mod put;
mod resume;
mod stream;
mod tag;
mod traits;
mod transfer;

pub use bucket::{Bucket, BucketOptions};
pub use checksum::Algorithm;
pub use copy::{CopyOptions, Source, Verified};
pub use delete::{Doomed, Fate, MAX_DELETES};
pub use download::Fetched;
pub use encryption::{CustomerKey, Encryption};
pub use error::Error;
pub use head::{Head, Reading};
pub use key::{BucketName, Key};
pub use list::{Entry, ListOptions, Lister, Page};
pub use locate::{KnownBucket, Located};
pub use notes::Uploads;
pub use presign::{Presigned, Verb};
pub use put::Stored;
pub use traits::Traits;
pub use transfer::{Interrupt, Meter, Transfer};
