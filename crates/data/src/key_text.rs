use crate::decimal::Decimal;
use crate::java::{Key, hash_order, push_date, push_f32, push_f64};
use crate::{Kind, Logical, Schema, Value};

/// Why a key has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoText {
    /// Java prints the identity of the array: another text for every record.
    Bytes,
    /// The order of a Java map with such keys is not reproduced here.
    Map,
}

impl NoText {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Bytes => "a key of bytes has no text that an object's name could be made of; use StringConverter",
            Self::Map => "a key with such a map has no text in a known order; use StringConverter",
        }
    }
}

/// Appends a value as its Java counterpart's `toString` prints it.
pub(crate) fn push_text(schema: Option<&Schema>, value: &Value<'_>, out: &mut String) -> Result<(), NoText> {
    let logical = schema.and_then(Schema::logical);
    match (value, logical) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Int32(days), Some(Logical::Date)) => push_date(i64::from(*days) * 86_400_000, out),
        (Value::Int32(millis), Some(Logical::Time)) => push_date(i64::from(*millis), out),
        (Value::Int64(millis), Some(Logical::Timestamp)) => push_date(*millis, out),
        (Value::Bytes(unscaled), Some(Logical::Decimal)) => {
            let scale = schema.and_then(|schema| schema.parameter("scale")).and_then(|scale| scale.parse().ok());
            out.push_str(&Decimal::from_unscaled(unscaled, scale.unwrap_or(0)).to_string());
        }
        (Value::Bytes(_), _) => return Err(NoText::Bytes),
        (Value::Boolean(value), _) => out.push_str(if *value { "true" } else { "false" }),
        (Value::Int8(value), _) => out.push_str(&value.to_string()),
        (Value::Int16(value), _) => out.push_str(&value.to_string()),
        (Value::Int32(value), _) => out.push_str(&value.to_string()),
        (Value::Int64(value), _) => out.push_str(&value.to_string()),
        (Value::Float32(value), _) => push_f32(*value, out),
        (Value::Float64(value), _) => push_f64(*value, out),
        (Value::String(text), _) => out.push_str(text),
        (Value::Array(items), _) => {
            let element = match schema.map(|schema| &schema.kind) {
                Some(Kind::Array(element)) => Some(&**element),
                _ => None,
            };
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_text(element, item, out)?;
            }
            out.push(']');
        }
        (Value::Map(pairs), _) => {
            let (of_keys, of_values) = match schema.map(|schema| &schema.kind) {
                Some(Kind::Map(key, value)) => (Some(&**key), Some(&**value)),
                _ => (None, None),
            };
            let order = hash_map_order(of_keys, pairs).ok_or(NoText::Map)?;
            out.push('{');
            for (place, index) in order.into_iter().enumerate() {
                let (key, value) = &pairs[index];
                out.push_str(if place == 0 { "" } else { ", " });
                push_text(of_keys, key, out)?;
                out.push('=');
                push_text(of_values, value, out)?;
            }
            out.push('}');
        }
        (Value::Struct(values), _) => {
            let fields = match schema.map(|schema| &schema.kind) {
                Some(Kind::Struct(fields)) => &**fields,
                _ => &[],
            };
            out.push_str("Struct{");
            let mut first = true;
            for (field, value) in fields.iter().zip(values).filter(|(_, value)| !value.is_null()) {
                out.push_str(if first { "" } else { "," });
                first = false;
                out.push_str(&field.name);
                out.push('=');
                push_text(Some(&field.schema), value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// The order in which a Java `HashMap` gives `pairs` that were put in one after the other, as places; `None` if that is
/// not known here.
pub(crate) fn hash_map_order(of_keys: Option<&Schema>, pairs: &[(Value<'_>, Value<'_>)]) -> Option<Vec<usize>> {
    let keys: Option<Vec<Key>> = pairs.iter().map(|(key, _)| java_key(of_keys, key)).collect();
    hash_order(&keys?)
}

/// A map's key as Java hashes it; `None` for what is not reproduced here.
fn java_key(schema: Option<&Schema>, key: &Value<'_>) -> Option<Key> {
    Some(match (key, schema.and_then(Schema::logical)) {
        (Value::String(text), _) => Key::Text(text.to_string()),
        (Value::Null, _) => Key::Bits(0, u64::MAX),
        // A Java Date hashes like a Long of its milliseconds.
        (Value::Int32(days), Some(Logical::Date)) => Key::of_i64(i64::from(*days) * 86_400_000),
        (Value::Int32(millis), Some(Logical::Time)) => Key::of_i64(i64::from(*millis)),
        (Value::Int8(value), _) => Key::Bits(i32::from(*value), u64::from(*value as u8)),
        (Value::Int16(value), _) => Key::Bits(i32::from(*value), u64::from(*value as u16)),
        (Value::Int32(value), _) => Key::Bits(*value, u64::from(*value as u32)),
        (Value::Int64(value), _) => Key::of_i64(*value),
        (Value::Boolean(value), _) => Key::Bits(if *value { 1231 } else { 1237 }, u64::from(*value)),
        (Value::Float32(value), _) => Key::Bits(value.to_bits() as i32, u64::from(value.to_bits())),
        (Value::Float64(value), _) => Key::of_i64(value.to_bits() as i64),
        (Value::Bytes(_) | Value::Array(_) | Value::Map(_) | Value::Struct(_), _) => return None,
    })
}
