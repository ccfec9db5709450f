//! The settings of a Kafka client, by the names that the Java clients give them.
//!
//! [`Properties`] reads typed values and gathers every fault; [`ClientConfig`] is what all clients have in common. Other
//! parts of a client (group, fetch, producer) read their own keys from the same [`Properties`].

mod client;
mod iam;
mod jaas;
mod jks;
mod problem;
mod properties;
mod sasl;
mod security;
mod ssl;
mod stores;

pub use client::{Checked, ClientConfig, Tls};
pub use iam::IamLogin;
pub use problem::{Problem, Problems, Warning};
pub use properties::{Properties, is_secret};
