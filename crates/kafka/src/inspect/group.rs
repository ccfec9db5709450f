use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, consumer_group_describe_response,
    describe_groups_response,
};
use kafka_protocol::protocol::StrBytes;

use crate::ErrorCode;
use crate::cluster::{Cluster, CoordinatorKey, Error, Purpose};
use crate::group::wire::Subscription;
use crate::net::{Connection, Options};

/// Until this version a group that does not exist is answered as one that is `Dead`, without an error.
const DEAD_WITHOUT_ERROR: i16 = 5;

/// A group as its coordinator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// As Kafka calls it: `Stable`, `Empty`, `PreparingRebalance`.
    pub state: Arc<str>,
    /// What its members use it for: `consumer`, or `connect` for the workers of a Connect cluster. Empty if nobody was ever
    /// in it.
    pub protocol_type: Arc<str>,
    /// Who is in it.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator knows it by.
    pub id: Arc<str>,
    /// `group.instance.id`, if it has one.
    pub instance: Option<Arc<str>>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// Where it is: `/10.0.3.7`.
    pub host: Arc<str>,
    /// The topics that it wants, if it names any.
    pub topics: BTreeSet<Arc<str>>,
}

impl Cluster {
    /// Who is in `group`; `None` if there is no such group.
    pub async fn describe_group(&self, group: &str) -> Result<Option<GroupDescription>, Error> {
        self.at_coordinator(group, async |connection| describe(&connection, group).await).await
    }

    /// Whether this client may be a member of `group`: asks with a heartbeat of a member that there is not.
    pub async fn try_membership(&self, group: &str) -> Result<(), Error> {
        let what = || format!("membership of group {group}");
        self.at_coordinator(group, async |connection| {
            let request = HeartbeatRequest::default()
                .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
                .with_generation_id(-1)
                .with_member_id(StrBytes::from_static_str("tidegate-looks-on"));
            let response = connection.call(&request).await?;
            match ErrorCode::of(response.error_code) {
                None
                | Some(
                    ErrorCode::UNKNOWN_MEMBER_ID
                    | ErrorCode::ILLEGAL_GENERATION
                    | ErrorCode::REBALANCE_IN_PROGRESS
                    | ErrorCode::GROUP_ID_NOT_FOUND,
                ) => Ok(()),
                Some(code) => Err(Error::refused(what(), code, None)),
            }
        })
        .await
    }

    async fn at_coordinator<T, F: Future<Output = Result<T, Error>>>(
        &self,
        group: &str,
        ask: impl Fn(Arc<Connection>) -> F,
    ) -> Result<T, Error> {
        let key = CoordinatorKey::Group(group.into());
        self.retried(async || {
            let node = self.coordinator(&key).await?;
            let result = match self.node(node, Purpose::Control).await {
                Ok(connection) => ask(connection).await,
                Err(error) => Err(error),
            };
            result.inspect_err(|error| {
                if error.kafka_code().is_none_or(ErrorCode::is_stale_coordinator) {
                    self.forget_coordinator(&key, node);
                }
            })
        })
        .await
    }
}

async fn describe(connection: &Connection, group: &str) -> Result<Option<GroupDescription>, Error> {
    let what = format!("description of group {group}");
    let id = GroupId(StrBytes::from_string(group.to_owned()));
    // A group of KIP-848 is none to the older request.
    if connection.supports::<ConsumerGroupDescribeRequest>() {
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
        let found = connection.call(&request).await?.groups.into_iter().next();
        let found = found.ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
        match ErrorCode::of(found.error_code) {
            None => return Ok(Some(of_consumers(found))),
            // The latter from a broker whose coordinator does not do it (`group.coordinator.rebalance.protocols`).
            Some(ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION) => {}
            Some(code) => return Err(Error::refused(what, code, found.error_message.as_deref())),
        }
    }
    let request = DescribeGroupsRequest::default().with_groups(vec![id]);
    let options = Options { max_version: Some(DEAD_WITHOUT_ERROR), ..Options::default() };
    let found = connection.call_with(&request, options).await?.groups.into_iter().next();
    let found = found.ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
    match ErrorCode::of(found.error_code) {
        None if &*found.group_state == "Dead" => Ok(None),
        None => Ok(Some(of_classic(found))),
        Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(None),
        Some(code) => Err(Error::refused(what, code, None)),
    }
}

fn of_consumers(found: consumer_group_describe_response::DescribedGroup) -> GroupDescription {
    let members = found.members.into_iter().map(|member| GroupMember {
        id: shared(&member.member_id),
        instance: member.instance_id.as_ref().map(shared),
        client_id: shared(&member.client_id),
        host: shared(&member.client_host),
        topics: member.subscribed_topic_names.iter().map(|name| (&***name).into()).collect(),
    });
    GroupDescription { state: shared(&found.group_state), protocol_type: "consumer".into(), members: members.collect() }
}

fn of_classic(found: describe_groups_response::DescribedGroup) -> GroupDescription {
    let are_consumers = &*found.protocol_type == "consumer";
    let members = found.members.into_iter().map(|member| GroupMember {
        id: shared(&member.member_id),
        instance: member.group_instance_id.as_ref().map(shared),
        client_id: shared(&member.client_id),
        host: shared(&member.client_host),
        // Another kind of group says something else there; while a group is rebalanced there is nothing.
        topics: if are_consumers {
            Subscription::decode(member.member_metadata).map(|said| said.topics).unwrap_or_default()
        } else {
            BTreeSet::new()
        },
    });
    GroupDescription {
        state: shared(&found.group_state),
        protocol_type: shared(&found.protocol_type),
        members: members.collect(),
    }
}

fn shared(text: &StrBytes) -> Arc<str> {
    (&**text).into()
}
