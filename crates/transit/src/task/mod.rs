//! The loop that owns a task: one source, its lanes, their cuts. Everything that happens comes here, one thing at a
//! time, so no state of it is shared or locked.
//!
//! ```text
//! source event ─┐                     ┌─ records to the compute threads, one job a lane
//! job done      ├─> Task (this loop) ─┼─ parts to the sink, in the background
//! cut done      │                     ├─ cuts: seal, upload, prepare, publish, commit
//! tick          ┘                     └─ revocations acknowledged, when their lanes are settled
//! ```
//!
//! The loop is here; what it does is in `assignment.rs` (partitions come and go), `work.rs` (records become parts),
//! `cutting.rs` (objects close together) and `pressure.rs` (deadlines and memory), on the lanes of `lane.rs`.

mod assignment;
mod cutting;
mod lane;
mod pressure;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use fault::Fault;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use world::Clock;

pub use assignment::SharedLaneLost;
pub use work::JobPanicked;

use self::assignment::PendingRevoke;
use self::lane::Lane;
use crate::compute::Compute;
use crate::cut::{CutEnd, Hands};
use crate::dead_letter::{DeadLetters, Tolerance};
use crate::lane::{Core, Emit, Encoders, RecordFailure, Worked};
use crate::mend::Mend;
use crate::protocol::WriteMode;
use crate::recover::Recovered;
use crate::stats::TaskStats;
use crate::{Assigned, Assignment, Budget, Lanes, Router, Sink, Source, SourceEvent};

/// What a task is made of besides its source.
pub struct TaskParts<K, D> {
    /// The connector's name, for markers.
    pub connector: Arc<str>,
    /// Distinguishes the uploads and manifests of this run from those of all others, also of one before it in the same
    /// process: random, some 12 letters and digits.
    pub nonce: Arc<str>,
    /// Where objects go.
    pub sink: Arc<K>,
    /// Where records go that cannot be used.
    pub letters: Arc<D>,
    /// Which object a record goes to.
    pub router: Arc<dyn Router>,
    /// What the objects are made of.
    pub encoders: Arc<dyn Encoders>,
    /// The process's bytes.
    pub budget: Budget,
    /// The process's compute threads.
    pub compute: Compute,
    /// The time of day, for names made from it.
    pub clock: Clock,
    /// The counters.
    pub stats: Arc<TaskStats>,
    /// The rest.
    pub options: TaskOptions,
}

/// How a task behaves.
#[derive(Debug, Clone)]
pub struct TaskOptions {
    /// Exactly once, or at least once.
    pub mode: WriteMode,
    /// What happens to a record that cannot be used.
    pub tolerance: Tolerance,
    /// A lane that has records is cut this long after the last cut of all lanes (Connect's `offset.flush.interval.ms`).
    pub rotate_interval: Duration,
    /// A lane is cut when its open objects hold this many encoded bytes, before compression.
    pub rotate_bytes: Option<u64>,
    /// A lane is cut when its open objects hold this many records.
    pub rotate_records: Option<u64>,
    /// Parts have at least this many bytes, except an object's last.
    pub part_size: usize,
    /// Names of manifests begin with this.
    pub manifest_prefix: String,
    /// The name of the recipe by which records become objects ([`crate::intent::Recipe`]): two tasks may have the same
    /// one only if both put the same records of a partition, in the same order from the same offset, into objects of the
    /// same names. `None` where that depends on more than the records (the time of day, other partitions).
    pub recipe: Option<Arc<str>>,
    /// How long a revocation may wait for cuts, and a stop.
    pub patience: Duration,
    /// Cut a partition as soon as it has reached this offset, without waiting for the interval.
    pub drain_to: HashMap<TopicPartition, Offset>,
}

/// Why a task ended, other than by being stopped.
#[derive(Debug)]
pub enum TaskError {
    /// A record that is not tolerated. Everything before it is settled.
    Record(RecordFailure),
    /// Anything else. What was not committed is read again by the next task.
    Fault(Arc<Fault>),
}

