use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::gate;
use super::server::Shared;

/// Connections at a time; more wait in the listener's own queue. Far above what one client opens.
const MAX_CONNECTIONS: usize = 1024;

/// How long a client may go on sending after its last answer. It needs no longer than it takes to see the end.
const MAX_LINGER: Duration = Duration::from_secs(5);

/// How much it may send in that time: as much as a refused body may have.
const MAX_LINGER_BYTES: u64 = 256 << 20;

/// One of the addresses that it listens at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Every service, as the regions have them.
    Regions,
    /// The global endpoint of STS, `sts.amazonaws.com`.
    GlobalSts,
}

/// Ends a connection without an answer.
#[derive(Debug)]
pub(super) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reset on purpose")
    }
}

impl std::error::Error for Reset {}

/// Serves connections until `stopped` says so, then drops them all.
pub(super) async fn accept(listener: TcpListener, door: Door, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => break,
            Some(_) = connections.join_next() => {}
            (slot, accepted) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let shared = shared.clone();
                    connections.spawn(async move {
                        serve(stream, peer, door, shared).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: it passes when a connection ends.
                    tracing::warn!(%error, "embedded aws cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, peer: SocketAddr, door: Door, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set nodelay");
    }
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Resettable { stream, reset: reset.clone() });
    let service = service_fn(move |request| {
        let (shared, reset) = (shared.clone(), reset.clone());
        async move {
            let answer: Result<Response<_>, Reset> = gate::handle(&shared, peer, door, request).await;
            answer.inspect_err(|_| reset.store(true, Ordering::Relaxed))
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    // The fault plane sets the date header itself, so that a skewed clock shows.
    http.auto_date_header(false);
    match http.serve_connection(io, service).without_shutdown().await {
        Ok(parts) => linger(parts.io.into_inner(), peer).await,
        Err(error) => tracing::debug!(%error, %peer, "connection ended"),
    }
}

/// Says that there is no more to come, and takes in what the client is still sending. To close over bytes that were not
/// read makes the kernel send a reset, which overtakes the answer: a client that no longer waits for `100 Continue` and
/// sends its body to a refused `PutObject` would see its connection break, and never why.
async fn linger(mut stream: Resettable, peer: SocketAddr) {
    let until_end = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(MAX_LINGER_BYTES), &mut tokio::io::sink()).await
    };
    match tokio::time::timeout(MAX_LINGER, until_end).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, %peer, "connection ended"),
        Err(_) => tracing::debug!(%peer, "the client does not close its connection"),
    }
}

/// A stream that can be torn: with the flag set, dropping it sends a reset instead of a proper end.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "cannot reset a connection");
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
