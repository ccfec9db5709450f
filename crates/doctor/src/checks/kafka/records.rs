use std::collections::HashMap;
use std::sync::Arc;

use ::kafka::admin::{Isolation, Place};
use ::kafka::cluster::Error;
use ::kafka::group::OffsetReset;
use ::kafka::inspect::Sample;
use ::kafka::records::FetchedRecords;
use ::kafka::{Cluster, ErrorCode};
use connectors::ConnectorPlan;
use data::{Arena, Offset, RecordFault, RecordView, Stage, TopicPartition};
use format::text::Format;
use format::{Encode as _, Scratch};
use transit::{Fetched as _, Router as _};

use super::{Kafka, failed, some, topics};
use crate::Check;
use crate::examination::{Examination, Watch};
use crate::kafka_facts::{BadRecord, RecordsFacts};

/// How many partitions are sampled: one of each topic first.
const PARTITIONS: usize = 20;
/// How many records of one place are tried.
const RECORDS: usize = 200;
/// How many bytes of one place are asked for.
const BYTES: i32 = 64 << 10;
/// So far before the end the second sample is taken: what is written today may differ from what is old.
const BEFORE_END: i64 = 100;

/// A sample of real records, through the converters, the names and the format that the connector has.
pub(super) async fn run(x: &mut Examination<'_>, kafka: &Kafka, plan: &Arc<ConnectorPlan>) {
    if !x.wants(Check::CONVERT) {
        return;
    }
    let Some(cluster) = &kafka.cluster else { return };
    let watch = Watch::start();
    let mut partitions = topics::partitions(cluster, plan);
    partitions.truncate(PARTITIONS);
    let group = &kafka.clients.group;
    let committed = x.facts.kafka.committed.clone().unwrap_or_default();
    let committed = committed.into_iter().map(|(partition, one)| (partition, one.offset)).collect();
    let sampled = match sample(cluster, &partitions, &committed, group.isolation, group.offset_reset).await {
        Ok(sampled) => sampled,
        Err(error) => return x.put(failed(x, &watch, Check::CONVERT, &error)),
    };
    let now = x.around.clock.now_millis();
    let worker = Arc::clone(plan);
    // Off the runtime: a batch may be large once it is decompressed.
    let Sampled { records, unread } = sampled;
    let judged = tokio::task::spawn_blocking(move || judge(&worker, records, now)).await;
    let Ok(facts) = judged else {
        return x.put(watch.unproven(Check::CONVERT, "the sample could not be tried because of a defect in tidegate"));
    };
    let converters = plan.converters();
    let result = match (&facts.first, &facts.damaged) {
        (Some(bad), _) => {
            let text = format!(
                "{} of {} records that were tried cannot be used; the first is {} at offset {}: {}",
                facts.bad, facts.tried, bad.partition, bad.offset, bad.fault
            );
            // What the connector passes over, it says.
            let result = if plan.errors().tolerate {
                watch.warning(Check::CONVERT, text)
            } else {
                watch.failed(Check::CONVERT, text)
            };
            result.code(Some(bad.fault.exception.to_owned()))
        }
        (None, Some(damaged)) => watch.failed(Check::CONVERT, format!("a batch cannot be read: {damaged}")),
        (None, None) if facts.tried == 0 => match unread {
            None => watch.passed(Check::CONVERT, "there is no record to try it with"),
            Some((partition, code)) => {
                let text = format!("no record could be read to try it with: {partition} answered {code}");
                watch.unproven(Check::CONVERT, text).code(Some(code.to_string()))
            }
        },
        (None, None) if is_text_of_schema_id(&facts, plan) => watch.warning(
            Check::CONVERT,
            format!(
                "{} of {} values begin with a schema's number, and {} takes them for text",
                facts.with_schema_id,
                facts.tried,
                converters.value.class()
            ),
        ),
        (None, None) => {
            let topics = some(partitions.iter().filter(|one| one.partition == 0).map(|one| one.topic.to_string()));
            watch.passed(Check::CONVERT, format!("{} records of {topics} were tried, and all convert", facts.tried))
        }
    };
    x.facts.kafka.records = facts;
    x.put(result);
}

/// Whether values that are no text are taken for text: nobody complains, and what is stored is of no use.
fn is_text_of_schema_id(facts: &RecordsFacts, plan: &ConnectorPlan) -> bool {
    matches!(plan.converters().value.kind(), data::ConverterKind::String(_)) && facts.with_schema_id * 2 > facts.tried
}

