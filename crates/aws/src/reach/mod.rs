//! How far a service is away: its name, a connection, TLS, one answer. Each step with what it took and what it showed.
//!
//! Not by the SDK's clients, whose errors say in words alone how far they came, and which throw away the certificates
//! that they refuse. What is asked is unsigned and changes nothing: every service says no to it in its own words, which
//! shows who it is, and when, which shows the hour.
//!
//! Like the SDK's clients here it goes to no proxy: theirs are told of none ([`ProxyVariables`] says what the environment
//! names).

mod address;
mod certificate;
mod proxies;
mod steps;
mod trust;

pub use address::Service;
pub use certificate::CertificateSeen;
pub use proxies::ProxyVariables;
pub use steps::{Answered, Obstacle, Reached, Step, Stopped};
pub use trust::Distrust;
