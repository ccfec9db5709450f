use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::{Batch, Compression, Record, mend, zigzag};
use super::round_trip::{expected, log};
use super::*;

fn all_codecs() -> [Compression; 6] {
    let flags = Compression::Lz4 {
        linked: true,
        block_checksums: true,
        content_checksum: true,
        content_size: true,
        small_blocks: true,
    };
    [
        Compression::None,
        Compression::Gzip,
        Compression::SnappyXerial(100),
        Compression::LZ4,
        flags,
        Compression::ZstdStream,
    ]
}

/// What must hold of anything that is read, however damaged: offsets rise, and all that is not handed out is named.
fn check(bytes: Vec<u8>, from: i64) -> Result<(), TestCaseError> {
    let (all, next) = drain(response(bytes.clone(), from));
    let mut last = from - 1;
    let good: Vec<_> = all.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    for outcome in &all {
        match outcome {
            Ok(records) => {
                for record in records {
                    prop_assert!(record.offset > last, "offset {} after {last}", record.offset);
                    last = record.offset;
                }
            }
            Err(poison) => {
                prop_assert!(poison.first.0 > last && poison.first <= poison.last, "{poison} after {last}");
                last = poison.last.0;
            }
        }
    }
    prop_assert!(next > last, "{next} after {last}");
    let (pieces, end) = drain_in_pieces(response(bytes, from), 200);
    let pieces: Vec<_> = pieces.iter().filter_map(|piece| piece.as_ref().ok()).collect();
    prop_assert_eq!((pieces, end), (good, next));
    Ok(())
}

#[test]
fn every_bit_under_the_checksum_is_checked_and_the_next_batch_is_read() {
    let next = Batch::of(12, &[b"next"]);
    for codec in all_codecs() {
        let batch = Batch { codec, ..Batch::of(10, &[b"one", b"two"]) }.encode();
        for bit in 17 * 8..batch.len() * 8 {
            let mut damaged = batch.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            damaged.extend(next.encode());
            let (all, position) = drain(response(damaged, 10));
            let [Err(poison), Ok(records)] = &all[..] else { panic!("bit {bit} of {codec:?}: {all:?}") };
            assert_eq!((poison.first.0, poison.last.0), (10, 11), "bit {bit}");
            assert_eq!((records, position), (&expected(&next, 0), 13));
        }
    }
}

#[test]
fn every_byte_of_the_records_may_be_anything() {
    // With the checksum put right, so that the damage gets to the codec and to the records.
    let record = Record {
        key: Some(b"key".to_vec()),
        value: Some(b"value, value, value".to_vec()),
        headers: vec![(b"h".to_vec(), None), (b"i".to_vec(), Some(b"j".to_vec()))],
        ..Record::default()
    };
    let second = Record { offset_delta: 1, timestamp_delta: -5, ..record.clone() };
    let mut good = Batch { last_offset_delta: 1, ..Batch::of(10, &[]) };
    good.records = vec![record, second];
    for codec in all_codecs() {
        let batch = Batch { codec, ..good.clone() }.encode();
        for at in 21..batch.len() {
            for byte in 0..=255 {
                let mut damaged = batch.clone();
                damaged[at] = byte;
                mend(&mut damaged);
                check(damaged, 10).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn damage_anywhere_never_panics_and_is_never_silent(
        log in log(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let from = log.first().map_or(0, |batch| batch.base_offset);
        let mut bytes: Vec<u8> = log.iter().flat_map(Batch::encode).collect();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        check(bytes, from)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400), codec in 0..5_u8, count in any::<i32>()) {
        check(bytes.clone(), 0)?;
        let mut batch = Batch::of(0, &[b""]).encode_body(&bytes, count);
        batch[22] = codec;
        mend(&mut batch);
        check(batch, 0)?;
    }
}

#[test]
fn a_length_below_a_header_names_the_offset_and_ends_the_response() {
    let mut bytes = Batch::of(10, &[b"a"]).encode();
    let mut bad = Batch::of(11, &[b"b"]).encode();
    bad[8..12].copy_from_slice(&(-7_i32).to_be_bytes());
    bytes.extend(bad);
    let (all, next) = drain(response(bytes, 10));
    let [Ok(_), Err(poison)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, next), (11, 11, 12));
    assert!(poison.reason.contains("its length field says -7"), "{poison}");
}

#[test]
fn a_batch_whose_offset_goes_back_ends_the_response_and_nothing_is_read_twice() {
    let mut bad = Batch::of(11, &[b"b"]).encode();
    bad[..8].copy_from_slice(&3_i64.to_be_bytes());
    let bytes = [Batch::of(10, &[b"a"]).encode(), bad].concat();
    let (all, next) = drain(response(bytes, 10));
    let [Ok(_), Err(poison)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, next), (11, 11, 12));
    assert_eq!(poison.reason, "its offset is 3, behind one of 10; what follows cannot be trusted");
}

#[test]
fn a_damaged_batch_below_the_wanted_offset_is_named_once() {
    let mut bad = Batch::of(93, &[b"a"]).encode();
    bad[..8].copy_from_slice(&0_i64.to_be_bytes());
    bad[30] ^= 1;
    let (all, next) = drain(response(bad, 93));
    let [Err(poison)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, next), (93, 93, 94));
}

#[test]
fn a_header_that_points_above_the_high_watermark_does_not_move_the_offset_there() {
    let mut batch = Batch::of(10, &[b"a", b"b"]).encode();
    batch[24] = 0x7f;
    let response = Response { high_watermark: Offset(50), ..response(batch, 10) };
    let (all, next) = drain(response);
    let [Err(poison)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, next), (10, 10, 11));
}

