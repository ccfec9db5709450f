use std::net::SocketAddr;

use control::ControlPlane;
use runtime::Metrics;

/// How the surfaces are served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
}

/// The surfaces cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("could not listen on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// Serves the surfaces until it is closed.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Listens, and answers from now on.
    pub async fn start(options: ServerOptions, plane: ControlPlane, metrics: Metrics) -> Result<Self, ServerError> {
        let _ = (
            options,
            metrics,
            crate::connect::router(plane.clone()),
            crate::confluent::router(plane.clone()),
            crate::own::router(plane),
        );
        todo!("server")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new request, and waits for those that are being answered.
    pub async fn close(self) {
        todo!("server")
    }
}
