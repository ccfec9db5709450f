use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use control::{Caller, Credentials, Origin, Principal, Refusal};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, RETRY_AFTER};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::ServerOptions;
use super::cors::{Cors, foreign_page};
use crate::request::{Asker, RequestId, Secure, credentials};
use crate::surface::Surface;

/// What answers requests once they are whole and it is known who asks.
pub(crate) trait Application: std::fmt::Debug + Send + Sync + 'static {
    /// Who shows these credentials.
    fn authenticate(&self, credentials: Credentials, origin: Origin) -> BoxFuture<'_, Result<Caller, Refusal>>;

    /// Whether a path is answered to everybody, so that nobody is asked who they are.
    fn is_public(&self, path: &str) -> bool;

    /// The answer. The request carries an [`Asker`], an [`Origin`], a [`RequestId`], a [`Secure`] and a [`Closing`].
    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;
}

/// Tells an answer that would go on for ever that the server closes.
#[derive(Debug, Clone)]
pub(crate) struct Closing(pub(super) watch::Receiver<bool>);

impl Closing {
    /// Returns when the server closes.
    pub(crate) async fn wait(&mut self) {
        // The sender is gone only with the server.
        drop(self.0.wait_for(|closing| *closing).await);
    }
}

/// 64 KiB for callers who are not known: enough for a login.
const UNKNOWN_BODY_LIMIT: usize = 64 << 10;
/// 64 MiB for all bodies that are being read.
const BODIES: usize = 64 << 20;
/// How much of a body that is too large is read and thrown away, so that the client hears the answer and no reset.
const OVERFLOW: usize = 32 << 20;
const OVERFLOW_TIMEOUT: Duration = Duration::from_secs(5);
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What holds for every request: an id, limits, who asks, headers, a line in the log.
#[derive(Debug)]
pub(super) struct Front {
    application: Arc<dyn Application>,
    /// Permits of a KiB.
    bodies: Semaphore,
    body_limit: usize,
    body_timeout: Duration,
    request_timeout: Duration,
    cors: Option<Cors>,
    loopback: bool,
    secure: bool,
}

/// Why a body was not read.
enum Unread {
    TooLarge(usize),
    TooSlow,
    Broken,
    TooMany,
}

impl Front {
    pub(super) fn new(application: Arc<dyn Application>, options: &ServerOptions, address: SocketAddr) -> Self {
        Self {
            application,
            bodies: Semaphore::new(BODIES >> 10),
            body_limit: options.body_limit,
            body_timeout: options.body_timeout,
            request_timeout: options.request_timeout,
            cors: options.cors.clone(),
            secure: options.tls.is_some(),
            loopback: address.ip().to_canonical().is_loopback(),
        }
    }

