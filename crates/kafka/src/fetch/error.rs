use std::borrow::Cow;
use std::sync::Arc;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Retry};

use crate::cluster;

/// Why fetching cannot go on. What waiting may mend never gets here; it is tried again for as long as it takes.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A broker cannot be reached or does not accept us, in a way that will not change by itself.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The principal may not read the topic.
    #[error("reading topic {topic} was denied")]
    Denied {
        /// The topic.
        topic: Arc<str>,
    },
    /// The offset is not in the log (any more), and `auto.offset.reset` is `none`.
    #[error("offset {position} of {partition} is gone; the log holds offsets {earliest} to {latest}")]
    OutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was asked for.
        position: Offset,
        /// The first one that is there.
        earliest: Offset,
        /// The one after the last.
        latest: Offset,
    },
    /// Records that were read are not in the log any more (an unclean leader election), and `auto.offset.reset` is
    /// `none`.
    #[error("the log of {partition} was cut back to offset {end}, after records up to {position} had been read")]
    Truncated {
        /// The partition.
        partition: TopicPartition,
        /// How far it had been read.
        position: Offset,
        /// Where it ended after the cut.
        end: Offset,
    },
    /// The topic was deleted and made anew while it was read, and `auto.offset.reset` is `none`.
    #[error("topic {topic} was deleted and made anew, after {partition} had been read up to offset {position}",
        topic = partition.topic)]
    MadeAnew {
        /// The partition.
        partition: TopicPartition,
        /// How far it had been read.
        position: Offset,
    },
    /// The broker finds the records at this offset damaged on its own disk.
    #[error("broker says that the records of {partition} at offset {position} are corrupt")]
    Corrupt {
        /// The partition.
        partition: TopicPartition,
        /// The offset.
        position: Offset,
    },
}

impl Diagnose for FetchError {
    fn code(&self) -> Code {
        match self {
            Self::Cluster(error) => error.code(),
            Self::Denied { .. } => "kafka.access-denied",
            Self::OutOfRange { .. } => "kafka.offset-out-of-range",
            Self::Truncated { .. } => "kafka.log-truncated",
            Self::MadeAnew { .. } => "kafka.topic-made-anew",
            Self::Corrupt { .. } => "kafka.corrupt-log",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Cluster(error) => error.blame(),
            Self::Denied { .. } | Self::OutOfRange { .. } | Self::Truncated { .. } | Self::MadeAnew { .. } => {
                Blame::Operator
            }
            Self::Corrupt { .. } => Blame::Remote,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Cluster(error) => error.retry(),
            Self::Denied { .. }
            | Self::OutOfRange { .. }
            | Self::Truncated { .. }
            | Self::MadeAnew { .. }
            | Self::Corrupt { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Denied { topic } => Some(
                format!("allow this client's principal to read: kafka-acls.sh --add --operation Read --topic {topic}")
                    .into(),
            ),
            Self::OutOfRange { partition, earliest, .. } => Some(
                format!(
                    "set the group's offset of {partition} to {earliest} or later with kafka-consumer-groups.sh \
                     --reset-offsets, or set consumer.override.auto.offset.reset to earliest or latest"
                )
                .into(),
            ),
            Self::Truncated { partition, end, .. } => Some(
                format!(
                    "set the group's offset of {partition} to {end} with kafka-consumer-groups.sh --reset-offsets, \
                     and keep unclean.leader.election.enable at false"
                )
                .into(),
            ),
            Self::MadeAnew { partition, .. } => Some(
                format!(
                    "set the group's offset of {partition} to 0 with kafka-consumer-groups.sh --reset-offsets, or set \
                     consumer.override.auto.offset.reset to earliest or latest"
                )
                .into(),
            ),
            Self::Corrupt { partition, position } => Some(
                format!(
                    "move the leadership of {partition} to another replica, or set the group's offset behind \
                     {position} with kafka-consumer-groups.sh --reset-offsets"
                )
                .into(),
            ),
        }
    }
}
