use std::sync::Arc;

use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;

use super::{Cluster, Error, Purpose};
use crate::ErrorCode;

/// The first version that asks about several keys at once and answers with a list (KIP-699, Kafka 3.0).
const BATCHED: i16 = 4;

/// What is coordinated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CoordinatorKey {
    /// A consumer group, by its `group.id`.
    Group(Arc<str>),
    /// A transactional producer, by its `transactional.id`.
    Transaction(Arc<str>),
}

impl CoordinatorKey {
    fn parts(&self) -> (i8, &Arc<str>) {
        match self {
            Self::Group(id) => (0, id),
            Self::Transaction(id) => (1, id),
        }
    }
}

impl Cluster {
    /// The node id of the coordinator of `key`, from the cache or by asking. Retries while the coordinator is being
    /// moved or its topic created, as long as `request.timeout.ms`.
    pub async fn coordinator(&self, key: &CoordinatorKey) -> Result<i32, Error> {
        let known = self.coordinators().get(key).copied();
        if let Some(node) = known {
            return Ok(node);
        }
        let node = self.retried(|| self.find_coordinator(key)).await?;
        self.coordinators().insert(key.clone(), node);
        Ok(node)
    }

    /// Forgets that `node` coordinates `key`, after it said that it does not or cannot be reached.
    pub fn forget_coordinator(&self, key: &CoordinatorKey, node: i32) {
        let mut coordinators = self.coordinators();
        // Somebody may have asked again already; the newer answer stays.
        if coordinators.get(key) == Some(&node) {
            coordinators.remove(key);
        }
    }

    async fn find_coordinator(&self, key: &CoordinatorKey) -> Result<i32, Error> {
        let connection = self.any().await?;
        let (key_type, id) = key.parts();
        let what = || format!("coordinator of {id}");
        let wire_id = StrBytes::from_string(id.to_string());
        let request = FindCoordinatorRequest::default().with_key_type(key_type);
        let batched = connection.version::<FindCoordinatorRequest>(None)? >= BATCHED;
        let request = if batched { request.with_coordinator_keys(vec![wire_id]) } else { request.with_key(wire_id) };
        let response = connection.call(&request).await?;
        let (node, host, port, code, message) = if batched {
            let found = response.coordinators.into_iter().next();
            let found = found.ok_or_else(|| Error::Incomplete { what: what().into() })?;
            (found.node_id, found.host, found.port, found.error_code, found.error_message)
        } else {
            (response.node_id, response.host, response.port, response.error_code, response.error_message)
        };
        if let Err(code) = ErrorCode::check(code) {
            return Err(Error::refused(what(), code, message.as_deref()));
        }
        // It may have joined after our last look at the cluster.
        self.learn_broker(node.0, &crate::net::host_port(&host, port));
        Ok(node.0)
    }

    /// A connection to the coordinator of `key`, kept for group traffic only.
    pub async fn coordinator_connection(
        &self,
        key: &CoordinatorKey,
    ) -> Result<(i32, Arc<crate::net::Connection>), Error> {
        let node = self.coordinator(key).await?;
        match self.node(node, Purpose::Group).await {
            Ok(connection) => Ok((node, connection)),
            Err(error) => {
                self.forget_coordinator(key, node);
                Err(error)
            }
        }
    }
}
