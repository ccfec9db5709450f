//! How every failure in Tidegate describes itself.
//!
//! What lives here: the vocabulary ([`Code`], [`Blame`], [`Retry`]), the trait [`Diagnose`] that each error enum
//! implements beside its `thiserror` derive, and [`Fault`], the boxed form in which a failure crosses a crate boundary
//! where the concrete type no longer matters. What may not: any error of a particular crate.
//!
//! An error's `Display` is one lowercase clause that names the thing and never prints its source; the source is reached
//! by `std::error::Error::source`, and [`Chain`] is the one way to print the whole.

mod chain;
mod diagnose;
mod error;
mod printable;
mod suggest;

pub use chain::Chain;
pub use diagnose::{Blame, Code, Diagnose, Retry};
pub use error::Fault;
pub use printable::printable;
pub use suggest::suggest;
