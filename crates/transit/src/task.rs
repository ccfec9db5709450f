//! The loop that owns a task: one source, its lanes, their cuts. Everything that happens comes here, one thing at a
//! time, so no state of it is shared or locked.
//!
//! ```text
//! source event ─┐                     ┌─ records to the compute threads, one job a lane
//! job done      ├─> Task (this loop) ─┼─ parts to the sink, in the background
//! cut done      │                     ├─ cuts: seal, upload, prepare, publish, commit
//! tick          ┘                     └─ revocations acknowledged, when their lanes are settled
//! ```

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use world::Clock;

use crate::compute::Compute;
use crate::cut::{self, Cut, CutEnd, Hands};
use crate::dead_letter::{DeadLetter, DeadLetters, Tolerance};
use crate::lane::{Core, Emit, Encoders, RecordFailure, Settings, Worked};
use crate::protocol::WriteMode;
use crate::recover::{self, Recovered};
use crate::stats::TaskStats;
use crate::upload::Upload;
use crate::{
    Assigned, Assignment, Budget, Fetched, Lanes, ObjectName, Permit, Revoked, Router, Sink, Source, SourceEvent, Span,
};

/// What a task is made of besides its source.
pub struct TaskParts<K, D> {
    /// The connector's name, for markers.
    pub connector: Arc<str>,
    /// Distinguishes this process's uploads from all others': random, some 12 characters.
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

/// The most fetched bytes that one job takes up: some milliseconds of work, so that lanes take turns on few cores.
const JOB_BYTES: usize = 512 << 10;
/// How often pressure and deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Above this share of the budget, lanes that hold most are squeezed, then cut early.
const PRESSURE: f64 = 0.75;
/// S3 takes at most 10,000 parts an object; the rest is a margin for what one more job emits.
const PARTS_LIMIT: usize = 9_000;
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
        recovered: Recovered,
    },
    #[expect(dead_code, reason = "ties the type to its sink")]
    Never(std::convert::Infallible, std::marker::PhantomData<K>),
}

struct Lane<F, K: Sink> {
    /// Not here while a job runs.
    core: Option<Core>,
    members: HashMap<TopicPartition, Member>,
    queue: VecDeque<F>,
    uploads: Vec<OpenObject<K>>,
    letters: Vec<DeadLetter>,
    memory: Permit,
    records: u64,
    encoded_bytes: u64,
    cut_wanted: bool,
    sealing: bool,
    cutting: Option<Vec<Span>>,
    squeezed: bool,
}

struct Member {
    assignment: Assignment,
    /// The committed offset: where the open objects' records begin.
    from: Offset,
    position: Offset,
    /// Whether records of it are with the job that runs.
    at_work: bool,
    leaving: bool,
}

struct OpenObject<K: Sink> {
    name: ObjectName,
    upload: Option<Upload<K>>,
}

struct PendingRevoke {
    /// Dropped when its lanes are settled, which lets the rebalance go on.
    _revoked: Revoked,
    waiting: HashSet<TopicPartition>,
    deadline: Instant,
}

