//! JSON text as Jackson takes it: what Connect's `JsonConverter` accepts, and what it refuses.

mod compact;
mod fault;

pub use compact::Compactor;
pub use fault::{JsonFault, JsonFaultKind};
