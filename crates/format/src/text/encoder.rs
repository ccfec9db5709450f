use std::io::Write;
use std::sync::Arc;

use data::{Converter, ConverterKind, ConverterScratch, Headers, RecordFault, RecordView, Stage};

use super::instant::push_instant;
use super::quote::push_quoted;
use super::{Field, Kind, Layout, ValueEncoding};
use crate::tiles::Tiles;
use crate::{Compression, Encode, Output, Scratch};

/// The class that Connect would blame for what a format cannot hold.
const TASK: &str = "io.aiven.kafka.connect.s3.S3SinkTask";
const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";

/// What reads the parts of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converters {
    /// Its key.
    pub key: Converter,
    /// Its value.
    pub value: Converter,
    /// The values of its headers.
    pub header: Converter,
}

impl Converters {
    /// Whether all parts of a record convert, in Connect's order: key, value, headers. Makes no values.
    pub fn check(&self, record: &RecordView<'_>, scratch: &mut ConverterScratch) -> Result<(), RecordFault> {
        self.key.check(record.key, scratch)?;
        self.value.check(record.value, scratch)?;
        for header in record.headers.iter() {
            self.header.check(header.value, scratch)?;
        }
        Ok(())
    }
}

/// Everything that is the same for all text objects of a connector.
#[derive(Debug)]
pub struct Format {
    layout: Layout,
    converters: Converters,
    compression: Compression,
    /// The members of a JSON record, in order.
    members: Vec<Field>,
    /// Which converters no field of the layout uses; they check all the same.
    unused: Unused,
}

#[derive(Debug, Clone, Copy)]
struct Unused {
    key: bool,
    value: bool,
    headers: bool,
}

impl Format {
    /// Text objects of `layout` from records read by `converters`.
    pub fn new(layout: Layout, converters: Converters, compression: Compression) -> Arc<Self> {
        let has = |field| layout.fields.contains(&field);
        let members = Field::JSON_ORDER.into_iter().filter(|field| has(*field)).collect();
        let unused = Unused { key: !has(Field::Key), value: !has(Field::Value), headers: !has(Field::Headers) };
        Arc::new(Self { layout, converters, compression, members, unused })
    }

    /// An encoder of one object.
    pub fn encoder(self: &Arc<Self>) -> Encoder {
        Encoder { format: Arc::clone(self), tiles: Tiles::new(self.compression), begun: false }
    }

    /// What reads the parts of a record.
    pub fn converters(&self) -> &Converters {
        &self.converters
    }
}

/// Writes one text object.
#[derive(Debug)]
pub struct Encoder {
    format: Arc<Format>,
    tiles: Tiles,
    /// Whether a record has been written.
    begun: bool,
}

impl Encode for Encoder {
    fn record(&mut self, record: &RecordView<'_>, scratch: &mut Scratch) -> Result<(), RecordFault> {
        let out = self.tiles.pending();
        let before = out.len();
        let separator: &[u8] = match (self.format.layout.kind, self.begun) {
            (Kind::Json, false) => b"[\n",
            (Kind::Json, true) => b",\n",
            (Kind::Csv | Kind::Jsonl, false) => b"",
            (Kind::Csv | Kind::Jsonl, true) => b"\n",
        };
        out.extend_from_slice(separator);
        match self.format.push_record(record, out, &mut scratch.converters) {
            Ok(()) => {
                self.begun = true;
                let len = out.len() - before;
                self.tiles.settle(len, scratch);
                Ok(())
            }
            Err(fault) => {
                out.truncate(before);
                // The first fault in Connect's order, which is not the order of writing.
                self.format.converters.check(record, &mut scratch.converters)?;
                Err(fault)
            }
        }
    }

    fn finish(&mut self, scratch: &mut Scratch) {
        if self.format.layout.kind == Kind::Json {
            self.tiles.pending().extend_from_slice(if self.begun { b"\n]" } else { b"[\n\n]" });
        }
        self.tiles.finish(scratch);
    }

    fn squeeze(&mut self, scratch: &mut Scratch) {
        self.tiles.tile(scratch);
    }

    fn output(&mut self) -> &mut Output {
        self.tiles.output()
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.tiles.memory()
    }

    fn raw_bytes(&self) -> u64 {
        self.tiles.raw_bytes()
    }
}

impl Format {
    fn push_record(
        &self,
        record: &RecordView<'_>,
        out: &mut Vec<u8>,
        scratch: &mut ConverterScratch,
    ) -> Result<(), RecordFault> {
        if record.timestamp < -1 {
            return Err(RecordFault {
                stage: Stage::TaskPut,
                class: TASK,
                exception: "org.apache.kafka.common.InvalidRecordException",
                message: format!("Invalid record timestamp {}", record.timestamp),
                cause: None,
            });
        }
        if self.unused.key {
            self.converters.key.check(record.key, scratch)?;
        }
        if self.unused.value {
            self.converters.value.check(record.value, scratch)?;
        }
        if self.unused.headers {
            for header in record.headers.iter() {
                self.converters.header.check(header.value, scratch)?;
            }
        }
        match self.layout.kind {
            Kind::Csv => self.push_csv(record, out),
            Kind::Json | Kind::Jsonl => self.push_json(record, out, scratch),
        }
    }

