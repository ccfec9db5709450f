use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::front::{Closing, Front};
use super::tls::Tls;
use super::watched::{Activity, Answering, Patience, Phase, Watched};

/// 64 KiB: request line and headers together. What Connect's server takes is 8 KiB; tokens may be larger.
const HEAD_BYTES: usize = 64 << 10;

/// All that accepting needs.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) front: Arc<Front>,
    pub(super) tls: Option<Tls>,
    pub(super) max_connections: usize,
    pub(super) patience: Patience,
    pub(super) close_patience: Duration,
}

/// Who is connected.
#[derive(Debug, Default)]
struct Connections(Mutex<HashMap<u64, Arc<Activity>>>);

impl Connections {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<u64, Arc<Activity>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the connection that has been idle for longest to end.
    fn evict(&self) {
        self.with(|all| {
            let oldest = all.values().filter_map(|one| Some((one.idle_since()?, one))).min_by_key(|(since, _)| *since);
            if let Some((_, oldest)) = oldest {
                oldest.evict();
            }
        });
    }
}

/// One place among the connections; given back when dropped.
struct Place {
    id: u64,
    connections: Arc<Connections>,
    activity: Arc<Activity>,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.with(|all| all.remove(&self.id));
    }
}

impl Accepting {
    /// Accepts until `closing`, then waits for what is being answered.
    pub(super) async fn run(self, listener: TcpListener, mut closing: Closing) {
        let this = Arc::new(self);
        let slots = Arc::new(Semaphore::new(this.max_connections));
        let connections = Arc::<Connections>::default();
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        let mut next = 0;
        loop {
            while tasks.try_join_next().is_some() {}
            let place = async {
                let (stream, peer) = accept(&listener).await;
                // One more than there may be waits here for a place; others wait in the kernel's queue.
                let slot = loop {
                    if let Ok(slot) = timeout(Duration::from_millis(20), Arc::clone(&slots).acquire_owned()).await {
                        break slot.expect("the semaphore is never closed");
                    }
                    connections.evict();
                };
                (stream, peer, slot)
            };
            let (stream, peer, slot) = tokio::select! {
                biased;
                () = closing.wait() => break,
                place = place => place,
            };
            next += 1;
            let activity = Arc::new(Activity::new(start));
            connections.with(|all| all.insert(next, Arc::clone(&activity)));
            let place = Place { id: next, connections: Arc::clone(&connections), activity, _slot: slot };
            tasks.spawn(Arc::clone(&this).connection(stream, peer, place, closing.clone()));
        }
        drop(listener);
        let finished = async { while tasks.join_next().await.is_some() {} };
        if timeout(this.close_patience, finished).await.is_err() {
            tracing::warn!(
                connections = tasks.len(),
                "requests were still being answered when the time to stop was over"
            );
        }
        // What is left is cut with the set.
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place, closing: Closing) {
        // An answer is written in one go: waiting for more of it only delays it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "a connection ended early");
            return;
        }
        if !self.first_byte(&stream, &place.activity, closing.clone()).await {
            return;
        }
        // In boxes: what they need, TLS most of all, is no part of a connection that has sent nothing.
        match &self.tls {
            None => Box::pin(self.serve(stream, peer, &place, closing)).await,
            Some(tls) => Box::pin(self.serve_tls(tls, stream, peer, &place, closing)).await,
        }
    }

    async fn serve_tls(&self, tls: &Tls, stream: TcpStream, peer: SocketAddr, place: &Place, closing: Closing) {
        match timeout(self.patience.head, Box::pin(tls.acceptor().accept(stream))).await {
            Ok(Ok(stream)) => {
                place.activity.enter(Phase::Idle);
                Box::pin(self.serve(stream, peer, place, closing)).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, %peer, "TLS was not agreed on"),
            Err(_) => tracing::debug!(%peer, "TLS was not agreed on in time"),
        }
    }

    /// Waits until there is something to read. A connection that never sends costs a socket and this task: buffers come
    /// with the first byte.
    async fn first_byte(&self, stream: &TcpStream, activity: &Activity, mut closing: Closing) -> bool {
        let deadline = activity.deadline(self.patience).expect("a new connection is idle");
        let mut byte = [0];
        loop {
            tokio::select! {
                // Not `readable`, which is only a hint, and hints so of every new connection.
                peeked = stream.peek(&mut byte) => return peeked.is_ok_and(|count| count > 0),
                () = sleep_until(deadline) => return false,
                () = closing.wait() => return false,
                () = activity.changed() => if activity.is_evicted() {
                    return false;
                }
            }
        }
    }

    async fn serve<S>(&self, stream: S, peer: SocketAddr, place: &Place, mut closing: Closing)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = &place.activity;
        let service = {
            let (front, activity, closing) = (Arc::clone(&self.front), Arc::clone(activity), closing.clone());
            service_fn(move |request: Request<Incoming>| {
                activity.enter(Phase::Busy);
                let (front, activity, closing) = (Arc::clone(&front), Arc::clone(&activity), closing.clone());
                async move {
                    let answer = front.answer(request, peer, closing).await;
                    Ok::<Response<Answering>, Infallible>(answer.map(|body| Answering::new(body, activity)))
                }
            })
        };
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(activity)));
        let mut connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            // Ours counts idle time and a head's time apart.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(stream, service);
        let mut draining = false;
        loop {
            let deadline = activity.deadline(self.patience);
            let overdue = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, %peer, "a connection ended early");
                    }
                    return;
                }
                () = activity.changed() => if activity.is_evicted() {
                    return;
                },
                () = closing.wait(), if !draining => {
                    draining = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = overdue => {
                    // What was waited for may have come in this very moment.
                    if activity.deadline(self.patience).is_none_or(|deadline| deadline > Instant::now()) {
                        continue;
                    }
                    if activity.phase() == Phase::Head {
                        let mut stream = connection.into_parts().io.into_inner();
                        let answer = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        // The client is slow: whether it reads this is its own affair.
                        drop(timeout(Duration::from_secs(1), stream.write_all(answer)).await);
                    }
                    return;
                }
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // Out of file descriptors, as a rule: to try again at once would only burn the processor.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
