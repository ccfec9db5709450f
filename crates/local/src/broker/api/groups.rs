use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::group::{GroupDescription, Join, MemberDescription, Sync};
use super::dispatch::Call;
use super::metadata::NO_OPERATIONS;

/// Everything that can be done with a group: read 3, delete 6, describe 8, describe configs 10, alter configs 11.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

/// The only type of group there is here.
const CLASSIC: &str = "classic";

/// Waits until the members of a group have joined.
pub(super) async fn join(call: &Call<'_>) -> Result<JoinGroupResponse, Malformed> {
    let request: JoinGroupRequest = call.request()?;
    let session_timeout = millis(request.session_timeout_ms);
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        client: call.client(),
        session_timeout,
        // Version 0 has one timeout for both.
        rebalance_timeout: if call.version == 0 { session_timeout } else { millis(request.rebalance_timeout_ms) },
        protocol_type: request.protocol_type.to_string(),
        // Copies: a slice would keep the whole request in memory for as long as the member lives.
        protocols: request
            .protocols
            .iter()
            .map(|protocol| (protocol.name.to_string(), Bytes::copy_from_slice(&protocol.metadata)))
            .collect(),
        must_know_id: call.version >= 4,
        can_skip_assignment: call.version >= 9,
    };
    let mut response = call.cluster.coordinator.join(&request.group_id, join).await;
    // Null is not to be had before version 7, and Kafka then sends the empty name.
    if call.version < 7 {
        response.protocol_name.get_or_insert_default();
    }
    if call.version < 5 {
        response.members.iter_mut().for_each(|member| member.group_instance_id = None);
    }
    Ok(response)
}

/// Waits until the leader has assigned the partitions.
pub(super) async fn sync(call: &Call<'_>) -> Result<SyncGroupResponse, Malformed> {
    let request: SyncGroupRequest = call.request()?;
    let sync = Sync {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_deref().map(str::to_owned),
        protocol: request.protocol_name.as_deref().map(str::to_owned),
        assignments: request
            .assignments
            .iter()
            .map(|entry| (entry.member_id.to_string(), Bytes::copy_from_slice(&entry.assignment)))
            .collect(),
    };
    Ok(call.cluster.coordinator.sync(&request.group_id, sync).await)
}

/// Keeps a member alive.
pub(super) fn heartbeat(call: &Call<'_>) -> Result<HeartbeatResponse, Malformed> {
    let request: HeartbeatRequest = call.request()?;
    let instance_id = request.group_instance_id.as_deref();
    let alive =
        call.cluster.coordinator.heartbeat(&request.group_id, &request.member_id, instance_id, request.generation_id);
    Ok(HeartbeatResponse::default().with_error_code(code(alive)))
}

/// Takes members out of a group.
pub(super) fn leave(call: &Call<'_>) -> Result<LeaveGroupResponse, Malformed> {
    let request: LeaveGroupRequest = call.request()?;
    if request.group_id.is_empty() {
        return Ok(LeaveGroupResponse::default().with_error_code(ResponseError::InvalidGroupId.code()));
    }
    let leave = |member_id: &str, instance_id: Option<&str>| {
        code(call.cluster.coordinator.leave(&request.group_id, member_id, instance_id))
    };
    // Before version 3 a member leaves for itself alone.
    if call.version < 3 {
        return Ok(LeaveGroupResponse::default().with_error_code(leave(&request.member_id, None)));
    }
    let each = |member: &MemberIdentity| {
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(leave(&member.member_id, member.group_instance_id.as_deref()))
    };
    Ok(LeaveGroupResponse::default().with_members(request.members.iter().map(each).collect()))
}

/// Groups with their members.
pub(super) fn describe(call: &Call<'_>) -> Result<DescribeGroupsResponse, Malformed> {
    let request: DescribeGroupsRequest = call.request()?;
    let operations =
        if call.version >= 3 && request.include_authorized_operations { GROUP_OPERATIONS } else { NO_OPERATIONS };
    let describe = |id: GroupId| {
        let described = DescribedGroup::default().with_authorized_operations(operations);
        if let Some(group) = call.cluster.coordinator.describe(&id) {
            let members = group.members.into_iter().map(|member| describe_member(member, call.version));
            return described
                .with_group_id(id)
                .with_group_state(StrBytes::from_static_str(group.phase.name()))
                .with_protocol_type(group.protocol_type.into())
                .with_protocol_data(group.protocol.into())
                .with_members(members.collect());
        }
        let dead = described.with_group_state(StrBytes::from_static_str("Dead"));
        let dead = if call.version >= 6 {
            let reason = format!("Group {} not found.", &*id);
            dead.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(Some(reason.into()))
        } else {
            dead
        };
        dead.with_group_id(id)
    };
    Ok(DescribeGroupsResponse::default().with_groups(request.groups.into_iter().map(describe).collect()))
}

fn describe_member(member: MemberDescription, version: i16) -> DescribedGroupMember {
    let instance_id = if version >= 4 { member.instance_id.map(StrBytes::from) } else { None };
    DescribedGroupMember::default()
        .with_member_id(member.id.into())
        .with_group_instance_id(instance_id)
        .with_client_id(member.client_id.into())
        .with_client_host(member.client_host.into())
        .with_member_metadata(member.subscription)
        .with_member_assignment(member.assignment)
}

/// All groups, or those in some states or of some types.
pub(super) fn list(call: &Call<'_>) -> Result<ListGroupsResponse, Malformed> {
    let request: ListGroupsRequest = call.request()?;
    let passes = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let wanted = |group: &GroupDescription| {
        passes(&request.states_filter, group.phase.name()) && passes(&request.types_filter, CLASSIC)
    };
    let entry = |group: GroupDescription| {
        let entry = ListedGroup::default().with_protocol_type(group.protocol_type.into());
        let entry = if call.version >= 4 {
            entry.with_group_state(StrBytes::from_static_str(group.phase.name()))
        } else {
            entry
        };
        let entry = if call.version >= 5 { entry.with_group_type(StrBytes::from_static_str(CLASSIC)) } else { entry };
        entry.with_group_id(GroupId(group.id.into()))
    };
    let groups = call.cluster.coordinator.list().into_iter().filter(wanted).map(entry).collect();
    Ok(ListGroupsResponse::default().with_groups(groups))
}

/// Deletes groups without members.
pub(super) async fn delete(call: &Call<'_>) -> Result<DeleteGroupsResponse, Malformed> {
    let request: DeleteGroupsRequest = call.request()?;
    let delete = |id: GroupId| {
        let deleted = code(call.cluster.coordinator.delete_group(&id));
        DeletableGroupResult::default().with_error_code(deleted).with_group_id(id)
    };
    let mut results: Vec<_> = request.groups_names.into_iter().map(delete).collect();
    if let Err(error) = call.cluster.blocking(|cluster| cluster.coordinator.write()).await {
        tracing::error!(%error, "committed offsets could not be written");
        for result in &mut results {
            result.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    Ok(DeleteGroupsResponse::default().with_results(results))
}

fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.err().map_or(0, |error| error.code())
}
