use data::java::{push_f32, push_f64};
use data::json::push_quoted;
use data::{Kind, Schema, Value};

/// A null stands where its schema wants a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MissingValue;

/// Appends a value as JSON, as Connect's `JsonConverter` without schemas prints it and Aiven's sink prints that again:
/// bytes in base64, logical types as the numbers they are held in, a null as its schema's default, maps whose keys are
/// not texts as lists of pairs.
pub(crate) fn push_value(schema: Option<&Schema>, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), MissingValue> {
    match value {
        Value::Null => match schema {
            Some(Schema { default: Some(default), .. }) => return push_value(schema, default, out),
            None | Some(Schema { optional: true, .. }) => out.extend_from_slice(b"null"),
            Some(_) => return Err(MissingValue),
        },
        Value::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int8(value) => push_integer(i64::from(*value), out),
        Value::Int16(value) => push_integer(i64::from(*value), out),
        Value::Int32(value) => push_integer(i64::from(*value), out),
        Value::Int64(value) => push_integer(*value, out),
        Value::Float32(value) => push_float(value.is_finite(), |text| push_f32(*value, text), out),
        Value::Float64(value) => push_float(value.is_finite(), |text| push_f64(*value, text), out),
        Value::String(text) => push_quoted(text, out),
        Value::Bytes(bytes) => {
            out.push(b'"');
            push_base64(bytes, out);
            out.push(b'"');
        }
        Value::Array(items) => {
            let element = match schema.map(|schema| &schema.kind) {
                Some(Kind::Array(element)) => Some(&**element),
                _ => None,
            };
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_value(element, item, out)?;
            }
            out.push(b']');
        }
        Value::Map(pairs) => return push_map(schema, pairs, out),
        Value::Struct(values) => {
            let fields = match schema.map(|schema| &schema.kind) {
                Some(Kind::Struct(fields)) => &**fields,
                _ => &[],
            };
            out.push(b'{');
            for (index, (field, value)) in fields.iter().zip(values).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_quoted(&field.name, out);
                out.push(b':');
                push_value(Some(&field.schema), value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn push_map(schema: Option<&Schema>, pairs: &[(Value<'_>, Value<'_>)], out: &mut Vec<u8>) -> Result<(), MissingValue> {
    let (of_keys, of_values) = match schema.map(|schema| &schema.kind) {
        Some(Kind::Map(key, value)) => (Some(&**key), Some(&**value)),
        _ => (None, None),
    };
    let object = of_keys.is_none_or(|key| key.kind == Kind::String)
        && pairs.iter().all(|(key, _)| matches!(key, Value::String(_)));
    out.push(if object { b'{' } else { b'[' });
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if !object {
            out.push(b'[');
        }
        push_value(of_keys, key, out)?;
        out.push(if object { b':' } else { b',' });
        push_value(of_values, value, out)?;
        if !object {
            out.push(b']');
        }
    }
    out.push(if object { b'}' } else { b']' });
    Ok(())
}

/// Appends a decimal number.
pub(crate) fn push_integer(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// What is not finite is no JSON number and stands in quotes.
fn push_float(finite: bool, print: impl FnOnce(&mut String), out: &mut Vec<u8>) {
    let mut text = String::new();
    print(&mut text);
    let quote: &[u8] = if finite { b"" } else { b"\"" };
    out.extend_from_slice(quote);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(quote);
}

/// Appends bytes in base64: the standard alphabet, padded.
pub(crate) fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    base64_simd::STANDARD.encode_append(bytes, out);
}

#[cfg(test)]
mod tests {
    use super::push_integer;

    #[test]
    fn integers_print_to_their_limits() {
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_integer(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
