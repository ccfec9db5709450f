use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::cluster::Cluster;
use super::connection;
use super::error::BrokerError;
use super::log::Refusal;
use super::options::BrokerOptions;
use super::topic_config::TopicConfig;

/// The shortest time between two rounds of housekeeping.
const ROUND_MIN: Duration = Duration::from_millis(10);

/// A running embedded broker. Dropping it closes it without waiting; [`Broker::shutdown`] waits until all is on disk.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    cluster: Arc<Cluster>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Held for as long as the directory is ours.
    _lock: Option<File>,
}

impl Broker {
    /// Starts a broker on the current runtime. When this returns it accepts connections.
    pub async fn start(options: BrokerOptions) -> Result<Self, BrokerError> {
        let listen = options.listen;
        let opened = tokio::task::spawn_blocking(move || {
            let lock = options.dir.as_deref().map(lock).transpose()?;
            Cluster::open(options).map(|cluster| (Arc::new(cluster), lock))
        });
        let (cluster, lock) = opened.await.expect("opening the broker's files does not panic")?;
        let refused = |source| BrokerError::Listen { addr: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, Arc::clone(&cluster), stopped));
        tracing::info!(%addr, "embedded broker listens");
        Ok(Self { addr, cluster, stop, server, _lock: lock })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client's `bootstrap.servers` should say.
    pub fn bootstrap(&self) -> String {
        let (host, port) = self.cluster.endpoint(self.addr);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Creates a topic, as a client's CreateTopics would. `config` are keys of Kafka's topic configuration.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: usize,
        config: &[(&str, &str)],
    ) -> Result<(), BrokerError> {
        let refused = |refusal: Refusal| BrokerError::Topic {
            topic: name.to_owned(),
            code: refusal.code,
            reason: refusal.reason,
        };
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        let config =
            TopicConfig::new(config).map_err(|text| refused(Refusal::new(ResponseError::InvalidConfig, text)))?;
        let owned = name.to_owned();
        let created =
            self.cluster.blocking(move |cluster| cluster.catalogue.create(&owned, partitions, config, false)).await;
        created.map(drop).map_err(refused)
    }

    /// Stops: no more requests are answered, connections are closed, and everything is made durable.
    pub async fn shutdown(self) -> Result<(), BrokerError> {
        // The server may have ended by itself only if the runtime is going down.
        self.stop.send_replace(true);
        let mut this = self;
        if let Err(error) = (&mut this.server).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        let path = this.cluster.options.dir.clone().unwrap_or_default();
        this.cluster.blocking(Cluster::sync).await.map_err(BrokerError::storage(path))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.server.abort();
    }
}

/// Takes a directory for ourselves: two brokers would write over each other's records.
fn lock(dir: &Path) -> Result<File, BrokerError> {
    fs::create_dir_all(dir).map_err(BrokerError::storage(dir))?;
    let path = dir.join("lock");
    let file = File::create(&path).map_err(BrokerError::storage(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(BrokerError::storage(path)(error)),
    }
}

async fn serve(listener: TcpListener, cluster: Arc<Cluster>, mut stopped: watch::Receiver<bool>) {
    // Dropped at the end of this function, which ends what they hold.
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(cluster.options.max_connections));
    let mut sync = tokio::time::interval(cluster.options.sync_interval.max(ROUND_MIN));
    let mut retain = tokio::time::interval(cluster.options.retention_interval.max(ROUND_MIN));
    sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    retain.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let coordinator = {
        let cluster = Arc::clone(&cluster);
        connections.spawn(async move { cluster.coordinator.run().await })
    };
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => if let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
                    let cluster = Arc::clone(&cluster);
                    connections.spawn(async move {
                        if let Err(error) = connection::serve(stream, cluster).await {
                            tracing::debug!(%peer, %error, "connection closed");
                        }
                        drop(permit);
                    });
                } else {
                    tracing::warn!(%peer, most = cluster.options.max_connections, "too many connections");
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely, and accepting at once would spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(ended) = connections.join_next() => if let Err(error) = ended && error.is_panic() {
                tracing::error!(%error, "a connection of the embedded broker panicked");
            },
            _ = sync.tick(), if cluster.options.dir.is_some() => {
                if let Err(error) = cluster.blocking(Cluster::sync).await {
                    tracing::error!(%error, "the embedded broker's files could not be made durable");
                }
            }
            _ = retain.tick() => if let Err(error) = cluster.blocking(Cluster::retain).await {
                tracing::error!(%error, "old records could not be removed");
            },
        }
    }
    coordinator.abort();
    cluster.coordinator.close();
    connections.shutdown().await;
}
