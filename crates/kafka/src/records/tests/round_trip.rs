use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::encode::{Batch, Compression, Record};
use super::*;

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        Just(Compression::Gzip),
        Just(Compression::GzipMembers),
        Just(Compression::SnappyRaw),
        (1_usize..70_000).prop_map(Compression::SnappyXerial),
        any::<[bool; 5]>().prop_map(|[linked, block_checksums, content_checksum, content_size, small_blocks]| {
            Compression::Lz4 { linked, block_checksums, content_checksum, content_size, small_blocks }
        }),
        Just(Compression::Zstd),
        Just(Compression::ZstdStream),
    ]
}

/// Bytes that compress well, badly, and that span several blocks of a codec.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        4 => (vec(any::<u8>(), 1..9), 1_usize..50).prop_map(|(piece, times)| piece.repeat(times)),
        1 => (any::<u8>(), 0_usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    // The offset's gap comes first; the batch adds them up.
    (0..4, any::<i32>(), option::of(bytes()), option::of(bytes()), vec((bytes(), option::of(bytes())), 0..3)).prop_map(
        |(gap, time, key, value, headers)| Record {
            offset_delta: gap,
            timestamp_delta: time.into(),
            key,
            value,
            headers,
        },
    )
}

/// Batches one after another, with gaps between and within them.
pub(super) fn log() -> impl Strategy<Value = Vec<Batch>> {
    let batch = (vec(record(), 0..12), compression(), any::<bool>(), 0..4_i32, 0..4_i32);
    (vec(batch, 0..5), 0..1000_i64).prop_map(|(batches, first)| {
        let mut base_offset = first;
        let mut log = Vec::new();
        for (mut records, codec, log_append_time, gap, tail) in batches {
            let mut delta = -1;
            for record in &mut records {
                delta += 1 + record.offset_delta;
                record.offset_delta = delta;
            }
            let last_offset_delta = (delta + tail).max(0);
            base_offset += i64::from(gap);
            log.push(Batch { base_offset, last_offset_delta, codec, log_append_time, records, ..Batch::of(0, &[]) });
            base_offset += i64::from(last_offset_delta) + 1;
        }
        log
    })
}

pub(super) fn expected(batch: &Batch, from: i64) -> Vec<Seen> {
    batch
        .records
        .iter()
        .map(|record| Seen {
            offset: batch.base_offset + i64::from(record.offset_delta),
            timestamp: if batch.log_append_time {
                batch.max_timestamp
            } else {
                batch.base_timestamp + record.timestamp_delta
            },
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        })
        .filter(|record| record.offset >= from)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn records_of_every_codec_come_back_from_any_offset_on(log in log(), skip in 0..60_i64) {
        let from = log.first().map_or(0, |batch| batch.base_offset) + skip;
        let end = log.last().map_or(from, |last| last.base_offset + i64::from(last.last_offset_delta) + 1);
        // A broker sends nothing that ends below what it was asked for; if nothing is there, it sends nothing.
        prop_assume!(from < end || log.is_empty());
        let bytes: Vec<u8> = log.iter().flat_map(Batch::encode).collect();
        let (records, next) = read(response(bytes, from));
        let wanted: Vec<_> = log.iter().flat_map(|batch| expected(batch, from)).collect();
        prop_assert_eq!(records, wanted);
        prop_assert_eq!(next, end);
    }

    #[test]
    fn a_response_cut_anywhere_gives_its_whole_batches(log in log(), cut in any::<prop::sample::Index>()) {
        let from = log.first().map_or(0, |batch| batch.base_offset);
        let encoded: Vec<_> = log.iter().map(Batch::encode).collect();
        let mut bytes = encoded.concat();
        bytes.truncate(cut.index(bytes.len() + 1));
        let (mut whole, mut end, mut next) = (Vec::new(), 0, from);
        for (batch, encoded) in log.iter().zip(&encoded) {
            end += encoded.len();
            if end > bytes.len() {
                break;
            }
            whole.extend(expected(batch, from));
            next = batch.base_offset + i64::from(batch.last_offset_delta) + 1;
        }
        prop_assert_eq!(read(response(bytes, from)), (whole, next));
    }
}

#[test]
fn an_empty_response_leaves_the_offset_where_it_was() {
    assert_eq!(read(response(Bytes::new(), 17)), (Vec::new(), 17));
}

#[test]
fn batches_below_the_wanted_offset_are_named_rather_than_asked_for_for_ever() {
    let (all, next) = drain(response(Batch::of(3, &[b"a"]).encode(), 7));
    let [Err(poison)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, next), (7, 7, 8));
}

#[test]
fn a_batch_emptied_by_compaction_moves_the_offset() {
    let batch = Batch { last_offset_delta: 9, ..Batch::of(10, &[]) };
    assert_eq!(offsets(response(batch.encode(), 10)), (vec![], 20));
}

#[test]
fn offsets_go_on_behind_a_batch_whose_last_records_were_compacted_away() {
    let batch = Batch { last_offset_delta: 9, ..Batch::of(10, &[b"a", b"b"]) };
    let bytes = [batch.encode(), Batch::of(25, &[b"c"]).encode()].concat();
    assert_eq!(offsets(response(bytes, 11)), (vec![11, 25], 26));
}

#[test]
fn log_append_time_is_that_of_the_batch() {
    let batch = Batch { log_append_time: true, max_timestamp: 7, ..Batch::of(0, &[b"a", b"b"]) };
    let (records, _) = read(response(batch.encode(), 0));
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [7, 7]);
}

#[test]
fn lz4_blocks_of_four_mebibytes_come_back() {
    let value: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 5).to_le_bytes()).collect();
    for linked in [false, true] {
        let codec = Compression::Lz4 {
            linked,
            block_checksums: true,
            content_checksum: true,
            content_size: true,
            small_blocks: false,
        };
        let batch = Batch { codec, ..Batch::of(0, &[&value]) };
        let (records, _) = read(response(batch.encode(), 0));
        assert!(records[0].value.as_deref() == Some(&value));
    }
}

#[test]
fn snappy_streams_joined_end_to_end_come_back() {
    let batch = Batch { codec: Compression::SnappyXerial(5), ..Batch::of(0, &[b"hello, hello, hello"]) };
    let mut records = Vec::new();
    batch.records[0].encode(&mut records);
    let (front, back) = records.split_at(9);
    let body = [batch.codec.compress(front), batch.codec.compress(back)].concat();
    let (records, _) = read(response(batch.encode_body(&body, 1), 0));
    assert_eq!(records, expected(&batch, 0));
}
