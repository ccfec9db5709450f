use data::{Converter, ConverterKind, ConverterScratch, Headers, Kind, Logical, RecordFault, Schema, Value};

use super::ValueEncoding;
use super::fault::{data_fault, java_class, null_pointer};
use super::value::push_base64;

/// Appends a key in base64. It has to be bytes or a text.
pub(crate) fn push_key(
    converter: &Converter,
    bytes: Option<&[u8]>,
    out: &mut Vec<u8>,
    scratch: &mut ConverterScratch,
) -> Result<(), RecordFault> {
    match converter.kind() {
        ConverterKind::ByteArray => push_base64(bytes.unwrap_or_default(), out),
        ConverterKind::String(charset) => {
            push_base64(charset.decode(bytes.unwrap_or_default()).as_bytes(), out);
        }
        _ => {
            let read = converter.convert(bytes, scratch)?;
            let Some(schema) = read.schema else { return Err(null_pointer("key schema cannot be null")) };
            match (&schema.kind, &read.value) {
                (Kind::String | Kind::Bytes, Value::Null) => {}
                (Kind::String, Value::String(text)) => push_base64(text.as_bytes(), out),
                (Kind::Bytes, Value::Bytes(bytes)) => push_base64(plain(&schema, bytes)?, out),
                _ => {
                    let given = schema.kind.name();
                    return Err(data_fault(format!("Record key schema type must be BYTES or STRING, {given} given")));
                }
            }
        }
    }
    Ok(())
}

/// Appends a value, encoded or not. It has to be bytes.
pub(crate) fn push_value(
    converter: &Converter,
    bytes: Option<&[u8]>,
    encoding: ValueEncoding,
    out: &mut Vec<u8>,
    scratch: &mut ConverterScratch,
) -> Result<(), RecordFault> {
    let push = |bytes: &[u8], out: &mut Vec<u8>| match encoding {
        ValueEncoding::None => out.extend_from_slice(bytes),
        ValueEncoding::Base64 => push_base64(bytes, out),
    };
    if converter.kind() == ConverterKind::ByteArray {
        push(bytes.unwrap_or_default(), out);
        return Ok(());
    }
    let read = converter.convert(bytes, scratch)?;
    let Some(schema) = read.schema else { return Err(null_pointer("value schema cannot be null")) };
    match (&schema.kind, &read.value) {
        (Kind::Bytes, Value::Null) => Ok(()),
        (Kind::Bytes, Value::Bytes(bytes)) => {
            push(plain(&schema, bytes)?, out);
            Ok(())
        }
        (kind, _) => Err(data_fault(format!("Record value schema type must be BYTES, {} given", kind.name()))),
    }
}

/// Bytes that are nothing else: a decimal is a number to Java.
fn plain<'a>(schema: &Schema, bytes: &'a [u8]) -> Result<&'a [u8], RecordFault> {
    match schema.logical() {
        Some(Logical::Decimal) => Err(data_fault("a decimal is not bytes")),
        _ => Ok(bytes),
    }
}

/// Appends each header as `base64(key):base64(value);`. The values have to be bytes.
pub(crate) fn push_headers(
    converter: &Converter,
    headers: Headers<'_>,
    out: &mut Vec<u8>,
    scratch: &mut ConverterScratch,
) -> Result<(), RecordFault> {
    for header in headers.iter() {
        push_base64(data::decode_utf8(header.key).as_bytes(), out);
        out.push(b':');
        let read = converter.convert(header.value, scratch)?;
        match (read.schema.as_deref(), &read.value) {
            (Some(schema), _) if schema.kind != Kind::Bytes => {
                return Err(data_fault(format!("Invalid schema type for ByteArrayConverter: {}", schema.kind.name())));
            }
            (_, Value::Null) => {
                return Err(null_pointer("Cannot read the array length because \"src\" is null"));
            }
            (Some(schema), Value::Bytes(bytes)) => push_base64(plain(schema, bytes)?, out),
            (_, value) => {
                return Err(data_fault(format!(
                    "ByteArrayConverter is not compatible with objects of type {}",
                    java_class(value)
                )));
            }
        }
        out.push(b';');
    }
    Ok(())
}
