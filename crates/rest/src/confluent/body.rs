use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problem::{Problem, short};
use crate::request::read_json;

/// The JSON object of a request's body. What is read from it names its place when it is missing or wrong.
#[derive(Debug)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// Reads a body; none at all is an empty object.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Map::new()));
        }
        match read_json(bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Problem::bad_request("the body must be a JSON object")),
            Err(error) => Err(Problem::bad_request(error.to_string())),
        }
    }

    /// What is at a pointer; `null` counts as nothing.
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        let mut steps = pointer.split('/').skip(1);
        let mut value = self.0.get(steps.next()?)?;
        for step in steps {
            value = value.get(step)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The text at a pointer. The clients send empty texts for what they do not mean: those are nothing.
    pub(super) fn text(&self, pointer: &'static str) -> Result<Option<&str>, Problem> {
        match self.at(pointer) {
            None => Ok(None),
            Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
            Some(_) => Err(Problem::field(pointer, "must be a text")),
        }
    }

    /// The text at a pointer, which must be there.
    pub(super) fn needed(&self, pointer: &'static str) -> Result<&str, Problem> {
        self.text(pointer)?.ok_or_else(|| Problem::field(pointer, "must be given"))
    }

    /// The flat configuration at a pointer, or the whole body if that is one.
    pub(super) fn config(&self, pointer: Option<&str>) -> Result<BTreeMap<String, String>, Problem> {
        let map = match pointer {
            None => &self.0,
            Some(pointer) => match self.at(pointer) {
                Some(Value::Object(map)) => map,
                Some(_) => return Err(Problem::bad_request(format!("{pointer} must be an object of texts"))),
                None => return Err(Problem::bad_request(format!("{pointer} must be given"))),
            },
        };
        let text = |(key, value): (&String, &Value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                // Numbers and booleans mean their own text, as in Kafka Connect.
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(Problem::bad_request(format!("the configuration's {} must be a text", short(key))));
                }
            };
            Ok((key.clone(), text))
        };
        map.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_null_and_empty_text_are_the_same() {
        let body = Body::read(br#"{"environment":{"id":"env-a","related":"","resource_name":null}}"#).unwrap();
        assert_eq!(body.text("/environment/id").unwrap(), Some("env-a"));
        for pointer in ["/environment/related", "/environment/resource_name", "/environment/no", "/no", "/no/no"] {
            assert_eq!(body.text(pointer).unwrap(), None, "{pointer}");
        }
        assert!(body.text("/environment").unwrap_err().entries[0].detail.contains("must be a text"));
        assert!(Body::read(b"").unwrap().at("/x").is_none());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "1", "null", "{", "\u{0}", "{\"a\":\u{1}}", &"[".repeat(10_000)] {
            assert_eq!(Body::read(text.as_bytes()).unwrap_err().status, 400, "{text:.10}");
        }
        assert_eq!(Body::read(b"{\"a\":\"\xff\"}").unwrap_err().status, 400);
    }

    #[test]
    fn a_configuration_is_flat() {
        let body = Body::read(br#"{"config":{"a":"x","n":1.50,"b":true}}"#).unwrap();
        let config = body.config(Some("/config")).unwrap();
        assert_eq!(config.into_iter().map(|(k, v)| k + "=" + &v).collect::<Vec<_>>(), ["a=x", "b=true", "n=1.5"]);
        for text in [r#"{"config":{"a":{}}}"#, r#"{"config":{"a":null}}"#, r#"{"config":[]}"#, "{}"] {
            assert_eq!(Body::read(text.as_bytes()).unwrap().config(Some("/config")).unwrap_err().status, 400, "{text}");
        }
    }
}
