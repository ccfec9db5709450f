//! JSON text as Jackson takes it: what Connect's `JsonConverter` accepts, and what it refuses.

mod compact;
mod fault;
mod names;
mod node;
mod scan;
mod unescape;

pub use compact::Compactor;
use compact::character_len;
pub use fault::{JsonFault, JsonFaultKind};
pub(crate) use node::{Node, members};
pub(crate) use unescape::unescape_text;
