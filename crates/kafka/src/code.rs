use std::fmt;

use kafka_protocol::error::ResponseError;

/// A Kafka error code other than 0, as it stands in a response.
///
/// Its `Display` is Kafka's own spelling (`TOPIC_AUTHORIZATION_FAILED`), which is what people search for. The list and
/// what can be retried are of `org.apache.kafka.common.protocol.Errors`, Kafka 4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(i16);

impl ErrorCode {
    /// `CLUSTER_AUTHORIZATION_FAILED`.
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    /// `COORDINATOR_LOAD_IN_PROGRESS`: the coordinator reads its log after a move; waiting helps.
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self(14);
    /// `COORDINATOR_NOT_AVAILABLE`: nobody coordinates the group now, or what was written to its log was not replicated in
    /// time.
    pub const COORDINATOR_NOT_AVAILABLE: Self = Self(15);
    /// `CORRUPT_MESSAGE`.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// `DUPLICATE_SEQUENCE_NUMBER`: the batch had been written by an earlier try.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// `FENCED_INSTANCE_ID`: another member has our `group.instance.id`.
    pub const FENCED_INSTANCE_ID: Self = Self(82);
    /// `FENCED_LEADER_EPOCH`: our metadata is older than the broker's.
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    /// `FENCED_MEMBER_EPOCH`: the group (KIP-848) has moved on without us.
    pub const FENCED_MEMBER_EPOCH: Self = Self(110);
    /// `FETCH_SESSION_ID_NOT_FOUND`.
    pub const FETCH_SESSION_ID_NOT_FOUND: Self = Self(70);
    /// `GROUP_AUTHORIZATION_FAILED`.
    pub const GROUP_AUTHORIZATION_FAILED: Self = Self(30);
    /// `GROUP_ID_NOT_FOUND`: there is no such group, or none of this kind.
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    /// `GROUP_SUBSCRIBED_TO_TOPIC`: a member reads the topic whose offset is to be deleted.
    pub const GROUP_SUBSCRIBED_TO_TOPIC: Self = Self(86);
    /// `ILLEGAL_GENERATION`: the group has moved on without us.
    pub const ILLEGAL_GENERATION: Self = Self(22);
    /// `ILLEGAL_SASL_STATE`: a login where none is expected.
    pub const ILLEGAL_SASL_STATE: Self = Self(34);
    /// `INVALID_FETCH_SESSION_EPOCH`.
    pub const INVALID_FETCH_SESSION_EPOCH: Self = Self(71);
    /// `INVALID_PRODUCER_EPOCH`.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// `INVALID_RECORD`: a record batch that the broker does not take.
    pub const INVALID_RECORD: Self = Self(87);
    /// `INVALID_REPLICATION_FACTOR`: more replicas than brokers.
    pub const INVALID_REPLICATION_FACTOR: Self = Self(38);
    /// `INVALID_REQUEST`.
    pub const INVALID_REQUEST: Self = Self(42);
    /// `INVALID_TOPIC_EXCEPTION`: what no topic can be called.
    pub const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// `LEADER_NOT_AVAILABLE`: an election is under way.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// `MEMBER_ID_REQUIRED`: join again with the member id in the answer (KIP-394).
    pub const MEMBER_ID_REQUIRED: Self = Self(79);
    /// `MESSAGE_TOO_LARGE`.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// `NON_EMPTY_GROUP`: the group that is to be deleted has members.
    pub const NON_EMPTY_GROUP: Self = Self(68);
    /// `NOT_CONTROLLER`.
    pub const NOT_CONTROLLER: Self = Self(41);
    /// `NOT_COORDINATOR`: the group's coordinator is elsewhere now.
    pub const NOT_COORDINATOR: Self = Self(16);
    /// `NOT_LEADER_OR_FOLLOWER`: the partition's leader is elsewhere now.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// `OFFSET_METADATA_TOO_LARGE`.
    pub const OFFSET_METADATA_TOO_LARGE: Self = Self(12);
    /// `OFFSET_OUT_OF_RANGE`.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// `REBALANCE_IN_PROGRESS`.
    pub const REBALANCE_IN_PROGRESS: Self = Self(27);
    /// `SASL_AUTHENTICATION_FAILED`.
    pub const SASL_AUTHENTICATION_FAILED: Self = Self(58);
    /// `STALE_MEMBER_EPOCH`: the epoch in the request is not the member's current one (KIP-848).
    pub const STALE_MEMBER_EPOCH: Self = Self(113);
    /// `TOPIC_ALREADY_EXISTS`.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// `TOPIC_AUTHORIZATION_FAILED`.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`.
    pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Self = Self(53);
    /// `UNKNOWN_LEADER_EPOCH`: the broker's metadata is older than ours.
    pub const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    /// `UNKNOWN_MEMBER_ID`: the group has forgotten us.
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    /// `UNKNOWN_PRODUCER_ID`.
    pub const UNKNOWN_PRODUCER_ID: Self = Self(59);
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// `UNRELEASED_INSTANCE_ID`: another member still has our `group.instance.id` (KIP-848).
    pub const UNRELEASED_INSTANCE_ID: Self = Self(111);
    /// `UNSTABLE_OFFSET_COMMIT`: a transaction that commits these offsets is still open.
    pub const UNSTABLE_OFFSET_COMMIT: Self = Self(88);
    /// `UNSUPPORTED_SASL_MECHANISM`.
    pub const UNSUPPORTED_SASL_MECHANISM: Self = Self(33);
    /// `UNSUPPORTED_VERSION`.
    pub const UNSUPPORTED_VERSION: Self = Self(35);

