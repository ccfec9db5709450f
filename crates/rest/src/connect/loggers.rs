use std::collections::BTreeMap;

use axum::body::Body;
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::{ApiError, empty, json};
use super::body::{object, scalar};
use crate::LogLevels;
use crate::log_levels::{LogLevel, NotSet};

#[derive(Debug, Serialize)]
struct Level {
    level: &'static str,
    last_modified: Option<i64>,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        Self { level: level.level, last_modified: level.modified }
    }
}

/// `GET /admin/loggers`.
pub(super) fn list(levels: Option<&LogLevels>) -> Response<Body> {
    let all = levels.map(LogLevels::all).unwrap_or_default();
    let all: BTreeMap<String, Level> = all.into_iter().map(|(name, level)| (name, level.into())).collect();
    json(StatusCode::OK, &all)
}

/// `GET /admin/loggers/l`.
pub(super) fn one(levels: Option<&LogLevels>, name: &str) -> Result<Response<Body>, ApiError> {
    let level = levels.and_then(|levels| levels.all().get(&name.replace("::", ".")).copied());
    let level = level.ok_or_else(|| ApiError::not_found(format!("Logger {name} not found.")))?;
    Ok(json(StatusCode::OK, &Level::from(level)))
}

/// `PUT /admin/loggers/l`. There is one worker: the scope of a cluster differs in its answer alone.
pub(super) fn set(
    levels: Option<&LogLevels>,
    name: &str,
    body: &[u8],
    cluster: bool,
) -> Result<Response<Body>, ApiError> {
    let level = object(body)?.get("level").map(|level| scalar("level", level)).transpose()?.flatten();
    let level = level.ok_or_else(|| ApiError::bad("Desired 'level' parameter was not specified in request."))?;
    let Some(levels) = levels else {
        return Err(ApiError::bad("the levels of this process's log cannot be changed"));
    };
    let changed = levels.set(name, &level).map_err(|why| match why {
        NotSet::NoLevel => ApiError::not_found(format!("invalid log level '{level}'.")),
        NotSet::NoName => ApiError::bad(format!("{name:?} is no name of a logger")),
        NotSet::TooMany => ApiError::bad("levels of too many loggers have been set; restart to forget them"),
        NotSet::Refused(why) => ApiError::bad(why),
    })?;
    tracing::info!(logger = name, level, "the level of a logger was changed");
    Ok(if cluster { empty(StatusCode::NO_CONTENT) } else { json(StatusCode::OK, &changed) })
}