impl From<Fault> for TaskError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Arc::new(fault))
    }
}

/// How often pressure and deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Cuts that are recovered at the same time when many partitions arrive.
const RECOVER_AT_ONCE: usize = 32;

type LaneId = u64;

enum Event<K: Sink> {
    Worked {
        lane: LaneId,
        core: Core,
        worked: Worked,
    },
    Sealed {
        lane: LaneId,
        core: Core,
        emitted: Vec<Emit>,
    },
    Squeezed {
        lane: LaneId,
        core: Core,
    },
    Panicked,
    Cut {
        lane: LaneId,
        end: CutEnd,
    },
    Recovered {
        assigned: Assigned,
        recovered: Result<Recovered, Fault>,
    },
    #[expect(dead_code, reason = "ties the type to its sink")]
    Never(std::convert::Infallible, std::marker::PhantomData<K>),
}

/// Runs a task until `stop` turns true or something fails. On a stop, what was read is cut and committed within the
/// patience, then the source leaves its group.
pub async fn run<S: Source, K: Sink, D: DeadLetters>(
    source: S,
    mut parts: TaskParts<K, D>,
    stop: watch::Receiver<bool>,
) -> Result<(), TaskError> {
    if parts.router.lanes() == Lanes::Shared {
        // No partition can tell alone what an object held.
        parts.options.recipe = None;
    }
    let (failures_in, failures) = mpsc::channel(1);
    let hands = Hands {
        sink: Arc::clone(&parts.sink),
        committer: source.committer(),
        letters: Arc::clone(&parts.letters),
        mode: parts.options.mode,
    };
    let mut task = Task {
        source,
        hands,
        parts,
        lanes: HashMap::new(),
        of_partition: HashMap::new(),
        next_lane: 0,
        next_object: 0,
        revokes: Vec::new(),
        work: FuturesUnordered::new(),
        recovering: HashMap::new(),
        torn: VecDeque::new(),
        recover_permits: Arc::new(tokio::sync::Semaphore::new(RECOVER_AT_ONCE)),
        waiting_for_room: false,
        failures_in,
        record_failure: None,
        stopping: None,
    };
    let result = task.drive(failures, stop).await;
    let Task { source, lanes, work, parts, .. } = task;
    // Whose they are now, others say: what comes after this task must not show them as its own.
    parts.stats.ended();
    // What is still open is given up: dropped uploads abort themselves.
    drop((lanes, work));
    source.leave().await;
    result
}

struct Task<S: Source, K: Sink, D: DeadLetters> {
    source: S,
    hands: Hands<K, S::Committer, D>,
    parts: TaskParts<K, D>,
    lanes: HashMap<LaneId, Lane<S::Fetched, K>>,
    of_partition: HashMap<TopicPartition, LaneId>,
    next_lane: LaneId,
    next_object: u64,
    revokes: Vec<PendingRevoke>,
    work: FuturesUnordered<BoxFuture<'static, Event<K>>>,
    /// Assigned partitions whose intent is being resolved: they have no lane yet.
    recovering: HashMap<TopicPartition, Assignment>,
    recover_permits: Arc<tokio::sync::Semaphore>,
    /// Torn cuts that wait for their turn: they cannot be cut early, so one at a time is what memory is sure to hold.
    torn: VecDeque<(Assigned, Box<Mend>)>,
    /// A lane had records but the budget had no room.
    waiting_for_room: bool,
    failures_in: mpsc::Sender<Arc<Fault>>,
    record_failure: Option<RecordFailure>,
    /// Set when no more records are taken up; the time by which the lanes must be settled.
    stopping: Option<Instant>,
}

