use std::collections::HashMap;

use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::protocol::{Message, Request, VersionRange};

/// What a broker says that it can speak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(HashMap<i16, VersionRange>);

impl Versions {
    pub(crate) fn of(response: &ApiVersionsResponse) -> Self {
        let range = |api: &kafka_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, VersionRange { min: api.min_version, max: api.max_version })
        };
        Self(response.api_keys.iter().map(range).collect())
    }

    /// The broker's versions of an API, if it has it at all.
    pub(crate) fn theirs(&self, api: i16) -> Option<VersionRange> {
        self.0.get(&api).copied()
    }

    /// The highest version that both sides have, at most `cap`.
    pub(crate) fn pick<R: Request>(&self, cap: Option<i16>) -> Option<i16> {
        let both = self.theirs(R::KEY)?.intersect(&ours::<R>(cap));
        if both.is_empty() { None } else { Some(both.max) }
    }
}

/// The versions that we speak. The codec's request and response tables are not always in step (`OffsetFetch` 0.18:
/// requests to 9, responses to 10).
pub(crate) fn ours<R: Request>(cap: Option<i16>) -> VersionRange {
    let mut range = R::VERSIONS.intersect(&<R::Response as Message>::VERSIONS);
    range.max = range.max.min(cap.unwrap_or(i16::MAX));
    range
}

/// Whether a response of this API begins with `throttle_time_ms`. (From the message definitions in Kafka 4.1: in all
/// later APIs it is the first field; Produce has it last, ApiVersions in the middle, SASL has none.)
pub(crate) fn begins_with_throttle(api: i16, version: i16) -> bool {
    match api {
        // Fetch, FindCoordinator, Heartbeat, LeaveGroup, SyncGroup, DescribeGroups, ListGroups, DeleteTopics
        1 | 10 | 12 | 13 | 14 | 15 | 16 | 20 => version >= 1,
        // ListOffsets, JoinGroup, CreateTopics, OffsetForLeaderEpoch
        2 | 11 | 19 | 23 => version >= 2,
        // Metadata, OffsetCommit, OffsetFetch
        3 | 8 | 9 => version >= 3,
        // InitProducerId, DescribeConfigs, DeleteGroups, DescribeCluster, DescribeProducers, ConsumerGroupHeartbeat,
        // ConsumerGroupDescribe
        22 | 32 | 42 | 60 | 61 | 68 | 69 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::api_versions_response::ApiVersion;
    use kafka_protocol::messages::{MetadataRequest, OffsetFetchRequest};

    use super::*;

    fn broker(api: i16, min: i16, max: i16) -> Versions {
        let version = ApiVersion::default().with_api_key(api).with_min_version(min).with_max_version(max);
        Versions::of(&ApiVersionsResponse::default().with_api_keys(vec![version]))
    }

    #[test]
    fn the_highest_common_version_is_taken() {
        assert_eq!(broker(3, 0, 11).pick::<MetadataRequest>(None), Some(11));
        assert_eq!(broker(3, 0, 99).pick::<MetadataRequest>(None), Some(MetadataRequest::VERSIONS.max));
        assert_eq!(broker(3, 0, 99).pick::<MetadataRequest>(Some(7)), Some(7));
        assert_eq!(broker(3, 90, 99).pick::<MetadataRequest>(None), None);
        assert_eq!(broker(4, 0, 99).pick::<MetadataRequest>(None), None);
    }

    #[test]
    fn a_version_needs_both_our_request_and_our_response() {
        assert_eq!(broker(9, 1, 10).pick::<OffsetFetchRequest>(None), Some(9));
    }
}
