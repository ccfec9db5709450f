use std::collections::BTreeMap;
use std::sync::Arc;

use ::kafka::admin::{Isolation, Place};
use ::kafka::cluster::{Error, Metadata};
use ::kafka::{Cluster, ErrorCode};
use connectors::{ConnectorPlan, TopicSelection};
use data::{Offset, TopicPartition};

use super::{Kafka, failed, some};
use crate::Check;
use crate::examination::{Examination, Watch};
use crate::kafka_facts::TopicFact;

/// How many partitions are tried to be read: first one of each topic, then others.
const TRIED: usize = 100;
/// How many partitions are asked for the transactions that are open there.
const ASKED: usize = 20;
/// A transaction in which nobody has written for so long hangs: brokers abort those of live producers after
/// `transaction.max.timeout.ms`, 15 minutes by default.
const HANGS_AFTER_MILLIS: i64 = 15 * 60 * 1000;

/// Whether the topics are there.
pub(super) async fn exist(x: &mut Examination<'_>, kafka: &Kafka, selection: &TopicSelection) {
    if !x.wants(Check::TOPICS) {
        return;
    }
    let Some(cluster) = &kafka.cluster else { return };
    let watch = Watch::start();
    let known = match selection {
        TopicSelection::Named(names) => cluster.topics(names.iter().map(|name| Arc::from(name.as_str()))).await,
        TopicSelection::Matching(_) => cluster.all_topics().await,
    };
    let known = match known {
        Ok(known) => known,
        Err(error) => return x.put(failed(x, &watch, Check::TOPICS, &error)),
    };
    let mut facts: Vec<_> = match selection {
        TopicSelection::Named(names) => names.iter().map(|name| fact(name, &known)).collect(),
        TopicSelection::Matching(_) => {
            let matching = known.topics.values().filter(|topic| !topic.internal && selection.holds(&topic.name));
            matching.map(|topic| fact(&topic.name, &known)).collect()
        }
    };
    facts.sort_by(|a, b| a.name.cmp(&b.name));
    if facts.iter().any(|fact| fact.code == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
        && let Ok(all) = cluster.all_topics().await
    {
        for fact in facts.iter_mut().filter(|fact| fact.code.is_some()) {
            fact.close = fault::suggest(&fact.name, all.topics.keys().map(|name| &**name)).map(str::to_owned);
        }
    }
    let unwell: Vec<_> = facts.iter().filter(|fact| fact.code.is_some() || !fact.leaderless.is_empty()).collect();
    let names = |facts: &[TopicFact]| some(facts.iter().map(|fact| fact.name.to_string()));
    let result = if facts.is_empty() {
        watch.warning(Check::TOPICS, format!("no topic that this client may see matches {selection}"))
    } else if unwell.is_empty() {
        watch.passed(Check::TOPICS, format!("there: {}", names(&facts)))
    } else {
        let one = |fact: &&TopicFact| match fact.code {
            Some(code) => format!("{}: {code}", fact.name),
            None => format!("{}: partitions without a leader: {}", fact.name, numbers(&fact.leaderless)),
        };
        // An election takes a moment; a topic that is missing stays so.
        let passing = unwell.iter().all(|fact| match fact.code {
            None => true,
            Some(code) => code.is_retriable() && code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        });
        let text = some(unwell.iter().map(one));
        let result = if passing { watch.unproven(Check::TOPICS, text) } else { watch.failed(Check::TOPICS, text) };
        result.code(unwell.iter().find_map(|fact| fact.code).map(|code| code.to_string()))
    };
    x.facts.kafka.topics = facts;
    x.put(result.identity(x.facts.kafka.way.principal.clone()));
}

fn numbers(numbers: &[i32]) -> String {
    some(numbers.iter().map(ToString::to_string))
}

fn fact(name: &str, known: &Metadata) -> TopicFact {
    let topic = known.topics.get(name);
    let leaderless = topic.map(|topic| {
        let partitions = topic.partitions.iter().filter(|partition| partition.leader.is_none());
        partitions.map(|partition| partition.index).collect()
    });
    TopicFact {
        name: name.into(),
        code: topic.map_or(Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), |topic| topic.error),
        close: None,
        leaderless: leaderless.unwrap_or_default(),
    }
}

/// The partitions of the connector that have a leader, one of each topic first.
pub(super) fn partitions(cluster: &Cluster, plan: &ConnectorPlan) -> Vec<TopicPartition> {
    let metadata = cluster.metadata();
    let topics = metadata.topics.values().filter(|topic| !topic.internal && plan.topics().holds(&topic.name));
    let mut all: Vec<_> = topics
        .flat_map(|topic| {
            let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
            led.map(|partition| TopicPartition::new(topic.name.clone(), partition.index))
        })
        .collect();
    all.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
    all
}

