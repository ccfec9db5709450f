use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of a JSON object in the order of the file, so that one that comes twice can be named. (A map would keep
/// the last in silence, as Connect does.)
pub(super) struct Members(pub(super) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of configuration keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, Box<RawValue>>().map_err(de::Error::custom)? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The text of a configuration value. Connect turns numbers and booleans into text; `None` for null, and an error for
/// what has no text.
pub(super) fn scalar(raw: &RawValue) -> Result<Option<String>, &'static str> {
    match serde_json::from_str::<Value>(raw.get()) {
        Ok(Value::Null) => Ok(None),
        Ok(Value::String(text)) => Ok(Some(text)),
        // As written: 1.0 and 1e3 stay what they are.
        Ok(Value::Number(_) | Value::Bool(_)) => Ok(Some(raw.get().to_owned())),
        Ok(Value::Array(_)) => Err("an array"),
        Ok(Value::Object(_)) => Err("an object"),
        // It was read once, raw: only its depth can be wrong now.
        Err(_) => Err("JSON that is nested so deep"),
    }
}
