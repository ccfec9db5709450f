use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use data::TopicPartition;
use fault::Diagnose;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rand::seq::SliceRandom;
use tokio::sync::watch;
use tokio::time::Instant;

use super::coordinator::CoordinatorKey;
use super::metadata::{Broker, Leader, Metadata};
use super::pool::{Pool, Purpose};
use super::{Backoff, Error};
use crate::ErrorCode;
use crate::config::ClientConfig;
use crate::net::Connection;

/// After so many failures in a row (1.5 s with Kafka's defaults) a request that is still being tried is told of.
const FAILURES_TOLD: u32 = 4;

/// A Kafka cluster: its metadata, and connections to its brokers. Cloning shares it.
///
/// Metadata are fetched when asked for, never in the background: who needs fresh ones calls [`Cluster::refresh`].
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<ClientConfig>,
    pool: Pool,
    metadata: watch::Sender<Arc<Metadata>>,
    /// Topics whose metadata are refreshed together.
    tracked: Mutex<BTreeSet<Arc<str>>>,
    coordinators: Mutex<HashMap<CoordinatorKey, i32>>,
    /// One refresh at a time; who waits for it takes its result.
    refreshing: tokio::sync::Mutex<()>,
}

/// Which topics a metadata request is about.
enum Asked {
    All,
    Tracked,
    Named(Vec<Arc<str>>),
}

impl Cluster {
    /// Asks the bootstrap servers, one after the other, who the brokers are.
    pub async fn connect(config: impl Into<Arc<ClientConfig>>) -> Result<Self, Error> {
        let config = config.into();
        let cluster = Self(Arc::new(Inner {
            pool: Pool::new(config.clone()),
            config,
            metadata: watch::Sender::default(),
            tracked: Mutex::default(),
            coordinators: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        }));
        cluster.refresh().await?;
        Ok(cluster)
    }

