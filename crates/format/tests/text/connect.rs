//! Converters against what the classes of Kafka Connect 4.1 answered (`connect.tsv`): the key's text, the JSON that
//! Aiven's sink prints, or the exception.
//!
//! A line: role, class, properties, the bytes in base64 or `null`; then `ERR` and the exception chain, or `OK`, the
//! value's `toString` and its JSON; texts in base64. More lines are read from the file that `TIDEGATE_CONNECT_CASES`
//! names.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use data::{Arena, Converter, Offset, Role};
use format::text::{Converters, Field, Format, Kind, Layout, ValueEncoding};
use format::{Compression, Encode, Scratch};
use serde_json::Value;

fn decode(text: &str) -> String {
    String::from_utf8_lossy(&STANDARD.decode_to_vec(text).unwrap()).into_owned()
}

/// The JSON of `bytes` read by `converter`, or the fault's text.
fn json_of(converter: &Converter, bytes: Option<&[u8]>) -> Result<String, String> {
    let none = BTreeMap::new();
    let plain = |role| Converter::new(role, "ByteArrayConverter", &none).unwrap();
    let (field, converters) = match converter.role() {
        Role::Header => {
            (Field::Headers, Converters { key: plain(Role::Key), value: plain(Role::Value), header: converter.clone() })
        }
        Role::Key => {
            (Field::Key, Converters { key: converter.clone(), value: plain(Role::Value), header: plain(Role::Header) })
        }
        Role::Value => {
            (Field::Value, Converters { key: plain(Role::Key), value: converter.clone(), header: plain(Role::Header) })
        }
    };
    let layout =
        Layout { kind: Kind::Jsonl, fields: vec![field], value_encoding: ValueEncoding::None, envelope: false };
    let format = Format::new(layout, converters, Compression::NONE);
    let mut arena = Arena::new();
    arena.bytes_mut().extend_from_slice(bytes.unwrap_or_default());
    let range = bytes.map(|bytes| (0, bytes.len()));
    match field {
        Field::Headers => {
            arena.push_header((0, 0), range);
            arena.push(Offset(0), 0, None, None, 0);
        }
        Field::Key => arena.push(Offset(0), 0, range, None, 0),
        _ => arena.push(Offset(0), 0, None, range, 0),
    }
    let mut scratch = Scratch::default();
    let mut encoder = format.encoder();
    let record = arena.records().next().unwrap();
    encoder.record(&record, &mut scratch).map_err(|fault| fault.message)?;
    encoder.finish(&mut scratch);
    let text = String::from_utf8(encoder.output().take().concat()).unwrap();
    Ok(match field {
        Field::Headers => text["[{\"key\":\"\",\"value\":".len()..text.len() - 2].to_owned(),
        _ => text,
    })
}

