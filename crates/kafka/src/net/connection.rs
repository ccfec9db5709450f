use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::guard::Guarded;
use super::versions::{Versions, begins_with_throttle, ours};
use super::wire::{ReadError, read_frame, write_frames};
use super::{Error, handshake};
use crate::config::ClientConfig;

/// A broker that throttles says for how long. Kafka's own bound is its quota window, 11 s by default; what is far above
/// that is a mistake that must not freeze us.
const LONGEST_THROTTLE: Duration = Duration::from_mins(1);

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

/// What the connection's tasks and its callers share.
pub(super) struct Shared {
    address: Arc<str>,
    settings: Settings,
    client_id: StrBytes,
    versions: OnceLock<Versions>,
    frames: mpsc::Sender<Bytes>,
    permits: Arc<Semaphore>,
    /// Held for writing while the connection authenticates again: the broker takes nothing else meanwhile.
    gate: RwLock<()>,
    state: Mutex<State>,
}

struct State {
    waiting: VecDeque<Waiting>,
    next_correlation: i32,
    answered: bool,
    muted_until: Option<Instant>,
    last_used: Instant,
    ended: Option<Error>,
}

/// A request whose answer has not come.
struct Waiting {
    correlation: i32,
    api: i16,
    version: i16,
    header_version: i16,
    reply: oneshot::Sender<Result<Bytes, Error>>,
    /// Given back when the answer has come, even if nobody waits for it any more.
    _permit: Option<OwnedSemaphorePermit>,
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
        // One frame a permit, and one for the handshake, so sending into this queue never waits.
        let (frames, queue) = mpsc::channel(settings.max_in_flight.max(1) + 1);
        let shared = Arc::new(Shared {
            client_id: StrBytes::from_string(settings.client_id.to_string()),
            permits: Arc::new(Semaphore::new(settings.max_in_flight.max(1))),
            address,
            settings,
            versions: OnceLock::new(),
            frames,
            gate: RwLock::new(()),
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                next_correlation: 0,
                answered: false,
                muted_until: None,
                last_used: Instant::now(),
                ended: None,
            }),
        });
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
        &self.shared.address
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
        self.shared.state().ended.clone()
    }

    /// How long ago a request was last sent, with nothing in flight now.
    pub fn idle(&self) -> Duration {
        let state = self.shared.state();
        if state.waiting.is_empty() { state.last_used.elapsed() } else { Duration::ZERO }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.end(Error::Closed { address: self.shared.address.clone() });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn address(&self) -> &Arc<str> {
        &self.address
    }

    pub(super) fn settle_versions(&self, versions: Versions) {
        // Negotiated once a connection; a second set cannot come.
        self.versions.set(versions).ok();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    pub(super) fn version<R: Request>(&self, max: Option<i16>) -> Result<i16, Error> {
        let versions = self.versions.get();
        versions.and_then(|versions| versions.pick::<R>(max)).ok_or_else(|| {
            let ours = ours::<R>(max);
            let theirs = versions.and_then(|versions| versions.theirs(R::KEY));
            Error::NoCommonVersion {
                address: self.address.clone(),
                api: R::KEY,
                ours: format!("{}..={}", ours.min, ours.max).into(),
                theirs: theirs.map_or("none".into(), |theirs| format!("{}..={}", theirs.min, theirs.max).into()),
            }
        })
    }

    pub(super) fn decode<R: Request>(&self, body: Bytes, version: i16) -> Result<R::Response, Error> {
        // The SASL handshake never got the flexible encoding; its one 32-bit field is a length.
        let mut body =
            if R::KEY == ApiKey::SaslHandshake as i16 { Guarded::with_plain_lengths(body) } else { Guarded::new(body) };
        R::Response::decode(&mut body, version).map_err(|error| Error::Malformed {
            address: self.address.clone(),
            api: R::KEY,
            version,
            reason: format!("{error:#}").into(),
        })
    }

    /// Keeps every other request out while the guard lives, and waits for none that is in flight: answers come in order.
    pub(super) async fn close_gate(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    async fn gated<R: Request>(&self, request: &R, version: i16, timeout: Option<Duration>) -> Result<Bytes, Error> {
        let permit = self.permit().await?;
        loop {
            let gate = self.gate.read().await;
            let muted = self.state().muted_until.filter(|until| *until > Instant::now());
            match muted {
                None => {
                    let answer = self.send(request, version, Some(permit))?;
                    drop(gate);
                    return self.answer(R::KEY, answer, timeout).await;
                }
                Some(until) => {
                    drop(gate);
                    tokio::time::sleep_until(until).await;
                }
            }
        }
    }

    /// Asks whatever the gate says. For the handshake, one request at a time; without a permit, for all of them may be
    /// held by calls that wait at the gate.
    pub(super) async fn ungated<R: Request>(&self, request: &R, version: i16) -> Result<Bytes, Error> {
        let answer = self.send(request, version, None)?;
        self.answer(R::KEY, answer, None).await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.permits.clone().acquire_owned().await.map_err(|_| self.why_ended())
    }

    fn why_ended(&self) -> Error {
        self.state().ended.clone().unwrap_or_else(|| Error::Closed { address: self.address.clone() })
    }

    fn send<R: Request>(
        &self,
        request: &R,
        version: i16,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<oneshot::Receiver<Result<Bytes, Error>>, Error> {
        let mut frame = self.encode(request, version)?;
        let (reply, answer) = oneshot::channel();
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        let correlation = state.next_correlation;
        state.next_correlation = correlation.wrapping_add(1);
        state.last_used = Instant::now();
        frame[8..12].copy_from_slice(&correlation.to_be_bytes());
        state.waiting.push_back(Waiting {
            correlation,
            api: R::KEY,
            version,
            header_version: R::Response::header_version(version),
            reply,
            _permit: permit,
        });
        // Under the lock, so that frames leave in the order in which answers are expected. There is room: see `start`.
        if self.frames.try_send(frame.freeze()).is_err() {
            drop(state);
            self.end(self.disconnected(None));
        }
        Ok(answer)
    }

    /// A frame with its length and correlation id 0.
    fn encode<R: Request>(&self, request: &R, version: i16) -> Result<BytesMut, Error> {
        let refuse =
            |error: &dyn fmt::Display| Error::Encode { api: R::KEY, version, reason: format!("{error:#}").into() };
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(self.client_id.clone()));
        let header_version = R::header_version(version);
        let size = header.compute_size(header_version).map_err(|error| refuse(&error))?
            + request.compute_size(version).map_err(|error| refuse(&error))?;
        let mut frame = BytesMut::with_capacity(4 + size);
        frame.put_u32(0);
        header.encode(&mut frame, header_version).map_err(|error| refuse(&error))?;
        request.encode(&mut frame, version).map_err(|error| refuse(&error))?;
        let length = i32::try_from(frame.len() - 4).map_err(|error| refuse(&error))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame)
    }

    async fn answer(
        &self,
        api: i16,
        answer: oneshot::Receiver<Result<Bytes, Error>>,
        timeout: Option<Duration>,
    ) -> Result<Bytes, Error> {
        let after = timeout.unwrap_or(self.settings.request_timeout);
        match tokio::time::timeout(after, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.why_ended()),
            Err(_) => {
                let error = Error::TimedOut { address: self.address.clone(), api, after };
                self.end(error.clone());
                Err(error)
            }
        }
    }

    async fn read<S: AsyncRead + Unpin>(&self, mut stream: BufReader<S>) {
        let error = loop {
            let frame = match read_frame(&mut stream, self.settings.max_response).await {
                Ok(frame) => frame,
                Err(ReadError::Ended) => break self.disconnected(None),
                Err(ReadError::Io(error)) => break self.disconnected(Some(error)),
                Err(ReadError::TooLarge(size)) => {
                    let limit = self.settings.max_response;
                    break Error::TooLarge { address: self.address.clone(), size, limit };
                }
            };
            if let Err(error) = self.receive(frame) {
                break error;
            }
        };
        self.end(error);
    }

    fn receive(&self, mut frame: Bytes) -> Result<(), Error> {
        let mut state = self.state();
        let waiting = state.waiting.pop_front();
        let got = frame.clone().try_get_i32().unwrap_or(-1);
        let Some(waiting) = waiting.filter(|waiting| waiting.correlation == got) else {
            let expected = state.next_correlation.wrapping_sub(state.waiting.len() as i32 + 1);
            return Err(Error::OutOfStep { address: self.address.clone(), expected, got });
        };
        // A broker that wants SASL still tells its versions, and hangs up on what comes next.
        state.answered |= waiting.api != ApiKey::ApiVersions as i16;
        drop(state);
        let Waiting { api, version, header_version, reply, .. } = waiting;
        if let Err(error) = ResponseHeader::decode(&mut frame, header_version) {
            let reason = format!("{error:#}").into();
            return Err(Error::Malformed { address: self.address.clone(), api, version, reason });
        }
        if begins_with_throttle(api, version) {
            let millis = frame.clone().try_get_i32().unwrap_or(0);
            self.throttle(Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
        }
        // The caller may have gone; the answer is thrown away then.
        reply.send(Ok(frame)).ok();
        Ok(())
    }

    fn throttle(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        let until = Instant::now() + time.min(LONGEST_THROTTLE);
        let mut state = self.state();
        state.muted_until = state.muted_until.max(Some(until));
    }

    fn disconnected(&self, source: Option<std::io::Error>) -> Error {
        let address = self.address.clone();
        let state = self.state();
        if source.is_none() && !state.answered && !state.waiting.is_empty() {
            return Error::HungUp { address };
        }
        Error::Disconnected { address, source: source.map(Arc::new) }
    }

    /// Ends the connection for everyone, with the first reason given.
    pub(super) fn end(&self, error: Error) {
        let mut state = self.state();
        let error = state.ended.get_or_insert(error).clone();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.permits.close();
        for waiting in waiting {
            waiting.reply.send(Err(error.clone())).ok();
        }
    }
}
