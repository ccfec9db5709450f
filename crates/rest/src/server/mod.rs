//! One listener for all surfaces, and what holds for every request of them.

mod accept;
mod cors;
mod front;
mod tls;
mod watched;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::ControlPlane;
use fault::{Blame, Code, Diagnose, Retry};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use cors::Cors;
pub(crate) use front::{Application, Closing};
pub use tls::{TlsError, TlsFiles};

use crate::LogLevels;
use crate::surfaces::Surfaces;
use accept::Accepting;
use front::Front;
use tls::Tls;
use watched::Patience;

/// How the surfaces are served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// Speak TLS with these files; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// How often the files of TLS are looked at. 10 s.
    pub tls_check_interval: Duration,
    /// How many connections there may be. 12,000. When there are so many, a new one takes the place of that which has been
    /// idle for longest, and waits if none is idle.
    pub max_connections: usize,
    /// How long the line and the headers of a request may take to come. 10 s, then 408.
    pub head_timeout: Duration,
    /// How long a body may take to come. 30 s, then 408.
    pub body_timeout: Duration,
    /// How long a client may take no byte of its answer. 30 s, then the connection is cut.
    pub write_timeout: Duration,
    /// How long a connection may be idle between requests. 60 s.
    pub idle_timeout: Duration,
    /// How large a body may be. 1 MiB, more gets 413.
    pub body_limit: usize,
    /// How long a request may take to be answered. 90 s, as Kafka Connect, then `Request timed out`.
    pub request_timeout: Duration,
    /// How long [`Server::close`] waits for what is being answered. 10 s.
    pub close_patience: Duration,
    /// Whose pages may ask from a browser; `None`: nobody's.
    pub cors: Option<Cors>,
    /// What changes the levels of the log while we run; `None`: `/admin/loggers` only shows.
    pub log_levels: Option<LogLevels>,
}

impl ServerOptions {
    /// Listens on `listen`, with the defaults for the rest.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            tls_check_interval: Duration::from_secs(10),
            max_connections: 12_000,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            body_limit: 1 << 20,
            request_timeout: Duration::from_secs(90),
            close_patience: Duration::from_secs(10),
            cors: None,
            log_levels: None,
        }
    }
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
        source: io::Error,
    },
    /// The files of TLS cannot be used.
    #[error("TLS cannot be served")]
    Tls(#[from] TlsError),
}

impl Diagnose for ServerError {
    fn code(&self) -> Code {
        match self {
            Self::Listen { .. } => "serve.listen",
            Self::Tls(_) => "serve.tls",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Listen { .. } => "give a free address with --listen, or port 0 for any".into(),
            Self::Tls(_) => "give a certificate with its key as PEM files that this process may read".into(),
        })
    }
}

/// Serves the surfaces until it is closed. Dropped, it cuts what is being answered.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    renewing: Option<JoinHandle<()>>,
}

/// An address that is ours, on which nobody is answered yet: whoever comes waits.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Where that is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Server {
    /// Takes `address` without answering: nothing needs to be started for a port that somebody else has.
    pub fn bind(address: SocketAddr) -> Result<Bound, ServerError> {
        let told = |source| ServerError::Listen { address, source };
        let listener = listen(address).map_err(told)?;
        Ok(Bound { address: listener.local_addr().map_err(told)?, listener })
    }

    /// Listens, and answers from now on.
    pub async fn start(options: ServerOptions, plane: ControlPlane) -> Result<Self, ServerError> {
        let bound = Self::bind(options.listen)?;
        Self::start_on(bound, options, plane).await
    }

    /// The same on an address that was taken before; `options.listen` is not looked at.
    pub async fn start_on(bound: Bound, options: ServerOptions, plane: ControlPlane) -> Result<Self, ServerError> {
        let surfaces = Surfaces::new(plane, options.log_levels.clone());
        Self::answer_on(bound, options, Arc::new(surfaces)).await
    }

    #[cfg(test)]
    async fn start_with(options: ServerOptions, application: Arc<dyn Application>) -> Result<Self, ServerError> {
        let bound = Self::bind(options.listen)?;
        Self::answer_on(bound, options, application).await
    }

    #[expect(clippy::unused_async, reason = "it spawns, and so must be in a runtime")]
    async fn answer_on(
        Bound { listener, address }: Bound,
        options: ServerOptions,
        application: Arc<dyn Application>,
    ) -> Result<Self, ServerError> {
        let tls = options.tls.clone().map(Tls::load).transpose()?;
        let renewing = tls.clone().map(|tls| tokio::spawn(tls.keep_current(options.tls_check_interval)));
        let (closing, closed) = watch::channel(false);
        let accepting = Accepting {
            tls,
            max_connections: affordable(options.max_connections),
            patience: Patience { idle: options.idle_timeout, head: options.head_timeout, write: options.write_timeout },
            close_patience: options.close_patience,
            front: Arc::new(Front::new(application, &options, address)),
        };
        Ok(Self { address, closing, accepting: tokio::spawn(accepting.run(listener, Closing(closed))), renewing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new request, and waits for those that are being answered, for as long as the options say.
    pub async fn close(mut self) {
        self.closing.send_replace(true);
        if let Err(error) = (&mut self.accepting).await {
            tracing::error!(%error, "the listener did not end well");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

/// 4,096, which is what Linux allows at most unless told otherwise: a burst of connections waits, and is not refused.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart does not wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What else needs file descriptors: the store, connections to Kafka and AWS.
const OTHER_FILES: u64 = 1024;

/// So many of `wanted` connections as the process may have files for, after it has asked for all that it may have.
fn affordable(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let needed = wanted as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(limit) = current.filter(|current| *current < needed) else { return wanted };
    let raised = maximum.map_or(needed, |maximum| needed.min(maximum));
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => limit,
    };
    let affordable = limit.saturating_sub(OTHER_FILES).max(limit / 2);
    let affordable = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(1, wanted);
    if affordable < wanted {
        tracing::warn!(
            wanted,
            affordable,
            "fewer connections than wanted: the process may not open more files (ulimit -n)"
        );
    }
    affordable
}

#[cfg(test)]
mod tests;
