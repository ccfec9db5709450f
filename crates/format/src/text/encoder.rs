use std::sync::Arc;

use data::{Converter, ConverterScratch, RecordFault, RecordView};

use super::fault::put_fault;
use super::instant::push_instant;
use super::value::push_integer;
use super::{Field, Kind, Layout, csv, json};
use crate::tiles::Tiles;
use crate::{Compression, Encode, Output, Scratch};

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
            return Err(put_fault(
                "org.apache.kafka.common.InvalidRecordException",
                format!("Invalid record timestamp {}", record.timestamp),
            ));
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
            Kind::Csv => self.push_csv(record, out, scratch),
            Kind::Json | Kind::Jsonl => self.push_json(record, out, scratch),
        }
    }

    fn push_csv(
        &self,
        record: &RecordView<'_>,
        out: &mut Vec<u8>,
        scratch: &mut ConverterScratch,
    ) -> Result<(), RecordFault> {
        let Converters { key, value, header } = &self.converters;
        for (index, field) in self.layout.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match field {
                Field::Key => csv::push_key(key, record.key, out, scratch)?,
                Field::Value => csv::push_value(value, record.value, self.layout.value_encoding, out, scratch)?,
                Field::Offset => push_integer(record.offset.0, out),
                Field::Timestamp => {
                    if record.timestamp >= 0 {
                        push_integer(record.timestamp, out);
                    }
                }
                Field::Headers => csv::push_headers(header, record.headers, out, scratch)?,
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
        let Converters { key, value, header } = &self.converters;
        match field {
            Field::Key => json::push_converted(key, record.key, out, scratch)?,
            Field::Value => json::push_converted(value, record.value, out, scratch)?,
            Field::Offset => push_integer(record.offset.0, out),
            Field::Timestamp => match u64::try_from(record.timestamp) {
                Ok(millis) => {
                    out.push(b'"');
                    push_instant(millis, out);
                    out.push(b'"');
                }
                Err(_) => out.extend_from_slice(b"null"),
            },
            Field::Headers => json::push_headers(header, record.headers, out, scratch)?,
        }
        Ok(())
    }
}
