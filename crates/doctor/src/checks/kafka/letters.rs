use std::collections::BTreeMap;

use ::kafka::Cluster;
use ::kafka::admin::NewTopic;
use connectors::ConnectorPlan;

use super::{Kafka, bounded, failed};
use crate::Check;
use crate::examination::{Examination, Watch};
use crate::kafka_facts::LettersFacts;

/// Whether dead letters could be written: with the producer's own settings, and without writing one.
pub(super) async fn run(x: &mut Examination<'_>, kafka: &Kafka, plan: &ConnectorPlan) {
    let Some(queue) = &plan.errors().dead_letters else {
        x.skip(Check::DLQ, "dead letters go to no topic");
        return;
    };
    let (Some(producer), Some(admin)) = (&kafka.clients.producer, &kafka.clients.admin) else { return };
    if !x.wants(Check::DLQ) {
        return;
    }
    let watch = Watch::start();
    let mut facts =
        LettersFacts { topic: queue.topic.clone(), replicas: queue.replication_factor, ..LettersFacts::default() };
    let clusters = match Cluster::connect(bounded(producer)).await {
        Ok(producer) => Cluster::connect(bounded(admin)).await.map(|admin| (producer, admin)),
        Err(error) => Err(error),
    };
    let (producer, admin) = match clusters {
        Ok(clusters) => clusters,
        Err(error) => {
            let result = failed(x, &watch, Check::DLQ, &error);
            facts.connection = Some(error);
            x.facts.kafka.letters = facts;
            return x.put(result);
        }
    };
    facts.brokers = admin.metadata().brokers.len();
    // As the connector looks for it: among all topics that the admin client may see.
    let exists = match admin.all_topics().await {
        Ok(known) => known.topics.contains_key(queue.topic.as_str()),
        Err(error) => return x.put(failed(x, &watch, Check::DLQ, &error)),
    };
    if !exists {
        let new = NewTopic {
            name: queue.topic.as_str().into(),
            partitions: 1,
            replication_factor: queue.replication_factor,
            configs: BTreeMap::new(),
        };
        facts.create = admin.try_creating(&new).await.err();
    }
    facts.write = producer.try_writing(&queue.topic).await.err();
    if facts.write.is_none() {
        facts.idempotence = producer.try_idempotence().await.err();
    }
    let error = facts.create.as_ref().or(facts.write.as_ref()).or(facts.idempotence.as_ref());
    let result = match error {
        Some(error) => failed(x, &watch, Check::DLQ, error),
        None if exists => watch.passed(Check::DLQ, format!("{} may be written; nothing was", queue.topic)),
        None => {
            let text = format!("{} is not there, and may be made and written; neither was done", queue.topic);
            watch.passed(Check::DLQ, text)
        }
    };
    x.facts.kafka.letters = facts;
    x.put(result.identity(x.facts.kafka.way.principal.clone()));
}