impl<S: Source, K: Sink, D: DeadLetters> Task<S, K, D> {
    async fn drive(
        &mut self,
        mut failures: mpsc::Receiver<Arc<Fault>>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), TaskError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rotate = tokio::time::interval(self.parts.options.rotate_interval);
        rotate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rotate.tick().await;
        loop {
            // Biased: what frees memory and settles records comes before what brings more of them.
            tokio::select! {
                biased;
                failure = failures.recv() => {
                    let failure = failure.expect("the task keeps a sender");
                    return Err(TaskError::Fault(failure));
                }
                changed = stop.wait_for(|stop| *stop), if self.stopping.is_none() => {
                    // A dropped sender means that nobody is left who wants the task.
                    drop(changed);
                    self.begin_stopping();
                }
                Some(event) = self.work.next() => self.handle(event)?,
                () = self.parts.budget.room(1.0), if self.waiting_for_room => self.go_on(),
                _ = tick.tick() => self.look_around()?,
                _ = rotate.tick() => self.want_all_cut(),
                event = self.source.next() => self.take_up(event?)?,
            }
            if let Some(deadline) = self.stopping
                && (self.lanes.values().all(Lane::is_settled) || Instant::now() >= deadline)
            {
                return match self.record_failure.take() {
                    Some(failure) => Err(TaskError::Record(failure)),
                    None => Ok(()),
                };
            }
        }
    }

    fn begin_stopping(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some(Instant::now() + self.parts.options.patience);
            for lane in self.lanes.values_mut() {
                lane.queue.clear();
            }
            self.want_all_cut();
        }
    }

    fn want_all_cut(&mut self) {
        let ids: Vec<LaneId> = self.lanes.keys().copied().collect();
        for id in ids {
            let lane = self.lanes.get_mut(&id).expect("just listed");
            lane.cut_wanted |= lane.has_progress();
            self.advance(id);
        }
    }

    fn take_up(&mut self, event: SourceEvent<S::Fetched>) -> Result<(), TaskError> {
        match event {
            SourceEvent::Fetched(fetched) => self.enqueue(fetched),
            SourceEvent::Assigned(assigned) => {
                for one in assigned {
                    self.recover(one);
                }
            }
            SourceEvent::Revoked(revoked) => self.begin_leaving(revoked),
            SourceEvent::Lost(lost) => self.forget(&lost)?,
        }
        Ok(())
    }

    fn handle(&mut self, event: Event<K>) -> Result<(), TaskError> {
        match event {
            Event::Worked { lane: id, core, worked } => self.worked(id, core, worked),
            Event::Sealed { lane: id, core, emitted } => self.sealed(id, core, emitted)?,
            Event::Squeezed { lane: id, core } => {
                if let Some(lane) = self.lanes.get_mut(&id) {
                    lane.take_back(core);
                    lane.squeezed = true;
                    self.advance(id);
                }
            }
            Event::Panicked => return Err(TaskError::Fault(Arc::new(Fault::new(JobPanicked)))),
            Event::Cut { lane: id, end } => self.cut_ended(id, end)?,
            // An assignment that ended meanwhile is not among those that are recovering.
            Event::Recovered { assigned, .. }
                if self.recovering.get(&assigned.partition) != Some(&assigned.assignment) => {}
            Event::Recovered { assigned, recovered } => match recovered {
                Ok(Recovered::At { offset, finished }) => {
                    if finished {
                        TaskStats::add(&self.parts.stats.recovered_cuts, 1);
                    }
                    self.recovering.remove(&assigned.partition);
                    self.begin(&assigned, offset, None);
                }
                Ok(Recovered::Torn(mend)) => {
                    self.torn.push_back((assigned, mend));
                    self.mend_next();
                }
                Ok(Recovered::Fenced) => {
                    self.recovering.remove(&assigned.partition);
                }
                Err(fault) => return Err(TaskError::Fault(Arc::new(fault))),
            },
            Event::Never(never, _) => match never {},
        }
        Ok(())
    }
}
