use std::io::Read as _;

use serde_json::{Map, Value};

use super::subject::LARGEST;
use super::usage::Usage;

/// What is to be given.
const GIVE: &str = "give one JSON object, a connector or a connection: tidegate doctor - < draft.json";

/// What stands on stdin: its text, and the object that it is.
pub(super) fn object() -> Result<(String, Map<String, Value>), Usage> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Usage::new(format!("could not read stdin: {error}"), GIVE))?;
    object_of(bytes)
}

fn object_of(bytes: Vec<u8>) -> Result<(String, Map<String, Value>), Usage> {
    if bytes.len() as u64 > LARGEST {
        return Err(Usage::new(format!("stdin holds more than {LARGEST} bytes"), GIVE));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Usage::new("stdin is UTF-16", "save it as UTF-8, as JSON must be"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Usage::new(format!("stdin is no UTF-8 from byte {at} on"), "save it as UTF-8, as JSON must be")
    })?;
    // Some editors begin every file with the mark; it says nothing.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Usage::new("stdin is empty", GIVE));
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => Ok((text, members)),
        Ok(other) => {
            let what = match other {
                Value::Array(_) => "an array",
                Value::String(_) => "a string",
                _ => "a single value",
            };
            Err(Usage::new(format!("stdin is {what} of JSON, and no object"), GIVE))
        }
        Err(_) if looks_like_toml(&text) => Err(Usage::new(
            "stdin is TOML, and JSON is read here",
            "save it to a file and name it: tidegate doctor NAME --connections FILE; or give the same as JSON",
        )),
        Err(_) if looks_like_properties(&text) => Err(Usage::new(
            "stdin is properties, and JSON is read here",
            "save it to a file and name it: tidegate doctor orders.properties; or give the same as JSON",
        )),
        Err(error) => Err(Usage::new(format!("stdin is no JSON: {error}"), GIVE)),
    }
}

/// A line of a table, or a key with a quoted value.
fn looks_like_toml(text: &str) -> bool {
    let is_value = |value: &str| value.starts_with(['"', '\'', '[', '{']);
    lines(text).any(|line| {
        let is_table = line.starts_with('[') && line.ends_with(']') && !line.contains([',', '"']);
        is_table || pair(line).is_some_and(|(_, value)| is_value(value))
    })
}

/// Keys and values with nothing else between them.
fn looks_like_properties(text: &str) -> bool {
    lines(text).all(|line| pair(line).is_some())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The key and the value of a line, if its key is a plain one.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (!key.is_empty() && key.chars().all(is_plain)).then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::object_of;

    fn told(bytes: &[u8]) -> String {
        object_of(bytes.to_vec()).map_or_else(|usage| usage.to_string(), |(text, _)| text)
    }

    #[test]
    fn what_is_no_object_of_json_is_named_for_what_it_is() {
        assert_eq!(told("\u{feff}{\"kind\":\"keys\"}".as_bytes()), "{\"kind\":\"keys\"}");
        for (given, what, hint) in [
            (&b""[..], "stdin is empty", "tidegate doctor - < draft.json"),
            (" \n\u{feff}".trim_start().as_bytes(), "stdin is empty", "one JSON object"),
            (b"[connections.lake]\nkind = \"keys\"\n", "stdin is TOML", "--connections FILE"),
            (b"# mine\nkind = 'instance-role'\n", "stdin is TOML", "give the same as JSON"),
            (b"name=orders\nconnector.class=x\n", "stdin is properties", "orders.properties"),
            (b"[1]", "an array of JSON", "one JSON object"),
            (b"3", "a single value of JSON", "one JSON object"),
            (b"{\"kind\": }", "stdin is no JSON: expected value at line 1 column 10", "one JSON object"),
            (b"\xff\xfe{\0}\0", "stdin is UTF-16", "UTF-8"),
            (b"{\"a\":\"\xe9\"}", "stdin is no UTF-8 from byte 6 on", "UTF-8"),
        ] {
            let told = told(given);
            assert!(told.contains(what), "{told}");
            assert!(told.split("\n  hint: ").nth(1).is_some_and(|told| told.contains(hint)), "{told}");
        }
    }
}
