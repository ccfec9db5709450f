use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use data::{Header, TopicPartition};
use rand::RngExt;
use tokio::sync::{Notify, Semaphore, TryAcquireError};
use tokio::task::JoinHandle;
use world::Clock;

use super::batch::BatchWriter;
use super::slot::{Batch, Slot};
use super::{Delivery, Error, ProducerConfig, partition_of_key, sender};
use crate::cluster::{self, Cluster, Metadata};
use crate::{ErrorCode, cluster::Error as ClusterError};

/// A record to write.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its topic.
    pub topic: &'a Arc<str>,
    /// Its partition; by its key if `None`, and by chance without a key.
    pub partition: Option<i32>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since 1970; now if `None`.
    pub timestamp: Option<i64>,
}

/// Writes records to topics, in batches, in the background.
///
/// Dropping it gives up what is not yet acknowledged; see [`Producer::flush`].
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
}

/// What the callers and the sender share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) config: ProducerConfig,
    clock: Clock,
    topics: RwLock<HashMap<Arc<str>, Arc<Topic>>>,
    memory: Arc<Semaphore>,
    /// Callers that wait for memory: batches are sent without lingering then.
    pub(super) pressed: AtomicUsize,
    /// Slots that have batches.
    pub(super) active: Mutex<Vec<Arc<Slot>>>,
    pub(super) wake: Notify,
}

#[derive(Debug)]
struct Topic {
    slots: Vec<Arc<Slot>>,
    sticky: Mutex<Sticky>,
}

/// Where records without a key go until a batch's worth of them has gone there (KIP-794).
#[derive(Debug, Clone, Copy)]
struct Sticky {
    partition: usize,
    left: usize,
}

impl Producer {
    /// A producer on `cluster`. Must be called within a tokio runtime.
    pub fn new(cluster: Cluster, config: ProducerConfig) -> Self {
        let config = ProducerConfig { batch_size: config.batch_size.min(config.buffer_memory), ..config };
        let shared = Arc::new(Shared {
            cluster,
            clock: Clock::system(),
            topics: RwLock::default(),
            memory: Arc::new(Semaphore::new(config.buffer_memory)),
            config,
            pressed: AtomicUsize::new(0),
            active: Mutex::default(),
            wake: Notify::new(),
        });
        let sender = tokio::spawn(sender::run(shared.clone()));
        Self { shared, sender }
    }

    /// Takes a record over, once there is room for it; the answer is the promise of its acknowledgement. Records of one
    /// caller for one partition are written in the order of these calls.
    pub async fn send(&self, record: &Record<'_>) -> Result<Delivery, Error> {
        let shared = &*self.shared;
        let config = &shared.config;
        let size = BatchWriter::size_bound(record.key, record.value, record.headers);
        let limit = config.max_request_size.min(config.buffer_memory);
        if size > limit {
            return Err(Error::TooLarge { topic: record.topic.clone(), size, limit });
        }
        let topic = match shared.topic(record.topic) {
            Some(topic) => topic,
            None => shared.learn(record.topic).await?,
        };
        let slot = topic.choose(record, size, shared)?;
        let timestamp = record.timestamp.unwrap_or_else(|| shared.clock.now_millis());
        let push = |batch: &mut Batch| {
            let index = batch.writer.push(timestamp, record.key, record.value, record.headers);
            Delivery { fate: batch.fate.clone(), index }
        };
        if let Some(batch) = slot.queue().open(size, config.batch_size) {
            return Ok(push(batch));
        }
        let capacity = size.max(config.batch_size);
        let permit = shared.room(capacity).await?;
        let mut queue = slot.queue();
        // Another caller may have opened a batch meanwhile; the room is given back then.
        if let Some(batch) = queue.open(size, config.batch_size) {
            return Ok(push(batch));
        }
        let mut batch = Batch::new(capacity, &slot.partition, permit);
        let delivery = push(&mut batch);
        queue.batches.push_back(batch);
        let listed = std::mem::replace(&mut queue.listed, true);
        drop(queue);
        if !listed {
            shared.active.lock().expect("no code panics while it holds this lock").push(slot.clone());
        }
        shared.wake.notify_one();
        Ok(delivery)
    }

    /// Sends everything taken so far without lingering, and waits until all of it is written or given up.
    pub async fn flush(&self) {
        let slots = self.shared.active.lock().expect("no code panics while it holds this lock").clone();
        let mut fates = Vec::new();
        for slot in slots {
            let mut queue = slot.queue();
            fates.extend(queue.in_flight.clone());
            for batch in &mut queue.batches {
                batch.closed = true;
                fates.push(batch.fate.clone());
            }
        }
        self.shared.wake.notify_one();
        for fate in fates {
            // Whether it was written is told to whoever sent it.
            fate.settled().await.ok();
        }
    }