    /// The code of a response field; `None` for 0, which means success.
    pub fn of(code: i16) -> Option<Self> {
        if code == 0 { None } else { Some(Self(code)) }
    }

    /// `Ok` for 0.
    pub fn check(code: i16) -> Result<(), Self> {
        Self::of(code).map_or(Ok(()), Err)
    }

    /// The number on the wire.
    pub fn number(self) -> i16 {
        self.0
    }

    /// Whether the same request may succeed later, perhaps at another broker.
    pub fn is_retriable(self) -> bool {
        ResponseError::try_from_code(self.0).is_some_and(|error| error.is_retriable())
    }

    /// Whether our view of topics and leaders is behind: refresh the metadata, then try again.
    pub fn is_stale_metadata(self) -> bool {
        use ResponseError as E;
        match ResponseError::try_from_code(self.0) {
            None => false,
            Some(error) => matches!(
                error,
                E::UnknownTopicOrPartition
                    | E::LeaderNotAvailable
                    | E::NotLeaderOrFollower
                    | E::ReplicaNotAvailable
                    | E::KafkaStorageError
                    | E::ListenerNotFound
                    | E::FencedLeaderEpoch
                    | E::UnknownLeaderEpoch
                    | E::UnknownTopicId
                    | E::InconsistentTopicId
                    | E::NotController
                    | E::RebootstrapRequired
            ),
        }
    }

    /// Whether the coordinator is elsewhere: look it up again, then try again.
    pub fn is_stale_coordinator(self) -> bool {
        // COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. Not COORDINATOR_LOAD_IN_PROGRESS: that is the right broker.
        matches!(self.0, 15 | 16)
    }

