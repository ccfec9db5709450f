//! How Java prints, hashes and orders what Connect hands to a connector. Object names and JSON output show it.

mod date;
mod float;
mod hash_order;

pub(crate) use date::{days_from_civil, push_date};
pub use float::{push_f32, push_f64};
pub(crate) use hash_order::{Key, hash_order};
