use data::json::push_quoted;
use data::{Charset, Converter, ConverterKind, ConverterScratch, Headers, RecordFault};

use super::fault::data_fault;
use super::value::{MissingValue, push_base64, push_value};

/// Appends what `bytes` convert to, as JSON. Common converters make no value on the way.
pub(crate) fn push_converted(
    converter: &Converter,
    bytes: Option<&[u8]>,
    out: &mut Vec<u8>,
    scratch: &mut ConverterScratch,
) -> Result<(), RecordFault> {
    let Some(bytes) = bytes else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    match converter.kind() {
        ConverterKind::ByteArray => {
            out.push(b'"');
            push_base64(bytes, out);
            out.push(b'"');
            Ok(())
        }
        ConverterKind::String(charset) => {
            push_quoted(&charset.decode(bytes), out);
            Ok(())
        }
        ConverterKind::JsonSchemaless => converter.compact_json(bytes, out, &mut scratch.compactor),
        _ => {
            let read = converter.convert(Some(bytes), scratch)?;
            push_value(read.schema.as_deref(), &read.value, out).map_err(|MissingValue| {
                data_fault("Conversion error: null value for field that is required and has no default value")
            })
        }
    }
}

/// Appends the headers as a list of objects `{"key":..,"value":..}`, in order, duplicates kept.
pub(crate) fn push_headers(
    converter: &Converter,
    headers: Headers<'_>,
    out: &mut Vec<u8>,
    scratch: &mut ConverterScratch,
) -> Result<(), RecordFault> {
    out.push(b'[');
    for (index, header) in headers.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"key\":" } else { b",{\"key\":" });
        push_quoted(&Charset::Utf8.decode(header.key), out);
        out.extend_from_slice(b",\"value\":");
        push_converted(converter, header.value, out, scratch)?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}
