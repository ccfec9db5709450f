//! What Connect's `JsonConverter` makes of a document: its schema, and the value that the schema makes of the payload.
//!
//! Kept as it is where it is careless: a number schema makes 0 of a text, a boolean schema makes false of a number.

use std::borrow::Cow;

use crate::decimal::{Decimal, minimal};
use crate::json::{Node, decode_base64};
use crate::json_schema::SchemaCache;
use crate::key_text::hash_map_order;
use crate::{DATE, DECIMAL, Kind, Logical, Schema, SchemaAndValue, TIME, TIMESTAMP, Value};

/// What is wrong with a document: the exception's class and text.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) exception: &'static str,
    pub(crate) message: String,
}

pub(crate) fn refuse(message: impl Into<String>) -> Refused {
    Refused { exception: "org.apache.kafka.connect.errors.DataException", message: message.into() }
}

/// The value of a document without a schema.
pub(crate) fn schemaless(text: &[u8]) -> Value<'static> {
    bare(&Node::read(text))
}

fn bare(node: &Node<'_>) -> Value<'static> {
    match node {
        Node::Null => Value::Null,
        Node::Boolean(value) => Value::Boolean(*value),
        Node::Number(text) if is_integral(text) => Value::Int64(wrapping(text)),
        Node::Number(text) => Value::Float64(double(text)),
        Node::Text(text) => Value::String(Cow::Owned(text.clone().into_owned())),
        Node::Array(items) => Value::Array(items.iter().map(bare).collect()),
        Node::Object(members) => Value::Map(
            members.iter().map(|(name, value)| (Value::String(Cow::Owned(name.to_string())), bare(value))).collect(),
        ),
    }
}

/// The value of a document `{"schema":..,"payload":..}`, given in compact form.
pub(crate) fn with_schema(
    text: &[u8],
    replace_null: bool,
    cache: &mut SchemaCache,
) -> Result<SchemaAndValue<'static>, Refused> {
    let (schema, payload) = envelope(text).ok_or_else(|| {
        refuse(
            "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
             fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter \
             configuration.",
        )
    })?;
    let schema = cache.schema(schema, replace_null)?;
    let payload = Node::read(payload);
    let value = match &schema {
        Some(schema) => typed(schema, &payload, replace_null)?,
        None => bare(&payload),
    };
    Ok(SchemaAndValue { schema, value })
}

/// The texts of an envelope's two members.
fn envelope(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let members = crate::json::members(text)?;
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, text)| *text);
    if members.len() == 2 { Some((member("schema")?, member("payload")?)) } else { None }
}

/// Whether somewhere in `value` a null stands where its schema wants a value.
pub(crate) fn lacks(schema: &Schema, value: &Value<'_>) -> bool {
    match (&schema.kind, value) {
        (_, Value::Null) => !schema.optional,
        (Kind::Array(element), Value::Array(items)) => items.iter().any(|item| lacks(element, item)),
        (Kind::Map(key, value), Value::Map(pairs)) => {
            pairs.iter().any(|(left, right)| lacks(key, left) || lacks(value, right))
        }
        _ => false,
    }
}

