use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use fault::{Chain, Diagnose as _};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::{AwsClock, Error, FetchSession, SessionStats, Signer};

/// Life that is kept free: a session with less than this counts as over, so that no request is signed with one that ends
/// while the request is under way. 60 s: a part of 8 MiB still fits at 1.2 Mbit/s.
pub(crate) const HARD_STOP: Duration = Duration::from_mins(1);

/// The share of its life after which a session is renewed, drawn evenly from this range for each one so that a thousand
/// processes started together do not ask STS together. A third to a fifth of life remains to sit out an outage of STS:
/// 12 minutes or more of an hour.
const REFRESH_AT: std::ops::Range<f64> = 0.70..0.80;

/// How often keys that carry no end are asked for again: they may have been replaced where they came from. The AWS SDKs
/// use the same 15 minutes.
const RECHECK_KEYS: Duration = Duration::from_mins(15);

/// How long one exchange may take; the metadata clients retry for up to 30 s inside.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(45);

/// The first and the longest pause between exchanges that fail.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a session must have lived for its end to be taken for its own; before, it may be that none is ever accepted
/// (STS and the service are of two AWSs, or the region is one to opt in to).
const ACCEPTED_FOR: Duration = Duration::from_mins(1);

/// How many sessions may be dropped young, one after the other, before there is a pause before the next exchange.
const DROPPED_YOUNG: u32 = 3;

/// Holds the one live session of a request, in memory only, and fetches the next one.
///
/// - Single flight: however many callers wait, one exchange is under way.
/// - Refreshed ahead of its end, in the background, on the first call after 70 to 80 % of its life; while that fails the
///   live session is served on.
/// - The end is as AWS returned it; [`HARD_STOP`] before it the session is served no more.
/// - Dropped, it is served no more; after [`DROPPED_YOUNG`] that AWS has not accepted, exchanges are paused between as
///   after failures.
/// - A failure is told to all who waited, and to those who ask before its pause is over, without a further exchange.
///
/// Cloning shares it. Secrets are wiped when the last holder of a session drops it.
///
/// # Threading
///
/// An exchange runs in a task of its own, so a caller that goes away ends nobody's exchange. The lock is never held
/// across an await.
#[derive(Clone)]
pub struct SessionCache(Arc<Inner>);

struct Inner {
    fetch: Box<dyn FetchSession>,
    clock: AwsClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    flight: Option<Flight>,
    failed: Option<Failed>,
    renewals: u64,
    failures: u64,
    drops: u64,
    /// Sessions in a row that were dropped young.
    dropped_young: u32,
}

struct Live {
    signer: Signer,
    fetched_at: Instant,
    refresh_at: SystemTime,
}

struct Failed {
    error: Error,
    in_a_row: u32,
    next_try: Instant,
}

type Flight = Shared<BoxFuture<'static, Result<Signer, Error>>>;

impl SessionCache {
    /// A cache over `fetch`, empty at first.
    pub fn new(fetch: Box<dyn FetchSession>, clock: AwsClock) -> Self {
        Self(Arc::new(Inner { fetch, clock, state: Mutex::default() }))
    }

    /// The live session; if there is none, the answer of the one exchange. Cancel safe.
    pub async fn session(&self) -> Result<Signer, Error> {
        let flight = {
            let mut state = self.0.lock();
            let now = self.0.clock.now();
            let may_fetch = state.failed.as_ref().is_none_or(|failed| Instant::now() >= failed.next_try);
            if let Some(live) = state.live.as_ref().filter(|live| live.serves_at(now)) {
                let signer = live.signer.clone();
                if now >= live.refresh_at && state.flight.is_none() && may_fetch {
                    state.flight = Some(self.launch());
                }
                return Ok(signer);
            }
            match (&state.flight, &state.failed) {
                (Some(flight), _) => flight.clone(),
                (None, Some(failed)) if !may_fetch => return Err(failed.error.clone()),
                (None, _) => state.flight.insert(self.launch()).clone(),
            }
        };
        flight.await
    }

    /// Forgets `signer`, which AWS did not accept, unless another one has taken its place already.
    pub fn drop_session(&self, signer: &Signer) {
        let mut state = self.0.lock();
        if let Some(live) = state.live.take_if(|live| live.signer.is_same(signer)) {
            state.drops += 1;
            let is_young = live.fetched_at.elapsed() < ACCEPTED_FOR;
            state.dropped_young = if is_young { state.dropped_young.saturating_add(1) } else { 0 };
            if let Some(in_a_row @ 1..) = state.dropped_young.checked_sub(DROPPED_YOUNG) {
                let error = Error::NeverAccepted { target: self.target() };
                state.failed = Some(Failed { error, in_a_row, next_try: next_try(in_a_row) });
            }
            drop(state);
            tracing::info!(target = %self.target(), key = %signer.access_key_id(), "session dropped: AWS did not accept it");
        }
    }

    /// What its sessions are for.
    pub fn target(&self) -> String {
        self.0.fetch.target()
    }

