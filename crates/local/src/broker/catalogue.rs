use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::BrokerError;
use super::log::{Log, Memory, Refusal, Storage};
use super::topic::{Partition, Topic};
use super::topic_config::TopicConfig;

/// Most partitions of one embedded broker. It is for development: what asks for more is a mistake.
const PARTITIONS_MAX: usize = 10_000;

/// Longest name of a topic, as in Kafka.
const NAME_MAX: usize = 249;

/// Producer ids are written down in blocks, so that not each one costs a write. Kafka's size.
const PRODUCER_IDS: i64 = 1000;

const FILE: &str = "catalogue.json";

/// Where the broker keeps everything.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    Memory(Memory),
    Directory(PathBuf),
}

/// Which topics there are, and how the cluster is called. Written down at each change if the broker has a directory.
///
/// What changes it blocks (and is serialised); what reads it does not.
#[derive(Debug)]
pub(crate) struct Catalogue {
    home: Home,
    pub(crate) cluster_id: String,
    topics: RwLock<Topics>,
    /// Held while topics or producer ids change.
    producer_ids: Mutex<Range<i64>>,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

/// `catalogue.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    cluster_id: String,
    /// No producer id from here on was given out.
    producer_ids_from: i64,
    topics: Vec<WrittenTopic>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenTopic {
    name: String,
    id: Uuid,
    partitions: usize,
    config: BTreeMap<String, String>,
}

impl Catalogue {
    /// Reads what is there, or begins anew. Blocks.
    pub(crate) fn open(home: Home) -> Result<Self, BrokerError> {
        let written = match &home {
            Home::Memory(_) => None,
            Home::Directory(dir) => read(&dir.join(FILE))?,
        };
        let written = written.unwrap_or_else(|| Written {
            cluster_id: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            producer_ids_from: 0,
            topics: Vec::new(),
        });
        let mut topics = Topics::default();
        let mut producer_ids_from = written.producer_ids_from;
        if let Home::Directory(dir) = &home {
            for topic in &written.topics {
                let config = topic.config.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
                let config = TopicConfig::new(config)
                    .map_err(|reason| BrokerError::Catalogue { path: dir.join(FILE), reason })?;
                let mut partitions = Vec::with_capacity(topic.partitions);
                for index in 0..topic.partitions {
                    let path = log_dir(dir, topic.id, index);
                    let log = Log::open(path.clone(), config.log_settings()).map_err(BrokerError::storage(path))?;
                    producer_ids_from = producer_ids_from.max(log.greatest_producer_id().map_or(0, |id| id + 1));
                    partitions.push(Partition::new(log));
                }
                topics.insert(Topic::new(topic.name.as_str().into(), topic.id, config, partitions));
            }
            remove_strangers(&dir.join("logs"), &topics);
        }
        let catalogue = Self {
            home,
            cluster_id: written.cluster_id,
            topics: RwLock::new(topics),
            producer_ids: Mutex::new(producer_ids_from..producer_ids_from),
        };
        catalogue.write(&catalogue.read(), producer_ids_from).map_err(|source| match &catalogue.home {
            Home::Memory(_) => BrokerError::Storage { path: FILE.into(), source },
            Home::Directory(dir) => BrokerError::Storage { path: dir.join(FILE), source },
        })?;
        Ok(catalogue)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Topics> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> MutexGuard<'_, Range<i64>> {
        self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().by_name.get(name).cloned()
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.read().by_id.get(&id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.read().by_name.values().cloned().collect()
    }

    /// Creates a topic, or only says whether it could be. Blocks.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: usize,
        config: TopicConfig,
        validate_only: bool,
    ) -> Result<Arc<Topic>, Refusal> {
        let producer_ids = self.change();
        {
            let topics = self.read();
            check_name(name)?;
            if topics.by_name.contains_key(name) {
                return Err(Refusal::new(ResponseError::TopicAlreadyExists, format!("topic {name} exists already")));
            }
            let metric = |name: &str| name.replace('.', "_");
            if let Some(other) = topics.by_name.keys().find(|other| metric(other) == metric(name)) {
                return Err(Refusal::new(
                    ResponseError::InvalidTopicException,
                    format!("topic {name} differs from topic {other} only in full stops and underscores"),
                ));
            }
            check_count(&topics, partitions)?;
        }
        let id = new_id();
        if validate_only {
            return Ok(Topic::new(name.into(), id, config, Vec::new()));
        }
        let logs = self.create_logs(id, 0..partitions, &config)?;
        let topic = Topic::new(name.into(), id, config, logs);
        let mut next = self.read().clone_shallow();
        next.insert(Arc::clone(&topic));
        self.replace(next, &producer_ids)?;
        Ok(topic)
    }

