//! How fast this machine encodes and compresses records, and how small they become.
//!
//! `cargo run --release -p format --example encode_rates [WORD [RUNS]]`: one line a case, those whose name has WORD in it.
//! CPU time is that of the thread, so that a busy machine does not matter much; of several runs the best counts.
#![expect(clippy::print_stdout, reason = "prints a table")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use data::{Arena, Converter, Offset, Role};
use format::text::{Converters, Field, Format, Kind, Layout, ValueEncoding};
use format::{Codec, Compression, Encode, Scratch};

/// Raw bytes of a case: far more than the caches hold.
const RAW: usize = 64 << 20;
/// Raw bytes of one arena, as a record batch brings them.
const BATCH: usize = 512 << 10;

/// A generator of numbers that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 24) % below
    }
}

/// A line of a web server's log, some 380 bytes.
fn web_log(numbers: &mut Numbers, line: u64, text: &mut String) {
    const AGENTS: [&str; 4] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4 Mobile Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
        "curl/8.5.0",
    ];
    const PATHS: [&str; 6] =
        ["/api/v1/orders/", "/api/v1/items/", "/static/js/app.", "/login?next=", "/search?q=", "/img/product/"];
    let (method, status) = (["GET", "GET", "GET", "POST", "PUT"], [200, 200, 200, 200, 201, 204, 301, 304, 404, 500]);
    let millis = 1_700_000_000_000 + line * 3 + numbers.next(3);
    write!(
        text,
        "{{\"ts\":{millis},\"host\":\"web-{:02}.eu-west-1.example.com\",\"ip\":\"10.{}.{}.{}\",\"method\":\"{}\",\
         \"path\":\"{}{}\",\"status\":{},\"bytes\":{},\"ms\":{}.{},\"ua\":\"{}\",\"trace\":\"{:08x}{:08x}{:08x}{:08x}\",\
         \"user\":{},\"cached\":{},\"referer\":\"https://www.example.com/c/{}\",\"tags\":[\"web\",\"edge-{}\"]}}",
        numbers.next(40),
        numbers.next(4),
        numbers.next(256),
        numbers.next(256),
        method[numbers.next(5) as usize],
        PATHS[numbers.next(6) as usize],
        numbers.next(100_000),
        status[numbers.next(10) as usize],
        numbers.next(60_000),
        numbers.next(900),
        numbers.next(10),
        AGENTS[numbers.next(4) as usize],
        numbers.next(1 << 32),
        numbers.next(1 << 32),
        numbers.next(1 << 32),
        numbers.next(1 << 32),
        numbers.next(2_000_000),
        numbers.next(2) == 0,
        numbers.next(500),
        numbers.next(8),
    )
    .ok();
}

/// A reading of a sensor, some 75 bytes.
fn sensor(numbers: &mut Numbers, line: u64, text: &mut String) {
    write!(
        text,
        "{{\"id\":{},\"ts\":{},\"temp\":{}.{},\"hum\":{},\"state\":\"{}\"}}",
        numbers.next(100_000),
        1_700_000_000_000 + line * 7,
        numbers.next(40),
        numbers.next(100),
        numbers.next(100),
        ["ok", "ok", "ok", "low-battery"][numbers.next(4) as usize],
    )
    .ok();
}

fn batches(line: impl Fn(&mut Numbers, u64, &mut String)) -> Vec<Arena> {
    let mut numbers = Numbers(42);
    let (mut batches, mut text, mut count) = (Vec::new(), String::new(), 0);
    for _ in 0..RAW / BATCH {
        let mut arena = Arena::new();
        while arena.bytes().len() < BATCH {
            text.clear();
            line(&mut numbers, count, &mut text);
            let start = arena.bytes().len();
            write!(text, "key-{}", numbers.next(1000)).ok();
            arena.bytes_mut().extend_from_slice(text.as_bytes());
            let end = arena.bytes().len();
            let key = end - text.len() + text.rfind('}').unwrap_or_default() + 1;
            arena.push(Offset(count as i64), 1_700_000_000_000 + count as i64, Some((key, end)), Some((start, key)), 0);
            count += 1;
        }
        batches.push(arena);
    }
    batches
}

/// Nanoseconds of CPU that this thread has had.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

struct Case {
    name: &'static str,
    kind: Kind,
    fields: &'static [Field],
    encoding: ValueEncoding,
    envelope: bool,
    value: &'static str,
    codec: Codec,
    level: Option<i32>,
}

