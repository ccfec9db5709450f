//! Writes record batches, for tests and measurements. Written from the format's description, not from the decoder.

use std::io::Write;

/// A record before its batch gives it an offset and a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) offset_delta: i32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    pub(crate) codec: Compression,
    pub(crate) log_append_time: bool,
    pub(crate) transactional: bool,
    pub(crate) control: bool,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) records: Vec<Record>,
}

/// The codecs, in the shapes that clients write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    /// Several members, as joined files have them.
    GzipMembers,
    /// As librdkafka writes it.
    SnappyRaw,
    /// As Java writes it, in blocks of this many bytes.
    SnappyXerial(usize),
    Lz4 {
        linked: bool,
        block_checksums: bool,
        content_checksum: bool,
        content_size: bool,
        small_blocks: bool,
    },
    /// A frame that says how large it becomes, as librdkafka writes it.
    Zstd,
    /// A stream that does not, as Java writes it.
    ZstdStream,
}

impl Compression {
    pub(crate) const LZ4: Self = Self::Lz4 {
        linked: false,
        block_checksums: false,
        content_checksum: false,
        content_size: false,
        small_blocks: true,
    };

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip | Self::GzipMembers => 1,
            Self::SnappyRaw | Self::SnappyXerial(_) => 2,
            Self::Lz4 { .. } => 3,
            Self::Zstd | Self::ZstdStream => 4,
        }
    }

    pub(crate) fn compress(self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::None => input.to_vec(),
            Self::Gzip => gzip(input),
            Self::GzipMembers => input.chunks(input.len() / 2 + 1).flat_map(gzip).collect(),
            Self::SnappyRaw => snap::raw::Encoder::new().compress_vec(input).unwrap(),
            Self::SnappyXerial(block) => {
                let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
                for chunk in input.chunks(block) {
                    let chunk = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                    out.extend_from_slice(&(chunk.len() as i32).to_be_bytes());
                    out.extend_from_slice(&chunk);
                }
                out
            }
            Self::Lz4 { linked, block_checksums, content_checksum, content_size, small_blocks } => {
                use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
                let info = FrameInfo::new()
                    .block_mode(if linked { BlockMode::Linked } else { BlockMode::Independent })
                    .block_size(if small_blocks { BlockSize::Max64KB } else { BlockSize::Max4MB })
                    .block_checksums(block_checksums)
                    .content_checksum(content_checksum)
                    .content_size(content_size.then_some(input.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(input).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zstd => zstd::bulk::compress(input, 1).unwrap(),
            Self::ZstdStream => {
                let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
                encoder.write_all(input).unwrap();
                encoder.finish().unwrap()
            }
        }
    }
}

fn gzip(input: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zigzag(out: &mut Vec<u8>, value: i64) {
    let mut raw = (value << 1 ^ value >> 63) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

fn nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    zigzag(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

impl Record {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = vec![0];
        zigzag(&mut body, self.timestamp_delta);
        zigzag(&mut body, self.offset_delta.into());
        nullable(&mut body, self.key.as_deref());
        nullable(&mut body, self.value.as_deref());
        zigzag(&mut body, self.headers.len() as i64);
        for (key, value) in &self.headers {
            nullable(&mut body, Some(key));
            nullable(&mut body, value.as_deref());
        }
        zigzag(out, body.len() as i64);
        out.extend_from_slice(&body);
    }
}

impl Batch {
    /// An uncompressed batch of records with these values, from `base_offset` on.
    pub(crate) fn of(base_offset: i64, values: &[&[u8]]) -> Self {
        let records = values
            .iter()
            .enumerate()
            .map(|(index, value)| Record {
                offset_delta: index as i32,
                value: Some(value.to_vec()),
                ..Record::default()
            })
            .collect::<Vec<_>>();
        Self {
            base_offset,
            last_offset_delta: records.len() as i32 - 1,
            codec: Compression::None,
            log_append_time: false,
            transactional: false,
            control: false,
            base_timestamp: 1_700_000_000_000,
            max_timestamp: 1_700_000_000_000,
            producer_id: -1,
            records,
        }
    }

    /// The batch that ends a transaction of `producer_id`.
    pub(crate) fn marker(offset: i64, producer_id: i64, commit: bool) -> Self {
        let mut batch = Self::of(offset, &[&[0; 6]]);
        batch.records[0].key = Some(vec![0, 0, 0, commit.into()]);
        Self { producer_id, transactional: true, control: true, ..batch }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for record in &self.records {
            record.encode(&mut records);
        }
        self.encode_body(&self.codec.compress(&records), self.records.len() as i32)
    }

    /// The batch with `body` in place of its records.
    pub(crate) fn encode_body(&self, body: &[u8], count: i32) -> Vec<u8> {
        let attributes = i16::from(self.codec.number())
            | i16::from(self.log_append_time) << 3
            | i16::from(self.transactional) << 4
            | i16::from(self.control) << 5;
        let mut covered = Vec::new();
        covered.extend_from_slice(&attributes.to_be_bytes());
        covered.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        covered.extend_from_slice(&self.base_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.max_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.producer_id.to_be_bytes());
        covered.extend_from_slice(&0_i16.to_be_bytes());
        covered.extend_from_slice(&0_i32.to_be_bytes());
        covered.extend_from_slice(&count.to_be_bytes());
        covered.extend_from_slice(body);
        let mut out = self.base_offset.to_be_bytes().to_vec();
        out.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
        out.extend_from_slice(&0_i32.to_be_bytes());
        out.push(2);
        out.extend_from_slice(&(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &covered) as u32).to_be_bytes());
        out.extend_from_slice(&covered);
        out
    }
}

/// Puts the right checksum into a v2 batch that was changed.
pub(crate) fn mend(batch: &mut [u8]) {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[21..]) as u32;
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A message of format v0 or v1.
pub(crate) fn message(
    offset: i64,
    magic: i8,
    attributes: u8,
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Vec<u8> {
    let mut covered = vec![magic as u8, attributes];
    if magic == 1 {
        covered.extend_from_slice(&timestamp.to_be_bytes());
    }
    for field in [key, value] {
        covered.extend_from_slice(&field.map_or(-1, |field| field.len() as i32).to_be_bytes());
        covered.extend_from_slice(field.unwrap_or_default());
    }
    let mut out = offset.to_be_bytes().to_vec();
    out.extend_from_slice(&(covered.len() as i32 + 4).to_be_bytes());
    out.extend_from_slice(&(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &covered) as u32).to_be_bytes());
    out.extend_from_slice(&covered);
    out
}
