//! What runs, and the way from what is wanted to what runs.
//!
//! ```text
//! want, forget, restart     put an order into the hand of a connector; none of them waits
//!  -> Keeper                one task a connector: ends what does not fit the order, then starts what does
//!  -> runtime::Connector    the run itself, which tries again by itself
//!  -> Face                  what is shown of it: read at once, whatever the keeper waits for
//! ```
//!
//! An order replaces the one before it, so that nothing piles up: a keeper that waits for the end of a run finds the newest
//! order afterwards. One configuration runs at a time: the next one is opened when the cut of the one before it is
//! published and committed, or its patience is over.

mod face;
mod keeper;
mod offsets;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use ::connectors::{ConnectorPlan, WorkerConfig};
use runtime::{Metrics, Process, Shown};
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::plane::{Doing, Restart, Status, Target};
use crate::{ClusterId, ConnectorId};

use self::face::Face;
use self::keeper::{Keeper, Order};

#[cfg(test)]
mod tests;

/// Runs connectors as they are wanted. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

struct Inner {
    process: Process,
    worker_id: Arc<str>,
    hands: Mutex<Hands>,
    cluster_id: OnceLock<Arc<str>>,
}

#[derive(Default)]
struct Hands {
    by_id: HashMap<ConnectorId, Hand>,
    /// Nothing is started any more.
    is_closed: bool,
}

/// By what a keeper is told what is wanted, and what it shows.
struct Hand {
    orders: watch::Sender<Order>,
    /// The number of the last order that was brought about.
    settled: watch::Receiver<u64>,
    face: Arc<Face>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Supervisor of {}", self.worker_id)
    }
}

/// What is wanted of one connector.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which one.
    pub id: ConnectorId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it reads; metrics tell connectors of the same name apart by it.
    pub cluster: ClusterId,
    /// The revision of the configuration: another one is started anew.
    pub config_revision: u64,
    /// Its plan. A connector whose configuration cannot be planned any more (a reference to a secret that is gone) is
    /// shown as failed with the reason; one that runs with the same revision goes on.
    pub plan: Result<Arc<ConnectorPlan>, String>,
    /// What it shall do.
    pub target: Target,
    /// How many tasks it shows when it is not stopped: `tasks.max` once it was started, 0 for one that was made paused, or
    /// paused while it was stopped, and has not been resumed since.
    pub tasks: u32,
}

impl Supervisor {
    /// One that runs nothing yet. `worker_id` is what it is called in every status; what it runs is shown in `metrics`.
    pub fn new(process: Process, metrics: &Metrics, worker_id: impl Into<Arc<str>>) -> Self {
        let (hands, cluster_id) = (Mutex::default(), OnceLock::new());
        let inner = Arc::new(Inner { process, worker_id: worker_id.into(), hands, cluster_id });
        let roster = Arc::downgrade(&inner);
        metrics.show(move || roster.upgrade().map(|inner| inner.roster()).unwrap_or_default());
        Self(inner)
    }

    /// Finds out what the cluster of `worker` calls itself, in the background: it may not be up yet.
    pub fn learn_cluster_id(&self, worker: WorkerConfig) {
        tokio::spawn(learn_cluster_id(Arc::downgrade(&self.0), self.0.process.clone(), worker));
    }

    /// What the default cluster calls itself, once it has been asked ([`Supervisor::learn_cluster_id`]).
    pub fn kafka_cluster_id(&self) -> Option<Arc<str>> {
        self.0.cluster_id.get().cloned()
    }

    /// What all connectors share.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Takes note of what is wanted, and brings it about; does not wait for it.
    pub(crate) fn want(&self, wanted: Wanted) {
        let mut hands = self.0.hands();
        if hands.is_closed {
            return;
        }
        if let Some(hand) = hands.by_id.get(&wanted.id) {
            hand.face.want(&wanted);
            hand.orders.send_modify(|order| {
                order.number += 1;
                order.is_gone = false;
                order.wanted = wanted;
            });
            return;
        }
        let id = wanted.id.clone();
        let face = Arc::new(Face::new(&wanted));
        let (orders, received) = watch::channel(Order { number: 1, wanted, restarts: 0, is_gone: false });
        let (settle, settled) = watch::channel(0);
        let keeper = Keeper::new(Arc::downgrade(&self.0), self.0.process.clone(), received, settle, Arc::clone(&face));
        hands.by_id.insert(id.clone(), Hand { orders, settled, face });
        // What is said in it is the connector's log (crate::Logs).
        let span = tracing::info_span!(parent: None, crate::logs::SPAN, id = %id);
        tokio::spawn(keeper.keep().instrument(span));
    }

    /// Ends a connector for good; does not wait for it.
    pub(crate) fn forget(&self, id: &ConnectorId) {
        if let Some(hand) = self.0.hands().by_id.get(id) {
            hand.forget();
        }
    }

