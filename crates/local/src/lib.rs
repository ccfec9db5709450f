<<<<<<< HEAD
//! What Tidegate talks to, embedded: AWS (and a Kafka broker) in the process, for the demo, for tests and for development.
//!
//! What lives here: servers that speak the real protocols over real TCP and refuse what the real ones refuse. What may
//! not: any shortcut from Tidegate into them. `tidegate demo` goes through the same sockets as a run in production.

pub mod aws;
=======
//! The world in one process: an embedded broker ([`broker`]) and, beside it, an embedded AWS. For the demonstration, for
//! development, and for tests that need no real far side.
//!
//! What lives here: what answers as Kafka and AWS answer. What may not: anything that the product itself runs on.

pub mod broker;
>>>>>>> local-broker