pub(crate) fn typed(schema: &Schema, node: &Node<'_>, replace_null: bool) -> Result<Value<'static>, Refused> {
    if *node == Node::Null {
        return match &schema.default {
            Some(default) if replace_null => Ok(default.clone()),
            _ if schema.optional => Ok(Value::Null),
            _ => Err(refuse(format!("Invalid null value for required {} field", schema.kind.name()))),
        };
    }
    if let Some(DECIMAL | DATE | TIME | TIMESTAMP) = schema.name.as_deref() {
        return logical(schema, node);
    }
    Ok(match &schema.kind {
        Kind::Boolean => Value::Boolean(*node == Node::Boolean(true)),
        Kind::Int8 => Value::Int8(integer(node) as i8),
        Kind::Int16 => Value::Int16(integer(node) as i16),
        Kind::Int32 => Value::Int32(integer(node) as i32),
        Kind::Int64 => Value::Int64(integer(node)),
        Kind::Float32 => Value::Float32(number(node).map_or(0.0, float)),
        Kind::Float64 => Value::Float64(number(node).map_or(0.0, double)),
        Kind::String => match node {
            Node::Text(text) => Value::String(Cow::Owned(text.clone().into_owned())),
            _ => Value::Null,
        },
        Kind::Bytes => match node {
            Node::Text(text) => {
                Value::Bytes(Cow::Owned(decode_base64(text).ok_or_else(|| refuse("Invalid bytes field"))?))
            }
            _ => Value::Null,
        },
        Kind::Array(element) => match node {
            Node::Array(items) => {
                Value::Array(items.iter().map(|item| typed(element, item, replace_null)).collect::<Result<_, _>>()?)
            }
            // Java goes through the parts of whatever it is.
            Node::Object(members) => Value::Array(
                members.iter().map(|(_, item)| typed(element, item, replace_null)).collect::<Result<_, _>>()?,
            ),
            _ => Value::Array(Vec::new()),
        },
        Kind::Map(key, value) => map(key, value, node, replace_null)?,
        Kind::Struct(fields) => {
            if !matches!(node, Node::Object(_)) {
                return Err(refuse(format!("Structs should be encoded as JSON objects, but found {}", node.kind())));
            }
            let mut values = Vec::with_capacity(fields.len());
            for field in &**fields {
                let value = typed(&field.schema, node.get(&field.name).unwrap_or(&Node::Null), replace_null)?;
                if value.is_null() && !field.schema.optional {
                    return Err(refuse(format!(
                        "Invalid value: null used for required field: \"{}\", schema type: {}",
                        field.name,
                        field.schema.kind.name()
                    )));
                }
                values.push(value);
            }
            Value::Struct(values)
        }
    })
}

fn map(key: &Schema, value: &Schema, node: &Node<'_>, replace_null: bool) -> Result<Value<'static>, Refused> {
    let mut pairs: Vec<(Value<'static>, Value<'static>)> = Vec::new();
    match (&key.kind, node) {
        (Kind::String, Node::Object(members)) => {
            for (name, member) in members {
                let name = Value::String(Cow::Owned(name.to_string()));
                pairs.push((name, typed(value, member, replace_null)?));
            }
        }
        (Kind::String, _) => {
            return Err(refuse(format!(
                "Maps with string fields should be encoded as JSON objects, but found {}",
                node.kind()
            )));
        }
        (_, Node::Array(entries)) => {
            for entry in entries {
                let Node::Array(pair) = entry else {
                    return Err(refuse(format!("Found invalid map entry instead of array tuple: {}", entry.kind())));
                };
                let [left, right] = &pair[..] else {
                    return Err(refuse(format!(
                        "Found invalid map entry, expected length 2 but found :{}",
                        pair.len()
                    )));
                };
                let left = typed(key, left, replace_null)?;
                let right = typed(value, right, replace_null)?;
                match pairs.iter_mut().find(|(known, _)| *known == left) {
                    Some((_, known)) => *known = right,
                    None => pairs.push((left, right)),
                }
            }
        }
        (_, _) => {
            return Err(refuse(format!(
                "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
                node.kind()
            )));
        }
    }
    if key.kind != Kind::String
        && let Some(order) = hash_map_order(Some(key), &pairs)
    {
        // As a list of pairs the order shows; it is that of a Java HashMap.
        let mut ordered = Vec::with_capacity(pairs.len());
        ordered.extend(order.into_iter().map(|index| std::mem::take(&mut pairs[index])));
        pairs = ordered;
    }
    Ok(Value::Map(pairs))
}

fn logical(schema: &Schema, node: &Node<'_>) -> Result<Value<'static>, Refused> {
    let wrong = |what: &str, expected: &str| {
        refuse(format!(
            "Invalid type for {what}, underlying representation should be {expected} but was {}",
            node.kind()
        ))
    };
    match schema.logical() {
        Some(Logical::Decimal) => decimal(schema, node),
        Some(Logical::Date) => match node {
            Node::Number(text) if is_int(text) => Ok(Value::Int32(wrapping(text) as i32)),
            _ => Err(wrong("Date", "integer")),
        },
        Some(Logical::Time) => match node {
            Node::Number(text) if is_int(text) => {
                let millis = wrapping(text) as i32;
                // One more than the last millisecond of a day passes, as it does there.
                if !(0..=86_400_000).contains(&millis) {
                    return Err(refuse(
                        "Time values must use number of milliseconds greater than 0 and less than 86400000",
                    ));
                }
                Ok(Value::Int32(millis))
            }
            _ => Err(wrong("Time", "integer")),
        },
        Some(Logical::Timestamp) => match node {
            Node::Number(text) if is_integral(text) => Ok(Value::Int64(wrapping(text))),
            _ => Err(wrong("Timestamp", "integral")),
        },
        None => Err(refuse(format!(
            "schema {} cannot be on type {}",
            schema.name.as_deref().unwrap_or_default(),
            schema.kind.name()
        ))),
    }
}

fn decimal(schema: &Schema, node: &Node<'_>) -> Result<Value<'static>, Refused> {
    let scale = || match schema.parameter("scale") {
        None => Err(refuse("Invalid Decimal schema: scale parameter not found.")),
        Some(scale) => scale.parse::<i32>().map_err(|_| refuse("Invalid scale parameter found in Decimal schema: ")),
    };
    match node {
        Node::Number(text) => {
            let value = Decimal::parse(text).ok_or_else(|| refuse("Invalid number for Decimal field"))?;
            let scale = scale()?;
            if value.scale() != scale {
                return Err(refuse(format!(
                    "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value has \
                     scale {}.",
                    value.scale()
                )));
            }
            Ok(Value::Bytes(Cow::Owned(value.unscaled())))
        }
        Node::Text(text) => match (decode_base64(text), scale()) {
            (Some(bytes), Ok(_)) if !bytes.is_empty() => Ok(Value::Bytes(Cow::Owned(minimal(bytes)))),
            _ => Err(refuse("Invalid bytes for Decimal field")),
        },
        _ => Err(refuse(format!(
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was {}",
            node.kind()
        ))),
    }
}

pub(crate) fn is_integral(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

fn is_int(text: &str) -> bool {
    is_integral(text) && text.parse::<i32>().is_ok()
}

pub(crate) fn wrapping(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| Decimal::parse(text).map_or(0, |value| value.to_i64_wrapping()))
}

fn number<'a>(node: &Node<'a>) -> Option<&'a str> {
    match node {
        Node::Number(text) => Some(text),
        _ => None,
    }
}

/// Through Java's `BigDecimal`, which has no negative zero.
fn double(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN) + 0.0
}

/// See [`double`].
fn float(text: &str) -> f32 {
    text.parse().unwrap_or(f32::NAN) + 0.0
}

fn integer(node: &Node<'_>) -> i64 {
    number(node).map_or(0, wrapping)
}