    /// Adds partitions up to `count`. Blocks.
    pub(crate) fn extend(&self, name: &str, count: i32, validate_only: bool) -> Result<(), Refusal> {
        let producer_ids = self.change();
        let topic = self.topic(name).ok_or_else(|| unknown_topic(name))?;
        let there = topic.partitions().len();
        let wanted = usize::try_from(count).unwrap_or_default();
        if wanted <= there {
            return Err(Refusal::new(
                ResponseError::InvalidPartitions,
                format!("topic {name} has {there} partitions already, {count} is not more"),
            ));
        }
        check_count(&self.read(), wanted - there)?;
        if validate_only {
            return Ok(());
        }
        topic.extend(self.create_logs(topic.id, there..wanted, &topic.config())?);
        self.write(&self.read(), producer_ids.end).map_err(storage_refusal)
    }

    /// Deletes a topic with all its records. Blocks.
    pub(crate) fn delete(&self, name: &str) -> Result<Arc<Topic>, Refusal> {
        let producer_ids = self.change();
        let topic = self.topic(name).ok_or_else(|| unknown_topic(name))?;
        let mut next = self.read().clone_shallow();
        next.by_name.remove(name);
        next.by_id.remove(&topic.id);
        self.replace(next, &producer_ids)?;
        for partition in topic.partitions().iter() {
            partition.waiters.wake();
        }
        if let Home::Directory(dir) = &self.home {
            let dir = topic_dir(dir, topic.id);
            // It is out of the catalogue: what stays behind now is removed at the next start.
            if let Err(error) = fs::remove_dir_all(&dir) {
                tracing::warn!(dir = %dir.display(), %error, "the files of a deleted topic stay for now");
            }
        }
        Ok(topic)
    }

    /// Puts another configuration of a topic in force. Blocks.
    pub(crate) fn reconfigure(&self, topic: &Topic, config: TopicConfig) -> Result<(), Refusal> {
        let producer_ids = self.change();
        topic.reconfigure(config);
        self.write(&self.read(), producer_ids.end).map_err(storage_refusal)
    }

    /// A producer id that was never given out before. Blocks.
    pub(crate) fn new_producer_id(&self) -> Result<i64, Refusal> {
        let mut ids = self.change();
        if ids.is_empty() {
            let end = ids.end + PRODUCER_IDS;
            self.write(&self.read(), end).map_err(storage_refusal)?;
            ids.end = end;
        }
        let id = ids.start;
        ids.start += 1;
        Ok(id)
    }

    fn create_logs(
        &self,
        id: Uuid,
        indexes: Range<usize>,
        config: &TopicConfig,
    ) -> Result<Vec<Arc<Partition>>, Refusal> {
        indexes
            .map(|index| {
                let storage = match &self.home {
                    Home::Memory(memory) => Storage::Memory(memory.clone()),
                    Home::Directory(dir) => Storage::Directory(log_dir(dir, id, index)),
                };
                Ok(Partition::new(Log::create(storage, config.log_settings())?))
            })
            .collect::<io::Result<_>>()
            .map_err(storage_refusal)
    }

    /// Writes the topics down, then puts them in force.
    fn replace(&self, topics: Topics, producer_ids: &Range<i64>) -> Result<(), Refusal> {
        self.write(&topics, producer_ids.end).map_err(storage_refusal)?;
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = topics;
        Ok(())
    }

