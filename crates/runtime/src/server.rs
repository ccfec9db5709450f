use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use fault::{Blame, Code, Diagnose, Retry};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::metrics::Metrics;

/// Answers `/metrics`, `/healthz` and `/readyz`. Ends when dropped.
///
/// Healthy means that the process lives; ready, that every connector has been opened and none has failed.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// Scrapers and probes need a few; more are made to wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// A client that does not finish its request line and headers is not a scraper.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The address for metrics cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("could not listen for metrics on {address}")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

impl Diagnose for ListenError {
    fn code(&self) -> Code {
        "metrics.listen"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some("give a free address with --metrics-addr, or port 0 for any".into())
    }
}

impl Server {
    /// Listens on `address`; port 0 takes any.
    pub async fn start(address: SocketAddr, metrics: Metrics) -> Result<Self, ListenError> {
        let listen = async {
            let listener = TcpListener::bind(address).await?;
            Ok((listener.local_addr()?, listener))
        };
        let (bound, listener) = listen.await.map_err(|source| ListenError { address, source })?;
        Ok(Self { address: bound, accepting: tokio::spawn(accept(listener, metrics)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, metrics: Metrics) {
    let slots = std::sync::Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let slot = std::sync::Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, as a rule: to try again at once would only burn the processor.
                tracing::warn!(%error, "could not accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let metrics = metrics.clone();
        connections.spawn(async move {
            let _slot = slot;
            let service = service_fn(move |request| {
                let metrics = metrics.clone();
                async move { Ok::<_, Infallible>(answer(&request, &metrics)) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection for metrics ended early");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n".to_owned());
        response.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("a constant header value"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.text());
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("a constant header value"));
            response
        }
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => readiness(metrics),
        _ => text(StatusCode::NOT_FOUND, "known paths are /metrics, /healthz, /readyz\n".to_owned()),
    }
}

fn readiness(metrics: &Metrics) -> Response<Full<Bytes>> {
    // Where connectors come and go, there may be none, and some that nobody wants to run.
    let (mut ready, resting): (bool, &[&str]) =
        if metrics.is_open() { (true, &["paused", "stopped"]) } else { (!metrics.shown().is_empty(), &[]) };
    let mut lines = String::new();
    for shown in metrics.shown() {
        ready &= shown.state == "running" || resting.contains(&shown.state);
        lines.push_str(&shown.name);
        lines.push_str(": ");
        lines.push_str(shown.state);
        if let Some(failure) = shown.running.and_then(|connector| connector.failure()) {
            lines.push_str(": ");
            lines.push_str(&failure.text);
            for cause in &failure.causes {
                lines.push_str("\n  may be: ");
                lines.push_str(cause);
            }
        }
        lines.push('\n');
    }
    text(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, "text/plain; charset=utf-8".parse().expect("a constant header value"));
    response
}
