use std::future::Future;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{self, MethodFilter};
use control::ControlPlane;

use super::answer::Outcome;
use super::ask::{Ask, Knock, origin};
use super::problem::{Problem, Shape};

/// Routes whose errors have one shape.
pub(super) struct Routes {
    plane: ControlPlane,
    shape: Shape,
    router: Router,
}

impl Routes {
    pub(super) fn new(plane: &ControlPlane, shape: Shape) -> Self {
        Self { plane: plane.clone(), shape, router: Router::new() }
    }

    /// Answers those who show who they are.
    pub(super) fn on<F, A>(self, method: MethodFilter, path: &str, handler: F) -> Self
    where
        F: Fn(Ask) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Outcome> + Send,
    {
        self.for_anybody(method, path, move |knock: Knock| {
            let handler = handler.clone();
            async move { handler(knock.let_in()?).await }
        })
    }

    /// Answers whoever asks.
    pub(super) fn for_anybody<F, A>(mut self, method: MethodFilter, path: &str, handler: F) -> Self
    where
        F: Fn(Knock) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Outcome> + Send,
    {
        let (plane, shape) = (self.plane.clone(), self.shape);
        let answer = move |request: Request| {
            let (plane, handler) = (plane.clone(), handler.clone());
            async move {
                let id = origin(request.extensions()).request_id;
                let (target, knock) = Knock::read(plane, request).await;
                let outcome = match knock {
                    Ok(knock) => handler(knock).await,
                    Err(problem) => Err(problem),
                };
                respond(outcome, shape, &id, target.root())
            }
        };
        self.router = self.router.route(path, routing::on(method, answer));
        self
    }

    /// The routes; what none of them answers below `paths` is not there.
    pub(super) fn router(self, paths: &[&str]) -> Router {
        let shape = self.shape;
        let refuse = move |problem: fn(&Request) -> Problem| {
            move |request: Request| async move {
                let id = origin(request.extensions()).request_id;
                problem(&request).response(shape, &id, "")
            }
        };
        let mut router = self.router.method_not_allowed_fallback(refuse(|request| {
            let text = format!("{} is not done here", request.method());
            Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        }));
        for path in paths {
            router = router.route(path, routing::any(refuse(|request| Problem::no_path(request.uri().path()))));
        }
        router
    }
}

fn respond(outcome: Outcome, shape: Shape, id: &str, root: &str) -> Response {
    match outcome {
        Ok(answer) => answer.response(root),
        Err(problem) => problem.response(shape, id, root),
    }
}