    /// What it has to say about itself.
    pub fn stats(&self) -> SessionStats {
        let state = self.0.lock();
        let now = self.0.clock.now();
        let live = state.live.as_ref().filter(|live| live.serves_at(now));
        SessionStats {
            target: self.0.fetch.target(),
            age: live.map(|live| live.fetched_at.elapsed()),
            left: live.and_then(|live| live.signer.expires_at()).map(|end| end.duration_since(now).unwrap_or_default()),
            renewals: state.renewals,
            failures: state.failures,
            drops: state.drops,
        }
    }

    pub(crate) fn downgrade(&self) -> WeakCache {
        WeakCache(Arc::downgrade(&self.0))
    }

    fn launch(&self) -> Flight {
        let (tell, told) = oneshot::channel();
        let inner = Arc::clone(&self.0);
        // Not awaited: its result comes through the channel, and it ends by itself within EXCHANGE_LIMIT.
        drop(tokio::spawn(async move {
            let mut landing = Landing { inner: &inner, landed: false };
            let fetched = tokio::time::timeout(EXCHANGE_LIMIT, inner.fetch.fetch_session()).await;
            let result = match fetched {
                Ok(answer) => answer.and_then(|signer| inner.accept(signer)),
                Err(_) => Err(Error::TimedOut { target: inner.fetch.target(), after: EXCHANGE_LIMIT }),
            };
            landing.landed = true;
            inner.settle(&result);
            // Nobody may be waiting any more, which is fine: the state has it.
            drop(tell.send(result));
        }));
        let target = self.0.fetch.target();
        told.map(move |result| result.unwrap_or(Err(Error::Abandoned { target }))).boxed().shared()
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionCache").field(&self.stats()).finish()
    }
}

/// A cache that is not kept alive by this.
#[derive(Debug)]
pub(crate) struct WeakCache(Weak<Inner>);

impl WeakCache {
    pub(crate) fn upgrade(&self) -> Option<SessionCache> {
        self.0.upgrade().map(SessionCache)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fetch.fmt(f)
    }
}

impl Live {
    fn serves_at(&self, now: SystemTime) -> bool {
        self.signer.expires_at().is_none_or(|end| end.duration_since(now).is_ok_and(|left| left > HARD_STOP))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a session that could not be served anyway, so that nobody loops over it.
    fn accept(&self, signer: Signer) -> Result<Signer, Error> {
        let Some(end) = signer.expires_at() else { return Ok(signer) };
        let left = end.duration_since(self.clock.now()).unwrap_or_default();
        if left > HARD_STOP {
            Ok(signer)
        } else {
            Err(Error::TooShort { target: self.fetch.target(), left, floor: HARD_STOP })
        }
    }

    fn settle(&self, result: &Result<Signer, Error>) {
        let mut state = self.lock();
        state.flight = None;
        match result {
            Ok(signer) => {
                state.renewals += 1;
                let recovered = state.failed.take().is_some();
                if state.live.as_ref().is_some_and(|live| live.fetched_at.elapsed() >= ACCEPTED_FOR) {
                    state.dropped_young = 0;
                }
                let now = self.clock.now();
                let refresh_in = match signer.expires_at() {
                    Some(end) => end.duration_since(now).unwrap_or_default().mul_f64(rand::random_range(REFRESH_AT)),
                    None => RECHECK_KEYS,
                };
                let live = Live { signer: signer.clone(), fetched_at: Instant::now(), refresh_at: now + refresh_in };
                state.live = Some(live);
                drop(state);
                tracing::info!(
                    target = %self.fetch.target(),
                    key = %signer.access_key_id(),
                    refresh_in_seconds = refresh_in.as_secs(),
                    recovered,
                    "session fetched"
                );
            }
            Err(error) => {
                state.failures += 1;
                let in_a_row = state.failed.as_ref().map_or(1, |failed| failed.in_a_row.saturating_add(1));
                state.failed = Some(Failed { error: error.clone(), in_a_row, next_try: next_try(in_a_row) });
                let served = state.live.as_ref().is_some_and(|live| live.serves_at(self.clock.now()));
                drop(state);
                // Once per change of state; the failures counter has the rest. An exchange that ends because its owner
                // does has not failed.
                if in_a_row == 1 && !matches!(error, Error::Abandoned { .. }) {
                    tracing::warn!(
                        target = %self.fetch.target(),
                        code = error.code(),
                        live_session_serves_on = served,
                        error = %Chain(error),
                        "no new session"
                    );
                }
            }
        }
    }
}

/// When there may be another exchange after `in_a_row` that came to nothing.
fn next_try(in_a_row: u32) -> Instant {
    let pause = PAUSE.0.saturating_mul(1 << in_a_row.saturating_sub(1).min(10)).min(PAUSE.1);
    // From half to the whole of it: never at once, never all together.
    Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0))
}

/// Settles an exchange whose task ends without a result, so that a panic does not leave a flight that never lands.
struct Landing<'a> {
    inner: &'a Inner,
    landed: bool,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.inner.settle(&Err(Error::Abandoned { target: self.inner.fetch.target() }));
        }
    }
}

#[cfg(test)]
mod tests;
