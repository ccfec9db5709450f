use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::super::bounded_buf::Malformed;
use super::dispatch::Call;

/// What the broker answers, and in which versions: those of Kafka 4.1.
///
/// Produce is claimed from 0 though it is answered from 3, as Kafka does: librdkafka before 2.8 takes a broker without
/// Produce 0 for one that knows no compression (KAFKA-18659).
const CLAIMED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 0, 13),
    (ApiKey::Fetch, 4, 18),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 2),
    (ApiKey::DescribeTopicPartitions, 0, 0),
];

/// Whether a request is answered in this version.
pub(super) fn is_claimed(key: ApiKey, version: i16) -> bool {
    CLAIMED.iter().any(|(claimed, least, most)| *claimed == key && (*least..=*most).contains(&version))
}

/// The answer to ApiVersions, which a client that does not give a proper name for itself does not get.
pub(super) fn answer(call: &Call<'_>) -> Result<ApiVersionsResponse, Malformed> {
    let request: ApiVersionsRequest = call.request()?;
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    Ok(if call.version >= 3 && !named {
        ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code())
    } else {
        claimed()
    })
}

/// Letters, digits, hyphens and full stops, with a letter or digit at both ends.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.bytes().all(inner) && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

fn claimed() -> ApiVersionsResponse {
    let entry = |(key, least, most): &(ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(*key as i16).with_min_version(*least).with_max_version(*most)
    };
    ApiVersionsResponse::default().with_api_keys(CLAIMED.iter().map(entry).collect())
}

/// The answer, in version 0, to ApiVersions in a version that we do not know: the client asks again in one that we do.
pub(super) fn unknown_version() -> ApiVersionsResponse {
    let mut response = claimed().with_error_code(ResponseError::UnsupportedVersion.code());
    response.api_keys.retain(|entry| entry.api_key == ApiKey::ApiVersions as i16);
    response
}