    /// Starts it anew, if it is wanted to run (and has failed, if only that is meant), and tells what is shown at that
    /// moment: a moment later it may run already. What the plan is made from may have changed meanwhile: whoever makes
    /// plans wants the connector again before.
    pub(crate) fn restart(&self, id: &ConnectorId, what: Restart) -> Option<Status> {
        let hands = self.0.hands();
        let hand = hands.by_id.get(id).filter(|hand| !hand.orders.borrow().is_gone)?;
        let restarts = hand.face.restart(what.only_failed);
        let status = hand.face.status(&self.0.worker_id);
        if restarts {
            hand.orders.send_modify(|order| {
                order.number += 1;
                order.restarts += 1;
            });
        }
        Some(status)
    }

    /// What it does. `None`: it is not known here.
    pub fn status(&self, id: &ConnectorId) -> Option<Status> {
        let hands = self.0.hands();
        let hand = hands.by_id.get(id).filter(|hand| !hand.orders.borrow().is_gone)?;
        Some(hand.face.status(&self.0.worker_id))
    }

    /// The connector itself, while it runs: rates and lag.
    pub fn running(&self, id: &ConnectorId) -> Option<Arc<runtime::Connector>> {
        self.0.hands().by_id.get(id)?.face.running()
    }

    /// The topics that records came from since this process has it, or since they were forgotten.
    pub fn active_topics(&self, id: &ConnectorId) -> BTreeSet<Arc<str>> {
        self.0.hands().by_id.get(id).map(|hand| hand.face.topics()).unwrap_or_default()
    }

    /// Forgets them.
    pub(crate) fn forget_active_topics(&self, id: &ConnectorId) {
        if let Some(hand) = self.0.hands().by_id.get(id) {
            hand.face.forget_topics();
        }
    }

    /// Waits until what was wanted last is brought about: nothing of it runs any more, after it was paused, stopped or
    /// forgotten. No run takes longer to end than its patience and the time that leaving its group takes.
    pub(crate) async fn stopped(&self, id: &ConnectorId) {
        let waiting = self.0.hands().by_id.get(id).map(Hand::settling);
        if let Some(waiting) = waiting {
            waiting.await;
        }
    }

    /// Ends everything, within each connector's patience. Nothing is started any more.
    pub async fn close(&self) {
        let waiting: Vec<_> = {
            let mut hands = self.0.hands();
            hands.is_closed = true;
            hands.by_id.values().inspect(|hand| hand.forget()).map(Hand::settling).collect()
        };
        futures_util::future::join_all(waiting).await;
    }
}

impl Inner {
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everyone as the metrics show them, by name.
    fn roster(&self) -> Vec<Shown> {
        let hands = self.hands();
        let mut roster: Vec<_> = hands
            .by_id
            .values()
            .filter_map(|hand| {
                let order = hand.orders.borrow();
                let wanted = Some(&order.wanted).filter(|_| !order.is_gone)?;
                let status = hand.face.status(&self.worker_id);
                Some(Shown {
                    name: Arc::clone(&wanted.name),
                    cluster: Some(wanted.cluster.to_string()),
                    kind: "sink",
                    class: wanted.plan.as_ref().ok().map(|plan| plan.class()),
                    state: word(status.connector),
                    tasks: u32::try_from(status.tasks.len()).unwrap_or(u32::MAX),
                    restarts: hand.face.restarts(),
                    running: hand.face.running(),
                })
            })
            .collect();
        drop(hands);
        roster.sort_by(|a, b| (&a.name, &a.cluster).cmp(&(&b.name, &b.cluster)));
        roster
    }

    /// Forgets a connector that has ended, unless it is wanted again.
    fn remove(&self, id: &ConnectorId, number: u64) -> bool {
        let mut hands = self.hands();
        let is_last = hands.by_id.get(id).is_none_or(|hand| hand.orders.borrow().number == number);
        if is_last {
            hands.by_id.remove(id);
        }
        is_last
    }
}

impl Hand {
    fn forget(&self) {
        self.orders.send_modify(|order| {
            order.number += 1;
            order.is_gone = true;
        });
    }

    /// Waits until the last order is brought about.
    fn settling(&self) -> impl Future<Output = ()> + use<> {
        let (mut settled, number) = (self.settled.clone(), self.orders.borrow().number);
        async move {
            // An error means that the keeper is gone, and with it what it ran.
            settled.wait_for(|settled| *settled >= number).await.map(drop).unwrap_or_default();
        }
    }
}

/// How long a cluster that does not answer is left alone.
const ASK_AGAIN: Duration = Duration::from_secs(10);

async fn learn_cluster_id(supervisor: Weak<Inner>, process: Process, worker: WorkerConfig) {
    while supervisor.strong_count() > 0 {
        match runtime::cluster_id(&process, &worker).await {
            Ok(id) => {
                if let (Some(id), Some(supervisor)) = (id, supervisor.upgrade()) {
                    supervisor.cluster_id.get_or_init(|| id);
                }
                return;
            }
            Err(fault) => {
                tracing::debug!("the cluster was not asked for its id: {}", fault::Chain(fault.as_error()));
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

/// A word of Kafka Connect's for what something is doing, in small letters.
fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Unassigned => "unassigned",
        Doing::Running => "running",
        Doing::Paused => "paused",
        Doing::Stopped => "stopped",
        Doing::Failed => "failed",
        Doing::Restarting => "restarting",
    }
}
