//! The codecs, tile by tile. What an object keeps between two tiles is a few bytes; contexts and buffers are the thread's.

mod deflate;
mod gzip;
mod snappy;
mod zstd;

pub(crate) use deflate::Deflate;
pub(crate) use gzip::{Gzip, Zlib};
pub(crate) use snappy::Snappy;
pub(crate) use zstd::{Zstd, ZstdContext};