/// Runs a task until `stop` turns true or something fails. On a stop, what was read is cut and committed within the
/// patience, then the source leaves its group.
pub async fn run<S: Source, K: Sink, D: DeadLetters>(
    source: S,
    parts: TaskParts<K, D>,
    stop: watch::Receiver<bool>,
) -> Result<(), TaskError> {
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
        recover_permits: Arc::new(tokio::sync::Semaphore::new(RECOVER_AT_ONCE)),
        waiting_for_room: false,
        failures_in,
        record_failure: None,
        stopping: None,
    };
    let result = task.drive(failures, stop).await;
    let Task { source, lanes, work, .. } = task;
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

    // ---- what comes from the source ----

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

    fn recover(&mut self, assigned: Assigned) {
        self.recovering.insert(assigned.partition.clone(), assigned.assignment);
        let (sink, committer) = (Arc::clone(&self.hands.sink), self.hands.committer.clone());
        let permits = Arc::clone(&self.recover_permits);
        self.work.push(Box::pin(async move {
            let _permit = permits.acquire().await;
            let recovered = recover::recover(&assigned, &*sink, &committer).await;
            Event::Recovered { assigned, recovered }
        }));
    }

    fn begin(&mut self, assigned: &Assigned, at: Offset) {
        let shared = self.parts.router.lanes() == Lanes::Shared;
        let existing = if shared { self.lanes.keys().next().copied() } else { None };
        let id = existing.unwrap_or_else(|| self.add_lane());
        let lane = self.lanes.get_mut(&id).expect("exists or was just added");
        let member = Member { assignment: assigned.assignment, from: at, position: at, at_work: false, leaving: false };
        lane.members.insert(assigned.partition.clone(), member);
        self.of_partition.insert(assigned.partition.clone(), id);
        self.parts.stats.assigned(&assigned.partition, at);
        if self.stopping.is_none() {
            self.source.resume(&assigned.partition, assigned.assignment, at);
        }
    }

    fn add_lane(&mut self) -> LaneId {
        self.next_lane += 1;
        let settings = Settings { tolerance: self.parts.options.tolerance, part_size: self.parts.options.part_size };
        let lane = Lane {
            core: Some(Core::new(self.parts.router.route(), Arc::clone(&self.parts.encoders), settings)),
            members: HashMap::new(),
            queue: VecDeque::new(),
            uploads: Vec::new(),
            letters: Vec::new(),
            memory: self.parts.budget.charge(0),
            records: 0,
            encoded_bytes: 0,
            cut_wanted: false,
            sealing: false,
            cutting: None,
            squeezed: false,
        };
        self.lanes.insert(self.next_lane, lane);
        self.next_lane
    }

    fn enqueue(&mut self, fetched: S::Fetched) {
        if self.stopping.is_some() {
            return;
        }
        let Some(id) = self.of_partition.get(fetched.partition()).copied() else { return };
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        // Of an assignment that is over, or of a partition on its way out: its records are read again by the next owner.
        if lane.members.get(fetched.partition()).is_none_or(|m| m.assignment != fetched.assignment() || m.leaving) {
            return;
        }
        TaskStats::add(&self.parts.stats.fetched_bytes, fetched.size() as u64);
        lane.queue.push_back(fetched);
        self.advance(id);
    }

    fn begin_leaving(&mut self, revoked: Revoked) {
        let mut waiting = HashSet::new();
        let mut touched = HashSet::new();
        for (partition, assignment) in &revoked.partitions {
            self.stop_recovering(partition, *assignment);
            let Some(id) = self.of_partition.get(partition).copied() else { continue };
            let lane = self.lanes.get_mut(&id).expect("a partition's lane exists");
            let Some(member) = lane.members.get_mut(partition) else { continue };
            if member.assignment == *assignment {
                member.leaving = true;
                lane.queue.retain(|fetched| fetched.partition() != partition);
                lane.cut_wanted = true;
                waiting.insert(partition.clone());
                touched.insert(id);
            }
        }
        if waiting.is_empty() {
            return;
        }
        let deadline = Instant::now() + self.parts.options.patience;
        self.revokes.push(PendingRevoke { _revoked: revoked, waiting, deadline });
        for id in touched {
            self.advance(id);
        }
    }

    fn forget(&mut self, lost: &[(TopicPartition, Assignment)]) -> Result<(), TaskError> {
        for (partition, assignment) in lost {
            self.stop_recovering(partition, *assignment);
            let Some(id) = self.of_partition.get(partition).copied() else { continue };
            let lane = self.lanes.get(&id).expect("a partition's lane exists");
            if lane.members.get(partition).is_some_and(|member| member.assignment == *assignment) {
                self.drop_member(id, partition)?;
            }
        }
        Ok(())
    }

    fn stop_recovering(&mut self, partition: &TopicPartition, assignment: Assignment) {
        if self.recovering.get(partition) == Some(&assignment) {
            self.recovering.remove(partition);
        }
    }

    /// A partition is no longer ours although its lane may hold records of it.
    fn drop_member(&mut self, id: LaneId, partition: &TopicPartition) -> Result<(), TaskError> {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        let others = lane.members.len() > 1;
        let in_a_cut = || lane.cutting.iter().flatten().any(|span| span.partition == *partition);
        let holds_records = |member: &Member| member.position > member.from || member.at_work || in_a_cut();
        if others && lane.members.get(partition).is_some_and(holds_records) {
            // The open objects mix its records with those of partitions that stay: they can only be given up together.
            return Err(TaskError::Fault(Arc::new(Fault::new(SharedLaneLost { partition: partition.clone() }))));
        }
        self.remove_member(id, partition);
        Ok(())
    }

    fn remove_member(&mut self, id: LaneId, partition: &TopicPartition) {
        self.of_partition.remove(partition);
        self.parts.stats.removed(partition);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.members.remove(partition);
            lane.queue.retain(|fetched| fetched.partition() != partition);
            if lane.members.is_empty() {
                // Events of it that still come find no lane. Its uploads abort themselves, unless an intent names them.
                self.lanes.remove(&id);
            }
        }
        for revoke in &mut self.revokes {
            revoke.waiting.remove(partition);
        }
        self.revokes.retain(|revoke| !revoke.waiting.is_empty());
    }

    // ---- what comes from our own work ----

    fn handle(&mut self, event: Event<K>) -> Result<(), TaskError> {
        match event {
            Event::Worked { lane: id, core, worked } => self.worked(id, core, worked),
            Event::Sealed { lane: id, core, emitted } => self.sealed(id, core, emitted),
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
                Recovered::At { offset, finished } => {
                    if finished {
                        TaskStats::add(&self.parts.stats.recovered_cuts, 1);
                    }
                    self.recovering.remove(&assigned.partition);
                    self.begin(&assigned, offset);
                }
                Recovered::Fenced => {
                    self.recovering.remove(&assigned.partition);
                }
                Recovered::Failed(fault) => return Err(TaskError::Fault(fault)),
            },
            Event::Never(never, _) => match never {},
        }
        Ok(())
    }

    fn worked(&mut self, id: LaneId, core: Core, worked: Worked) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.take_back(core);
        lane.squeezed = false;
        lane.records += worked.records;
        lane.encoded_bytes += worked.encoded_bytes;
        TaskStats::add(&self.parts.stats.records, worked.records);
        TaskStats::add(&self.parts.stats.encoded_bytes, worked.encoded_bytes);
        TaskStats::add(&self.parts.stats.dead_letters, worked.letters.len() as u64);
        lane.members.values_mut().for_each(|member| member.at_work = false);
        for (partition, assignment, position) in &worked.positions {
            if let Some(member) = lane.members.get_mut(partition)
                && member.assignment == *assignment
            {
                member.position = *position;
                self.parts.stats.moved(partition, *position);
                let drained = self.parts.options.drain_to.get(partition).is_some_and(|end| position >= end);
                lane.cut_wanted |= drained;
            }
        }
        lane.letters.extend(worked.letters);
        self.dispatch(id, worked.emitted);
        let lane = self.lanes.get_mut(&id).expect("it was there above");
        let options = &self.parts.options;
        let full = options.rotate_bytes.is_some_and(|limit| lane.encoded_bytes >= limit)
            || options.rotate_records.is_some_and(|limit| lane.records >= limit)
            || lane.uploads.iter().any(|open| open.upload.as_ref().is_some_and(|u| u.part_count() >= PARTS_LIMIT));
        lane.cut_wanted |= full;
        if let Some(failure) = worked.failure {
            tracing::error!(partition = %failure.partition, offset = %failure.offset, "{}", failure.fault);
            self.record_failure.get_or_insert(failure);
            self.begin_stopping();
        }
        self.advance(id);
    }

    /// Carries out what a job has emitted.
    fn dispatch(&mut self, id: LaneId, emitted: Vec<Emit>) {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        for emit in emitted {
            match emit {
                Emit::Open(name) => lane.uploads.push(OpenObject { name, upload: None }),
                Emit::Restart(index) => lane.uploads[index.0 as usize].upload = None,
                Emit::Holds(index, partitions) => {
                    if let Some(upload) = &mut lane.uploads[index.0 as usize].upload {
                        upload.holds(partitions);
                    }
                }
                Emit::Part(index, body) => {
                    let bytes = body.iter().map(bytes::Bytes::len).sum();
                    TaskStats::add(&self.parts.stats.stored_bytes, bytes as u64);
                    let open = &mut lane.uploads[index.0 as usize];
                    let upload = open.upload.get_or_insert_with(|| {
                        self.next_object += 1;
                        let marker = format!("{} {}-{}", self.parts.connector, self.parts.nonce, self.next_object);
                        let (sink, name) = (Arc::clone(&self.hands.sink), Arc::clone(&open.name));
                        Upload::begin(sink, name, marker.into(), self.failures_in.clone())
                    });
                    // The part's bytes were charged as the encoder's output until now; `take_back` has counted the rest.
                    upload.part(body, self.parts.budget.charge(bytes));
                }
            }
        }
    }

    fn sealed(&mut self, id: LaneId, core: Core, emitted: Vec<Emit>) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.take_back(core);
        lane.sealing = false;
        self.dispatch(id, emitted);
        let lane = self.lanes.get_mut(&id).expect("it was there above");
        let uploads = lane.uploads.drain(..).filter_map(|open| open.upload).collect();
        let spans: Vec<Span> = lane
            .members
            .iter()
            .filter(|(_, member)| member.position > member.from)
            .map(|(partition, member)| Span {
                partition: partition.clone(),
                assignment: member.assignment,
                from: member.from,
                to: member.position,
            })
            .collect();
        (lane.records, lane.encoded_bytes) = (0, 0);
        let letters = std::mem::take(&mut lane.letters);
        if spans.is_empty() && letters.is_empty() {
            self.advance(id);
            return;
        }
        lane.cutting = Some(spans.clone());
        self.next_object += 1;
        let manifest =
            format!("{}{}-{}", self.parts.options.manifest_prefix, self.parts.nonce, self.next_object).into();
        let cut = Cut { spans, uploads, letters, manifest, sealed: Instant::now() };
        let hands = self.hands.clone();
        self.work.push(Box::pin(async move { Event::Cut { lane: id, end: cut::run(cut, hands).await } }));
        self.advance(id);
    }

    fn cut_ended(&mut self, id: LaneId, end: CutEnd) -> Result<(), TaskError> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        let spans = lane.cutting.take().expect("a cut ends once");
        match end {
            CutEnd::Done { objects, took } => {
                self.parts.stats.cut_done(objects, took);
                for span in &spans {
                    if let Some(member) = lane.members.get_mut(&span.partition)
                        && member.assignment == span.assignment
                    {
                        member.from = span.to;
                        self.parts.stats.committed(&span.partition, span.to);
                    }
                }
            }
            CutEnd::Fenced => {
                TaskStats::add(&self.parts.stats.fenced_cuts, 1);
                let names: Vec<String> = spans.iter().map(ToString::to_string).collect();
                tracing::warn!(spans = names.join(", "), "a cut was not committed: the group has moved on");
                // One that is over fences them all, also those that are not over and would fall silent if they were merely
                // removed.
                if lane.members.len() > 1 || spans.len() > 1 {
                    let partition = spans[0].partition.clone();
                    return Err(TaskError::Fault(Arc::new(Fault::new(SharedLaneLost { partition }))));
                }
                // Nothing of this assignment can be committed any more. The source tells in its own time that it is over.
                for span in spans {
                    self.remove_member(id, &span.partition);
                }
                return Ok(());
            }
            CutEnd::Failed(fault) => return Err(TaskError::Fault(fault)),
        }
        self.advance(id);
        Ok(())
    }

    // ---- moving a lane on ----

    /// Starts what the lane can do next: the one place that decides it.
    fn advance(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if lane.is_settled() {
            let leaving: Vec<TopicPartition> =
                lane.members.iter().filter(|(_, member)| member.leaving).map(|(p, _)| p.clone()).collect();
            for partition in leaving {
                self.remove_member(id, &partition);
            }
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if lane.core.is_none() {
            return;
        }
        // Wanted while there was nothing to cut, or nothing but what the last cut has settled: the next record need not
        // leave alone because of it.
        lane.cut_wanted &= lane.has_progress();
        let leaving = lane.members.values().any(|member| member.leaving);
        let wants_cut = lane.cut_wanted || leaving || self.stopping.is_some();
        if wants_cut && lane.has_progress() && lane.cutting.is_none() {
            lane.cut_wanted = false;
            self.seal(id);
        } else if !(lane.queue.is_empty() || leaving && lane.has_progress()) {
            // Above the limit no more records are encoded until parts have left. What is encoded already is cut early by
            // `relieve`, so room comes back as long as the sink takes parts at all.
            if self.parts.budget.used() < self.parts.budget.limit() {
                self.start_job(id);
            } else {
                self.waiting_for_room = true;
            }
        }
    }

    fn start_job(&mut self, id: LaneId) {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        let mut core = lane.core.take().expect("the caller has looked");
        let mut fetched = Vec::new();
        let mut bytes = 0;
        while let Some(next) = lane.queue.front() {
            if !fetched.is_empty() && bytes + next.size() > JOB_BYTES {
                break;
            }
            bytes += next.size();
            fetched.extend(lane.queue.pop_front());
        }
        for fetched in &fetched {
            if let Some(member) = lane.members.get_mut(fetched.partition()) {
                member.at_work = true;
            }
        }
        let now = self.parts.clock.now_millis();
        let compute = self.parts.compute.clone();
        self.work.push(Box::pin(async move {
            let job = compute.run(move |workspace| {
                let worked = core.work(fetched, now, workspace);
                (core, worked)
            });
            match job.await {
                Some((core, worked)) => Event::Worked { lane: id, core, worked },
                None => Event::Panicked,
            }
        }));
    }

    fn seal(&mut self, id: LaneId) {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        let mut core = lane.core.take().expect("the caller has looked");
        lane.sealing = true;
        let compute = self.parts.compute.clone();
        self.work.push(Box::pin(async move {
            let job = compute.run(move |workspace| {
                let emitted = core.seal(workspace);
                (core, emitted)
            });
            match job.await {
                Some((core, emitted)) => Event::Sealed { lane: id, core, emitted },
                None => Event::Panicked,
            }
        }));
    }

    fn squeeze(&mut self, id: LaneId) {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        let mut core = lane.core.take().expect("the caller has looked");
        let compute = self.parts.compute.clone();
        self.work.push(Box::pin(async move {
            let job = compute.run(move |workspace| {
                core.squeeze(workspace);
                core
            });
            match job.await {
                Some(core) => Event::Squeezed { lane: id, core },
                None => Event::Panicked,
            }
        }));
    }

    /// Deadlines and memory, looked at every tick.
    fn look_around(&mut self) -> Result<(), TaskError> {
        let now = Instant::now();
        let overdue: Vec<TopicPartition> = self
            .revokes
            .iter()
            .filter(|revoke| now >= revoke.deadline)
            .flat_map(|revoke| revoke.waiting.iter().cloned())
            .collect();
        for partition in overdue {
            // A prepared intent is finished by the next owner; what is not prepared is read again.
            if let Some(id) = self.of_partition.get(&partition).copied() {
                self.drop_member(id, &partition)?;
            }
        }
        self.relieve();
        Ok(())
    }

    /// There is room again: lanes that had to wait go on.
    fn go_on(&mut self) {
        self.waiting_for_room = false;
        let idle: Vec<LaneId> =
            self.lanes.iter().filter(|(_, l)| l.core.is_some() && !l.queue.is_empty()).map(|(id, _)| *id).collect();
        for id in idle {
            self.advance(id);
        }
    }

    /// Under pressure: lanes that hold most are squeezed once, and cut if that does not help.
    fn relieve(&mut self) {
        let budget = &self.parts.budget;
        let threshold = (budget.limit() as f64 * PRESSURE) as usize;
        if budget.used() < threshold {
            return;
        }
        let mut excess = budget.used() - threshold;
        let mut by_memory: Vec<(usize, LaneId, bool)> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.core.is_some() && lane.memory.bytes() > 0)
            .map(|(id, lane)| (lane.memory.bytes(), *id, lane.squeezed))
            .collect();
        by_memory.sort_unstable_by(|a, b| b.cmp(a));
        for (bytes, id, squeezed) in by_memory {
            let lane = self.lanes.get_mut(&id).expect("just listed");
            if squeezed {
                lane.cut_wanted = true;
                self.advance(id);
            } else {
                self.squeeze(id);
            }
            if bytes >= excess {
                break;
            }
            excess -= bytes;
        }
    }
}

