use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing was sent of a next request.
    Idle,
    /// A request's head has begun.
    Head,
    /// A request is being answered.
    Busy,
}

/// How long a connection may be in each phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) head: Duration,
    /// How long a client may take nothing of its answer.
    pub(super) write: Duration,
}

/// What one connection is doing since when: written by the connection, read by whoever needs its place.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    phase: AtomicU8,
    /// Milliseconds after `start`.
    since: AtomicU64,
    /// Milliseconds after `start`, plus one; 0: the client takes what it is sent.
    stalled: AtomicU64,
    evicted: AtomicBool,
    changed: Notify,
}

impl Activity {
    pub(super) fn new(start: Instant) -> Self {
        let activity = Self {
            start,
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            evicted: AtomicBool::new(false),
            changed: Notify::new(),
        };
        activity.since.store(activity.now(), Relaxed);
        activity
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.since.store(self.now(), Relaxed);
        self.phase.store(phase as u8, Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Busy,
        }
    }

    /// Since when it has been idle, in milliseconds that compare with those of others.
    pub(super) fn idle_since(&self) -> Option<u64> {
        (self.phase() == Phase::Idle && !self.evicted.load(Relaxed)).then(|| self.since.load(Relaxed))
    }

    /// Asks an idle connection for its place.
    pub(super) fn evict(&self) {
        self.evicted.store(true, Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.load(Relaxed) && self.phase() == Phase::Idle
    }

    /// Waits until what [`Activity::deadline`] said may be different.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When the patience with it ends; `None` while nothing is waited for but ourselves.
    pub(super) fn deadline(&self, patience: Patience) -> Option<Instant> {
        let at = |since: u64, patience: Duration| self.start + Duration::from_millis(since) + patience;
        if let Some(stalled) = self.stalled.load(Relaxed).checked_sub(1) {
            return Some(at(stalled, patience.write));
        }
        let since = self.since.load(Relaxed);
        match self.phase() {
            Phase::Idle => Some(at(since, patience.idle)),
            Phase::Head => Some(at(since, patience.head)),
            Phase::Busy => None,
        }
    }

    fn stalls(&self, stalls: bool) {
        if stalls != (self.stalled.load(Relaxed) != 0) {
            self.stalled.store(if stalls { self.now() + 1 } else { 0 }, Relaxed);
            self.changed.notify_one();
        }
    }
}

/// A stream that notes when a request begins and when its client stops taking bytes.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: std::sync::Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: std::sync::Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before && self.activity.phase() == Phase::Idle {
            self.activity.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn noted<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.activity.stalls(polled.is_pending());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.noted(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.noted(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.noted(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// An answer's body: when it is gone, the connection is idle again.
pub(super) struct Answering {
    body: Body,
    activity: std::sync::Arc<Activity>,
}

impl Answering {
    pub(super) fn new(body: Body, activity: std::sync::Arc<Activity>) -> Self {
        Self { body, activity }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity.enter(Phase::Idle);
    }
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
