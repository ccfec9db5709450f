use axum::Router;
use axum::body::Body;
use control::{Caller, ControlPlane, Credentials, Origin, Refusal};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::LogLevels;
use crate::server::Application;
use crate::surface::Surface;

/// The three surfaces over one control plane, and the two paths of whoever keeps this process alive.
#[derive(Debug)]
pub(crate) struct Surfaces {
    plane: ControlPlane,
    connect: Router,
    confluent: Router,
    own: Router,
}

impl Surfaces {
    pub(crate) fn new(plane: ControlPlane, log_levels: Option<LogLevels>) -> Self {
        Self {
            connect: crate::connect::router(plane.clone(), log_levels),
            confluent: crate::confluent::router(&plane),
            own: crate::own::router(plane.clone()),
            plane,
        }
    }

    /// Whether every connector that shall run has been opened and none has failed.
    async fn ready(&self) -> Response<Body> {
        let found = self.plane.readiness().await;
        let ready = found.store && found.failed == 0 && found.opened >= found.wanted;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let store = if found.store { "ok" } else { "cannot be read" };
        let (opened, wanted, failed) = (found.opened, found.wanted, found.failed);
        text(status, format!("store: {store}\nconnectors: {opened} of {wanted} opened, {failed} failed\n"))
    }
}

impl Application for Surfaces {
    fn authenticate(&self, credentials: Credentials, origin: Origin) -> BoxFuture<'_, Result<Caller, Refusal>> {
        self.plane.authenticate(credentials, origin).boxed()
    }

    fn is_public(&self, path: &str) -> bool {
        matches!(path.strip_suffix('/').unwrap_or(path), "" | "/health" | "/healthz" | "/readyz")
    }

    fn answer(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        let router = match (request.uri().path(), Surface::of(request.uri().path())) {
            ("/healthz" | "/readyz", _) if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                let mut response =
                    text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n".to_owned());
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
                return async { response }.boxed();
            }
            ("/healthz", _) => return async { text(StatusCode::OK, "ok\n".to_owned()) }.boxed(),
            ("/readyz", _) => return self.ready().boxed(),
            (_, Surface::Connect) => &self.connect,
            (_, Surface::Confluent) => &self.confluent,
            (_, Surface::Own) => &self.own,
        };
        let mut router = router.clone();
        async move {
            match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        .boxed()
    }
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