/// Whether they may be read.
pub(super) async fn readable(x: &mut Examination<'_>, kafka: &Kafka, plan: &ConnectorPlan) {
    if !x.wants(Check::TOPICS_READ) {
        return;
    }
    let (Some(cluster), isolation) = (&kafka.cluster, kafka.clients.group.isolation) else { return };
    let watch = Watch::start();
    let all = partitions(cluster, plan);
    let tried = &all[..all.len().min(TRIED)];
    if tried.is_empty() {
        return x.put(watch.passed(Check::TOPICS_READ, "there is no topic to read yet"));
    }
    // Behind the last record: what is asked for is the right, not the records.
    let ends = match ends(cluster, tried, isolation).await {
        Ok(ends) => ends,
        Err(error) => return x.put(failed(x, &watch, Check::TOPICS_READ, &error)),
    };
    let from: Vec<_> =
        tried.iter().map(|partition| (partition.clone(), ends.get(partition).copied().unwrap_or(Offset(0)))).collect();
    let samples = match cluster.sample(&from, isolation, 1 << 10).await {
        Ok(samples) => samples,
        Err(error) => return x.put(failed(x, &watch, Check::TOPICS_READ, &error)),
    };
    let mut refused: BTreeMap<Arc<str>, ErrorCode> = BTreeMap::new();
    for (partition, sample) in samples {
        // The end may have moved back meanwhile; who is told so may read.
        if let Err(code) = sample.map(drop)
            && code != ErrorCode::OFFSET_OUT_OF_RANGE
        {
            refused.entry(partition.topic).or_insert(code);
        }
    }
    x.facts.kafka.unreadable = refused.into_iter().collect();
    if isolation == Isolation::ReadCommitted && x.facts.kafka.unreadable.is_empty() {
        look_for_hanging(x, cluster, tried).await;
    }
    let facts = &x.facts.kafka;
    let topics = plan_topics(tried);
    let result = if facts.unreadable.iter().any(|(_, code)| !code.is_retriable()) {
        let one = |(topic, code): &(Arc<str>, ErrorCode)| format!("{topic}: {code}");
        let text = format!("not read: {}", some(facts.unreadable.iter().map(one)));
        watch.failed(Check::TOPICS_READ, text).code(facts.unreadable.first().map(|(_, code)| code.to_string()))
    } else if let Some((topic, code)) = facts.unreadable.first() {
        watch.unproven(Check::TOPICS_READ, format!("{topic}: {code}")).code(Some(code.to_string()))
    } else if !facts.hanging.is_empty() {
        let one = |(partition, open): &(TopicPartition, ::kafka::inspect::OpenTransaction)| {
            format!("{partition} from offset {} on", open.start)
        };
        let text = format!(
            "read_committed stops before transactions that nobody ends: {}",
            some(facts.hanging.iter().map(one))
        );
        watch.warning(Check::TOPICS_READ, text)
    } else if tried.len() < all.len() {
        let text = format!("{topics} may be read ({} of {} partitions were tried)", tried.len(), all.len());
        watch.passed(Check::TOPICS_READ, text)
    } else {
        watch.passed(Check::TOPICS_READ, format!("{topics} may be read"))
    };
    x.put(result.identity(x.facts.kafka.way.principal.clone()));
}

fn plan_topics(partitions: &[TopicPartition]) -> String {
    let topics: std::collections::BTreeSet<_> =
        partitions.iter().map(|partition| partition.topic.to_string()).collect();
    some(topics)
}

async fn ends(
    cluster: &Cluster,
    partitions: &[TopicPartition],
    isolation: Isolation,
) -> Result<BTreeMap<TopicPartition, Offset>, Error> {
    let found = cluster.list_offsets(partitions, Place::Latest, isolation).await?;
    Ok(found.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect())
}

/// Where committed records end before the log does, a transaction is open; whether it is only under way, its producer's
/// last word says.
async fn look_for_hanging(x: &mut Examination<'_>, cluster: &Cluster, partitions: &[TopicPartition]) {
    let committed = ends(cluster, partitions, Isolation::ReadCommitted).await;
    let written = ends(cluster, partitions, Isolation::ReadUncommitted).await;
    let (Ok(committed), Ok(written)) = (committed, written) else { return };
    let behind = written.iter().filter(|(partition, end)| committed.get(*partition).is_some_and(|at| at < *end));
    let now = x.around.clients.clock().now();
    let now = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    for (partition, _) in behind.take(ASKED) {
        let Ok(Some(open)) = cluster.open_transactions(partition).await else { continue };
        let hang = open.into_iter().filter(|open| now.saturating_sub(open.last_millis) > HANGS_AFTER_MILLIS);
        x.facts.kafka.hanging.extend(hang.map(|open| (partition.clone(), open)));
    }
}