/// Records, and the first partition that answered with an error instead.
#[derive(Default)]
struct Sampled {
    records: Vec<FetchedRecords>,
    unread: Option<(TopicPartition, ErrorCode)>,
}

impl Sampled {
    fn take(&mut self, samples: Vec<Sample>) {
        for (partition, sample) in samples {
            match sample {
                Ok(records) => self.records.extend(records),
                Err(code) => {
                    self.unread.get_or_insert((partition, code));
                }
            }
        }
    }
}

/// Records from where the connector would go on, and some from the end.
async fn sample(
    cluster: &Cluster,
    partitions: &[TopicPartition],
    committed: &HashMap<TopicPartition, Offset>,
    isolation: Isolation,
    reset: OffsetReset,
) -> Result<Sampled, Error> {
    let begins = cluster.list_offsets(partitions, Place::Earliest, isolation).await?;
    let ends = cluster.list_offsets(partitions, Place::Latest, isolation).await?;
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for partition in partitions {
        let place = |places: &HashMap<TopicPartition, Option<Offset>>| places.get(partition).copied().flatten();
        let (Some(begin), Some(end)) = (place(&begins), place(&ends)) else { continue };
        let near_end = Offset((end.0 - BEFORE_END).max(begin.0));
        let start = match committed.get(partition) {
            Some(at) if (begin..end).contains(at) => *at,
            None if reset == OffsetReset::Earliest => begin,
            // Of one that is read already, what was read last is as good a sample.
            Some(_) | None => near_end,
        };
        if begin < end {
            first.push((partition.clone(), start));
        }
        if near_end.0 > start.0 + RECORDS as i64 {
            last.push((partition.clone(), near_end));
        }
    }
    let mut sampled = Sampled::default();
    for from in [first, last] {
        if !from.is_empty() {
            sampled.take(cluster.sample(&from, isolation, BYTES).await?);
        }
    }
    Ok(sampled)
}

fn judge(plan: &ConnectorPlan, samples: Vec<FetchedRecords>, now_millis: i64) -> RecordsFacts {
    let format = Format::new(plan.layout().clone(), plan.converters().clone(), plan.compression());
    let router = plan.router();
    let (mut facts, mut arena, mut scratch) = (RecordsFacts::default(), Arena::new(), Scratch::default());
    for mut records in samples {
        let partition = records.partition().clone();
        let (mut route, mut encoder) = (router.route(), format.encoder());
        let mut left = RECORDS;
        while left > 0 {
            match records.decode(&mut arena) {
                Ok(true) => {}
                Ok(false) => break,
                Err(poison) => {
                    let (first, last) = (poison.first, poison.last);
                    let text = format!("{partition}, offsets {first} to {last}: {}", poison.reason);
                    facts.damaged.get_or_insert(text);
                    continue;
                }
            }
            for record in arena.records().take(left) {
                left -= 1;
                facts.tried += 1;
                if let Some(id) = record.value.and_then(schema_id) {
                    facts.with_schema_id += 1;
                    facts.schema_id.get_or_insert(id);
                }
                let tried = route
                    .route(&partition, &record, now_millis)
                    .map(drop)
                    .and_then(|()| encoder.record(&record, &mut scratch));
                if let Err(fault) = tried {
                    facts.bad += 1;
                    facts.first.get_or_insert_with(|| bad(&partition, &record, fault));
                }
            }
        }
        encoder.output().take();
    }
    facts
}

fn bad(partition: &TopicPartition, record: &RecordView<'_>, fault: RecordFault) -> BadRecord {
    let part = match fault.stage {
        Stage::KeyConverter => record.key,
        Stage::ValueConverter => record.value,
        _ => None,
    };
    let schema_id = part.and_then(schema_id);
    BadRecord { partition: partition.clone(), offset: record.offset, fault, schema_id }
}

/// The number in front of what serialisers with a schema registry write: a zero byte, then four of the number. Numbers
/// are counted up from 1, so that one beyond some millions is none.
fn schema_id(part: &[u8]) -> Option<u32> {
    let (head, _) = part.split_first_chunk::<5>()?;
    let id = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    (head[0] == 0 && (1..10_000_000).contains(&id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_place_of_a_sample_is_not_forgotten() {
        let partition = |number| TopicPartition::new("orders", number);
        let mut sampled = Sampled::default();
        sampled.take(vec![
            (partition(0), Ok(None)),
            (partition(1), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
            (partition(2), Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
        ]);
        assert!(sampled.records.is_empty());
        assert_eq!(sampled.unread, Some((partition(1), ErrorCode::NOT_LEADER_OR_FOLLOWER)));
    }
}
