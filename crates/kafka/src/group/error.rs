use std::borrow::Cow;
use std::sync::Arc;

use data::TopicPartition;
use fault::{Blame, Code, Diagnose, Retry};

use crate::ErrorCode;
use crate::cluster;

/// Why a membership ended, or could not begin.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The coordinator refuses a request for a reason that no retry mends.
    #[error("{request} of group {group} failed: {code}{}", text(message.as_deref()))]
    Refused {
        /// The request's name in Kafka's protocol.
        request: &'static str,
        /// The group.
        group: Arc<str>,
        /// Kafka's error.
        code: ErrorCode,
        /// The broker's own words.
        message: Option<Arc<str>>,
    },
    /// Another process has joined with our `group.instance.id`.
    #[error("another member of group {group} has taken the instance id {instance}")]
    InstanceTaken {
        /// The group.
        group: Arc<str>,
        /// The instance id.
        instance: Arc<str>,
    },
    /// Nothing is committed, and `auto.offset.reset` is `none`.
    #[error("group {group} has committed nothing for {partition}, and auto.offset.reset is none")]
    NoOffset {
        /// The group.
        group: Arc<str>,
        /// Whose offset is missing.
        partition: TopicPartition,
    },
    /// The leader of the group sent an assignment that cannot be read.
    #[error("the leader of group {group} sent an assignment that cannot be read: {reason}")]
    Malformed {
        /// The group.
        group: Arc<str>,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// The group has agreed on a rule that we did not offer.
    #[error("group {group} has agreed on the assignor {assignor}, which is not among ours")]
    UnknownAssignor {
        /// The group.
        group: Arc<str>,
        /// The assignor's name.
        assignor: Arc<str>,
    },
    /// `topics.regex` is not a regular expression that we can evaluate.
    #[error("topics.regex \"{pattern}\" cannot be used: {reason}")]
    Pattern {
        /// The pattern.
        pattern: Arc<str>,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// The cluster cannot be used at all: credentials refused, no common protocol version.
    #[error("group {group} cannot be reached")]
    Cluster {
        /// The group.
        group: Arc<str>,
        /// Why.
        #[source]
        source: cluster::Error,
    },
    /// The source was closed while a commit waited.
    #[error("the membership of group {group} has ended")]
    Closed {
        /// The group.
        group: Arc<str>,
    },
}

fn text(message: Option<&str>) -> String {
    message.filter(|message| !message.is_empty()).map(|message| format!(" ({message})")).unwrap_or_default()
}

impl Diagnose for GroupError {
    fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } if code.is_denied() => "kafka.denied",
            Self::Refused { .. } => "kafka.group-refused",
            Self::InstanceTaken { .. } => "kafka.instance-id-taken",
            Self::NoOffset { .. } => "kafka.no-committed-offset",
            Self::Malformed { .. } => "kafka.malformed-assignment",
            Self::UnknownAssignor { .. } => "kafka.unknown-assignor",
            Self::Pattern { .. } => "kafka.topics-regex-invalid",
            Self::Cluster { source, .. } => source.code(),
            Self::Closed { .. } => "kafka.group-closed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Refused { .. }
            | Self::InstanceTaken { .. }
            | Self::NoOffset { .. }
            | Self::UnknownAssignor { .. }
            | Self::Pattern { .. } => Blame::Operator,
            Self::Malformed { .. } | Self::Closed { .. } => Blame::Remote,
            Self::Cluster { source, .. } => source.blame(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Refused { .. }
            | Self::InstanceTaken { .. }
            | Self::NoOffset { .. }
            | Self::UnknownAssignor { .. }
            | Self::Pattern { .. }
            | Self::Closed { .. } => Retry::Never,
            Self::Malformed { .. } => Retry::Backoff,
            Self::Cluster { source, .. } => source.retry(),
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Refused { group, code, .. } if *code == ErrorCode::GROUP_AUTHORIZATION_FAILED => Some(Cow::Owned(
                format!("allow this principal to read the group: kafka-acls.sh --add --operation Read --group {group}"),
            )),
            Self::Refused { code, .. } => match code.to_string().as_str() {
                "INCONSISTENT_GROUP_PROTOCOL" => Some(Cow::Borrowed(
                    "set partition.assignment.strategy and group.protocol to what the other members of the group have",
                )),
                "INVALID_SESSION_TIMEOUT" => Some(Cow::Borrowed(
                    "set session.timeout.ms between the brokers' group.min.session.timeout.ms and \
                     group.max.session.timeout.ms",
                )),
                "UNSUPPORTED_VERSION" => Some(Cow::Borrowed(
                    "set group.protocol to classic: these brokers do not have the consumer protocol",
                )),
                "UNSUPPORTED_ASSIGNOR" => Some(Cow::Borrowed(
                    "set group.remote.assignor to one of the brokers' group.consumer.assignors, or leave it out",
                )),
                "GROUP_MAX_SIZE_REACHED" => {
                    Some(Cow::Borrowed("lower tasks.max, or raise group.max.size of the brokers"))
                }
                _ => None,
            },
            Self::InstanceTaken { .. } => {
                Some(Cow::Borrowed("give each process a group.instance.id of its own, and stop the other one"))
            }
            Self::NoOffset { group, .. } => Some(Cow::Owned(format!(
                "set auto.offset.reset to earliest or latest, or commit an offset: kafka-consumer-groups.sh --group \
                 {group} --reset-offsets"
            ))),
            Self::UnknownAssignor { assignor, .. } => {
                Some(Cow::Owned(format!("add {assignor} to partition.assignment.strategy")))
            }
            Self::Pattern { .. } => Some(Cow::Borrowed("correct it; the syntax is that of Java's regular expressions")),
            Self::Cluster { source, .. } => source.hint(),
            Self::Malformed { .. } | Self::Closed { .. } => None,
        }
    }
}