#[test]
fn a_batch_that_reaches_into_the_next_is_poison() {
    let bytes = [Batch::of(10, &[b"a", b"b", b"c"]).encode(), Batch::of(11, &[b"d"]).encode()].concat();
    let (all, next) = drain(response(bytes, 10));
    let [Err(poison), Ok(records)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((poison.first.0, poison.last.0, records[0].offset, next), (10, 10, 11, 12));
    assert_eq!(poison.reason, "its last offset is 12, though its response has room up to 10 only");
}

#[test]
fn reasons_say_what_is_wrong() {
    let batch = Batch::of(0, &[b"a"]);
    let mut record = Vec::new();
    batch.records[0].encode(&mut record);

    let mut wrong = batch.encode();
    wrong[20] ^= 1;
    let declared = u32::from_be_bytes(wrong[17..21].try_into().unwrap());
    let said = format!("crc is {:#010x}, its header says {declared:#010x}", declared ^ 1);
    assert_eq!(reason(response(wrong, 0)), said);

    let mut wrong = batch.encode();
    wrong[16] = 3;
    assert_eq!(reason(response(wrong, 0)), "its format version is 3; known are 0, 1 and 2");

    let mut wrong = batch.encode();
    wrong[22] = 6;
    mend(&mut wrong);
    assert!(reason(response(wrong, 0)).starts_with("its codec is 6"));

    assert_eq!(reason(response(batch.encode_body(&record, -1), 0)), "its record count is -1");
    assert_eq!(reason(response(batch.encode_body(&record, 2), 0)), "record 1 of 2: the batch ends within it");
    assert_eq!(
        reason(response(batch.encode_body(&record, 0x7fff_ffff), 0)),
        "it decompresses to more than 16777216 bytes, the most that is allowed"
    );
    let long = [&record[..], &record[..]].concat();
    assert_eq!(reason(response(batch.encode_body(&long, 1), 0)), "8 bytes are left after its last record");

    let mut wrong = batch.encode();
    wrong[23..27].copy_from_slice(&(-1_i32).to_be_bytes());
    mend(&mut wrong);
    assert_eq!(reason(response(wrong, 0)), "its last offset delta is -1");

    let twice = Batch { records: vec![batch.records[0].clone(); 2], last_offset_delta: 1, ..batch };
    assert_eq!(
        reason(response(twice.encode(), 0)),
        "record 1 of 2: its offset is not above the one before, or is outside of the batch"
    );
}

#[test]
fn bombs_stop_at_the_limit() {
    let mut record = Vec::new();
    zigzag(&mut record, 64 << 20);
    record.resize(64 << 20, 0);
    for codec in all_codecs() {
        let batch = Batch { codec, ..Batch::of(0, &[b""]) };
        let bytes = batch.encode_body(&codec.compress(&record), 1);
        let bomb = Response { batch_limit: 1 << 20, ..response(bytes, 0) };
        let mut fetched = FetchedRecords::new(bomb);
        let mut arena = Arena::new();
        let poison = fetched.decode(&mut arena).unwrap_err();
        assert_eq!(poison.reason, "it decompresses to more than 1048576 bytes, the most that is allowed", "{codec:?}");
        assert!(arena.bytes().len() <= 1 << 20);
    }
}

#[test]
fn a_size_that_the_compressed_bytes_cannot_become_reserves_nothing() {
    // snappy: the length in front says 15 MiB.
    let batch = Batch { codec: Compression::SnappyRaw, ..Batch::of(0, &[b""]) };
    let body = [0x80, 0x80, 0xc0, 0x07, 0x00];
    let mut fetched = FetchedRecords::new(response(batch.encode_body(&body, 1), 0));
    let mut arena = Arena::new();
    let poison = fetched.decode(&mut arena).unwrap_err();
    assert!(poison.reason.contains("5 bytes cannot become 15728640"), "{poison}");
    assert_eq!(arena.bytes_mut().capacity(), 0);

    // gzip: the trailer says 15 MiB; the content is fine, the trailer is not.
    let batch = Batch { codec: Compression::Gzip, ..Batch::of(0, &[b""]) };
    let mut body = batch.codec.compress(b"abc");
    let end = body.len();
    body[end - 4..].copy_from_slice(&(15_u32 << 20).to_le_bytes());
    let mut fetched = FetchedRecords::new(response(batch.encode_body(&body, 1), 0));
    assert!(fetched.decode(&mut arena).unwrap_err().reason.contains("gzip"));
    assert!(arena.bytes_mut().capacity() < 1 << 20);
}

#[test]
fn tiny_records_without_end_stop_at_the_limit_of_their_index() {
    // 200,000 records of 7 bytes take 8 MB of index.
    let batch = Batch { codec: Compression::Zstd, last_offset_delta: 199_999, ..Batch::of(0, &[]) };
    let mut records = Vec::new();
    for offset_delta in 0..200_000 {
        Record { offset_delta, ..Record::default() }.encode(&mut records);
    }
    let bytes = batch.encode_body(&batch.codec.compress(&records), 200_000);
    let tight = Response { batch_limit: 4 << 20, ..response(bytes.clone(), 0) };
    assert!(reason(tight).starts_with("it decompresses to more than"));
    assert_eq!(read(response(bytes, 0)).0.len(), 200_000);
}
