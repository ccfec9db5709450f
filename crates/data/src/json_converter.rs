//! What Connect's `JsonConverter` makes of a document: its schema, and the value that the schema makes of the payload.
//!
//! Kept as it is where it is careless: a number schema makes 0 of a text, a boolean schema makes false of a number.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::decimal::{Decimal, minimal};
use crate::json::Node;
use crate::key_text::hash_map_order;
use crate::{DATE, DECIMAL, Field, Kind, Logical, Schema, SchemaAndValue, TIME, TIMESTAMP, Value};

/// What is wrong with a document: the exception's class and text.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) exception: &'static str,
    pub(crate) message: String,
}

fn refuse(message: impl Into<String>) -> Refused {
    Refused { exception: "org.apache.kafka.connect.errors.DataException", message: message.into() }
}

fn refuse_schema(message: impl Into<String>) -> Refused {
    Refused { exception: "org.apache.kafka.connect.errors.SchemaBuilderException", message: message.into() }
}

/// Schemas that have been read, by their compact text. Full, it begins anew: topics have few schemas.
#[derive(Debug, Default)]
pub(crate) struct SchemaCache {
    known: HashMap<Box<[u8]>, Option<Arc<Schema>>>,
}

/// As many as `schemas.cache.size` says by default.
const CACHED_SCHEMAS: usize = 1000;

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

impl SchemaCache {
    fn schema(&mut self, text: &[u8], replace_null: bool) -> Result<Option<Arc<Schema>>, Refused> {
        if let Some(known) = self.known.get(text) {
            return Ok(known.clone());
        }
        let schema = match Node::read(text) {
            Node::Null => None,
            node => Some(Arc::new(read_schema(&node, replace_null)?)),
        };
        if self.known.len() == CACHED_SCHEMAS {
            self.known.clear();
        }
        self.known.insert(text.into(), schema.clone());
        Ok(schema)
    }
}

fn read_schema(node: &Node<'_>, replace_null: bool) -> Result<Schema, Refused> {
    let Some(Node::Text(kind)) = node.get("type") else {
        return Err(refuse("Schema must contain 'type' field"));
    };
    let part = |name: &str, missing: &str, null: &str| match node.get(name) {
        None => Err(refuse(missing)),
        Some(Node::Null) => Err(refuse_schema(null)),
        Some(part) => read_schema(part, replace_null).map(Arc::new),
    };
    let kind = match &**kind {
        "boolean" => Kind::Boolean,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        "array" => match node.get("items") {
            None | Some(Node::Null) => return Err(refuse("Array schema did not specify the element type")),
            Some(items) => Kind::Array(Arc::new(read_schema(items, replace_null)?)),
        },
        "map" => Kind::Map(
            part("keys", "Map schema did not specify the key type", "keySchema cannot be null.")?,
            part("values", "Map schema did not specify the value type", "valueSchema cannot be null.")?,
        ),
        "struct" => {
            let Some(Node::Array(fields)) = node.get("fields") else {
                return Err(refuse("Struct schema's \"fields\" argument is not an array."));
            };
            let mut known: Vec<Field> = Vec::with_capacity(fields.len());
            for field in fields {
                let Some(Node::Text(name)) = field.get("field") else {
                    return Err(refuse("Struct schema's field name not specified properly"));
                };
                let schema = Arc::new(read_schema(field, replace_null)?);
                if name.is_empty() {
                    return Err(refuse_schema("fieldName cannot be null."));
                }
                if known.iter().any(|field| *field.name == **name) {
                    return Err(refuse_schema(format!("Cannot create field because of field name duplication {name}")));
                }
                known.push(Field { name: Arc::from(&**name), schema });
            }
            Kind::Struct(known.into())
        }
        other => return Err(refuse(format!("Unknown schema type: {other}"))),
    };
    let mut schema = Schema::of(kind);
    schema.optional = matches!(node.get("optional"), Some(Node::Boolean(true)));
    if let Some(Node::Text(name)) = node.get("name") {
        schema.name = Some(Arc::from(&**name));
    }
    if let Some(Node::Number(version)) = node.get("version")
        && is_integral(version)
    {
        schema.version = Some(wrapping(version) as i32);
    }
    if let Some(Node::Text(doc)) = node.get("doc") {
        schema.doc = Some(Arc::from(&**doc));
    }
    if let Some(Node::Object(parameters)) = node.get("parameters") {
        for (name, value) in parameters {
            let Node::Text(value) = value else {
                return Err(refuse("Schema parameters must have string values."));
            };
            schema.parameters.push((Arc::from(&**name), Arc::from(&**value)));
        }
    }
    if let Some(default) = node.get("default") {
        let default = typed(&schema, default, replace_null)?;
        if lacks(&schema, &default) {
            return Err(refuse_schema("Invalid default value"));
        }
        schema.default = Some(default).filter(|default| !default.is_null());
    }
    Ok(schema)
}

/// Whether somewhere in `value` a null stands where its schema wants a value.
fn lacks(schema: &Schema, value: &Value<'_>) -> bool {
    match (&schema.kind, value) {
        (_, Value::Null) => !schema.optional,
        (Kind::Array(element), Value::Array(items)) => items.iter().any(|item| lacks(element, item)),
        (Kind::Map(key, value), Value::Map(pairs)) => {
            pairs.iter().any(|(left, right)| lacks(key, left) || lacks(value, right))
        }
        _ => false,
    }
}

fn typed(schema: &Schema, node: &Node<'_>, replace_null: bool) -> Result<Value<'static>, Refused> {
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

fn is_integral(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

fn is_int(text: &str) -> bool {
    is_integral(text) && text.parse::<i32>().is_ok()
}

fn wrapping(text: &str) -> i64 {
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

/// Base64 as Jackson reads it: the standard alphabet, padding required, blanks before each group of four ignored, stray
/// bits in the last group ignored.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len() / 4 * 3);
    loop {
        while let Some((0..=b' ', after)) = rest.split_first() {
            rest = after;
        }
        let Some((group, after)) = rest.split_first_chunk::<4>() else {
            return if rest.is_empty() { Some(bytes) } else { None };
        };
        rest = after;
        let head = digit(group[0])? << 18 | digit(group[1])? << 12;
        match (group[2], group[3]) {
            (b'=', b'=') => bytes.push((head >> 16) as u8),
            (third, b'=') => bytes.extend_from_slice(&(head | digit(third)? << 6).to_be_bytes()[1..3]),
            (third, fourth) => {
                bytes.extend_from_slice(&(head | digit(third)? << 6 | digit(fourth)?).to_be_bytes()[1..4]);
            }
        }
    }
}
