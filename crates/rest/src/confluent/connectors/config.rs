use axum::http::StatusCode;

use crate::confluent::problem::Problem;

/// What is wrong in a body is 400 in this part of the API, not 422.
pub(super) fn sent<T>(read: Result<T, Problem>) -> Result<T, Problem> {
    read.map_err(|problem| Problem { status: StatusCode::BAD_REQUEST, code: "bad_request", ..problem })
}
