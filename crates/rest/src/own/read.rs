//! From an HTTP request to one that the table knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Request;
use bytes::Bytes;
use control::{Caller, Refusal};
use fault::{Chain, suggest};
use http::{HeaderMap, header};
use http_body::Body as _;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::idempotency::LONGEST;
use super::shape::Kind;
use super::table::{ROUTES, Route};
use super::trouble::{Flaw, MOST_FLAWS, Trouble};
use crate::request::{Asker, RequestId, read_json};

/// The largest body: no configuration comes near it.
const LARGEST: usize = 1 << 20;

/// A request that is what the table says it must be.
pub(super) struct Read {
    pub(super) route: &'static Route,
    pub(super) path: Vec<(&'static str, String)>,
    pub(super) query: BTreeMap<&'static str, String>,
    pub(super) body: Value,
    pub(super) bytes: Bytes,
    pub(super) expected: Option<u64>,
    pub(super) key: Option<String>,
    pub(super) target: String,
}

/// Reads it; says everything that is wrong with it at once.
pub(super) async fn read(request: Request) -> Result<Read, Trouble> {
    let (parts, body) = request.into_parts();
    let (route, raw) = find(parts.method.as_str(), parts.uri.path())?;
    let mut flaws = Vec::new();
    let mut path = Vec::new();
    for (name, text) in raw {
        match percent_decode_str(text).decode_utf8() {
            Ok(text) => path.push((name, text.into_owned())),
            Err(_) => flaws.push(Flaw::new(name, None, "is no UTF-8 once it is percent-decoded".to_owned())),
        }
    }
    let query = read_query(route, parts.uri.query().unwrap_or_default(), &mut flaws);
    let expected = read_match(route, &parts.headers, &mut flaws);
    let key = read_key(route, &parts.headers, &mut flaws);
    let (body, bytes) = match route.body {
        Kind::Nothing => (Value::Null, Bytes::new()),
        // `curl -X POST` sends neither a body nor its type.
        _ if route.or_nothing && body.is_end_stream() && !parts.headers.contains_key(header::CONTENT_TYPE) => {
            (Value::Object(serde_json::Map::new()), Bytes::new())
        }
        kind => {
            let (value, bytes) = read_body(&parts.headers, body).await?;
            kind.check("", &value, &mut flaws);
            (value, bytes)
        }
    };
    if !flaws.is_empty() {
        return Err(Trouble::Invalid { flaws });
    }
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    Ok(Read { route, path, query, body, bytes, expected, key, target })
}

/// A route, and the parts of a path that it has names for.
type Found<'a> = (&'static Route, Vec<(&'static str, &'a str)>);

/// The route of a path, and the parts of it that have names, still encoded.
fn find<'a>(method: &str, path: &'a str) -> Result<Found<'a>, Trouble> {
    // HEAD is GET without its body, which hyper leaves out.
    let wanted = if method == "HEAD" { "GET" } else { method };
    let fitting: Vec<_> =
        ROUTES.iter().filter_map(|route| fits(route.path, path).map(|parts| (route, parts))).collect();
    // An action before a thing whose name looks like one: a colon in a name is sent encoded.
    let literal = fitting.iter().map(|(route, _)| rank(route.path)).max().unwrap_or_default();
    let fitting: Vec<_> = fitting.into_iter().filter(|(route, _)| rank(route.path) == literal).collect();
    if fitting.is_empty() {
        let path: String = path.chars().take(200).collect();
        let near = suggest(&path, ROUTES.iter().map(|route| route.path).filter(|path| !path.contains('{')));
        return Err(Trouble::NoRoute { path, near });
    }
    let mut allowed: Vec<_> = fitting.iter().map(|(route, _)| route.method).collect();
    if let Some(found) = fitting.into_iter().find(|(route, _)| route.method == wanted) {
        return Ok(found);
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let (path, method) = (path.chars().take(200).collect(), method.chars().take(40).collect());
    Err(Trouble::Method { path, method, allowed: allowed.join(", ") })
}

/// How much of a template is said literally.
fn rank(template: &str) -> usize {
    template.split('/').map(|part| usize::from(!part.starts_with('{')) * 2 + usize::from(part.contains("}:"))).sum()
}

/// Whether `path` has the form of `template`, and its parts that have names.
fn fits<'a>(template: &'static str, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        let (wanted, given) = match (wanted.next(), given.next()) {
            (None, None) => return Some(parts),
            (Some(wanted), Some(given)) => (wanted, given),
            _ => return None,
        };
        match wanted.strip_prefix('{').and_then(|wanted| wanted.split_once('}')) {
            None if wanted == given => {}
            None => return None,
            Some((name, action)) => {
                let value = given.strip_suffix(action).filter(|value| !value.is_empty())?;
                parts.push((name, value));
            }
        }
    }
}

