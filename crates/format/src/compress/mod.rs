//! The codecs, tile by tile. What an object keeps between two tiles is a few bytes; contexts and buffers are the thread's.

mod gzip;
mod snappy;
mod zstd;

pub(crate) use gzip::{Deflater, Gzip};
pub(crate) use snappy::Snappy;
pub(crate) use zstd::{Zstd, ZstdContext};
