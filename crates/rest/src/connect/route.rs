use std::borrow::Cow;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    Root,
    Health,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Tasks(String),
    TaskStatus(String, u32),
    TaskRestart(String, u32),
    Topics(String),
    TopicsReset(String),
    Offsets(String),
    Plugins,
    PluginConfig(String),
    PluginValidate(String),
    Loggers,
    Logger(String),
}

/// Why a request reaches no endpoint. The texts are JAX-RS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Astray {
    /// Segments that mean different things to different servers.
    Ambiguous(&'static str),
    NotFound,
    /// A task's number is none: JAX-RS has found the endpoint by then, and says so in the answer's type.
    NoTask,
    Method,
    /// `OPTIONS`: the methods that there are.
    Options(String),
    MediaType,
    NotAcceptable,
}

/// The endpoint of a request: its path and its method (`HEAD` is `GET`).
pub(super) fn route(parts: &Parts, has_body: bool) -> Result<(Path, Method), Astray> {
    let path = path(parts.uri.path())?;
    let methods = methods(&path);
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    if method == Method::OPTIONS {
        let mut all: Vec<&str> = methods.iter().map(Method::as_str).chain(["OPTIONS"]).collect();
        if methods.contains(&Method::GET) {
            all.push("HEAD");
        }
        all.sort_unstable();
        return Err(Astray::Options(all.join(",")));
    }
    if !methods.contains(&method) {
        return Err(Astray::Method);
    }
    if method != Method::GET && !is_json(&parts.headers, has_body && reads_body(&path, &method)) {
        return Err(Astray::MediaType);
    }
    if !takes_json(&parts.headers) {
        return Err(Astray::NotAcceptable);
    }
    Ok((path, method))
}

fn path(text: &str) -> Result<Path, Astray> {
    let inner = text.strip_prefix('/').ok_or(Astray::NotFound)?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let segments: Vec<&str> = if inner.is_empty() { Vec::new() } else { inner.split('/').collect() };
    if segments.iter().any(|segment| segment.is_empty()) || text == "//" {
        return Err(Astray::Ambiguous("Ambiguous URI empty segment"));
    }
    if segments.iter().any(|segment| *segment == "." || *segment == "..") {
        return Err(Astray::Ambiguous("Ambiguous URI path segment"));
    }
    let mut decoded = Vec::with_capacity(segments.len());
    for segment in segments {
        // Jetty refuses %2F and %25 here, so that connectors with such names can never be deleted; we do not.
        let segment =
            percent_decode_str(segment).decode_utf8().map_err(|_| Astray::Ambiguous("Illegal UTF-8 in URI"))?;
        decoded.push(segment);
    }
    let parts: Vec<&str> = decoded.iter().map(Cow::as_ref).collect();
    let name = |name: &str| name.to_owned();
    let task = |task: &str| task.parse().map_err(|_| Astray::NoTask);
    Ok(match parts.as_slice() {
        [] => Path::Root,
        ["health"] => Path::Health,
        ["connectors"] => Path::Connectors,
        ["connectors", c] => Path::Connector(name(c)),
        ["connectors", c, "config"] => Path::Config(name(c)),
        ["connectors", c, "status"] => Path::Status(name(c)),
        ["connectors", c, "restart"] => Path::Restart(name(c)),
        ["connectors", c, "pause"] => Path::Pause(name(c)),
        ["connectors", c, "resume"] => Path::Resume(name(c)),
        ["connectors", c, "stop"] => Path::Stop(name(c)),
        ["connectors", c, "tasks"] => Path::Tasks(name(c)),
        ["connectors", c, "tasks", t, "status"] => Path::TaskStatus(name(c), task(t)?),
        ["connectors", c, "tasks", t, "restart"] => Path::TaskRestart(name(c), task(t)?),
        ["connectors", c, "topics"] => Path::Topics(name(c)),
        ["connectors", c, "topics", "reset"] => Path::TopicsReset(name(c)),
        ["connectors", c, "offsets"] => Path::Offsets(name(c)),
        ["connector-plugins"] => Path::Plugins,
        ["connector-plugins", p, "config"] => Path::PluginConfig(name(p)),
        ["connector-plugins", p, "config", "validate"] => Path::PluginValidate(name(p)),
        ["admin", "loggers"] => Path::Loggers,
        ["admin", "loggers", l] => Path::Logger(name(l)),
        _ => return Err(Astray::NotFound),
    })
}

fn methods(path: &Path) -> &'static [Method] {
    match path {
        Path::Root
        | Path::Health
        | Path::Status(_)
        | Path::Tasks(_)
        | Path::TaskStatus(..)
        | Path::Topics(_)
        | Path::Plugins
        | Path::PluginConfig(_)
        | Path::Loggers => &[Method::GET],
        Path::Connectors => &[Method::GET, Method::POST],
        Path::Connector(_) => &[Method::DELETE, Method::GET],
        Path::Config(_) => &[Method::GET, Method::PATCH, Method::PUT],
        Path::Restart(_) | Path::TaskRestart(..) => &[Method::POST],
        Path::Pause(_) | Path::Resume(_) | Path::Stop(_) | Path::TopicsReset(_) | Path::PluginValidate(_) => {
            &[Method::PUT]
        }
        Path::Offsets(_) => &[Method::DELETE, Method::GET, Method::PATCH],
        Path::Logger(_) => &[Method::GET, Method::PUT],
    }
}

/// Whether a body means anything there. Where it does not, clients send `{}`, nothing, or what they like.
fn reads_body(path: &Path, method: &Method) -> bool {
    match path {
        Path::Connectors | Path::Config(_) | Path::PluginValidate(_) | Path::Logger(_) => true,
        Path::Offsets(_) => method == Method::PATCH,
        _ => false,
    }
}

/// Whether a body is said to be JSON. One that nothing is said about is refused where it is read: that a page in a browser
/// cannot say `application/json` without being asked is what keeps its forms out.
fn is_json(headers: &HeaderMap, needed: bool) -> bool {
    match headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default()) {
        None => !needed,
        Some(kind) => kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"),
    }
}

/// Whether the client takes JSON.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(ACCEPT)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let unwanted = parts.any(|part| {
            part.split_once('=')
                .is_some_and(|(name, q)| name.trim() == "q" && q.trim().parse().is_ok_and(|q: f32| q <= 0.0))
        });
        !unwanted && ["application/json", "application/*", "*/*", "*"].contains(&kind.as_str())
    })
}
