use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncRead, BufReader};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::guard::Guarded;
use super::versions::{Versions, begins_with_throttle, ours};
use super::wire::{ReadError, read_frame};
use super::{Error, Settings};

/// A broker that throttles says for how long. Kafka's own bound is its quota window, 11 s by default; what is far above
/// that is a mistake that must not freeze us.
const LONGEST_THROTTLE: Duration = Duration::from_mins(1);

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

impl Shared {
    /// Nothing sent yet, and the queue of frames that its writer is to empty.
    pub(super) fn new(address: Arc<str>, settings: Settings) -> (Self, mpsc::Receiver<Bytes>) {
        let most = settings.max_in_flight.max(1);
        // One frame a permit, and one for the handshake, so sending into this queue never waits.
        let (frames, queue) = mpsc::channel(most + 1);
        let shared = Self {
            client_id: StrBytes::from_string(settings.client_id.to_string()),
            permits: Arc::new(Semaphore::new(most)),
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
        };
        (shared, queue)
    }

    pub(super) fn address(&self) -> &Arc<str> {
        &self.address
    }

    pub(super) fn settle_versions(&self, versions: Versions) {
        // Negotiated once a connection; a second set cannot come.
        self.versions.set(versions).ok();
    }

    pub(super) fn ended(&self) -> Option<Error> {
        self.state().ended.clone()
    }

    pub(super) fn idle(&self) -> Duration {
        let state = self.state();
        if state.waiting.is_empty() { state.last_used.elapsed() } else { Duration::ZERO }
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

    pub(super) async fn gated<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Option<Duration>,
    ) -> Result<Bytes, Error> {
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
        self.ended().unwrap_or_else(|| Error::Closed { address: self.address.clone() })
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
        // Under the lock, so that frames leave in the order in which answers are expected. There is room: see `new`.
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

    pub(super) async fn read<S: AsyncRead + Unpin>(&self, mut stream: BufReader<S>) {
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

    pub(super) fn throttle(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        let until = Instant::now() + time.min(LONGEST_THROTTLE);
        let mut state = self.state();
        state.muted_until = state.muted_until.max(Some(until));
    }

    pub(super) fn disconnected(&self, source: Option<std::io::Error>) -> Error {
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