/// See [`same_json`].
fn same_value(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            // serde_json may be off by the last bit. Java wraps integers beyond 64 bits.
            (ours - theirs).abs() <= ours.abs() * 1e-15 || ours.abs() >= 9.2e18
        }
        // Java prints what is no double in quotes.
        (Value::Number(_), Value::String(text)) => text.ends_with("Infinity"),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same_value(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| same_value(ours, theirs)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Whether two JSON documents say the same, numbers as doubles, a lone surrogate like any other text.
pub(crate) fn same_json(ours: &str, theirs: &str) -> bool {
    let read = |text: &str| {
        // No document of ours may need leniency: serde_json takes everything strict but lone surrogates.
        let mut plain = text.to_owned();
        while let Err(error) = serde_json::from_str::<Value>(&plain) {
            if !error.to_string().contains("surrogate") && !error.to_string().contains("hex escape") {
                return None;
            }
            let at = plain.to_ascii_lowercase().find("\\ud")?;
            let unit = plain[at + 2..at + 6].to_ascii_lowercase();
            plain.replace_range(at..at + 6, &format!("@{unit}"));
        }
        serde_json::from_str(&plain).ok()
    };
    // A number too large for a double is one that serde_json does not read.
    if ours.contains(['e', 'E']) && theirs.contains("Infinity") {
        return true;
    }
    match (read(ours), read(theirs)) {
        (Some(ours), Some(theirs)) => same_value(&ours, &theirs),
        _ => false,
    }
}

/// What is wrong with our answer, if it is not theirs.
fn difference(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [role, class, properties, bytes, outcome, answer, ..] = fields[..] else { panic!("too short: {line}") };
    let role = match role {
        "key" => Role::Key,
        "value" => Role::Value,
        "header" => Role::Header,
        other => panic!("no role {other}"),
    };
    let config: BTreeMap<String, String> = properties
        .split(';')
        .filter_map(|property| property.split_once('='))
        .map(|(key, value)| (format!("{}.{key}", role.config_key()), value.to_owned()))
        .collect();
    let converter = Converter::new(role, class, &config).unwrap();
    let bytes = if bytes == "null" { None } else { Some(STANDARD.decode_to_vec(bytes).unwrap()) };
    let shown: String = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).chars().take(300).collect();
    let json = json_of(&converter, bytes.as_deref());
    let mut text = String::new();
    let key = converter.key_text(bytes.as_deref(), &mut text);
    if outcome == "ERR" {
        let theirs = decode(answer);
        let message = theirs.split(" <- ").next().unwrap_or_default();
        let message = message.split_once(": ").map_or(message, |(_, message)| message);
        // Connect compares a struct's default with a schema under construction and so refuses every one; we take it.
        if theirs.contains("Struct schemas do not match") {
            return None;
        }
        // Found when it is written by the one, already when it is read by the other; the same records fail.
        if let Err(ours) = &json
            && (theirs.contains("null used for required") || ours.contains("mismatching scale"))
        {
            return None;
        }
        return match json {
            Ok(json) => Some(format!("{class} takes {shown:?} as {json}, theirs: {theirs}")),
            Err(ours) if ours.trim_end() != message.trim_end() => {
                Some(format!("{class} of {shown:?} says {ours}, theirs {theirs}"))
            }
            Err(_) if key.is_ok() => Some(format!("{class} has a key text for {shown:?}: {text}")),
            Err(_) => None,
        };
    }
    let (their_text, their_json) = (decode(answer), decode(fields[6]));
    if let (Err(ours), Some(exception)) = (&json, their_json.strip_prefix("ERR "))
        && exception.contains(ours.trim_end())
    {
        return None;
    }
    if let Err(refused) = key {
        // A number of another scale converts there and fails when it is written.
        if refused.message.contains("mismatching scale") {
            return None;
        }
        if !their_text.starts_with("[B@") && !refused.message.contains("a key ") {
            return Some(format!("{class} refuses {shown:?}: {refused}; theirs {their_text}"));
        }
    } else if text != their_text {
        return Some(format!("{class} prints {shown:?} as {text:?}, theirs {their_text:?}"));
    }
    if let Some(exception) = their_json.strip_prefix("ERR ") {
        // What fails for ever there may be written here, see docs/differences.md; but nothing may be made up.
        let written = exception.starts_with("java.lang.IllegalArgumentException: argument \"content\" is null")
            || exception.contains("because the return value of \"org.apache.kafka.connect.data.Schema.keySchema()\"")
            || exception.contains("Invalid type for")
            || exception.contains("does not have corresponding schema type")
            || exception.contains("Decimal value has mismatching scale")
            || exception.contains("should not have any date fields");
        return if written {
            None
        } else {
            Some(format!("{class} writes {shown:?} as {json:?}, theirs fails: {exception}"))
        };
    }
    let equal = match &json {
        Ok(ours) if properties.contains("schemas.enable=false") => same_json(ours, &their_json),
        Ok(ours) => *ours == their_json || (their_json.starts_with(['{', '[']) && same_json(ours, &their_json)),
        Err(_) => false,
    };
    if equal { None } else { Some(format!("{class} writes {shown:?} as {json:?}, theirs {their_json:?}")) }
}

#[track_caller]
fn agree(lines: &str) {
    let differences: Vec<String> = lines.lines().filter_map(difference).collect();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn converters_agree_with_kafka_connect() {
    let lines = include_str!("connect.tsv");
    assert!(lines.lines().count() > 300);
    agree(lines);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn converters_agree_with_kafka_connect_on_further_cases() {
    match std::env::var("TIDEGATE_CONNECT_CASES") {
        Ok(path) => agree(&std::fs::read_to_string(path).unwrap()),
        #[expect(clippy::print_stderr, reason = "says that it was not run")]
        Err(_) => eprintln!("not run: TIDEGATE_CONNECT_CASES names no file"),
    }
}