fn read_query(route: &'static Route, query: &str, flaws: &mut Vec<Flaw>) -> BTreeMap<&'static str, String> {
    let mut read = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if flaws.len() >= MOST_FLAWS {
            break;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned)
        };
        let (Ok(name), Ok(value)) = (decode(name), decode(value)) else {
            flaws.push(Flaw::new("query", None, "is no UTF-8 once it is percent-decoded".to_owned()));
            continue;
        };
        let known = || route.query.iter().map(|param| param.name);
        let Some(param) = route.query.iter().find(|param| param.name == name) else {
            let name: String = name.chars().take(80).collect();
            let mut flaw = Flaw::new(&name, None, "is no parameter of this request".to_owned());
            flaw.allowed = known().map(ToOwned::to_owned).collect();
            flaw.hint = suggest(&name, known()).map(|near| format!("did you mean {near}?"));
            flaws.push(flaw);
            continue;
        };
        param.kind.check(param.name, &param.kind.read(&value), flaws);
        if read.insert(param.name, value).is_some() {
            flaws.push(Flaw::new(param.name, None, "is given twice".to_owned()));
        }
    }
    read
}

/// A revision, as `ETag` gave it. A condition that is not kept to would be worse than none: it is refused where nothing
/// has a revision.
fn read_match(route: &Route, headers: &HeaderMap, flaws: &mut Vec<Flaw>) -> Option<u64> {
    for name in ["if-none-match", "if-modified-since", "if-unmodified-since", "if-range"] {
        if route.method != "GET" && headers.contains_key(name) {
            flaws.push(Flaw::new(name, None, "is not kept to here: give If-Match or nothing".to_owned()));
        }
    }
    let value = headers.get(header::IF_MATCH)?;
    let text = value.to_str().unwrap_or_default();
    if !route.conditional {
        if route.method != "GET" {
            flaws.push(Flaw::new(
                "If-Match",
                None,
                "is not kept to here: what this changes has no revision".to_owned(),
            ));
        }
        return None;
    }
    let revision = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    if revision.is_none() && text != "*" {
        let shown = text.chars().take(80).collect();
        flaws.push(Flaw::new("If-Match", Some(shown), "must be one ETag of this surface, as in \"7\"".to_owned()));
    }
    revision
}

fn read_key(route: &Route, headers: &HeaderMap, flaws: &mut Vec<Flaw>) -> Option<String> {
    let value = headers.get("idempotency-key")?;
    if !route.creates {
        // Everything else may be sent twice anyway.
        return None;
    }
    let fits = |text: &&str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let key = value.to_str().ok().filter(fits);
    if key.is_none() {
        let text = format!("must have 1 to {LONGEST} visible ASCII characters");
        flaws.push(Flaw::new("Idempotency-Key", None, text));
    }
    key.map(ToOwned::to_owned)
}

async fn read_body(headers: &HeaderMap, body: axum::body::Body) -> Result<(Value, Bytes), Trouble> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let kind = given.unwrap_or("none").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Also against forms of strangers' pages: a browser asks first before it sends this type elsewhere.
    if kind != "application/json" && kind != "application/merge-patch+json" {
        return Err(Trouble::MediaType { given: kind.chars().take(80).collect() });
    }
    let bytes = match axum::body::to_bytes(body, LARGEST).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let is_large = std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
            return Err(if is_large {
                Trouble::TooLarge { most: LARGEST }
            } else {
                Trouble::NotJson { why: "it did not arrive whole".to_owned() }
            });
        }
    };
    let value = read_json(&bytes).map_err(|error| Trouble::NotJson { why: error.0 })?;
    Ok((value, bytes))
}

/// What this request is known by.
pub(super) fn request_id(request: &Request) -> Arc<str> {
    request.extensions().get::<RequestId>().map_or_else(|| "-".into(), |id| id.0.clone())
}

/// Who asks; the server has found out.
pub(super) fn caller(request: &Request) -> Result<Caller, Trouble> {
    match request.extensions().get::<Asker>().map(Asker::caller) {
        Some(Ok(caller)) => Ok(caller.clone()),
        Some(Err(Refusal::Unauthenticated)) | None => Err(Refusal::Unauthenticated.into()),
        Some(Err(other)) => {
            tracing::error!(error = %Chain(other), "could not tell who asks");
            Err(Refusal::Unauthenticated.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_route_and_actions_go_before_names() {
        let found = |method, path| find(method, path).map(|(route, parts)| (route.name, parts));
        assert_eq!(found("GET", "/v1/connectors").unwrap(), ("listConnectors", vec![]));
        assert_eq!(found("GET", "/v1/connectors/a%2Fb").unwrap(), ("getConnector", vec![("name", "a%2Fb")]));
        assert_eq!(found("POST", "/v1/connectors/a:pause").unwrap(), ("pauseConnector", vec![("name", "a")]));
        assert_eq!(found("GET", "/v1/connectors/a%3Apause").unwrap(), ("getConnector", vec![("name", "a%3Apause")]));
        assert_eq!(found("HEAD", "/v1/connectors/a").unwrap().0, "getConnector");
        assert_eq!(found("POST", "/v1/connections:test").unwrap().0, "testUnsavedConnection");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_may_be_meant() {
        let found = |method, path| find(method, path).map(|(route, _)| route.name).unwrap_err();
        assert!(matches!(found("GET", "/v1/conectors"), Trouble::NoRoute { near: Some("/v1/connectors"), .. }));
        for path in ["/v1", "/v1/", "/v1/connectors/", "/v1//connectors", "/v1/connectors/a/b/c", "/v1/../v1/users"] {
            assert!(matches!(found("GET", path), Trouble::NoRoute { .. }), "{path}");
        }
        match found("TRACE", "/v1/connectors/a") {
            Trouble::Method { allowed, .. } => assert_eq!(allowed, "GET, DELETE, HEAD"),
            other => panic!("{other}"),
        }
    }
}
