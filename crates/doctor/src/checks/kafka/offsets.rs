use ::kafka::admin::{Isolation, Place};
use ::kafka::group::OffsetReset;
use connectors::ConnectorPlan;
use data::TopicPartition;

use super::{Kafka, failed, some, topics};
use crate::Check;
use crate::examination::{Examination, Watch};
use crate::kafka_facts::Misplaced;

/// Whether what the group has committed is still there.
pub(super) async fn run(x: &mut Examination<'_>, kafka: &Kafka, plan: &ConnectorPlan) {
    if !x.wants(Check::OFFSETS) {
        return;
    }
    let (Some(cluster), Some(committed)) = (&kafka.cluster, x.facts.kafka.committed.clone()) else { return };
    let watch = Watch::start();
    let partitions = topics::partitions(cluster, plan);
    let reset = kafka.clients.group.offset_reset;
    if reset == OffsetReset::None {
        let unplaced = partitions.iter().filter(|partition| !committed.contains_key(*partition));
        x.facts.kafka.unplaced = unplaced.cloned().collect();
    }
    let placed: Vec<_> = partitions.iter().filter(|partition| committed.contains_key(*partition)).cloned().collect();
    let begins = cluster.list_offsets(&placed, Place::Earliest, Isolation::ReadUncommitted).await;
    let ends = cluster.list_offsets(&placed, Place::Latest, Isolation::ReadUncommitted).await;
    let (begins, ends) = match (begins, ends) {
        (Ok(begins), Ok(ends)) => (begins, ends),
        (Err(error), _) | (_, Err(error)) => return x.put(failed(x, &watch, Check::OFFSETS, &error)),
    };
    let metadata = cluster.metadata();
    let at = |partition: &TopicPartition| -> Option<Misplaced> {
        let one = &committed[partition];
        Some(Misplaced {
            partition: partition.clone(),
            committed: one.offset,
            earliest: begins.get(partition).copied().flatten()?,
            latest: ends.get(partition).copied().flatten()?,
            committed_epoch: one.leader_epoch,
            epoch: metadata.leader(partition).map_or(-1, |leader| leader.epoch),
        })
    };
    let found: Vec<_> = placed.iter().filter_map(at).collect();
    let misplaced = found.iter().filter(|place| place.committed < place.earliest || place.is_of_another_log());
    x.facts.kafka.misplaced = misplaced.cloned().collect();
    let facts = &x.facts.kafka;
    let result = if !facts.misplaced.is_empty() {
        let one = |place: &Misplaced| {
            format!("{} is at {}, and has {} to {}", place.partition, place.committed, place.earliest, place.latest)
        };
        let text = some(facts.misplaced.iter().map(one));
        watch.failed(Check::OFFSETS, text).code(Some("OFFSET_OUT_OF_RANGE".to_owned()))
    } else if !facts.unplaced.is_empty() {
        let names = some(facts.unplaced.iter().map(ToString::to_string));
        let text = format!("nothing is committed for {names}, and auto.offset.reset is none");
        watch.failed(Check::OFFSETS, text)
    } else if placed.is_empty() {
        let how = match reset {
            OffsetReset::Earliest => "reading begins at the first record that is there",
            OffsetReset::Latest => "reading begins behind the last record",
            OffsetReset::None => "there is no partition",
        };
        watch.passed(Check::OFFSETS, format!("nothing is committed yet: {how} (auto.offset.reset)"))
    } else {
        let left: i64 = found.iter().map(|place| place.latest.0 - place.committed.0).sum();
        let text = format!("{} committed offsets are in range, {left} offsets before the end", found.len());
        watch.passed(Check::OFFSETS, text)
    };
    x.put(result);
}
