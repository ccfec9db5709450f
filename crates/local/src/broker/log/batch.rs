use kafka_protocol::ResponseError;

/// Length of the header of a record batch of format 2, in bytes.
pub(crate) const HEADER: usize = 61;

/// What the broker writes into a batch that it stores lies before this position, outside the checksum: base offset and
/// leader epoch (the length between them stays).
const CHECKSUM_FROM: usize = 21;

/// How the records of a batch are compressed: the low three bits of its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// The header of a record batch (format 2, the only one since Kafka 0.11), as far as a broker needs it.
///
/// Layout: base offset 8, length 4, leader epoch 4, magic 1, crc 4, attributes 2, last offset delta 4, base timestamp 8,
/// max timestamp 8, producer id 8, producer epoch 2, base sequence 4, count 4; big endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Offset of its first record. A producer writes 0.
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) size: usize,
    pub(crate) magic: i8,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` if there are too few of them or the length lies.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let length = i32::from_be_bytes(at(bytes, 8));
        // The length counts from behind itself.
        let size = usize::try_from(length).ok()?.checked_add(12)?;
        (size >= HEADER).then_some(Self {
            base_offset: i64::from_be_bytes(at(bytes, 0)),
            size,
            magic: i8::from_be_bytes(at(bytes, 16)),
            crc: u32::from_be_bytes(at(bytes, 17)),
            attributes: i16::from_be_bytes(at(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(at(bytes, 23)),
            base_timestamp: i64::from_be_bytes(at(bytes, 27)),
            max_timestamp: i64::from_be_bytes(at(bytes, 35)),
            producer_id: i64::from_be_bytes(at(bytes, 43)),
            producer_epoch: i16::from_be_bytes(at(bytes, 51)),
            base_sequence: i32::from_be_bytes(at(bytes, 53)),
            count: i32::from_be_bytes(at(bytes, 57)),
        })
    }

    /// The offset of its last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The sequence number of its last record; it wraps at 2^31.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// How its records are compressed; `None` for a number that means nothing.
    pub(crate) fn compression(&self) -> Option<Compression> {
        match self.attributes & 7 {
            0 => Some(Compression::None),
            1 => Some(Compression::Gzip),
            2 => Some(Compression::Snappy),
            3 => Some(Compression::Lz4),
            4 => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Whether its timestamps are the broker's, so that every record has the greatest one.
    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }
}

fn at<const N: usize>(bytes: &[u8; HEADER], position: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[position + i])
}

/// A batch that is refused: the error code that its producer is told, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseError,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(code: ResponseError, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// Checks what a producer sent for one partition, in the order and with the codes of Kafka's log validation. Records
/// inside a batch are not looked at: a batch is stored as it came.
pub(crate) fn validate(records: &[u8], max_size: usize) -> Result<Header, Refusal> {
    let invalid = |reason: &str| Err(Refusal::new(ResponseError::InvalidRecord, reason));
    // The magic is where older formats have it too.
    match records.get(16) {
        Some(2) => {}
        Some(magic) => {
            return Err(Refusal::new(
                ResponseError::InvalidRecord,
                format!("record format {magic} is not supported, only 2"),
            ));
        }
        None => return invalid("the request holds no record batch"),
    }
    let Some(header) = Header::read(records) else {
        return Err(Refusal::new(ResponseError::CorruptMessage, "the record batch has no whole header"));
    };
    if header.size > records.len() {
        return Err(Refusal::new(ResponseError::CorruptMessage, "the record batch is longer than the request"));
    }
    if header.size < records.len() {
        return invalid("a produce request holds exactly one record batch a partition");
    }
    if header.size > max_size {
        return Err(Refusal::new(
            ResponseError::MessageTooLarge,
            format!("the record batch has {} bytes, max.message.bytes is {max_size}", header.size),
        ));
    }
    if crc32c::crc32c(&records[CHECKSUM_FROM..]) != header.crc {
        return Err(Refusal::new(ResponseError::CorruptMessage, "the checksum of the record batch is wrong"));
    }
    if header.count <= 0 || header.last_offset_delta != header.count - 1 {
        return invalid("the offsets of the record batch do not fit the number of its records");
    }
    if header.is_control() {
        return invalid("a client cannot write control records");
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return invalid("the record batch has a producer id but no sequence number");
    }
    if header.is_transactional() {
        return Err(Refusal::new(
            ResponseError::TransactionalIdAuthorizationFailed,
            "the embedded broker has no transactions",
        ));
    }
    if header.compression().is_none() {
        return Err(Refusal::new(ResponseError::UnsupportedCompressionType, "the compression is not known"));
    }
    Ok(header)
}

/// Whether the checksum of a whole stored batch is right.
pub(crate) fn is_intact(batch: &[u8]) -> bool {
    Header::read(batch).is_some_and(|h| h.size == batch.len() && crc32c::crc32c(&batch[CHECKSUM_FROM..]) == h.crc)
}

/// Writes what the broker knows into a batch: its place in the log and the leader epoch.
pub(crate) fn place(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Gives all records of a batch the broker's time (`message.timestamp.type=LogAppendTime`). Lies inside the checksum, so
/// that is made anew.
pub(crate) fn stamp(batch: &mut [u8], attributes: i16, now_millis: i64) {
    batch[21..23].copy_from_slice(&(attributes | 0x08).to_be_bytes());
    batch[35..43].copy_from_slice(&now_millis.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CHECKSUM_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
