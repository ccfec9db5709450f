use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::Request;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::task::JoinHandle;

use super::shared::Shared;
use super::wire::write_frames;
use super::{Error, handshake};
use crate::config::ClientConfig;

/// How one connection behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name that the broker's logs, quotas and metrics know us by.
    pub client_id: Arc<str>,
    /// Patience with one answer, from when the request is written.
    pub request_timeout: Duration,
    /// Requests sent and not answered. A broker works on one request of a connection at a time, so more than a few only
    /// fill the socket.
    pub max_in_flight: usize,
    /// The largest response accepted, in bytes.
    pub max_response: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_id: "tidegate".into(),
            request_timeout: Duration::from_secs(30),
            // Kafka keeps the order of an idempotent producer for up to five (KIP-185).
            max_in_flight: 5,
            // As librdkafka's receive.message.max.bytes: above fetch.max.bytes (50 MiB) and one record batch that
            // exceeds it.
            max_response: 100_000_000,
        }
    }
}

/// What one call may ask beyond its request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The highest version to speak; the highest common one if `None`.
    pub max_version: Option<i16>,
    /// Patience with this answer, in place of [`Settings::request_timeout`]. For calls that the broker holds back by
    /// design, such as JoinGroup.
    pub timeout: Option<Duration>,
}

/// A response that nobody has decoded.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The version in which it was asked and answered.
    pub version: i16,
    /// Everything behind the response header.
    pub body: Bytes,
}

/// One connection to one broker.
///
/// Calls run side by side up to [`Settings::max_in_flight`]; the broker answers in order. A call that is dropped leaves
/// the connection usable: its answer is read and thrown away. A call that times out ends the connection, for everything
/// behind it would wait as well. Dropping the connection closes it.
pub struct Connection {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Connection {
    /// Connects to `address` (`host:port`), as `config` says: TCP, TLS, version negotiation, SASL; all of it within
    /// `patience`.
    pub async fn open(config: &ClientConfig, address: impl Into<Arc<str>>, patience: Duration) -> Result<Self, Error> {
        handshake::open(config, address.into(), patience).await
    }

    /// Speaks Kafka over a stream that is there already, and negotiates versions on it. No authentication.
    pub async fn over<S>(stream: S, address: impl Into<Arc<str>>, settings: Settings) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let connection = Self::start(stream, address.into(), settings);
        handshake::negotiate(&connection.shared).await?;
        Ok(connection)
    }

    /// Starts the two tasks. Nothing is sent yet.
    pub(super) fn start<S>(stream: S, address: Arc<str>, settings: Settings) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (incoming, outgoing) = tokio::io::split(stream);
        let (shared, queue) = Shared::new(address, settings);
        let shared = Arc::new(shared);
        let writer = tokio::spawn({
            let shared = shared.clone();
            async move {
                if let Err(error) = write_frames(outgoing, queue).await {
                    shared.end(shared.disconnected(Some(error)));
                }
            }
        });
        let reader = tokio::spawn({
            let shared = shared.clone();
            async move { shared.read(BufReader::with_capacity(16 << 10, incoming)).await }
        });
        Self { shared, tasks: vec![writer, reader] }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Lets a task live as long as the connection.
    pub(super) fn own(&mut self, task: JoinHandle<()>) {
        self.tasks.push(task);
    }

    /// `host:port` of the broker.
    pub fn address(&self) -> &Arc<str> {
        self.shared.address()
    }

    /// Asks and waits for the answer, in the highest version that both sides have.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, Error> {
        self.call_with(request, Options::default()).await
    }

    /// Like [`Connection::call`], with a highest version or a patience of its own.
    pub async fn call_with<R: Request>(&self, request: &R, options: Options) -> Result<R::Response, Error> {
        let version = self.version::<R>(options.max_version)?;
        let body = self.shared.gated(request, version, options.timeout).await?;
        self.shared.decode::<R>(body, version)
    }

    /// Like [`Connection::call_with`], but leaves the answer undecoded, so that records in it need not be copied.
    pub async fn call_raw<R: Request>(&self, request: &R, options: Options) -> Result<RawResponse, Error> {
        let version = self.version::<R>(options.max_version)?;
        let body = self.shared.gated(request, version, options.timeout).await?;
        Ok(RawResponse { version, body })
    }

    /// Decodes what [`Connection::call_raw`] answered. Byte fields stay slices of the response's buffer.
    pub fn decode<R: Request>(&self, raw: RawResponse) -> Result<R::Response, Error> {
        self.shared.decode::<R>(raw.body, raw.version)
    }

    /// The version in which a call of `R` would be made, for requests that look different by version.
    pub fn version<R: Request>(&self, max_version: Option<i16>) -> Result<i16, Error> {
        self.shared.version::<R>(max_version)
    }

    /// Whether the broker has this API in a version that we speak.
    pub fn supports<R: Request>(&self) -> bool {
        self.version::<R>(None).is_ok()
    }

    /// Sends nothing for this long, because the broker asks for it (KIP-219). Calls see to this by themselves where the
    /// answer begins with its throttle time, that is, everywhere but in Produce.
    pub fn throttle(&self, time: Duration) {
        self.shared.throttle(time);
    }

    /// Why it ended; `None` while it is usable.
    pub fn ended(&self) -> Option<Error> {
        self.shared.ended()
    }

    /// How long ago a request was last sent, with nothing in flight now.
    pub fn idle(&self) -> Duration {
        self.shared.idle()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.end(Error::Closed { address: self.shared.address().clone() });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", self.shared.address()).finish_non_exhaustive()
    }
}
