use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use uuid::Uuid;

use super::log::Log;
use super::topic_config::{BatchLimits, TopicConfig};
use super::waiters::Waiters;

/// A topic and its partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    /// Another topic of the same name, later, has another id.
    pub(crate) id: Uuid,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    config: TopicConfig,
    limits: BatchLimits,
    partitions: Arc<[Arc<Partition>]>,
}

/// A partition: its log and who waits for it to grow.
#[derive(Debug)]
pub(crate) struct Partition {
    log: Mutex<Log>,
    pub(crate) waiters: Waiters,
}

impl Partition {
    pub(crate) fn new(log: Log) -> Arc<Self> {
        Arc::new(Self { log: Mutex::new(log), waiters: Waiters::default() })
    }

    /// The log. On disk this may wait for a write: ask for it where blocking is allowed.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        // A log changes its fields last, so that it is whole even if its holder panicked.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topic {
    pub(crate) fn new(name: Arc<str>, id: Uuid, config: TopicConfig, partitions: Vec<Arc<Partition>>) -> Arc<Self> {
        let limits = config.limits();
        Arc::new(Self { name, id, state: RwLock::new(State { config, limits, partitions: partitions.into() }) })
    }

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn partitions(&self) -> Arc<[Arc<Partition>]> {
        Arc::clone(&self.state().partitions)
    }

    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.state().partitions.get(usize::try_from(index).ok()?).cloned()
    }

    pub(crate) fn config(&self) -> TopicConfig {
        self.state().config.clone()
    }

    pub(crate) fn limits(&self) -> BatchLimits {
        self.state().limits
    }

    /// Adds partitions behind those that are there.
    pub(crate) fn extend(&self, partitions: Vec<Arc<Partition>>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.partitions = state.partitions.iter().cloned().chain(partitions).collect();
    }

    /// Puts another configuration in force.
    pub(crate) fn reconfigure(&self, config: TopicConfig) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for partition in state.partitions.iter() {
            partition.log().set_settings(config.log_settings());
        }
        state.limits = config.limits();
        state.config = config;
    }
}
