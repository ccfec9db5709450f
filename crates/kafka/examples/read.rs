//! Reads topics from their beginning to the end that they have now, and says how fast, or prints every record.
//!
//! `read BOOTSTRAP TOPIC[,TOPIC..] [count|dump] [read_committed] [memory=MIB]`
//!
//! `dump` prints a line per record, for comparison with another client: topic, partition, offset, timestamp, key, value
//! and headers; the bytes in hexadecimal, `-` for null.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::HashMap;
use std::fmt::Write;
use std::io::Write as _;
use std::time::Duration;

use kafka::admin::{Isolation, Place};
use kafka::fetch::{Delivery, FetchOptions, Fetcher, OffsetReset};
use kafka::{ClientConfig, Cluster};
use tokio::time::Instant;
use transit::{Arena, Assignment, Budget, Fetched, Offset, TopicPartition};

fn hex(out: &mut String, bytes: Option<&[u8]>) {
    match bytes {
        None => out.push('-'),
        Some(bytes) => bytes.iter().for_each(|byte| write!(out, "{byte:02x}").expect("a string takes all")),
    }
}

fn dump(partition: &TopicPartition, arena: &Arena, lines: &mut String) {
    for record in arena.records() {
        write!(lines, "{partition} {} {} ", record.offset, record.timestamp).expect("a string takes all");
        hex(lines, record.key);
        lines.push(' ');
        hex(lines, record.value);
        for header in record.headers.iter() {
            lines.push(' ');
            hex(lines, Some(header.key));
            lines.push('=');
            hex(lines, header.value);
        }
        lines.push('\n');
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topics, flags @ ..] = &arguments[..] else {
        println!("read BOOTSTRAP TOPIC[,TOPIC..] [count|dump] [read_committed] [memory=MIB]");
        std::process::exit(1);
    };
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let memory = flags.iter().find_map(|flag| flag.strip_prefix("memory=")?.parse().ok()).unwrap_or(192);
    let isolation = if has("read_committed") { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };

    let cluster = Cluster::connect(ClientConfig::plaintext([bootstrap.as_str()])).await.expect("a cluster");
    let names: Vec<_> = topics.split(',').map(std::sync::Arc::from).collect();
    let metadata = cluster.topics(names.clone()).await.expect("metadata");
    let partitions: Vec<_> = names
        .iter()
        .flat_map(|name| {
            (0..metadata.topics[name].partitions.len()).map(|n| TopicPartition::new(name.clone(), n as i32))
        })
        .collect();
    let begins = cluster.list_offsets(&partitions, Place::Earliest, isolation).await.expect("offsets");
    let ends = cluster.list_offsets(&partitions, Place::Latest, isolation).await.expect("offsets");

    let options = FetchOptions { isolation, reset: OffsetReset::Earliest, ..FetchOptions::default() };
    let budget = Budget::new(memory << 20);
    let mut fetcher = Fetcher::start(cluster, options, &budget);
    let mut missing: HashMap<TopicPartition, Offset> = HashMap::new();
    for (number, partition) in partitions.iter().enumerate() {
        let (begin, end) = (begins[partition].expect("a beginning"), ends[partition].expect("an end"));
        if begin < end {
            missing.insert(partition.clone(), end);
            fetcher.add(partition.clone(), Assignment(number as u64), begin);
        }
    }
    let start = Instant::now();
    let (mut arena, mut lines) = (Arena::new(), String::new());
    let (mut records, mut raw, mut wire, mut poison, mut answers, mut peak) = (0, 0, 0, 0, 0, 0);
    while !missing.is_empty() {
        let next = tokio::time::timeout(Duration::from_mins(1), fetcher.next()).await.expect("records within a minute");
        let Delivery::Records(mut batches) = next.expect("records") else { panic!("the log went back") };
        answers += 1;
        wire += batches.size();
        peak = peak.max(budget.used());
        loop {
            match batches.decode(&mut arena) {
                Ok(true) => {
                    records += arena.len();
                    raw += arena
                        .records()
                        .map(|r| r.key.map_or(0, <[u8]>::len) + r.value.map_or(0, <[u8]>::len))
                        .sum::<usize>();
                    if has("dump") {
                        dump(batches.partition(), &arena, &mut lines);
                    }
                }
                Ok(false) => break,
                Err(error) => {
                    poison += 1;
                    println!("# {error}");
                }
            }
        }
        std::io::stdout().write_all(lines.as_bytes()).expect("standard output");
        lines.clear();
        if missing.get(batches.partition()).is_some_and(|end| batches.next_offset() >= *end) {
            missing.remove(batches.partition());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "# {records} records, {raw} bytes in keys and values, {wire} on the wire, {answers} pieces, {poison} poison \
         batches, {seconds:.2} s, {:.0} MB/s, budget peak {peak}",
        raw as f64 / seconds / 1e6
    );
}
