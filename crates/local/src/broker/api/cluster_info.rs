use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    InitProducerIdRequest, InitProducerIdResponse, ProducerId,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::cluster::NODE_ID;
use super::dispatch::Call;
use super::metadata::{CLUSTER_OPERATIONS, NO_OPERATIONS};

const GROUP_KEY: i8 = 0;

/// Endpoints for clients of brokers, not of controllers.
const BROKERS: i8 = 1;

/// Who is in the cluster.
pub(super) fn describe(call: &Call<'_>) -> Result<DescribeClusterResponse, Malformed> {
    let request: DescribeClusterRequest = call.request()?;
    let response =
        DescribeClusterResponse::default().with_cluster_id(StrBytes::from(call.cluster.catalogue.cluster_id.clone()));
    if call.version >= 1 && request.endpoint_type != BROKERS {
        return Ok(response
            .with_error_code(ResponseError::MismatchedEndpointType.code())
            .with_error_message(Some(StrBytes::from_static_str("this is a broker, not a controller")))
            .with_controller_id(BrokerId(-1))
            .with_cluster_authorized_operations(NO_OPERATIONS));
    }
    let (host, port) = call.endpoint();
    let broker =
        DescribeClusterBroker::default().with_broker_id(BrokerId(NODE_ID)).with_host(host.into()).with_port(port);
    let operations = if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { NO_OPERATIONS };
    Ok(response
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(operations))
}

/// Who coordinates a group: we do.
pub(super) fn find_coordinator(call: &Call<'_>) -> Result<FindCoordinatorResponse, Malformed> {
    let request: FindCoordinatorRequest = call.request()?;
    let (host, port) = call.endpoint();
    let refused = (request.key_type != GROUP_KEY).then(|| {
        let reason = "the embedded broker coordinates consumer groups only; it has no transactions";
        // Not INVALID_REQUEST, which says it better: librdkafka takes that for a passing trouble and asks for ever.
        (ResponseError::TransactionalIdAuthorizationFailed.code(), Some(StrBytes::from_static_str(reason)))
    });
    if call.version < 4 {
        let response = FindCoordinatorResponse::default();
        return Ok(match refused {
            Some((code, reason)) => {
                response.with_error_code(code).with_error_message(reason).with_node_id(BrokerId(-1)).with_port(-1)
            }
            None => response.with_node_id(BrokerId(NODE_ID)).with_host(host.into()).with_port(port),
        });
    }
    let entry = |key: StrBytes| {
        let entry = Coordinator::default().with_key(key);
        match &refused {
            Some((code, reason)) => {
                entry.with_error_code(*code).with_error_message(reason.clone()).with_node_id(BrokerId(-1)).with_port(-1)
            }
            None => entry.with_node_id(BrokerId(NODE_ID)).with_host(host.clone().into()).with_port(port),
        }
    };
    Ok(FindCoordinatorResponse::default().with_coordinators(request.coordinator_keys.into_iter().map(entry).collect()))
}

/// An id for an idempotent producer.
pub(super) async fn init_producer_id(call: &Call<'_>) -> Result<InitProducerIdResponse, Malformed> {
    let request: InitProducerIdRequest = call.request()?;
    let response = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    if request.transactional_id.is_some() {
        return Ok(response.with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code()));
    }
    // Without a transactional id Kafka too gives a new id each time, even to a producer that has one and wants a new
    // epoch.
    Ok(match call.cluster.blocking(|cluster| cluster.catalogue.new_producer_id()).await {
        Ok(id) => response.with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(refusal) => response.with_error_code(refusal.code.code()),
    })
}
