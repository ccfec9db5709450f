//! Tables of configuration keys, and what Kafka's `ConfigDef` does with them.

mod check;
mod evaluate;
mod key;
mod value;

pub(crate) use check::{Check, Complaint};
pub(crate) use evaluate::{evaluate, warn_unknown};
pub use key::{Importance, KeyDef, Kind, Width};
pub(crate) use value::{Value, Values};
