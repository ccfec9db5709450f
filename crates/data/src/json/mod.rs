//! JSON text as Jackson takes it: what Connect's `JsonConverter` accepts, and what it refuses.

mod base64;
mod compact;
mod copy;
mod fault;
mod names;
mod node;
mod quote;
mod scan;
#[cfg(test)]
mod tests;
mod token;
mod unescape;
mod utf8;

pub(crate) use base64::decode_base64;
pub use compact::Compactor;
pub use fault::{JsonFault, JsonFaultKind};
pub(crate) use node::{Node, members};
pub use quote::push_quoted;
pub(crate) use unescape::unescape_text;
use utf8::character_len;
