//! What Tidegate talks to, embedded: AWS (and a Kafka broker) in the process, for the demo, for tests and for development.
//!
//! What lives here: servers that speak the real protocols over real TCP and refuse what the real ones refuse. What may
//! not: any shortcut from Tidegate into them. `tidegate demo` goes through the same sockets as a run in production.

pub mod aws;
pub mod broker;
pub mod scenario;
