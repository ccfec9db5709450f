//! The text formats: csv, json and jsonl, byte for byte as Aiven's S3 sink writes them, save that a JSON value keeps its
//! producer's member order and number text.

mod csv;
mod encoder;
mod fault;
mod instant;
mod json;
mod layout;
mod value;

pub use encoder::{Converters, Encoder, Format};
pub use layout::{Field, Kind, Layout, ValueEncoding};