    /// Answers a request, whatever happens.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        closing: Closing,
    ) -> Response<Body> {
        let began = Instant::now();
        let id: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let surface = Surface::of(&path);
        let asked_from = request.headers().get(ORIGIN).cloned();
        let mut principal = None;
        let answered = {
            let answering = self.pass(request, peer.ip(), surface, &id, closing, &mut principal);
            timeout(self.request_timeout, AssertUnwindSafe(answering).catch_unwind()).await
        };
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                let text = panic_text(panic.as_ref());
                tracing::error!(request_id = %id, %method, path, panic = text, "a request ended in a panic: this is a bug");
                let text = format!("internal error; the log has it under request {id}");
                surface.error(StatusCode::INTERNAL_SERVER_ERROR, "internal", &text, &id)
            }
            Err(_) => {
                tracing::warn!(request_id = %id, %method, path, "a request took too long to be answered");
                let status = match surface {
                    // Kafka Connect's own answer.
                    Surface::Connect => StatusCode::INTERNAL_SERVER_ERROR,
                    Surface::Confluent | Surface::Own => StatusCode::GATEWAY_TIMEOUT,
                };
                surface.error(status, "timeout", "Request timed out", &id)
            }
        };
        self.dress(response.headers_mut(), asked_from.as_ref(), &id);
        tracing::debug!(
            request_id = %id, %method, path, status = response.status().as_u16(), ms = began.elapsed().as_millis() as u64,
            principal = principal.map(tracing::field::display), peer = %peer.ip(), "answered"
        );
        response
    }

    fn dress(&self, headers: &mut HeaderMap, asked_from: Option<&HeaderValue>, id: &str) {
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(X_REQUEST_ID, id);
        }
        for (name, value) in [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-store"),
        ] {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(cors) = &self.cors {
            cors.mark(asked_from, headers);
        }
    }

    async fn pass(
        &self,
        request: Request<Incoming>,
        address: IpAddr,
        surface: Surface,
        id: &Arc<str>,
        closing: Closing,
        principal: &mut Option<Principal>,
    ) -> Response<Body> {
        if let Some(response) = self.cors.as_ref().and_then(|cors| cors.preflight(&request)) {
            return response;
        }
        let path = request.uri().path();
        let origin = Origin { address: Some(address), request_id: Arc::clone(id), surface: surface.name() };
        let asker = if self.application.is_public(path) {
            Asker::unasked()
        } else {
            let found = match credentials(request.headers()) {
                Some(credentials) => self.application.authenticate(credentials, origin.clone()).await,
                None => Err(Refusal::Unauthenticated),
            };
            if let Ok(Caller { principal: Principal::Operator, .. }) = &found
                && let Some(why) = foreign_page(request.headers(), self.cors.as_ref(), self.loopback)
            {
                return surface.error(StatusCode::FORBIDDEN, "origin", why, id);
            }
            if let Err(Refusal::Busy { .. }) = &found {
                let text = "too many logins have failed or are being checked; try again in a minute";
                let mut response = surface.error(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text, id);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
                return response;
            }
            *principal = found.as_ref().ok().map(|caller| caller.principal.clone());
            Asker::new(found)
        };
        let limit = if asker.is_known() { self.body_limit } else { self.body_limit.min(UNKNOWN_BODY_LIMIT) };
        let (mut parts, body) = request.into_parts();
        let body = match self.read(body, limit).await {
            Ok(body) => body,
            Err(unread) => {
                let (status, code, text) = match unread {
                    Unread::TooLarge(limit) => (
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "body.too-large",
                        format!("the body of a request may have {limit} bytes at most"),
                    ),
                    Unread::TooSlow => (
                        StatusCode::REQUEST_TIMEOUT,
                        "body.too-slow",
                        format!("the body of the request did not come within {} s", self.body_timeout.as_secs_f64()),
                    ),
                    Unread::Broken => (
                        StatusCode::BAD_REQUEST,
                        "body.broken",
                        "the body of the request ended before its end".to_owned(),
                    ),
                    Unread::TooMany => (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "body.too-many",
                        "too many bodies of requests are being read; try again in a moment".to_owned(),
                    ),
                };
                return surface.error(status, code, &text, id);
            }
        };
        parts.extensions.insert(asker);
        parts.extensions.insert(origin);
        parts.extensions.insert(RequestId(Arc::clone(id)));
        parts.extensions.insert(Secure(self.secure));
        parts.extensions.insert(closing);
        self.application.answer(Request::from_parts(parts, Body::from(body))).await
    }

    async fn read(&self, mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let known = body.size_hint().exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        if known.is_some_and(|size| size > limit) {
            discard(&mut body).await;
            return Err(Unread::TooLarge(limit));
        }
        let deadline = Instant::now() + self.body_timeout;
        let kibs = known.unwrap_or(limit).div_ceil(1 << 10).min(BODIES >> 10);
        let kibs = u32::try_from(kibs).expect("no more than all of them");
        let Ok(_reading) = tokio::time::timeout_at(deadline, self.bodies.acquire_many(kibs)).await else {
            return Err(Unread::TooMany);
        };
        let mut read = BytesMut::with_capacity(known.unwrap_or(0));
        loop {
            match tokio::time::timeout_at(deadline, body.frame()).await {
                Err(_) => return Err(Unread::TooSlow),
                Ok(None) => return Ok(read.freeze()),
                Ok(Some(Err(_))) => return Err(Unread::Broken),
                Ok(Some(Ok(frame))) => {
                    let Some(data) = frame.data_ref() else { continue };
                    if read.len() + data.len() > limit {
                        discard(&mut body).await;
                        return Err(Unread::TooLarge(limit));
                    }
                    read.extend_from_slice(data);
                }
            }
        }
    }
}

/// Reads what is left of a body, up to a point: a connection that is closed before its client has sent everything is reset,
/// and the client may never see the answer.
async fn discard(body: &mut Incoming) {
    let mut left = OVERFLOW;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whoever is slower than that gets the reset.
    drop(timeout(OVERFLOW_TIMEOUT, reading).await);
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "of no known type",
    }
}
