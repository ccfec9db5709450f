use std::sync::Arc;

use crate::java::days_from_civil;
use crate::{DATE, Kind, Schema, SchemaAndValue, TIME, TIMESTAMP, Value};

/// A date, time or timestamp in ISO 8601's form and length, read as leniently as Java's `SimpleDateFormat` reads: numbers
/// outside their range run over (the 31st of February is the 3rd of March), what follows the last field is ignored.
pub(crate) fn temporal(token: &str) -> Option<SchemaAndValue<'static>> {
    let token = token.replace("\\:", ":");
    let logical = |kind: Kind, name: &str, value: Value<'static>| {
        let mut schema = Schema::of(kind).named(name);
        schema.version = Some(1);
        SchemaAndValue { schema: Some(Arc::new(schema)), value }
    };
    let mut rest = token.as_bytes();
    match token.encode_utf16().count() {
        10 => {
            let days = date(&mut rest)?;
            Some(logical(Kind::Int32, DATE, Value::Int32(i32::try_from(days).ok()?)))
        }
        13 => {
            let millis = time(&mut rest)?;
            Some(logical(Kind::Int32, TIME, Value::Int32(i32::try_from(millis).ok()?)))
        }
        24 => {
            let days = date(&mut rest)?;
            literal(&mut rest, b'T')?;
            let millis = time(&mut rest)?;
            Some(logical(Kind::Int64, TIMESTAMP, Value::Int64(days.checked_mul(86_400_000)?.checked_add(millis)?)))
        }
        _ => None,
    }
}

fn date(rest: &mut &[u8]) -> Option<i64> {
    let year = field(rest)?;
    literal(rest, b'-')?;
    let month = field(rest)?;
    literal(rest, b'-')?;
    Some(days_from_civil(year, month, field(rest)?))
}

fn time(rest: &mut &[u8]) -> Option<i64> {
    let hour = field(rest)?;
    literal(rest, b':')?;
    let minute = field(rest)?;
    literal(rest, b':')?;
    let second = field(rest)?;
    literal(rest, b'.')?;
    let milli = field(rest)?;
    literal(rest, b'Z')?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

fn literal(rest: &mut &[u8], expected: u8) -> Option<()> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    (*first == expected).then_some(())
}

fn field(rest: &mut &[u8]) -> Option<i64> {
    while let Some((b' ' | b'\t', after)) = rest.split_first() {
        *rest = after;
    }
    let negative = rest.first() == Some(&b'-');
    if negative {
        *rest = &rest[1..];
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 9 {
        return None;
    }
    let value = rest[..digits].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    *rest = &rest[digits..];
    Some(if negative { -value } else { value })
}
