use std::time::Duration;

use super::Compression;
use crate::config::Properties;

/// Who must have a record before it is acknowledged (`acks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// All replicas in sync.
    All,
    /// The leader alone.
    Leader,
}

impl Acks {
    pub(super) fn number(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
        }
    }
}

/// How a producer works, by the Java producer's names.
#[derive(Debug, Clone, Copy)]
pub struct ProducerConfig {
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: what is sent again is written once.
    pub idempotent: bool,
    /// `compression.type`, with `compression.gzip.level` or `compression.zstd.level`.
    pub compression: Compression,
    /// `batch.size`: a batch is sent when it has this many bytes before compression. One record may exceed it.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch waits for more.
    pub linger: Duration,
    /// `buffer.memory`: the bytes that records not yet acknowledged may hold.
    pub buffer_memory: usize,
    /// `max.request.size`: the largest record, and the largest request, in bytes before compression.
    pub max_request_size: usize,
    /// `delivery.timeout.ms`: after this a record is given up.
    pub delivery_timeout: Duration,
    /// `max.block.ms`: how long [`super::Producer::send`] waits for metadata and for room.
    pub max_block: Duration,
}

impl Default for ProducerConfig {
    /// The Java producer's defaults (Kafka 4.1).
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            compression: Compression::None,
            batch_size: 16 << 10,
            linger: Duration::from_millis(5),
            buffer_memory: 32 << 20,
            max_request_size: 1 << 20,
            delivery_timeout: Duration::from_mins(2),
            max_block: Duration::from_mins(1),
        }
    }
}

const IN_FLIGHT: &str = "one batch of a partition is in flight at a time, which keeps its order";

impl ProducerConfig {
    /// Reads a producer's own properties. The result is of use only if [`Properties::finish`] finds no fault.
    pub fn read(properties: &mut Properties<'_>) -> Self {
        let defaults = Self::default();
        let bytes = |properties: &mut Properties<'_>, key, default: usize| {
            // Buffers are addressed with 32 bits; half of that is far above any broker's limit.
            properties.number(key, default as i64, 1..=i64::from(i32::MAX / 2)) as usize
        };
        let gzip = properties.number("compression.gzip.level", -1, -1..=9);
        let zstd = properties.number("compression.zstd.level", 3, -131_072..=22);
        properties.ignore("compression.lz4.level", "lz4 has one level here, the fast one");
        let compression = properties.choice(
            "compression.type",
            Compression::None,
            &[
                ("none", Compression::None),
                // Java's -1 is zlib's own default, 6.
                ("gzip", Compression::Gzip(u32::try_from(gzip).unwrap_or(6))),
                ("snappy", Compression::Snappy),
                ("lz4", Compression::Lz4),
                ("zstd", Compression::Zstd(zstd as i32)),
            ],
        );
        let acks = properties.choice("acks", Acks::All, &[("all", Acks::All), ("-1", Acks::All), ("1", Acks::Leader)]);
        let idempotent = properties.flag("enable.idempotence", acks == Acks::All);
        if idempotent && acks != Acks::All {
            let allowed = Some("all, or enable.idempotence=false".to_owned());
            properties.problem_with("acks", "too few for an idempotent producer", allowed);
        }
        if properties.text("transactional.id").is_some() {
            properties.problem("transactional.id", "transactions are not supported");
        }
        for key in ["partitioner.class", "interceptor.classes"] {
            if properties.text(key).is_some() {
                properties.problem(key, "is Java code, which cannot be run here");
            }
        }
        properties.ignore("retries", "delivery.timeout.ms alone says how long it is tried");
        properties.ignore("max.in.flight.requests.per.connection", IN_FLIGHT);
        for key in ["key.serializer", "value.serializer"] {
            properties.ignore(key, "records are bytes already");
        }
        Self {
            acks,
            idempotent,
            compression,
            batch_size: bytes(properties, "batch.size", defaults.batch_size),
            linger: properties.millis("linger.ms", 5, 0),
            buffer_memory: bytes(properties, "buffer.memory", defaults.buffer_memory),
            max_request_size: bytes(properties, "max.request.size", defaults.max_request_size),
            delivery_timeout: properties.millis("delivery.timeout.ms", 120_000, 1),
            max_block: properties.millis("max.block.ms", 60_000, 0),
        }
    }
}
