use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::ErrorCode;
use crate::admin::NewTopic;
use crate::cluster::{Cluster, Error};
use crate::net::{self, Connection, Options};

/// The last version of Produce that names topics by their names (KIP-516).
const BY_NAME: i16 = 12;

impl Cluster {
    /// Whether this client may write to `topic`, which need not exist: asks to append nothing.
    pub async fn try_writing(&self, topic: &str) -> Result<(), Error> {
        let what = || format!("writing to topic {topic}");
        let data = PartitionProduceData::default().with_index(0).with_records(Some(Bytes::new()));
        let topic_data = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic_data]);
        let options = Options { max_version: Some(BY_NAME), ..Options::default() };
        self.retried(async || {
            let response = self.any().await?.call_with(&request, options).await?;
            let answer = response.responses.into_iter().flat_map(|topic| topic.partition_responses).next();
            let answer = answer.ok_or_else(|| Error::Incomplete { what: what().into() })?;
            match ErrorCode::of(answer.error_code) {
                // All of these are said to who may write. The broker that was asked need not lead the partition.
                None
                | Some(
                    ErrorCode::INVALID_RECORD
                    | ErrorCode::CORRUPT_MESSAGE
                    | ErrorCode::INVALID_REQUEST
                    | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                    | ErrorCode::NOT_LEADER_OR_FOLLOWER,
                ) => Ok(()),
                Some(code) => Err(Error::refused(what(), code, answer.error_message.as_deref())),
            }
        })
        .await
    }

    /// Whether this client may write idempotently: asks for a producer's number, which is all that comes of it.
    pub async fn try_idempotence(&self) -> Result<(), Error> {
        // Of somebody who has no number yet. The time-out is of transactions, and there is none.
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_epoch(-1);
        let request = request.with_producer_id(kafka_protocol::messages::ProducerId(-1));
        self.retried(async || {
            let response = self.any().await?.call(&request).await?;
            ErrorCode::check(response.error_code).map_err(|code| Error::refused("idempotent writing", code, None))
        })
        .await
    }

    /// What creating `topic` would come to. Nothing is created.
    pub async fn try_creating(&self, topic: &NewTopic) -> Result<(), Error> {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic.creatable()])
            .with_timeout_ms(self.server_timeout_ms())
            .with_validate_only(true);
        self.retried(async || {
            let response = self.controller().await?.call(&request).await?;
            let what = format!("creation of topic {}", topic.name);
            let result =
                response.topics.into_iter().next().ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
            ErrorCode::check(result.error_code)
                .map_err(|code| Error::refused(what, code, result.error_message.as_deref()))
        })
        .await
    }
}

impl Connection {
    /// Whether the broker takes a request of ours at all: one that wants a login tells its versions to everybody, and hangs
    /// up on what comes next.
    pub async fn greet(&self) -> Result<(), net::Error> {
        let request = MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
        self.call(&request).await.map(drop)
    }

    /// The SASL mechanisms that this listener has, asked for on a connection that has not logged in, which is of no other
    /// use afterwards. `None` if it takes no login.
    pub async fn mechanisms(&self) -> Result<Option<Vec<String>>, net::Error> {
        // No mechanism has this name, so the broker refuses it and says which there are.
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("TIDEGATE-ASKS"));
        let response = self.call(&request).await?;
        let offered: Vec<_> = response.mechanisms.iter().map(ToString::to_string).collect();
        Ok((ErrorCode::of(response.error_code) == Some(ErrorCode::UNSUPPORTED_SASL_MECHANISM)).then_some(offered))
    }
}
