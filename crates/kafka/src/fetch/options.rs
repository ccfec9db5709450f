use std::time::Duration;

use crate::admin::Isolation;
use crate::records::DEFAULT_BATCH_LIMIT;

/// How to fetch. The names are those of the Java consumer; the defaults are not, where a comment says why.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// `isolation.level`.
    pub isolation: Isolation,
    /// `auto.offset.reset`.
    pub reset: OffsetReset,
    /// `fetch.min.bytes`: how much a broker waits for, up to `max_wait`. 256 KiB, where Java's 1 makes a request for
    /// every few records of a partition that trickles; what is written to S3 can wait for `max_wait`.
    pub min_bytes: usize,
    /// `fetch.max.wait.ms`: 500 ms, as in Java.
    pub max_wait: Duration,
    /// `fetch.max.bytes`: the most that one response brings, apart from a first batch that is larger by itself. `None`:
    /// a 24th of the budget's share for fetched records, at most Java's 50 MiB, so that several brokers' responses
    /// fit beside those that are being worked on. The actual request asks for twice what the last one brought.
    pub max_bytes: Option<usize>,
    /// `max.partition.fetch.bytes`. `None`: Java's 1 MiB, or more where few partitions share a response, so that a lone
    /// partition is not held up by a round trip for every mebibyte.
    pub partition_max_bytes: Option<usize>,
    /// The most bytes that one record batch may take once decompressed.
    pub batch_limit: usize,
    /// Batches are handed over in pieces of about this size, so that partitions take turns on few cores: 512 KiB, some
    /// milliseconds of work.
    pub piece: usize,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            isolation: Isolation::default(),
            reset: OffsetReset::default(),
            min_bytes: 256 << 10,
            max_wait: Duration::from_millis(500),
            max_bytes: None,
            partition_max_bytes: None,
            batch_limit: DEFAULT_BATCH_LIMIT,
            piece: 512 << 10,
        }
    }
}

/// Where to go on when the wanted offset is not there (`auto.offset.reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// At the first record that is there.
    Earliest,
    /// Behind the last one. Kafka's default.
    #[default]
    Latest,
    /// Nowhere: fail.
    None,
}
