//! The REST surfaces of `serve`, over [`control::ControlPlane`].
//!
//! What lives here: one listener ([`Server`]) with its limits, the way from a request to a [`control::Caller`], and three
//! surfaces, each in the words and with the codes of those who made it: Kafka Connect's at `/` (`connect`), Confluent's at
//! `/pim`, `/connect/v1`, `/iam`, `/org`, `/cmk` and the same under `/api` (`confluent`), and our own at `/v1` (`own`).
//! What may not: a decision. What is allowed, valid or found is the control plane's to say; here it is put into words.
//!
//! ```text
//! connection   limits on number, header time, body size and time; TLS
//!  -> request  an id, the caller from Authorization; nothing else is believed
//!  -> surface  path and body to one call of the control plane
//!  -> answer   its result, or its Refusal in this surface's shape
//! ```

mod confluent;
mod connect;
mod log_levels;
mod own;
mod request;
mod server;
mod surface;
mod surfaces;

pub use log_levels::LogLevels;
pub use server::{Bound, Cors, Server, ServerError, ServerOptions, TlsError, TlsFiles};
