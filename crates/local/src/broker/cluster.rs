use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, panic};

use tokio::sync::Semaphore;
use world::Clock;

use super::catalogue::{Catalogue, Home};
use super::error::BrokerError;
use super::group::{Coordinator, GroupLimits};
use super::log::Memory;
use super::options::BrokerOptions;

/// The only node, as a fresh single-node Kafka calls itself.
pub(crate) const NODE_ID: i32 = 1;

/// Bytes of large requests, and of answers read from files, that are in memory at once. A request of more than
/// [`SMALL`] waits until there is room.
const IN_FLIGHT_MAX: usize = 256 << 20;

/// Requests and answers up to this size are not counted.
pub(crate) const SMALL: usize = 64 << 10;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) catalogue: Catalogue,
    pub(crate) coordinator: Coordinator,
    pub(crate) options: BrokerOptions,
    /// In units of KiB, as a semaphore counts in 32 bits.
    requests_in_flight: Semaphore,
    answers_in_flight: Semaphore,
}

impl Cluster {
    /// Opens what there is. Blocks.
    pub(crate) fn open(options: BrokerOptions) -> Result<Self, BrokerError> {
        let home = match &options.dir {
            None => Home::Memory(Memory::new(options.memory)),
            Some(dir) => Home::Directory(dir.clone()),
        };
        let limits = GroupLimits {
            min_session_timeout: options.min_session_timeout,
            max_session_timeout: options.max_session_timeout,
            initial_rebalance_delay: options.initial_rebalance_delay,
            metadata_max: options.offset_metadata_max,
        };
        let dir = options.dir.as_deref();
        let coordinator =
            Coordinator::open(dir, limits).map_err(BrokerError::storage(dir.unwrap_or("memory".as_ref())))?;
        Ok(Self {
            catalogue: Catalogue::open(home)?,
            coordinator,
            options,
            requests_in_flight: Semaphore::new(IN_FLIGHT_MAX >> 10),
            answers_in_flight: Semaphore::new(IN_FLIGHT_MAX >> 10),
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.options.clock
    }

    /// Host and port by which the client at the other end of a connection to `local` reaches us again.
    pub(crate) fn endpoint(&self, local: SocketAddr) -> (String, i32) {
        match &self.options.advertised {
            Some((host, port)) => (host.clone(), i32::from(*port)),
            None => (local.ip().to_string(), i32::from(local.port())),
        }
    }

    /// Runs what may block: on a thread for that if the broker has a directory, here if all is in memory.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        if self.options.dir.is_none() {
            return work(self);
        }
        let cluster = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&cluster)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The runtime is going down and takes us with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Waits until a request of this size may be read.
    pub(crate) async fn request_room(&self, bytes: usize) -> Option<tokio::sync::SemaphorePermit<'_>> {
        room(&self.requests_in_flight, bytes).await
    }

    /// Waits until an answer of this size may be read from files.
    pub(crate) async fn answer_room(&self, bytes: usize) -> Option<tokio::sync::SemaphorePermit<'_>> {
        if self.options.dir.is_none() { None } else { room(&self.answers_in_flight, bytes).await }
    }

    /// Makes everything durable. Blocks.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.coordinator.make_durable()?;
        for topic in self.catalogue.topics() {
            for partition in topic.partitions().iter() {
                partition.log().sync()?;
            }
        }
        Ok(())
    }

    /// Removes what retention does not keep. Blocks.
    pub(crate) fn retain(&self) -> io::Result<()> {
        let now = self.clock().now_millis();
        for topic in self.catalogue.topics() {
            for partition in topic.partitions().iter() {
                partition.log().retain(now)?;
            }
        }
        Ok(())
    }
}

async fn room(semaphore: &Semaphore, bytes: usize) -> Option<tokio::sync::SemaphorePermit<'_>> {
    if bytes <= SMALL {
        return None;
    }
    // Never closed. What is larger than all room there is waits for all of it.
    semaphore.acquire_many((bytes.min(IN_FLIGHT_MAX) >> 10) as u32).await.ok()
}
