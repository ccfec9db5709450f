use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use data::TopicPartition;
use fault::{Blame, Code, Diagnose, Retry};

use crate::{ErrorCode, cluster};

/// Why a record was not written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is larger than `max.request.size` or `buffer.memory`.
    #[error("record of {size} bytes for topic {topic} is above the limit of {limit}")]
    TooLarge {
        /// Its topic.
        topic: Arc<str>,
        /// Its size with all that belongs to it, in bytes.
        size: usize,
        /// The lower of the two limits, in bytes.
        limit: usize,
    },
    /// It names a partition that the topic does not have.
    #[error("topic {topic} has {partitions} partitions and no number {partition}")]
    NoPartition {
        /// Its topic.
        topic: Arc<str>,
        /// The partition named.
        partition: i32,
        /// How many there are.
        partitions: usize,
    },
    /// The topic's partitions are not known, or an id for the producer could not be had.
    #[error("could not prepare to write to topic {topic}")]
    Unprepared {
        /// The topic.
        topic: Arc<str>,
        /// What the cluster says.
        #[source]
        source: cluster::Error,
    },
    /// There was no room in `buffer.memory` for `max.block.ms`.
    #[error("no room in the producer's buffer within {after:?}")]
    Full {
        /// The time given.
        after: Duration,
    },
    /// The broker refuses the batch for good.
    #[error("writing to {partition} failed: {code}{}", text(message.as_deref()))]
    Refused {
        /// Where it was to go.
        partition: TopicPartition,
        /// Kafka's error code.
        code: ErrorCode,
        /// The broker's own words.
        message: Option<Arc<str>>,
    },
    /// It could not be written for `delivery.timeout.ms`; the source is what was wrong last. If a request was lost on its
    /// way, the record may have been written all the same.
    #[error("writing to {partition} did not succeed within {after:?}")]
    Expired {
        /// Where it was to go.
        partition: TopicPartition,
        /// The time given.
        after: Duration,
        /// What was wrong last, if anything was tried.
        #[source]
        source: Option<cluster::Error>,
    },
    /// The producer was dropped.
    #[error("producer was closed")]
    Closed,
}

fn text(message: Option<&str>) -> String {
    message.filter(|message| !message.is_empty()).map(|message| format!(" ({message})")).unwrap_or_default()
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => "kafka.record-too-large",
            Self::NoPartition { .. } => "kafka.unknown-partition",
            Self::Unprepared { source, .. } => source.code(),
            Self::Full { .. } => "kafka.producer-full",
            Self::Refused { code, .. } if code.is_denied() => "kafka.access-denied",
            Self::Refused { .. } => "kafka.refused",
            Self::Expired { .. } => "kafka.delivery-timeout",
            Self::Closed => "kafka.closed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::TooLarge { .. } | Self::NoPartition { .. } | Self::Refused { .. } => Blame::Operator,
            Self::Unprepared { source, .. } => source.blame(),
            Self::Full { .. } | Self::Expired { .. } => Blame::Remote,
            Self::Closed => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::TooLarge { .. } | Self::NoPartition { .. } | Self::Refused { .. } | Self::Closed => Retry::Never,
            Self::Unprepared { source, .. } => source.retry(),
            Self::Full { .. } | Self::Expired { .. } => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::TooLarge { .. } => Some(Cow::Borrowed("raise max.request.size, and max.message.bytes of the topic")),
            Self::Refused { code, .. } if *code == ErrorCode::MESSAGE_TOO_LARGE => {
                Some(Cow::Borrowed("raise max.message.bytes of the topic, or lower batch.size"))
            }
            Self::Refused { partition, code, .. } if code.is_denied() => Some(Cow::Owned(format!(
                "let this client's principal write to topic {}: kafka-acls.sh --add --operation Write",
                partition.topic
            ))),
            Self::Unprepared { source, .. } => source.hint(),
            Self::NoPartition { .. }
            | Self::Full { .. }
            | Self::Refused { .. }
            | Self::Expired { .. }
            | Self::Closed => None,
        }
    }
}
