use bytes::{BufMut, Bytes};
use data::Header;

use super::compress::{self, Compression};

/// The header of a v2 record batch, in bytes.
const HEADER: usize = 61;
/// Where the checksum covers from: behind itself.
const CRC_FROM: usize = 21;
/// Of an array of records, and of anything that is null.
const NULL_LENGTH: i64 = -1;

/// Who wrote a batch, for the broker to tell a second copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    /// The sequence number of the first record.
    pub(super) sequence: i32,
}

impl Stamp {
    /// Of a producer that is not idempotent.
    pub(super) const NONE: Self = Self { producer_id: -1, epoch: -1, sequence: -1 };
}

/// Writes records in the form of a v2 batch (KIP-98), into one buffer.
#[derive(Debug)]
pub(super) struct BatchWriter {
    /// Room for the header, then the records.
    buffer: Vec<u8>,
    count: i32,
    first_timestamp: i64,
    last_timestamp: i64,
}

impl BatchWriter {
    /// An empty batch that takes `capacity` bytes without growing.
    pub(super) fn new(capacity: usize) -> Self {
        let mut buffer = Vec::with_capacity(capacity.max(HEADER));
        buffer.resize(HEADER, 0);
        Self { buffer, count: 0, first_timestamp: 0, last_timestamp: 0 }
    }

    /// An upper bound of what a record takes, in bytes, in a batch of its own with the header.
    pub(super) fn size_bound(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
        // Five bytes is the longest varint of a length, ten of a timestamp.
        let part = |bytes: Option<&[u8]>| 5 + bytes.map_or(0, <[u8]>::len);
        let headers: usize = headers.iter().map(|header| part(Some(header.key)) + part(header.value)).sum();
        HEADER + 5 + 1 + 10 + 5 + part(key) + part(value) + 5 + headers
    }

    /// How many bytes it has, uncompressed.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn count(&self) -> i32 {
        self.count
    }

    /// Adds a record; its number in the batch.
    pub(super) fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> i32 {
        if self.count == 0 {
            (self.first_timestamp, self.last_timestamp) = (timestamp, timestamp);
        }
        self.last_timestamp = self.last_timestamp.max(timestamp);
        let index = self.count;
        self.count += 1;
        let delta = timestamp.wrapping_sub(self.first_timestamp);
        let nullable = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => varint_length(bytes.len() as i64) + bytes.len(),
            None => 1,
        };
        let mut length = 1 + varint_length(delta) + varint_length(i64::from(index)) + nullable(key) + nullable(value);
        length += varint_length(headers.len() as i64);
        for header in headers {
            length += nullable(Some(header.key)) + nullable(header.value);
        }
        let buffer = &mut self.buffer;
        put_varint(buffer, length as i64);
        buffer.put_i8(0);
        put_varint(buffer, delta);
        put_varint(buffer, i64::from(index));
        put_nullable(buffer, key);
        put_nullable(buffer, value);
        put_varint(buffer, headers.len() as i64);
        for header in headers {
            put_nullable(buffer, Some(header.key));
            put_nullable(buffer, header.value);
        }
        index
    }

    /// Compresses the records and fills in the header. The records stay, so that it can be done again with another
    /// stamp.
    pub(super) fn seal(&self, stamp: Stamp, compression: Compression) -> Bytes {
        let records = &self.buffer[HEADER..];
        let mut out = Vec::new();
        if compression == Compression::None {
            out.extend_from_slice(&self.buffer);
        } else {
            out.reserve(HEADER + records.len() / 2);
            out.resize(HEADER, 0);
            compress::compress(compression, records, &mut out);
        }
        let length = out.len() as i32;
        let mut header = &mut out[..HEADER];
        header.put_i64(0); // base offset: the broker's to say
        header.put_i32(length - 12); // what follows this field
        header.put_i32(-1); // partition leader epoch: the broker's to say
        header.put_i8(2);
        header.put_u32(0); // checksum: below
        header.put_i16(compression.attributes());
        header.put_i32(self.count - 1);
        header.put_i64(self.first_timestamp);
        header.put_i64(self.last_timestamp);
        header.put_i64(stamp.producer_id);
        header.put_i16(stamp.epoch);
        header.put_i32(stamp.sequence);
        header.put_i32(self.count);
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &out[CRC_FROM..]) as u32;
        out[CRC_FROM - 4..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        out.into()
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint_length(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => put_varint(out, NULL_LENGTH),
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn varints_are_as_long_as_they_are_said_to_be() {
        for value in [0, -1, 1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_length(value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_batch_reads_back_as_it_was_written(
            records in proptest::collection::vec(
                (any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), -5_i64..5, "[a-z]{1,9}", any::<Option<Vec<u8>>>()),
                1..40,
            )
        ) {
            let mut writer = BatchWriter::new(0);
            let now = 1_700_000_000_000;
            for (key, value, delta, name, header) in &records {
                let headers = [Header { key: name.as_bytes(), value: header.as_deref() }];
                let before = writer.len();
                writer.push(now + delta, key.as_deref(), value.as_deref(), &headers);
                let bound = BatchWriter::size_bound(key.as_deref(), value.as_deref(), &headers);
                prop_assert!(writer.len() - before + HEADER <= bound);
            }
            let stamp = Stamp { producer_id: 9, epoch: 3, sequence: 41 };
            let mut bytes = writer.seal(stamp, Compression::None);
            let read = RecordBatchDecoder::decode(&mut bytes).unwrap().records;
            prop_assert_eq!(read.len(), records.len());
            for (at, (record, (key, value, delta, name, header))) in read.iter().zip(&records).enumerate() {
                prop_assert_eq!(record.key.as_deref(), key.as_deref());
                prop_assert_eq!(record.value.as_deref(), value.as_deref());
                prop_assert_eq!(record.timestamp, now + delta);
                prop_assert_eq!((record.producer_id, record.producer_epoch), (9, 3));
                prop_assert_eq!((record.offset, record.sequence), (at as i64, 41 + at as i32));
                let found = record.headers.iter().next().unwrap();
                prop_assert_eq!(&**found.0, name.as_str());
                prop_assert_eq!(found.1.as_deref(), header.as_deref());
            }
        }
    }
}