    fn push_csv(&self, record: &RecordView<'_>, out: &mut Vec<u8>) -> Result<(), RecordFault> {
        for (index, field) in self.layout.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match field {
                Field::Key => push_csv_key(&self.converters.key, record.key, out)?,
                Field::Value => {
                    push_csv_value(&self.converters.value, record.value, self.layout.value_encoding, out)?;
                }
                Field::Offset => push_integer(record.offset.0, out),
                Field::Timestamp => {
                    if record.timestamp >= 0 {
                        push_integer(record.timestamp, out);
                    }
                }
                Field::Headers => push_csv_headers(&self.converters.header, record.headers, out)?,
            }
        }
        Ok(())
    }

    fn push_json(
        &self,
        record: &RecordView<'_>,
        out: &mut Vec<u8>,
        scratch: &mut ConverterScratch,
    ) -> Result<(), RecordFault> {
        if !self.layout.envelope {
            for field in &self.members {
                self.push_json_field(*field, record, out, scratch)?;
            }
            return Ok(());
        }
        for (index, field) in self.members.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(field.name().as_bytes());
            out.extend_from_slice(b"\":");
            self.push_json_field(*field, record, out, scratch)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn push_json_field(
        &self,
        field: Field,
        record: &RecordView<'_>,
        out: &mut Vec<u8>,
        scratch: &mut ConverterScratch,
    ) -> Result<(), RecordFault> {
        match field {
            Field::Key => push_json_value(&self.converters.key, record.key, out, scratch)?,
            Field::Value => push_json_value(&self.converters.value, record.value, out, scratch)?,
            Field::Offset => push_integer(record.offset.0, out),
            Field::Timestamp => match u64::try_from(record.timestamp) {
                Ok(millis) => {
                    out.push(b'"');
                    push_instant(millis, out);
                    out.push(b'"');
                }
                Err(_) => out.extend_from_slice(b"null"),
            },
            Field::Headers => {
                out.push(b'[');
                for (index, header) in record.headers.iter().enumerate() {
                    out.extend_from_slice(if index == 0 { b"{\"key\":" } else { b",{\"key\":" });
                    push_quoted(&data::decode_utf8(header.key), out);
                    out.extend_from_slice(b",\"value\":");
                    push_json_value(&self.converters.header, header.value, out, scratch)?;
                    out.push(b'}');
                }
                out.push(b']');
            }
        }
        Ok(())
    }
}

fn push_integer(number: i64, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    write!(out, "{number}").ok();
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    base64_simd::STANDARD.encode_append(bytes, out);
}

fn push_json_value(
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
        }
        ConverterKind::String => push_quoted(&data::decode_utf8(bytes), out),
        ConverterKind::JsonSchemaless => return converter.compact_json(bytes, out, &mut scratch.compactor),
        other => unreachable!("no text form of {other:?} yet"),
    }
    Ok(())
}

fn push_csv_key(converter: &Converter, bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), RecordFault> {
    match converter.kind() {
        ConverterKind::ByteArray => push_base64(bytes.unwrap_or_default(), out),
        ConverterKind::String => push_base64(data::decode_utf8(bytes.unwrap_or_default()).as_bytes(), out),
        _ => return Err(null_pointer("key schema cannot be null")),
    }
    Ok(())
}

fn push_csv_value(
    converter: &Converter,
    bytes: Option<&[u8]>,
    encoding: ValueEncoding,
    out: &mut Vec<u8>,
) -> Result<(), RecordFault> {
    match (converter.kind(), encoding) {
        (ConverterKind::ByteArray, ValueEncoding::None) => out.extend_from_slice(bytes.unwrap_or_default()),
        (ConverterKind::ByteArray, ValueEncoding::Base64) => push_base64(bytes.unwrap_or_default(), out),
        (ConverterKind::String, _) => {
            return Err(put_fault(DATA_EXCEPTION, "Record value schema type must be BYTES, STRING given"));
        }
        _ => return Err(null_pointer("value schema cannot be null")),
    }
    Ok(())
}

fn push_csv_headers(converter: &Converter, headers: Headers<'_>, out: &mut Vec<u8>) -> Result<(), RecordFault> {
    for header in headers.iter() {
        push_base64(data::decode_utf8(header.key).as_bytes(), out);
        out.push(b':');
        match (converter.kind(), header.value) {
            (ConverterKind::ByteArray, Some(value)) => push_base64(value, out),
            (ConverterKind::ByteArray, None) => {
                return Err(null_pointer("Cannot read the array length because \"src\" is null"));
            }
            (ConverterKind::String, _) => {
                return Err(put_fault(DATA_EXCEPTION, "Invalid schema type for ByteArrayConverter: STRING"));
            }
            _ => return Err(null_pointer("header schema cannot be null")),
        }
        out.push(b';');
    }
    Ok(())
}

fn put_fault(exception: &'static str, message: &str) -> RecordFault {
    RecordFault { stage: Stage::TaskPut, class: TASK, exception, message: message.to_owned(), cause: None }
}

fn null_pointer(message: &str) -> RecordFault {
    put_fault("java.lang.NullPointerException", message)
}
