//! Records to bytes and back: csv, json, jsonl (later Avro and Parquet), and compression. Pure.
//!
//! What lives here: the trait [`Encode`] that turns the records of one object into its bytes, its implementations, and
//! the codecs. What may not: I/O, object names, a vendor.
//!
//! Bytes are compressed tile by tile: a tile is a few hundred KiB of encoded records, small enough to stay in the
//! processor's cache. Compressors keep no state between tiles, so that an object that is open but idle costs only its
//! bytes, and one compressor per thread ([`Scratch`]) serves a thousand objects.

mod compress;
mod compression;
mod encode;
pub mod text;
mod tiles;

pub use compression::{Codec, Compression, UnknownCodec};
pub use encode::{Encode, Output, Scratch};