    /// Whether a right is missing.
    pub fn is_denied(self) -> bool {
        // TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID and DELEGATION_TOKEN_AUTHORIZATION_FAILED
        matches!(self.0, 29 | 30 | 31 | 53 | 65)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ResponseError::try_from_code(self.0) {
            None => f.write_str("NONE"),
            Some(ResponseError::Unknown(code)) => write!(f, "error code {code}"),
            // The codec has the same names in Rust's spelling.
            Some(error) => {
                for (at, letter) in error.to_string().char_indices() {
                    if at > 0 && letter.is_ascii_uppercase() {
                        f.write_str("_")?;
                    }
                    write!(f, "{}", letter.to_ascii_uppercase())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_kafka_spells_them() {
        assert_eq!(ErrorCode::TOPIC_AUTHORIZATION_FAILED.to_string(), "TOPIC_AUTHORIZATION_FAILED");
        assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(ErrorCode(-1).to_string(), "UNKNOWN_SERVER_ERROR");
        assert_eq!(ErrorCode(17).to_string(), "INVALID_TOPIC_EXCEPTION");
        assert_eq!(ErrorCode(9999).to_string(), "error code 9999");
    }

    #[test]
    fn each_constant_has_the_number_of_its_name() {
        for (code, name) in [
            (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "COORDINATOR_LOAD_IN_PROGRESS"),
            (ErrorCode::CORRUPT_MESSAGE, "CORRUPT_MESSAGE"),
            (ErrorCode::DUPLICATE_SEQUENCE_NUMBER, "DUPLICATE_SEQUENCE_NUMBER"),
            (ErrorCode::FENCED_INSTANCE_ID, "FENCED_INSTANCE_ID"),
            (ErrorCode::FENCED_LEADER_EPOCH, "FENCED_LEADER_EPOCH"),
            (ErrorCode::FENCED_MEMBER_EPOCH, "FENCED_MEMBER_EPOCH"),
            (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, "FETCH_SESSION_ID_NOT_FOUND"),
            (ErrorCode::GROUP_AUTHORIZATION_FAILED, "GROUP_AUTHORIZATION_FAILED"),
            (ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, "GROUP_SUBSCRIBED_TO_TOPIC"),
            (ErrorCode::NON_EMPTY_GROUP, "NON_EMPTY_GROUP"),
            (ErrorCode::ILLEGAL_GENERATION, "ILLEGAL_GENERATION"),
            (ErrorCode::INVALID_FETCH_SESSION_EPOCH, "INVALID_FETCH_SESSION_EPOCH"),
            (ErrorCode::INVALID_PRODUCER_EPOCH, "INVALID_PRODUCER_EPOCH"),
            (ErrorCode::LEADER_NOT_AVAILABLE, "LEADER_NOT_AVAILABLE"),
            (ErrorCode::MEMBER_ID_REQUIRED, "MEMBER_ID_REQUIRED"),
            (ErrorCode::MESSAGE_TOO_LARGE, "MESSAGE_TOO_LARGE"),
            (ErrorCode::NOT_CONTROLLER, "NOT_CONTROLLER"),
            (ErrorCode::NOT_COORDINATOR, "NOT_COORDINATOR"),
            (ErrorCode::OFFSET_METADATA_TOO_LARGE, "OFFSET_METADATA_TOO_LARGE"),
            (ErrorCode::OFFSET_OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE"),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "OUT_OF_ORDER_SEQUENCE_NUMBER"),
            (ErrorCode::REBALANCE_IN_PROGRESS, "REBALANCE_IN_PROGRESS"),
            (ErrorCode::SASL_AUTHENTICATION_FAILED, "SASL_AUTHENTICATION_FAILED"),
            (ErrorCode::STALE_MEMBER_EPOCH, "STALE_MEMBER_EPOCH"),
            (ErrorCode::TOPIC_ALREADY_EXISTS, "TOPIC_ALREADY_EXISTS"),
            (ErrorCode::UNKNOWN_LEADER_EPOCH, "UNKNOWN_LEADER_EPOCH"),
            (ErrorCode::UNKNOWN_MEMBER_ID, "UNKNOWN_MEMBER_ID"),
            (ErrorCode::UNKNOWN_PRODUCER_ID, "UNKNOWN_PRODUCER_ID"),
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "UNKNOWN_TOPIC_OR_PARTITION"),
            (ErrorCode::UNRELEASED_INSTANCE_ID, "UNRELEASED_INSTANCE_ID"),
            (ErrorCode::UNSTABLE_OFFSET_COMMIT, "UNSTABLE_OFFSET_COMMIT"),
            (ErrorCode::UNSUPPORTED_SASL_MECHANISM, "UNSUPPORTED_SASL_MECHANISM"),
            (ErrorCode::UNSUPPORTED_VERSION, "UNSUPPORTED_VERSION"),
        ] {
            assert_eq!(code.to_string(), name);
        }
    }
}
