//! Plans made to run.
//!
//! What lives here: what the connectors of a process share ([`Process`]), the opening of a plan's source and sink, the
//! supervision of each connector ([`Connector`]), dead letters, and what can be seen of it all (state, metrics, health).
//! What may not: command lines and printing (the CLI's), and any knowledge of how records are read, encoded or stored.
//!
//! ```text
//! ConnectorPlan -> Connector::start -> open (source, sink, encoders) -> transit::run -> failure? wait, and open again
//! ```

mod backoff;
mod cluster_id;
mod connector;
mod consumer;
mod dead_letters;
mod drain;
mod gate;
mod kafka_clients;
mod metrics;
mod msk;
mod offsets;
mod open;
mod process;
mod server;
mod starts;
mod state;

pub use cluster_id::cluster_id;
pub use connector::Connector;
pub use consumer::check_clients;
pub use drain::Drain;
pub use kafka_clients::KafkaClients;
pub use metrics::{Dialect, Metrics, Readings, Shown};
pub use offsets::{Offsets, OffsetsError};
pub use process::Process;
pub use server::Server;
pub use starts::Starts;
pub use state::{Failure, State, StateCell};