impl<F, K: Sink> Lane<F, K> {
    /// Whether there is anything to cut.
    fn has_progress(&self) -> bool {
        !self.letters.is_empty() || self.members.values().any(|member| member.position > member.from)
    }

    /// Whether nothing is open, queued or under way.
    fn is_settled(&self) -> bool {
        self.core.is_some() && self.cutting.is_none() && !self.sealing && !self.has_progress()
    }

    fn take_back(&mut self, core: Core) {
        let letters: usize = self.letters.iter().map(DeadLetter::size).sum();
        self.memory.resize(core.memory() + letters);
        self.core = Some(core);
    }
}

/// A partition whose records were mixed into objects with those of others was taken away.
#[derive(Debug, thiserror::Error)]
#[error(
    "{partition} was taken away while its records were in objects shared with other partitions; all are read again"
)]
pub struct SharedLaneLost {
    /// Which.
    pub partition: TopicPartition,
}

impl Diagnose for SharedLaneLost {
    fn code(&self) -> Code {
        "transit.shared-lane-lost"
    }
    fn blame(&self) -> Blame {
        Blame::Remote
    }
    fn retry(&self) -> Retry {
        Retry::After(Duration::ZERO)
    }
}

/// A job on a compute thread panicked.
#[derive(Debug, thiserror::Error)]
#[error("a record could not be encoded because of a defect in tidegate")]
pub struct JobPanicked;

impl Diagnose for JobPanicked {
    fn code(&self) -> Code {
        "transit.job-panicked"
    }
    fn blame(&self) -> Blame {
        Blame::Bug
    }
    fn retry(&self) -> Retry {
        Retry::Backoff
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some("report it with the panic's text, which stands in the log above".into())
    }
}
