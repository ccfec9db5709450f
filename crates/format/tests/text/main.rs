//! Text objects against the bytes that Aiven's S3 sink writes.

mod conformance;
mod connect;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use data::{Arena, Converter, Offset, RecordFault, Role};
use format::text::{Converters, Field, Format, Kind, Layout, ValueEncoding};
use format::{Codec, Compression, Encode, Scratch};

const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// A record to write.
#[derive(Debug, Clone, Default)]
struct Sample {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Sample {
    fn new(key: Option<&str>, value: Option<&str>) -> Self {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Self { timestamp: 1000, key: bytes(key), value: bytes(value), ..Self::default() }
    }

    fn at(mut self, offset: i64, timestamp: i64) -> Self {
        (self.offset, self.timestamp) = (offset, timestamp);
        self
    }

    fn header(mut self, key: &str, value: Option<&str>) -> Self {
        self.headers.push((key.into(), value.map(Into::into)));
        self
    }

    fn push_to(&self, arena: &mut Arena) {
        let mut put = |bytes: &[u8]| {
            let start = arena.bytes().len();
            arena.bytes_mut().extend_from_slice(bytes);
            (start, start + bytes.len())
        };
        let key = self.key.as_deref().map(&mut put);
        let value = self.value.as_deref().map(&mut put);
        let headers: Vec<_> =
            self.headers.iter().map(|(key, value)| (put(key), value.as_deref().map(&mut put))).collect();
        let from = arena.header_count();
        for (key, value) in headers {
            arena.push_header(key, value);
        }
        arena.push(Offset(self.offset), self.timestamp, key, value, from);
    }
}

fn converters(key: &str, value: &str, header: &str) -> Converters {
    let config: BTreeMap<String, String> = [Role::Key, Role::Value, Role::Header]
        .into_iter()
        .map(|role| (format!("{}.schemas.enable", role.config_key()), "false".to_owned()))
        .collect();
    Converters {
        key: Converter::new(Role::Key, key, &config).unwrap(),
        value: Converter::new(Role::Value, value, &config).unwrap(),
        header: Converter::new(Role::Header, header, &config).unwrap(),
    }
}

fn field(name: &str) -> Field {
    match name {
        "key" => Field::Key,
        "value" => Field::Value,
        "offset" => Field::Offset,
        "timestamp" => Field::Timestamp,
        "headers" => Field::Headers,
        other => panic!("no field {other}"),
    }
}

fn layout(kind: Kind, fields: &str) -> Layout {
    let fields = fields.split(',').map(field).collect();
    Layout { kind, fields, value_encoding: ValueEncoding::Base64, envelope: true }
}

/// The object of `samples`, and the faults of those that cannot be in it.
fn object(format: &Arc<Format>, samples: &[Sample]) -> (Vec<u8>, Vec<RecordFault>) {
    let mut arena = Arena::new();
    for sample in samples {
        sample.push_to(&mut arena);
    }
    let mut scratch = Scratch::default();
    let mut encoder = format.encoder();
    let faults = arena.records().filter_map(|record| encoder.record(&record, &mut scratch).err()).collect();
    encoder.finish(&mut scratch);
    (encoder.output().take().concat(), faults)
}

#[track_caller]
fn writes(layout: Layout, converters: Converters, samples: &[Sample], expected: &str) {
    let format = Format::new(layout, converters, Compression::NONE);
    let (bytes, faults) = object(&format, samples);
    assert_eq!(faults, []);
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn csv_fields_stand_in_configured_order() {
    writes(
        layout(Kind::Csv, "key,value,offset,timestamp"),
        converters(STRING, BYTES, BYTES),
        &[Sample::new(Some("key"), Some("Lorem ipsum dolor sit amet")).at(1_232_155, 1_554_210_895)],
        "a2V5,TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQ=,1232155,1554210895",
    );
    writes(
        layout(Kind::Csv, "value,key,timestamp,offset,headers"),
        converters(BYTES, BYTES, BYTES),
        &[Sample::new(Some("test-key"), Some("test-value"))
            .at(0, 1000)
            .header("test-header-key-1", Some("test-header-value-1"))
            .header("test-header-key-2", Some("test-header-value-2"))],
        "dGVzdC12YWx1ZQ==,dGVzdC1rZXk=,1000,0,dGVzdC1oZWFkZXIta2V5LTE=:dGVzdC1oZWFkZXItdmFsdWUtMQ==;\
         dGVzdC1oZWFkZXIta2V5LTI=:dGVzdC1oZWFkZXItdmFsdWUtMg==;",
    );
}

#[test]
fn csv_nulls_are_empty() {
    writes(
        layout(Kind::Csv, "key,value,offset,timestamp"),
        converters(BYTES, BYTES, BYTES),
        &[Sample::new(None, None).at(1_232_155, -1)],
        ",,1232155,",
    );
}

#[test]
fn csv_without_encoding_writes_values_as_they_are() {
    let layout = Layout { value_encoding: ValueEncoding::None, ..layout(Kind::Csv, "value") };
    let samples = [Sample::new(None, Some("value-0")), Sample::new(None, Some("a,\"b\"\nc"))];
    writes(layout, converters(BYTES, BYTES, BYTES), &samples, "value-0\na,\"b\"\nc");
}

#[test]
fn json_members_stand_in_the_order_of_a_java_hash_map() {
    let sample = Sample::new(Some("key0"), Some(r#"{"name":"John"}"#)).at(1, 1000).header("headerKey", Some("v"));
    writes(
        layout(Kind::Jsonl, "timestamp,key,value,offset,headers"),
        converters(STRING, JSON, STRING),
        &[sample],
        r#"{"headers":[{"key":"headerKey","value":"v"}],"offset":1,"value":{"name":"John"},"key":"key0","timestamp":"1970-01-01T00:00:01Z"}"#,
    );
}

#[test]
fn jsonl_has_a_document_a_line_and_json_one_array() {
    let samples = [
        Sample::new(Some("key0"), Some("{\"name\": \"John\"}")),
        Sample::new(None, Some("{\"name\":\"Pekka\" }")),
        Sample::new(Some(""), None).at(0, -1),
    ];
    writes(
        layout(Kind::Jsonl, "key,value"),
        converters(STRING, JSON, STRING),
        &samples,
        "{\"value\":{\"name\":\"John\"},\"key\":\"key0\"}\n{\"value\":{\"name\":\"Pekka\"},\"key\":null}\n\
         {\"value\":null,\"key\":\"\"}",
    );
    let bare = Layout { envelope: false, ..layout(Kind::Json, "value") };
    writes(bare, converters(STRING, JSON, STRING), &samples, "[\n{\"name\":\"John\"},\n{\"name\":\"Pekka\"},\nnull\n]");
    writes(
        layout(Kind::Jsonl, "headers,timestamp"),
        converters(STRING, JSON, STRING),
        &samples[2..],
        "{\"headers\":[],\"timestamp\":null}",
    );
}

#[test]
fn a_record_that_does_not_convert_leaves_no_trace() {
    let format = Format::new(layout(Kind::Json, "offset"), converters(STRING, JSON, STRING), Compression::NONE);
    let samples = [
        Sample::new(None, Some("{bad json")).at(0, 0),
        Sample::new(None, Some("1")).at(1, 0),
        Sample::new(None, Some("nul")).at(2, 0),
        Sample::new(None, Some("")).at(3, 0),
    ];
    let (bytes, faults) = object(&format, &samples);
    assert_eq!(String::from_utf8(bytes).unwrap(), "[\n{\"offset\":1},\n{\"offset\":3}\n]");
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "Converting byte[] to Kafka Connect data failed due to serialization error: \
             unexpected 'b' (code 98) at byte 1 (VALUE_CONVERTER)",
            "Converting byte[] to Kafka Connect data failed due to serialization error: \
             the text ends at byte 3 inside a value (VALUE_CONVERTER)",
        ]
    );
}

#[test]
fn the_first_fault_in_connects_order_is_named() {
    let format = Format::new(layout(Kind::Jsonl, "key,value,headers"), converters(JSON, JSON, JSON), Compression::NONE);
    let bad = Sample::new(Some("{"), Some("{")).header("h", Some("{"));
    let (_, faults) =
        object(&format, &[bad.clone(), Sample { key: None, ..bad.clone() }, Sample { key: None, value: None, ..bad }]);
    let stages: Vec<_> = faults.iter().map(|fault| fault.stage.name()).collect();
    assert_eq!(stages, ["KEY_CONVERTER", "VALUE_CONVERTER", "HEADER_CONVERTER"]);
}

fn unpack(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match codec {
        Codec::None => plain.extend_from_slice(bytes),
        // Of one member only: what follows it would be left over.
        Codec::Gzip => {
            let mut reader = flate2::read::GzDecoder::new(bytes);
            reader.read_to_end(&mut plain).unwrap();
            assert!(reader.into_inner().is_empty());
        }
        // Of one frame only.
        Codec::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(bytes).unwrap().single_frame();
            reader.read_to_end(&mut plain).unwrap();
            assert!(reader.finish().is_empty());
        }
        Codec::Snappy => {
            assert_eq!(bytes[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
            let mut rest = &bytes[16..];
            while let Some((len, after)) = rest.split_first_chunk::<4>() {
                let (block, after) = after.split_at(u32::from_be_bytes(*len) as usize);
                let block = snap::raw::Decoder::new().decompress_vec(block).unwrap();
                assert!(block.len() <= 32 << 10);
                plain.extend(block);
                rest = after;
            }
            assert!(rest.is_empty());
        }
    }
    plain
}

#[test]
fn every_codec_gives_back_what_was_written() {
    let samples: Vec<Sample> = (0..20_000_i64)
        .map(|offset| {
            Sample::new(Some("k"), Some(&format!("{{\"n\":{offset},\"s\":\"{}\"}}", offset.pow(2)))).at(offset, 0)
        })
        .collect();
    for count in [0, 1, samples.len()] {
        let samples = &samples[..count];
        let plain = Format::new(layout(Kind::Jsonl, "key,value"), converters(BYTES, JSON, BYTES), Compression::NONE);
        let (expected, _) = object(&plain, samples);
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Zstd] {
            let compression = Compression::new(codec, None, "level").unwrap();
            let format = Format::new(layout(Kind::Jsonl, "key,value"), converters(BYTES, JSON, BYTES), compression);
            let (packed, _) = object(&format, samples);
            assert!(unpack(codec, &packed) == expected, "{codec} of {count} records");
            assert!(!packed.is_empty());
        }
    }
}

#[test]
fn squeezing_between_records_changes_nothing_but_the_memory() {
    let samples: Vec<Sample> = (0..1000).map(|n| Sample::new(None, Some(&format!("{{\"n\":{n}}}")))).collect();
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Zstd] {
        let compression = Compression::new(codec, None, "level").unwrap();
        let format = Format::new(layout(Kind::Jsonl, "value"), converters(BYTES, JSON, BYTES), compression);
        let (whole, _) = object(&format, &samples);
        let mut arena = Arena::new();
        for sample in &samples {
            sample.push_to(&mut arena);
        }
        let mut scratch = Scratch::default();
        let mut encoder = format.encoder();
        for record in arena.records() {
            encoder.record(&record, &mut scratch).unwrap();
            if record.offset.0 % 100 == 0 {
                encoder.squeeze(&mut scratch);
            }
        }
        encoder.finish(&mut scratch);
        let raw = encoder.raw_bytes();
        let pieces = encoder.output().take().concat();
        let plain = unpack(codec, &pieces);
        assert_eq!(plain.len() as u64, raw);
        assert!(plain == unpack(codec, &whole));
    }
}

#[test]
fn levels_outside_a_codecs_range_are_refused() {
    let fault = Compression::new(Codec::Gzip, Some(0), "tidegate.compression.level").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "invalid value 0 for configuration tidegate.compression.level: levels of gzip are 1 to 9"
    );
    assert!(Compression::new(Codec::Snappy, Some(1), "l").is_err());
    assert!(Compression::new(Codec::Zstd, Some(19), "l").is_ok());
}
