use super::compression::Codec;

/// What is wrong with a record batch. Becomes the reason of a [`transit::PoisonBatch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("its length field says {0}, which is less than a header; what follows cannot be told apart")]
    Length(i32),
    #[error("its offset is {offset}, behind one of {previous}; what follows cannot be trusted")]
    Order { offset: i64, previous: i64 },
    #[error("its format version is {0}; known are 0, 1 and 2")]
    Magic(i8),
    #[error("crc is {actual:#010x}, its header says {declared:#010x}")]
    Crc { actual: u32, declared: u32 },
    #[error("its last offset delta is {0}")]
    LastOffsetDelta(i32),
    #[error("its last offset is {0}, though its response has room up to {1} only")]
    Overlap(i64, i64),
    #[error("the broker answers with batches that end before the offset that was asked for")]
    Behind,
    #[error("its record count is {0}")]
    Count(i32),
    #[error("its codec is {0}; known are 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) and 4 (zstd)")]
    Codec(u8),
    #[error("its {codec} data is corrupt: {reason}")]
    Compressed { codec: Codec, reason: String },
    #[error("it decompresses to more than {0} bytes, the most that is allowed")]
    TooLarge(usize),
    #[error("record {index} of {count}: {what}")]
    Record { index: i32, count: i32, what: RecordFlaw },
    #[error("{0} bytes are left after its last record")]
    Trailing(usize),
    #[error("its control record has no readable key")]
    ControlKey,
    #[error("message {index} of its compressed set: {what}")]
    Inner { index: usize, what: RecordFlaw },
    #[error("its compressed set is empty")]
    EmptySet,
}

/// What is wrong with one record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordFlaw {
    #[error("the batch ends within it")]
    CutOff,
    #[error("its declared length and its contents differ")]
    Length,
    #[error("a length in it is negative or reaches beyond it")]
    Field,
    #[error("its offset is not above the one before, or is outside of the batch")]
    Offset,
    #[error("its crc is wrong")]
    Crc,
    #[error("its format version differs from the one around it")]
    Magic,
    #[error("it is compressed once more")]
    Nested,
}
