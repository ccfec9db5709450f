use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Encodable, Request};
use uuid::Uuid;

use super::super::bounded_buf::{self, Malformed};
use super::super::cluster::Cluster;
use super::super::connection::Ends;
use super::super::group::Client;
use super::super::reply::{Reply, Segments};
use super::super::topic::Topic;
use super::{admin, cluster_info, committed_offsets, configs, fetch, groups, metadata, offsets, produce, versions};

/// A request that is being answered: what all families of requests need of it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) cluster: &'a Arc<Cluster>,
    pub(super) version: i16,
    ends: Ends,
    client_id: String,
    body: Bytes,
    correlation_id: i32,
    key: ApiKey,
}

impl Call<'_> {
    /// The request itself.
    pub(super) fn request<R: Request>(&self) -> Result<R, Malformed> {
        bounded_buf::decode(&self.body, self.version)
    }

    /// An answer that begins with its header.
    pub(super) fn reply(&self) -> Result<Reply, Malformed> {
        Reply::new(self.correlation_id, self.key.response_header_version(self.version))
    }

    /// The answer.
    fn respond(&self, response: &impl Encodable) -> Result<Option<Segments>, Malformed> {
        let mut reply = self.reply()?;
        reply.put(response, self.version)?;
        Ok(Some(reply.finish()))
    }

    /// Who asks, as the listings show it.
    pub(super) fn client(&self) -> Client {
        Client { id: self.client_id.clone(), host: format!("/{}", self.ends.peer.ip()) }
    }

    /// Host and port of this broker, for this client.
    pub(super) fn endpoint(&self) -> (String, i32) {
        self.cluster.endpoint(self.ends.local)
    }

    /// The topic that a request names, by id or, in versions without ids, by name.
    pub(super) fn topic(&self, name: &str, id: Uuid) -> Option<Arc<Topic>> {
        if id.is_nil() { self.cluster.catalogue.topic(name) } else { self.cluster.catalogue.topic_by_id(id) }
    }
}

/// Answers one request; `None` if it wants no answer. An error ends the connection, as Kafka does with a request that it
/// cannot read or does not know.
pub(crate) async fn answer(cluster: &Arc<Cluster>, ends: Ends, request: Bytes) -> Result<Option<Segments>, Malformed> {
    let mut peek = request.clone();
    let (key, version) = (peek.try_get_i16(), peek.try_get_i16());
    let (Ok(key), Ok(version), Ok(correlation_id)) = (key, version, peek.try_get_i32()) else {
        return Err(Malformed("it has no header".to_owned()));
    };
    let key = ApiKey::try_from(key).map_err(|()| Malformed(format!("API {key} is not known")))?;
    if !versions::is_claimed(key, version) {
        if key == ApiKey::ApiVersions {
            let mut reply = Reply::new(correlation_id, 0)?;
            reply.put(&versions::unknown_version(), 0)?;
            return Ok(Some(reply.finish()));
        }
        return Err(Malformed(format!("{key:?} version {version} is not supported")));
    }
    let (header, body) = bounded_buf::decode_front::<RequestHeader>(&request, key.request_header_version(version))?;
    let client_id = header.client_id.as_deref().unwrap_or_default().to_owned();
    drop((request, header));
    let call = Call { cluster, version, ends, client_id, body, correlation_id, key };
    match key {
        ApiKey::Produce => match produce::produce(&call).await? {
            Some(response) => call.respond(&response),
            None => Ok(None),
        },
        ApiKey::Fetch => fetch::fetch(&call).await.map(Some),
        ApiKey::ListOffsets => call.respond(&offsets::list(&call).await?),
        ApiKey::OffsetForLeaderEpoch => call.respond(&offsets::for_leader_epoch(&call).await?),
        ApiKey::DeleteRecords => call.respond(&offsets::delete_records(&call).await?),
        ApiKey::Metadata => call.respond(&metadata::metadata(&call).await?),
        ApiKey::DescribeTopicPartitions => call.respond(&metadata::describe_topic_partitions(&call)?),
        ApiKey::OffsetCommit => call.respond(&committed_offsets::commit(&call).await?),
        ApiKey::OffsetFetch => call.respond(&committed_offsets::fetch(&call)?),
        ApiKey::OffsetDelete => call.respond(&committed_offsets::delete(&call).await?),
        ApiKey::JoinGroup => call.respond(&groups::join(&call).await?),
        ApiKey::SyncGroup => call.respond(&groups::sync(&call).await?),
        ApiKey::Heartbeat => call.respond(&groups::heartbeat(&call)?),
        ApiKey::LeaveGroup => call.respond(&groups::leave(&call)?),
        ApiKey::DescribeGroups => call.respond(&groups::describe(&call)?),
        ApiKey::ListGroups => call.respond(&groups::list(&call)?),
        ApiKey::DeleteGroups => call.respond(&groups::delete(&call).await?),
        ApiKey::CreateTopics => call.respond(&admin::create_topics(&call).await?),
        ApiKey::DeleteTopics => call.respond(&admin::delete_topics(&call).await?),
        ApiKey::CreatePartitions => call.respond(&admin::create_partitions(&call).await?),
        ApiKey::DescribeConfigs => call.respond(&configs::describe(&call)?),
        ApiKey::AlterConfigs => call.respond(&configs::alter(&call).await?),
        ApiKey::IncrementalAlterConfigs => call.respond(&configs::alter_incrementally(&call).await?),
        ApiKey::ApiVersions => call.respond(&versions::answer(&call)?),
        ApiKey::DescribeCluster => call.respond(&cluster_info::describe(&call)?),
        ApiKey::FindCoordinator => call.respond(&cluster_info::find_coordinator(&call)?),
        ApiKey::InitProducerId => call.respond(&cluster_info::init_producer_id(&call).await?),
        other => Err(Malformed(format!("{other:?} is claimed but not answered"))),
    }
}