    /// What it was made from.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0.config
    }

    /// The metadata as last fetched.
    pub fn metadata(&self) -> Arc<Metadata> {
        self.0.metadata.borrow().clone()
    }

    /// Follows the metadata.
    pub fn watch(&self) -> watch::Receiver<Arc<Metadata>> {
        self.0.metadata.subscribe()
    }

    /// Adds topics to those that [`Cluster::refresh`] asks about. Does not ask yet.
    pub fn track(&self, topics: impl IntoIterator<Item = Arc<str>>) {
        self.tracked().extend(topics);
    }

    /// Takes topics out of those that [`Cluster::refresh`] asks about.
    pub fn untrack<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        let mut tracked = self.tracked();
        for topic in topics {
            tracked.remove(topic);
        }
    }

    /// Asks about the brokers and the tracked topics.
    pub async fn refresh(&self) -> Result<Arc<Metadata>, Error> {
        self.ask(self.metadata().update, Asked::Tracked).await
    }

    /// Like [`Cluster::refresh`], unless the metadata are newer than `seen` already: for many who fail on the same stale
    /// metadata at once.
    pub async fn refresh_from(&self, seen: &Metadata) -> Result<Arc<Metadata>, Error> {
        self.ask(seen.update, Asked::Tracked).await
    }

    /// Asks about every topic of the cluster that we may see, for choosing among them by a pattern.
    pub async fn all_topics(&self) -> Result<Arc<Metadata>, Error> {
        self.ask(u64::MAX, Asked::All).await
    }

    /// Asks about these topics, whether tracked or not. Does not create them.
    pub async fn topics(&self, names: impl IntoIterator<Item = Arc<str>>) -> Result<Arc<Metadata>, Error> {
        self.ask(u64::MAX, Asked::Named(names.into_iter().collect())).await
    }

    /// Who leads `partition`. Tracks its topic, and asks about it if the leader is not known.
    pub async fn leader(&self, partition: &TopicPartition) -> Result<Leader, Error> {
        let metadata = self.metadata();
        if let Some(leader) = metadata.leader(partition) {
            return Ok(leader);
        }
        self.track([partition.topic.clone()]);
        let metadata = self.refresh_from(&metadata).await?;
        metadata.leader(partition).ok_or_else(|| {
            let topic = metadata.topics.get(&partition.topic);
            let code = topic
                .and_then(|topic| topic.error)
                .or_else(|| metadata.partition(partition).and_then(|found| found.error));
            match code {
                Some(code) => Error::refused(format!("metadata of {partition}"), code, None),
                None => Error::Unknown { what: format!("partition {partition}").into() },
            }
        })
    }

    /// A connection to broker `node`.
    pub async fn node(&self, node: i32, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        let address = self.metadata().brokers.get(&node).map(|broker| broker.address.clone());
        let address = address.ok_or_else(|| Error::Unknown { what: format!("broker {node}").into() })?;
        self.0.pool.connection(&address, purpose).await
    }

    /// A connection to the controller, for administrative requests. (Under KRaft any broker passes them on.)
    pub async fn controller(&self) -> Result<Arc<Connection>, Error> {
        let metadata = self.metadata();
        match metadata.controller.filter(|node| metadata.brokers.contains_key(node)) {
            Some(node) => self.node(node, Purpose::Control).await,
            None => self.any().await,
        }
    }

    /// A connection to any broker, the one that is had soonest: the known ones in an order of chance, then the bootstrap
    /// servers. A broker that does not answer is passed over while another one does.
    pub async fn any(&self) -> Result<Arc<Connection>, Error> {
        let metadata = self.metadata();
        let mut addresses: Vec<_> = metadata.brokers.values().map(|broker| broker.address.clone()).collect();
        addresses.shuffle(&mut rand::rng());
        let mut bootstrap = self.0.config.bootstrap.clone();
        bootstrap.retain(|address| !addresses.contains(address));
        bootstrap.shuffle(&mut rand::rng());
        addresses.extend(bootstrap);
        addresses.sort_by_cached_key(|address| self.0.pool.prospect(address, Purpose::Control));
        let mut last = None;
        for address in addresses {
            match self.0.pool.connection(&address, Purpose::Control).await {
                Ok(connection) => return Ok(connection),
                Err(Error::Net(error)) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        let servers = self.0.config.bootstrap.join(",").into();
        match last {
            Some(source) => Err(Error::NoServer { servers, source }),
            None => Err(Error::Unknown { what: "any broker".into() }),
        }
    }

    async fn ask(&self, seen: u64, asked: Asked) -> Result<Arc<Metadata>, Error> {
        let refreshing = self.0.refreshing.lock().await;
        if seen < self.metadata().update {
            // Somebody else's refresh ended while we waited for our turn.
            return Ok(self.metadata());
        }
        let wanted = |names: &mut dyn Iterator<Item = Arc<str>>| -> Vec<_> {
            names
                .map(|name| {
                    let name = TopicName(StrBytes::from_string(name.to_string()));
                    MetadataRequestTopic::default().with_name(Some(name))
                })
                .collect()
        };
        let topics = match &asked {
            Asked::All => None,
            Asked::Tracked => Some(wanted(&mut self.tracked().iter().cloned())),
            Asked::Named(names) => Some(wanted(&mut names.iter().cloned())),
        };
        // Never created by asking: a mistyped topic is to be seen, not made.
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let response = self
            .retried(async || {
                let response = self.any().await?.call(&request).await?;
                match ErrorCode::check(response.error_code) {
                    Ok(()) => Ok(response),
                    Err(code) => Err(Error::refused("metadata of the cluster", code, None)),
                }
            })
            .await?;
        let updated = Arc::new(self.metadata().updated(response, matches!(asked, Asked::All)));
        self.0.metadata.send_replace(updated.clone());
        let addresses: BTreeSet<&str> = updated
            .brokers
            .values()
            .map(|broker| &*broker.address)
            .chain(self.0.config.bootstrap.iter().map(|address| &**address))
            .collect();
        self.0.pool.keep(|address| addresses.contains(address));
        drop(refreshing);
        Ok(updated)
    }

    /// The pauses between tries of one request (`retry.backoff.ms`).
    pub fn retry_backoff(&self) -> Backoff {
        Backoff::new(self.0.config.retry_backoff, self.0.config.retry_backoff_max)
    }

    /// Tries again what can be retried, with back-off, until `request.timeout.ms` has passed.
    pub async fn retried<T, F: Future<Output = Result<T, Error>>>(&self, work: impl Fn() -> F) -> Result<T, Error> {
        let until = Instant::now() + self.0.config.request_timeout;
        let mut backoff = self.retry_backoff();
        loop {
            match work().await {
                Err(error) if error.is_retriable() && Instant::now() < until => {
                    // Once a request, and not for a hitch: with a wrong address there is nothing else to look at.
                    if backoff.failures() == FAILURES_TOLD {
                        let hint = error.hint();
                        tracing::warn!(error = %fault::Chain(&error), hint = hint.as_deref(), "no answer yet, trying on");
                    }
                    backoff.pause().await;
                }
                result => return result,
            }
        }
    }

    pub(super) fn learn_broker(&self, node: i32, address: &Arc<str>) {
        self.0.metadata.send_if_modified(|metadata| {
            if metadata.brokers.get(&node).is_some_and(|broker| broker.address == *address) {
                return false;
            }
            let broker = Broker { address: address.clone(), rack: None };
            Arc::make_mut(metadata).brokers.insert(node, broker);
            true
        });
    }

    pub(super) fn coordinators(&self) -> MutexGuard<'_, HashMap<CoordinatorKey, i32>> {
        self.0.coordinators.lock().expect("no code panics while it holds this lock")
    }

    fn tracked(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.0.tracked.lock().expect("no code panics while it holds this lock")
    }
}
