use super::encode::{Batch, Compression, message};
use super::*;

/// A compressed set of v0 or v1, whose outer message has the offset `last`.
fn set(magic: i8, codec: Compression, last: i64, timestamp_type: u8, inner: &[Vec<u8>]) -> Vec<u8> {
    let mut value = codec.compress(&inner.concat());
    if magic == 0 && codec.number() == 3 {
        // The header's checksum that old producers got wrong.
        value[6] ^= 0xff;
    }
    message(last, magic, codec.number() | timestamp_type, 99, None, Some(&value))
}

#[test]
fn plain_messages_come_back() {
    let bytes = [
        message(5, 0, 0, 0, Some(b"k"), None),
        message(6, 1, 0, 77, None, Some(b"v")),
        Batch::of(7, &[b"new"]).encode(),
    ]
    .concat();
    let (records, next) = read(response(bytes, 5));
    let brief: Vec<_> = records.iter().map(|r| (r.offset, r.timestamp, r.key.as_deref(), r.value.as_deref())).collect();
    assert_eq!(brief[..2], [(5, -1, Some(&b"k"[..]), None), (6, 77, None, Some(&b"v"[..]))]);
    assert_eq!((brief[2].0, next), (7, 8));
}

#[test]
fn compressed_sets_come_back_with_relative_and_absolute_offsets() {
    for codec in [Compression::Gzip, Compression::SnappyXerial(20), Compression::LZ4] {
        // v1 counts from the set's first message, and this one has a gap; v0 writes offsets as they are.
        let v1 = [message(0, 1, 0, 11, None, Some(b"a")), message(3, 1, 0, 12, None, Some(b"b"))];
        let v0 = [message(24, 0, 0, 0, None, Some(b"c")), message(25, 0, 0, 0, Some(b"x"), Some(b"d"))];
        let bytes = [set(1, codec, 23, 0, &v1), set(0, codec, 25, 0, &v0)].concat();
        let (records, next) = read(response(bytes, 20));
        let brief: Vec<_> = records.iter().map(|r| (r.offset, r.timestamp, r.value.as_deref().unwrap())).collect();
        assert_eq!(brief, [(20, 11, &b"a"[..]), (23, 12, b"b"), (24, -1, b"c"), (25, -1, b"d")], "{codec:?}");
        assert_eq!(next, 26);
    }
}

#[test]
fn log_append_time_of_a_set_is_that_of_the_outer_message() {
    let inner = [message(0, 1, 0, 11, None, Some(b"a")), message(1, 1, 0, 12, None, Some(b"b"))];
    let (records, _) = read(response(set(1, Compression::Gzip, 1, 8, &inner), 0));
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [99, 99]);
}

#[test]
fn messages_below_the_wanted_offset_are_passed_over() {
    let inner = [message(0, 1, 0, 11, None, Some(b"a")), message(1, 1, 0, 12, None, Some(b"b"))];
    assert_eq!(offsets(response(set(1, Compression::Gzip, 8, 0, &inner), 8)), (vec![8], 9));
}

#[test]
fn damaged_messages_are_named() {
    let mut bad = message(4, 1, 0, 5, None, Some(b"v"));
    bad[13] ^= 1;
    assert!(reason(response(bad, 4)).starts_with("crc is"));
    assert_eq!(reason(response(set(1, Compression::Gzip, 4, 0, &[]), 4)), "its compressed set is empty");
    let nested = [set(1, Compression::Gzip, 0, 0, &[message(0, 1, 0, 1, None, None)])];
    assert_eq!(
        reason(response(set(1, Compression::Gzip, 4, 0, &nested), 4)),
        "message 0 of its compressed set: it is compressed once more"
    );
    let other = [message(0, 0, 0, 1, None, None)];
    assert_eq!(
        reason(response(set(1, Compression::Gzip, 4, 0, &other), 4)),
        "message 0 of its compressed set: its format version differs from the one around it"
    );
    let mut inner = message(0, 1, 0, 1, None, None);
    inner[12] ^= 1;
    assert_eq!(
        reason(response(set(1, Compression::Gzip, 4, 0, &[inner]), 4)),
        "message 0 of its compressed set: its crc is wrong"
    );
    let zstd = message(4, 1, 4, 5, None, Some(b"v"));
    assert!(reason(response(zstd, 4)).starts_with("its codec is 4"));
}

#[test]
fn any_byte_of_a_message_may_be_anything() {
    let inner = [message(0, 1, 0, 11, None, Some(b"a")), message(1, 1, 0, 12, None, Some(b"b"))];
    for good in [message(4, 0, 0, 0, Some(b"k"), Some(b"v")), set(1, Compression::SnappyRaw, 5, 0, &inner)] {
        for at in 0..good.len() {
            for byte in 0..=255 {
                let mut damaged = good.clone();
                damaged[at] = byte;
                let covered = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &damaged[16..]) as u32;
                if at >= 16 {
                    damaged[12..16].copy_from_slice(&covered.to_be_bytes());
                }
                drain(response(damaged, 4));
            }
        }
    }
}
