//! From a request to its caller, and from a body to what it says.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::{Caller, Credentials, Refusal};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use world::Secret;

use crate::surface::Surface;

/// The id that was drawn for a request: in its answer, in the log, in the audit log.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Whether a request came over TLS: for addresses in answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secure(pub(crate) bool);

/// Who asks, as far as that is known: an extension of every request.
#[derive(Debug, Clone)]
pub(crate) struct Asker(Arc<Result<Caller, Refusal>>);

impl Asker {
    pub(crate) fn new(found: Result<Caller, Refusal>) -> Self {
        Self(Arc::new(found))
    }

    /// Of a path that is answered to everybody.
    pub(crate) fn unasked() -> Self {
        Self::new(Err(Refusal::Unauthenticated))
    }

    pub(crate) fn is_known(&self) -> bool {
        self.0.is_ok()
    }

    /// The caller, or why there is none.
    pub(crate) fn caller(&self) -> Result<&Caller, &Refusal> {
        self.0.as_ref().as_ref()
    }
}

/// Nobody may ask this without saying who they are.
pub(crate) struct Unknown {
    surface: Surface,
    status: StatusCode,
    text: String,
    request_id: Arc<str>,
}

impl Unknown {
    /// Why `refusal` (from authenticating) is no caller, in the words of `surface`.
    pub(crate) fn of(surface: Surface, refusal: &Refusal, request_id: &Arc<str>) -> Self {
        let (status, text) = match refusal {
            Refusal::Unauthenticated => {
                let text = match surface {
                    // What Connect's basic authentication extension says.
                    Surface::Connect => "User cannot access the resource.".to_owned(),
                    Surface::Confluent | Surface::Own => refusal.to_string(),
                };
                (StatusCode::UNAUTHORIZED, text)
            }
            other => {
                tracing::error!(request_id = %request_id, error = %fault::Chain(other), "could not tell who asks");
                (StatusCode::INTERNAL_SERVER_ERROR, "could not tell who asks; the log says why".to_owned())
            }
        };
        Self { surface, status, text, request_id: Arc::clone(request_id) }
    }
}

impl IntoResponse for Unknown {
    fn into_response(self) -> Response {
        let code = if self.status == StatusCode::UNAUTHORIZED { "unauthenticated" } else { "internal" };
        self.surface.error(self.status, code, &self.text, &self.request_id)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self("".into())))
    }
}

/// What `Authorization` shows. `None` if it cannot be read, or is there twice: those are wrong credentials, not none.
pub(crate) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = all.next() else { return Some(Credentials::None) };
    if all.next().is_some() {
        return None;
    }
    let (scheme, rest) = header.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(Secret::new(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials::Basic { user: user.to_owned(), password: Secret::new(password) })
}

/// A body that is not the JSON that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadJson(pub(crate) String);

/// Reads a body that must be JSON: UTF-8, no member twice in an object, not nested deeper than [`DEEPEST`].
///
/// Names of members are in the error; values, which may be secrets, are not.
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadJson> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(BadJson(format!("the body is no UTF-8 at byte {}", error.valid_up_to())));
    }
    let bad = |error: &serde_json::Error| {
        BadJson(match error.classify() {
            serde_json::error::Category::Eof if body.iter().all(u8::is_ascii_whitespace) => {
                "the body is empty".to_owned()
            }
            // Its text would hold the value.
            serde_json::error::Category::Data => {
                format!("the body is not what is asked for: {}", without_values(error))
            }
            _ => format!("the body is no JSON: {error}"),
        })
    };
    let mut reader = serde_json::Deserializer::from_slice(body);
    Strict { depth: 0 }.deserialize(&mut reader).map_err(|error| bad(&error))?;
    reader.end().map_err(|error| bad(&error))?;
    serde_json::from_slice(body).map_err(|error| bad(&error))
}

/// Takes what serde quotes of a value out of its text: ``invalid type: string "hunter2", expected ..``.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let Some(kind) = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: ")) else {
        return text;
    };
    match kind.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => format!("a value is of the wrong type at line {} column {}", error.line(), error.column()),
    }
}

/// 64 levels: no request needs more than five.
pub(crate) const DEEPEST: usize = 64;

/// Walks through JSON and keeps nothing of it.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            return Err(E::custom(format_args!("it is nested deeper than {DEEPEST} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                let shown: String = name.chars().take(80).collect();
                return Err(de::Error::custom(format_args!("member {shown:?} is there twice")));
            }
            names.insert(name);
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::Value;

    fn shown(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        credentials(&headers).map(|credentials| match credentials {
            Credentials::None => "none".to_owned(),
            Credentials::Basic { user, password } => format!("{user}/{}", password.expose()),
            Credentials::Bearer(token) => format!("bearer {}", token.expose()),
        })
    }

    #[test]
    fn credentials_are_read_from_one_header() {
        let basic = format!("basic {}", STANDARD.encode("KEY:sec:ret"));
        assert_eq!(shown(&[]).as_deref(), Some("none"));
        assert_eq!(shown(&[&basic]).as_deref(), Some("KEY/sec:ret"));
        assert_eq!(shown(&["Bearer a.b.c"]).as_deref(), Some("bearer a.b.c"));
        for wrong in ["Basic", "Basic ***", "Digest x", "Basic a2V5", ""] {
            assert_eq!(shown(&[wrong]), None, "{wrong}");
        }
        assert_eq!(shown(&[&basic, &basic]), None, "two are none");
    }

    #[test]
    fn json_is_read_strictly_and_values_are_not_told() {
        assert!(read_json::<Value>(br#"{"a": [1, {"b": null}], "c": 1.5e300}"#).is_ok());
        let text = |body: &[u8]| read_json::<std::collections::BTreeMap<String, u8>>(body).unwrap_err().0;
        assert_eq!(text(b""), "the body is empty");
        assert_eq!(text(b" \n"), "the body is empty");
        assert!(text(b"{bad").starts_with("the body is no JSON: key must be a string"), "{}", text(b"{bad"));
        assert_eq!(text(b"{\"a\": \"\xff\"}"), "the body is no UTF-8 at byte 7");
        assert!(text(br#"{"a": 1, "a": 2}"#).contains("member \"a\" is there twice"));
        assert!(text(br#"{"b": {"a": 1, "a": 2}}"#).contains("is there twice"));
        assert!(text(b"{\"a\": 1e999}").contains("number out of range"));
        assert!(text(b"{} {}").contains("trailing characters"));
        assert_eq!(text(br#"{"a": "hunter2"}"#), "the body is not what is asked for: expected u8 at line 1 column 15");
        let deep = [vec![b'['; 65], vec![b']'; 65]].concat();
        assert!(read_json::<Value>(&deep).unwrap_err().0.contains("nested deeper than 64 levels"));
        let endless = vec![b'['; 1 << 20];
        assert!(read_json::<Value>(&endless).unwrap_err().0.contains("nested deeper"));
    }
}
