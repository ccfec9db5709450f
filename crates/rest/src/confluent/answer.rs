use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::problem::Problem;

/// What a handler comes to.
pub(super) type Outcome = Result<Answer, Problem>;

/// Something that was done.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Option<Value>,
    /// The path, below this surface's root, of what was made.
    made: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), made: None }
    }

    pub(super) fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, body: Some(body), made: None }
    }

    /// It will be done by and by.
    pub(super) fn accepted(body: Option<Value>) -> Self {
        Self { status: StatusCode::ACCEPTED, body, made: None }
    }

    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, made: None }
    }

    /// Where what was made can be read.
    pub(super) fn at(mut self, path: String) -> Self {
        self.made = Some(path);
        self
    }

    /// The answer; `root` is the address of this surface.
    pub(super) fn response(self, root: &str) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, axum::Json(body)).into_response(),
            None => self.status.into_response(),
        };
        if let Some(location) = self.made.and_then(|path| format!("{root}{path}").parse().ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