    /// Flushes, then ends.
    pub async fn close(self) {
        self.flush().await;
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Shared {
    fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().expect("no code panics while it holds this lock").get(name).cloned()
    }

    /// Waits until the topic's partitions are known.
    async fn learn(&self, name: &Arc<str>) -> Result<Arc<Topic>, Error> {
        self.cluster.track([name.clone()]);
        let known = self.cluster.retried(async || {
            let metadata = self.cluster.refresh().await?;
            let found = metadata.topics.get(name);
            match found.and_then(|topic| topic.error) {
                Some(code) => Err(ClusterError::refused(format!("metadata of topic {name}"), code, None)),
                None if found.is_some_and(|topic| !topic.partitions.is_empty()) => Ok(metadata),
                None => Err(ClusterError::Unknown { what: format!("topic {name}").into() }),
            }
        });
        let refused = |source| Error::Unprepared { topic: name.clone(), source };
        let Ok(result) = tokio::time::timeout(self.config.max_block, known).await else {
            let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return Err(refused(ClusterError::refused(format!("metadata of topic {name}"), code, None)));
        };
        let metadata = result.map_err(refused)?;
        self.adopt(&metadata, name);
        self.topic(name).ok_or_else(|| refused(ClusterError::Unknown { what: format!("topic {name}").into() }))
    }

    /// Takes over how many partitions a topic has now.
    pub(super) fn adopt(&self, metadata: &Metadata, name: &Arc<str>) {
        let Some(found) = metadata.topics.get(name) else { return };
        let mut topics = self.topics.write().expect("no code panics while it holds this lock");
        let known = topics.get(name).map(|topic| topic.slots.clone()).unwrap_or_default();
        // A topic that was deleted and made again may have fewer; records for those that are gone time out.
        if found.partitions.len() <= known.len() {
            return;
        }
        let mut slots = known;
        for index in slots.len()..found.partitions.len() {
            slots.push(Arc::new(Slot::new(TopicPartition::new(name.clone(), index as i32))));
        }
        let sticky = Mutex::new(Sticky { partition: 0, left: 0 });
        topics.insert(name.clone(), Arc::new(Topic { slots, sticky }));
    }

    /// The topics written to so far.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.topics.read().expect("no code panics while it holds this lock").keys().cloned().collect()
    }

    async fn room(&self, bytes: usize) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
        let count = bytes as u32;
        match self.memory.clone().try_acquire_many_owned(count) {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(Error::Closed),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _pressed = Pressed::on(&self.pressed);
        self.wake.notify_one();
        let after = self.config.max_block;
        match tokio::time::timeout(after, self.memory.clone().acquire_many_owned(count)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Full { after }),
        }
    }
}

/// Counts a waiting caller for as long as it waits, however that ends.
struct Pressed<'a>(&'a AtomicUsize);

impl<'a> Pressed<'a> {
    fn on(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Pressed<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Topic {
    fn choose(&self, record: &Record<'_>, size: usize, shared: &Shared) -> Result<&Arc<Slot>, Error> {
        let count = self.slots.len();
        let index = match (record.partition, record.key) {
            (Some(partition), _) => {
                let found = usize::try_from(partition).ok().filter(|index| *index < count);
                let topic = || record.topic.clone();
                found.ok_or_else(|| Error::NoPartition { topic: topic(), partition, partitions: count })?
            }
            (None, Some(key)) => partition_of_key(key, count as i32) as usize,
            (None, None) => {
                let mut sticky = self.sticky.lock().expect("no code panics while it holds this lock");
                if sticky.left < size {
                    let partition = self.any(&shared.cluster.metadata());
                    *sticky = Sticky { partition, left: shared.config.batch_size.max(size) };
                }
                sticky.left -= size;
                sticky.partition
            }
        };
        Ok(&self.slots[index])
    }

    /// A partition by chance, of those that have a leader if any has.
    fn any(&self, metadata: &cluster::Metadata) -> usize {
        let led = |slot: &Arc<Slot>| metadata.leader(&slot.partition).is_some();
        let count = self.slots.iter().filter(|slot| led(slot)).count();
        let mut random = rand::rng();
        if count == 0 {
            return random.random_range(0..self.slots.len());
        }
        let chosen = random.random_range(0..count);
        let mut with_leader = (0..self.slots.len()).filter(|index| led(&self.slots[*index]));
        with_leader.nth(chosen).unwrap_or(0)
    }
}
