//! One connection to one broker: framing, version negotiation, pipelining, throttling, TLS and SASL.

mod connection;
mod error;
mod guard;
mod handshake;
mod sasl;
mod shared;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod tls_fault;
mod versions;
mod wire;

use std::sync::Arc;

pub use connection::{Connection, Options, RawResponse, Settings};
pub use error::Error;
pub(crate) use sasl::{EndpointTokens, FileTokens, UnsecuredTokens};
pub use sasl::{Sasl, ScramHash, Token, TokenProvider};
pub use tls_fault::TlsFault;

/// `host:port`, with an IPv6 address in brackets.
pub(crate) fn host_port(host: &str, port: i32) -> Arc<str> {
    if host.contains(':') { format!("[{host}]:{port}").into() } else { format!("{host}:{port}").into() }
}
