use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use data::{Offset, TopicPartition};
use tokio::task::JoinSet;
use tokio::time::Instant;
use transit::Budget;

use super::broker;
use super::partitions::Partitions;
use crate::admin::{Isolation, Place};
use crate::cluster::{Cluster, Error};

/// Sees to it that every partition has a leader that is asked and an offset that is there; for ever. The loops of the
/// brokers end with it.
pub(super) async fn run(partitions: Arc<Partitions>, cluster: Cluster, budget: Budget, share: Budget) {
    let mut tasks = JoinSet::new();
    let mut loops = HashSet::new();
    let mut backoff = cluster.retry_backoff();
    let mut seen = cluster.metadata();
    loop {
        let needy = partitions.needy.notified();
        let due = partitions.due(Instant::now());
        if due.leaderless.is_empty() && due.astray.is_empty() {
            let later = async {
                match due.next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = needy => {}
                () = later => {}
                // A task that panics takes the process's fetching with it, rather than silently its broker's.
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => ended.expect("tasks of a fetcher do not panic"),
            }
            continue;
        }
        if !due.astray.is_empty() {
            tasks.spawn(find_offsets(partitions.clone(), cluster.clone(), due.astray));
        }
        if due.leaderless.is_empty() {
            continue;
        }
        match find_leaders(&cluster, &due.leaderless, due.stale, &seen).await {
            Ok(metadata) => {
                backoff.reset();
                for node in partitions.lead(&due.leaderless, &metadata) {
                    if loops.insert(node) {
                        let shared = (partitions.clone(), cluster.clone(), budget.clone(), share.clone());
                        tasks.spawn(broker::run(node, shared.0, shared.1, shared.2, shared.3));
                    }
                }
                seen = metadata;
            }
            Err(error) if !error.is_retriable() => {
                partitions.fail(error.into());
                return;
            }
            Err(error) => {
                let pause = backoff.next_pause();
                tracing::warn!(?pause, error = %fault::Chain(&error), "no metadata, asking again");
                partitions.postpone(&due.leaderless, Instant::now() + pause);
            }
        }
    }
}

/// Metadata that are newer than `seen` where those have proved wrong, and that speak of all these partitions.
async fn find_leaders(
    cluster: &Cluster,
    names: &[TopicPartition],
    stale: bool,
    seen: &crate::cluster::Metadata,
) -> Result<Arc<crate::cluster::Metadata>, Error> {
    cluster.track(names.iter().map(|name| name.topic.clone()));
    let metadata = cluster.metadata();
    if stale {
        return cluster.refresh_from(seen).await;
    }
    if names.iter().all(|name| metadata.leader(name).is_some()) {
        Ok(metadata)
    } else {
        cluster.refresh_from(&metadata).await
    }
}

async fn find_offsets(partitions: Arc<Partitions>, cluster: Cluster, names: Vec<TopicPartition>) {
    let isolation = partitions.options.isolation;
    let both = async {
        let earliest = cluster.list_offsets(&names, Place::Earliest, Isolation::ReadUncommitted).await?;
        let latest = cluster.list_offsets(&names, Place::Latest, isolation).await?;
        // Newer than both: whether the topic is still the one that was read.
        let metadata = cluster.refresh().await?;
        Ok::<_, Error>((earliest, latest, metadata))
    };
    match both.await {
        Ok((earliest, latest, metadata)) => {
            let mut unknown = Vec::new();
            for name in names {
                let place = |found: &HashMap<TopicPartition, Option<Offset>>| found.get(&name).copied().flatten();
                let topic = metadata.topics.get(&name.topic).filter(|topic| topic.error.is_none());
                match (topic, place(&earliest), place(&latest)) {
                    (Some(topic), Some(earliest), Some(latest)) => partitions.found(&name, topic.id, earliest, latest),
                    _ => unknown.push(name),
                }
            }
            partitions.postpone(&unknown, Instant::now() + cluster.retry_backoff().next_pause());
        }
        Err(error) if !error.is_retriable() => partitions.fail(error.into()),
        Err(error) => {
            let pause = cluster.config().retry_backoff_max;
            tracing::warn!(?pause, error = %fault::Chain(&error), "no offsets to go on from, asking again");
            partitions.postpone(&names, Instant::now() + pause);
        }
    }
}
