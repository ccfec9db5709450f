//! What comes from outside the program: the time, the environment, and secrets.
//!
//! The only crate that reads the system clock or an environment variable (`clippy.toml` forbids it elsewhere), so that a
//! test can put any hour and any environment in their place, and so that one place decides how a secret is held.

mod clock;
mod environment;
mod secret;

pub use clock::Clock;
pub use environment::Environment;
pub use secret::Secret;