    fn write(&self, topics: &Topics, producer_ids_from: i64) -> io::Result<()> {
        let Home::Directory(dir) = &self.home else { return Ok(()) };
        let topics = topics.by_name.values().map(|topic| WrittenTopic {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: topic.partitions().len(),
            config: topic.config().overrides().clone(),
        });
        let written = Written { cluster_id: self.cluster_id.clone(), producer_ids_from, topics: topics.collect() };
        replace_file(&dir.join(FILE), &serde_json::to_vec_pretty(&written)?)
    }
}

impl Topics {
    fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    fn clone_shallow(&self) -> Self {
        Self { by_name: self.by_name.clone(), by_id: self.by_id.clone() }
    }

    fn partitions(&self) -> usize {
        self.by_name.values().map(|topic| topic.partitions().len()).sum()
    }
}

/// A file's new content appears whole or not at all.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn read(path: &Path) -> Result<Option<Written>, BrokerError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BrokerError::storage(path)(error)),
    };
    match serde_json::from_slice(&text) {
        Ok(written) => Ok(Some(written)),
        Err(error) => Err(BrokerError::Catalogue { path: path.to_owned(), reason: error.to_string() }),
    }
}

// The id, not the name: a name is free text to a file system that folds case, and a topic that was deleted may leave
// files behind when another of that name is created.
fn topic_dir(home: &Path, id: Uuid) -> PathBuf {
    home.join("logs").join(id.simple().to_string())
}

fn log_dir(home: &Path, id: Uuid, partition: usize) -> PathBuf {
    topic_dir(home, id).join(partition.to_string())
}

/// Removes directories of topics that were being created or deleted when the process ended. Only what has the name of a
/// topic's id is ours.
fn remove_strangers(logs: &Path, topics: &Topics) {
    let ours: HashSet<Uuid> = topics.by_id.keys().copied().collect();
    let Ok(entries) = fs::read_dir(logs) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let id = path.file_name().and_then(|name| Uuid::try_parse(name.to_str()?).ok());
        if id.is_some_and(|id| !ours.contains(&id))
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::warn!(dir = %path.display(), %error, "files of no topic stay");
        }
    }
}

/// A random id that is none of those with a meaning: Kafka keeps the first hundred numbers for itself, and its tools
/// take a leading dash for an option.
fn new_id() -> Uuid {
    loop {
        let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        if !URL_SAFE_NO_PAD.encode(id.as_bytes()).starts_with('-') {
            return id;
        }
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if name.is_empty() {
        "a topic's name cannot be empty".to_owned()
    } else if name == "." || name == ".." {
        format!("a topic cannot be called {name}")
    } else if name.len() > NAME_MAX {
        format!("a topic's name has at most {NAME_MAX} characters, not {}", name.len())
    } else if !name.chars().all(legal) {
        format!("topic \"{name}\" has characters other than ASCII letters, digits, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ResponseError::InvalidTopicException, reason))
}

fn check_count(topics: &Topics, more: usize) -> Result<(), Refusal> {
    if more == 0 {
        return Err(Refusal::new(ResponseError::InvalidPartitions, "a topic has at least one partition"));
    }
    if topics.partitions() + more > PARTITIONS_MAX {
        let reason = format!("the embedded broker holds at most {PARTITIONS_MAX} partitions");
        return Err(Refusal::new(ResponseError::InvalidPartitions, reason));
    }
    Ok(())
}

/// The refusal for a topic that is not there.
pub(crate) fn unknown_topic(name: &str) -> Refusal {
    Refusal::new(ResponseError::UnknownTopicOrPartition, format!("there is no topic {name}"))
}

#[expect(clippy::needless_pass_by_value, reason = "a conversion for map_err")]
fn storage_refusal(error: io::Error) -> Refusal {
    Refusal::new(ResponseError::KafkaStorageError, format!("the broker's directory cannot be written: {error}"))
}
