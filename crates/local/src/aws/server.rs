use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use iam::AccountId;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use world::Clock;

use super::account::Account;
use super::ambient::Ambient;
use super::connection::{self, Door};
use super::denials::Denials;
use super::directory::Directory;
use super::error::AwsError;
use super::faults::Faults;
use super::gate::FAR;
use super::requests::Requests;
use super::s3::AccessPoints;
use super::session::Mint;
use super::state;
use super::store::{Store, Tally};
use super::surroundings::Surroundings;

/// What becomes of the bodies of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bodies {
    /// They are kept, in memory or in the directory.
    #[default]
    Keep,
    /// They are verified, counted and thrown away: for benchmarks of writers. Reading one answers `NotImplemented`; an
    /// ETag is then no MD5, as it need not be one at AWS either.
    Discard,
}

/// How to start an embedded AWS.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// Where to listen; port 0 for any free one.
    pub listen: SocketAddr,
    /// Where accounts and objects are kept across restarts; `None` keeps them in memory.
    pub dir: Option<PathBuf>,
    /// What becomes of bodies.
    pub bodies: Bodies,
    /// Its clock, by which signatures and sessions expire.
    pub clock: Clock,
    /// What the fault plane's dice start from.
    pub seed: u64,
    /// How long an edit of IAM takes to have effect. None, unless a test is about it; some seconds at AWS.
    pub propagation: Duration,
    /// How long to wait for the next bytes of a request's body before answering `RequestTimeout`. 20 s: as S3 does.
    pub idle_timeout: Duration,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            dir: None,
            bodies: Bodies::Keep,
            clock: Clock::system(),
            seed: 0,
            propagation: Duration::ZERO,
            idle_timeout: Duration::from_secs(20),
        }
    }
}

/// A running embedded AWS. It ends when this is dropped; [`Aws::stop`] also waits until it has.
#[derive(Debug)]
pub struct Aws {
    pub(super) shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) directory: RwLock<Directory>,
    pub(super) mint: Mint,
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) ambient: Ambient,
    pub(super) requests: Requests,
    pub(super) denials: Denials,
    pub(super) idle: Duration,
    pub(super) surroundings: Surroundings,
    pub(super) access_points: AccessPoints,
    propagation: Mutex<Duration>,
    dir: Option<PathBuf>,
    /// Keeps other processes out of the directory.
    _lock: Option<File>,
    session_key: [u8; 32],
    /// One save at a time, so that an older state never replaces a newer one.
    saving: tokio::sync::Mutex<()>,
}

impl Aws {
    /// Starts it on the current runtime.
    pub async fn start(options: AwsOptions) -> Result<Self, AwsError> {
        let AwsOptions { listen, dir, bodies, clock, seed, propagation, idle_timeout } = options;
        let (lock, (directory, session_key)) = match dir.clone() {
            None => (None, (Directory::default(), state::new_key())),
            Some(dir) => blocking(move || Ok((Some(state::lock(&dir)?), state::load(&dir)?))).await?,
        };
        let store = Store::open(dir.clone(), bodies).await?;
        let shared = Arc::new(Shared {
            clock,
            directory: RwLock::new(directory),
            mint: Mint::new(session_key),
            store,
            faults: Faults::new(seed),
            ambient: Ambient::default(),
            requests: Requests::default(),
            denials: Denials::default(),
            propagation: Mutex::new(propagation.min(FAR)),
            idle: idle_timeout,
            surroundings: Surroundings::default(),
            access_points: AccessPoints::default(),
            dir,
            _lock: lock,
            session_key,
            saving: tokio::sync::Mutex::default(),
        });
        shared.save().await?;
        let listener = TcpListener::bind(listen).await.map_err(|source| AwsError::Listen { listen, source })?;
        let address = listener.local_addr().map_err(|source| AwsError::Listen { listen, source })?;
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(connection::accept(listener, Door::Regions, shared.clone(), stopped));
        Ok(Self { shared, address, stop, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to set as `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens the global endpoint of STS beside the others, and gives its URL. Sessions that it makes are refused in regions
    /// that an account has to opt in to.
    pub async fn open_global_sts(&self) -> Result<String, AwsError> {
        let listen = SocketAddr::new(self.address.ip(), 0);
        let listener = TcpListener::bind(listen).await.map_err(|source| AwsError::Listen { listen, source })?;
        let address = listener.local_addr().map_err(|source| AwsError::Listen { listen, source })?;
        tokio::spawn(connection::accept(listener, Door::GlobalSts, self.shared.clone(), self.stop.subscribe()));
        Ok(format!("http://{address}"))
    }

    /// An account; it comes to be with the first thing made in it.
    pub fn account(&self, id: AccountId) -> Account {
        Account::new(self.shared.clone(), id)
    }

    /// The fault plane.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What has been asked of it.
    pub fn requests(&self) -> &Requests {
        &self.shared.requests
    }

    /// From now on, edits of IAM (policies, trust, new roles) take effect after this long by its clock.
    pub fn set_propagation(&self, delay: Duration) {
        self.shared.set_propagation(delay);
    }

    /// What became visible in its buckets, counted.
    pub fn tally(&self) -> Tally {
        self.shared.store.tally()
    }

    /// All that is in its buckets, visible or not: versions, the marks of deletions, and uploads in parts that are neither
    /// completed nor aborted. Each by its bucket, key and what it is.
    pub fn holdings(&self) -> Vec<String> {
        self.shared.store.holdings()
    }

    /// Stops listening, ends all connections where they are, and waits for that.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.server.await {
            tracing::error!(%error, "embedded aws ended badly");
        }
    }
}

impl Shared {
    /// Everybody there is, to look at.
    pub(super) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().expect("no thread panics while it holds this lock")
    }

    /// Changes the directory and, if there is one on disk, saves it. A change that fails must have changed nothing.
    pub(super) async fn change<T, E: From<AwsError>>(
        &self,
        change: impl FnOnce(&mut Directory) -> Result<T, E>,
    ) -> Result<T, E> {
        let result = change(&mut self.directory.write().expect("no thread panics while it holds this lock"))?;
        self.save().await?;
        Ok(result)
    }

    pub(super) fn set_propagation(&self, delay: Duration) {
        *self.propagation.lock().expect("no thread panics while it holds this lock") = delay.min(FAR);
    }

    pub(super) fn propagation(&self) -> Duration {
        *self.propagation.lock().expect("no thread panics while it holds this lock")
    }

    /// When an edit made at `now` takes effect. Without a delay it always has: a request whose clock is skewed on
    /// purpose must not miss it.
    pub(super) fn takes_effect(&self, now: SystemTime) -> SystemTime {
        let delay = self.propagation();
        if delay.is_zero() { SystemTime::UNIX_EPOCH } else { now + delay }
    }

    /// The time, and when an edit made now takes effect.
    pub(super) fn now_and_effect(&self) -> (SystemTime, SystemTime) {
        let now = self.clock.now();
        (now, self.takes_effect(now))
    }

    /// Writes the accounts down, if there is a directory.
    pub(super) async fn save(&self) -> Result<(), AwsError> {
        let Some(dir) = self.dir.clone() else { return Ok(()) };
        let _one_at_a_time = self.saving.lock().await;
        let text = {
            let directory = self.directory.read().expect("no thread panics while it holds this lock");
            state::print(&directory, &self.session_key)
        };
        blocking(move || state::write(&dir, &text)).await
    }
}

/// Runs file work outside of the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(AwsError::File { path: PathBuf::new(), source: io::Error::other(error) }))
}