fn cases() -> Vec<Case> {
    let base = Case {
        name: "",
        kind: Kind::Jsonl,
        fields: &[Field::Value],
        encoding: ValueEncoding::None,
        envelope: false,
        value: "JsonConverter",
        codec: Codec::None,
        level: None,
    };
    let csv = |name, encoding| Case { name, kind: Kind::Csv, encoding, value: "ByteArrayConverter", ..base };
    let all = &[Field::Headers, Field::Offset, Field::Value, Field::Key, Field::Timestamp];
    let packed = |name, codec, level| Case { name, codec, level, ..csv(name, ValueEncoding::None) };
    vec![
        csv("csv raw", ValueEncoding::None),
        csv("csv base64", ValueEncoding::Base64),
        Case { name: "jsonl value", ..base },
        Case { name: "jsonl envelope", fields: all, envelope: true, ..base },
        Case { name: "jsonl text", value: "StringConverter", ..base },
        packed("csv raw gzip 1", Codec::Gzip, Some(1)),
        packed("csv raw gzip 6", Codec::Gzip, Some(6)),
        packed("csv raw snappy", Codec::Snappy, None),
        packed("csv raw zstd 1", Codec::Zstd, Some(1)),
        packed("csv raw zstd 3", Codec::Zstd, Some(3)),
        Case { name: "jsonl envelope gzip", codec: Codec::Gzip, fields: all, envelope: true, ..base },
        Case { name: "jsonl envelope zstd", codec: Codec::Zstd, fields: all, envelope: true, ..base },
    ]
}

fn run(case: &Case, records: &str, batches: &[Arena], runs: usize) {
    let config: BTreeMap<String, String> =
        [("value.converter.schemas.enable".to_owned(), "false".to_owned())].into_iter().collect();
    let converter = |role, class| Converter::new(role, class, &config).expect("a converter");
    let converters = Converters {
        key: converter(Role::Key, "StringConverter"),
        value: converter(Role::Value, case.value),
        header: converter(Role::Header, "StringConverter"),
    };
    let layout = Layout {
        kind: case.kind,
        fields: case.fields.to_vec(),
        value_encoding: case.encoding,
        envelope: case.envelope,
    };
    let compression = Compression::new(case.codec, case.level, "level").expect("a level");
    let format = Format::new(layout, converters, compression);
    let values: usize = batches.iter().flat_map(Arena::records).map(|record| record.value.map_or(0, <[u8]>::len)).sum();
    let count: usize = batches.iter().map(Arena::len).sum();
    let mut scratch = Scratch::default();
    let mut best = u64::MAX;
    let (mut raw, mut stored) = (0, 0);
    for _ in 0..runs {
        let begin = cpu();
        stored = 0;
        let mut encoder = format.encoder();
        for batch in batches {
            for record in batch.records() {
                encoder.record(&record, &mut scratch).expect("a record");
            }
            // Taken as parts are, so that the output does not grow beyond the caches.
            stored += encoder.output().take().iter().map(bytes::Bytes::len).sum::<usize>();
        }
        encoder.finish(&mut scratch);
        raw = encoder.raw_bytes();
        stored += encoder.output().take().iter().map(bytes::Bytes::len).sum::<usize>();
        best = best.min(cpu() - begin);
    }
    let seconds = best as f64 / 1e9;
    println!(
        "{records:>5} B  {:<22} {:>7.0} MB/s  {:>6.2} CPU-s/GB of values  {:>5.0} ns/record  ratio {:.3}",
        case.name,
        values as f64 / 1e6 / seconds,
        seconds / (values as f64 / 1e9),
        best as f64 / count as f64,
        stored as f64 / raw as f64,
    );
}

fn main() {
    let word = std::env::args().nth(1).unwrap_or_default();
    let runs = std::env::args().nth(2).and_then(|runs| runs.parse().ok()).unwrap_or(5);
    let shapes: [(&str, Arc<Vec<Arena>>); 2] = [("380", Arc::new(batches(web_log))), ("75", Arc::new(batches(sensor)))];
    for (records, batches) in shapes {
        let count: usize = batches.iter().map(Arena::len).sum();
        let values: usize =
            batches.iter().flat_map(Arena::records).map(|record| record.value.map_or(0, <[u8]>::len)).sum();
        println!("{count} records of {} bytes", values / count);
        for case in cases().iter().filter(|case| case.name.contains(&word)) {
            run(case, records, &batches, runs);
        }
    }
}
