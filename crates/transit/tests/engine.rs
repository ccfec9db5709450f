//! The real task loop against a simulated group and a simulated store: workers are killed between any two awaits, lose
//! their partitions while requests are on the wire, and come back; requests are applied late, twice, or with their answer
//! lost. At the end each record must be in exactly one visible object, and no visible object may ever have changed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use data::{Arena, Offset, RecordFault, RecordView, TopicPartition};
use fault::Fault;
use format::{Encode, Output, Scratch};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use transit::*;
use world::Clock;

// ---- a little random ----

#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)))
    }
    fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) % limit
    }
}

// ---- the store ----

#[derive(Default)]
struct Store {
    uploads: HashMap<String, Pending>,
    objects: BTreeMap<String, (String, Vec<u8>)>,
    manifests: HashMap<String, Bytes>,
    next: u64,
    violations: Vec<String>,
}

#[derive(Default)]
struct Pending {
    name: String,
    marker: String,
    parts: BTreeMap<i32, Vec<u8>>,
}

/// One worker's way to the store.
struct SimSink {
    store: Arc<Mutex<Store>>,
    dice: Dice,
    may_publish: bool,
}

impl SimSink {
    /// A request: it travels, is applied (even if the caller is dead by then), and its answer travels back or is lost.
    async fn request<T: Send + 'static>(&self, apply: impl Fn(&mut Store) -> T + Send + Sync + 'static) -> T {
        let (store, dice) = (Arc::clone(&self.store), self.dice.clone());
        let apply = Arc::new(apply);
        loop {
            let (there, back) = (dice.below(40), dice.below(40));
            let lost = dice.below(8) == 0;
            let (store, apply) = (Arc::clone(&store), Arc::clone(&apply));
            // In a task of its own: a request on the wire is applied although its sender has died.
            let travelling = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(there)).await;
                let answer = apply(&mut store.lock().unwrap());
                tokio::time::sleep(Duration::from_millis(back)).await;
                answer
            });
            let answer = travelling.await.unwrap();
            if !lost {
                return answer;
            }
        }
    }
}

impl Sink for SimSink {
    async fn begin(&self, name: &ObjectName, marker: &str) -> Result<UploadId, Fault> {
        let (name, marker) = (name.to_string(), marker.to_owned());
        Ok(self
            .request(move |store| {
                store.next += 1;
                let id = format!("u{}", store.next);
                let pending = Pending { name: name.clone(), marker: marker.clone(), parts: BTreeMap::new() };
                store.uploads.insert(id.clone(), pending);
                id.into()
            })
            .await)
    }

    async fn part(&self, _: &ObjectName, upload: &UploadId, number: i32, body: Vec<Bytes>) -> Result<PartTag, Fault> {
        let upload = upload.to_string();
        let body = body.concat();
        Ok(self
            .request(move |store| {
                if let Some(pending) = store.uploads.get_mut(&upload) {
                    pending.parts.insert(number, body.clone());
                }
                PartTag { number, tag: format!("\"{number}\"") }
            })
            .await)
    }

    async fn publish(&self, object: &IntentObject, parts: &[PartTag]) -> Result<Finished, Fault> {
        if !self.may_publish {
            return Err(Fault::new(CommitRefused { code: "the store denies it".to_owned() }));
        }
        self.complete(object, Some(parts.len())).await
    }

    async fn finish(&self, object: &IntentObject) -> Result<Finished, Fault> {
        self.complete(object, None).await
    }

    async fn abort(&self, _: &ObjectName, upload: &UploadId) {
        let upload = upload.to_string();
        self.request(move |store| store.uploads.remove(&upload).is_some()).await;
    }

    async fn put_manifest(&self, name: &ObjectName, body: Bytes) -> Result<(), Fault> {
        let name = name.to_string();
        self.request(move |store| {
            store.manifests.insert(name.clone(), body.clone());
        })
        .await;
        Ok(())
    }

    async fn get_manifest(&self, name: &ObjectName) -> Result<Option<Bytes>, Fault> {
        let name = name.to_string();
        Ok(self.request(move |store| store.manifests.get(&name).cloned()).await)
    }

    async fn delete_manifest(&self, name: &ObjectName) {
        let name = name.to_string();
        self.request(move |store| store.manifests.remove(&name).is_some()).await;
    }

    fn min_part(&self) -> usize {
        1
    }
}

impl SimSink {
    async fn complete(&self, object: &IntentObject, expected: Option<usize>) -> Result<Finished, Fault> {
        let object = object.clone();
        Ok(self
            .request(move |store| {
                if let Some(pending) = store.uploads.remove(&*object.upload) {
                    assert_eq!((&*pending.name, &*pending.marker), (&*object.name, &*object.marker));
                    if expected.is_some_and(|expected| expected != pending.parts.len()) {
                        store.violations.push(format!("{} was completed without all of its parts", pending.name));
                    }
                    let body = pending.parts.into_values().flatten().collect();
                    if let Some((marker, _)) = store.objects.insert(pending.name.clone(), (pending.marker, body)) {
                        store.violations.push(format!("{} ({marker}) was replaced", pending.name));
                    }
                    return Finished::Visible;
                }
                match store.objects.get(&*object.name) {
                    Some((marker, _)) if **marker == *object.marker => Finished::Visible,
                    _ => Finished::Gone,
                }
            })
            .await)
    }
}

// ---- the group ----

struct Group {
    records: Vec<i64>,
    committed: Vec<(i64, String)>,
    /// Which worker owns each partition, under which assignment.
    owners: Vec<Option<(usize, Assignment)>>,
    inboxes: HashMap<usize, mpsc::Sender<SourceEvent<SimFetched>>>,
    next: u64,
}

type Shared = Arc<Mutex<Group>>;

fn partition(number: usize) -> TopicPartition {
    TopicPartition::new("t", number as i32)
}

impl Group {
    fn new(partitions: usize, records: i64) -> Self {
        Self {
            records: vec![records; partitions],
            committed: vec![(0, String::new()); partitions],
            owners: vec![None; partitions],
            inboxes: HashMap::new(),
            next: 0,
        }
    }

    /// Gives a partition to a worker, however its old owner feels about it.
    fn give(&mut self, number: usize, worker: usize) {
        self.next += 1;
        let assignment = Assignment(self.next);
        let (offset, metadata) = self.committed[number].clone();
        self.owners[number] = Some((worker, assignment));
        let assigned =
            Assigned { partition: partition(number), assignment, position: Offset(offset), committed: true, metadata };
        self.inboxes[&worker].try_send(SourceEvent::Assigned(vec![assigned])).unwrap();
    }

    /// Asks the owner to give a partition up; it may go on committing until it has.
    fn revoke(&mut self, number: usize) -> Option<oneshot::Receiver<()>> {
        let (worker, assignment) = self.owners[number]?;
        let (revoked, done) = Revoked::new(vec![(partition(number), assignment)]);
        self.inboxes.get(&worker)?.try_send(SourceEvent::Revoked(revoked)).ok()?;
        Some(done)
    }

    fn is_committed(&self) -> bool {
        self.committed.iter().zip(&self.records).all(|((offset, _), end)| offset == end)
    }

    fn take(&mut self, number: usize) {
        if let Some((worker, assignment)) = self.owners[number].take()
            && let Some(inbox) = self.inboxes.get(&worker)
        {
            inbox.try_send(SourceEvent::Lost(vec![(partition(number), assignment)])).ok();
        }
    }
}

struct SimSource {
    worker: usize,
    group: Shared,
    dice: Dice,
    inbox: mpsc::Receiver<SourceEvent<SimFetched>>,
    reading: VecDeque<(usize, Assignment, i64)>,
}

#[derive(Debug)]
struct SimFetched {
    partition: TopicPartition,
    assignment: Assignment,
    from: i64,
    to: i64,
    done: bool,
}

impl Fetched for SimFetched {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }
    fn assignment(&self) -> Assignment {
        self.assignment
    }
    fn next_offset(&self) -> Offset {
        Offset(self.to)
    }
    fn size(&self) -> usize {
        (self.to - self.from) as usize
    }
    fn decode(&mut self, arena: &mut Arena) -> Result<bool, PoisonBatch> {
        arena.clear();
        if self.done {
            return Ok(false);
        }
        for offset in self.from..self.to {
            let start = arena.bytes().len();
            arena.bytes_mut().extend_from_slice(format!("{}@{offset}", self.partition).as_bytes());
            let end = arena.bytes().len();
            arena.push(Offset(offset), 0, None, Some((start, end)), arena.header_count());
        }
        self.done = true;
        Ok(true)
    }
}

#[derive(Clone)]
struct SimCommitter {
    group: Shared,
    dice: Dice,
}

impl Committer for SimCommitter {
    async fn commit(&self, commits: Vec<Commit>) -> Result<CommitOutcome, Fault> {
        let (group, dice) = (Arc::clone(&self.group), self.dice.clone());
        let travelling = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
            let owned = |group: &Group| {
                let ours = |commit: &Commit| {
                    group.owners[commit.partition.partition as usize].is_some_and(|(_, a)| a == commit.assignment)
                };
                commits.iter().all(ours)
            };
            let outcome = {
                let mut group = group.lock().unwrap();
                if owned(&group) {
                    for commit in &commits {
                        group.committed[commit.partition.partition as usize] =
                            (commit.offset.0, commit.metadata.to_string());
                    }
                    CommitOutcome::Done
                } else {
                    CommitOutcome::Fenced
                }
            };
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
            // The answer is lost, and the assignment is over before it can be asked for again.
            let lost = dice.below(2) == 0 && !owned(&group.lock().unwrap());
            if lost { CommitOutcome::Unknown } else { outcome }
        });
        Ok(travelling.await.unwrap())
    }
}

impl Source for SimSource {
    type Fetched = SimFetched;
    type Committer = SimCommitter;

    fn committer(&self) -> SimCommitter {
        SimCommitter { group: Arc::clone(&self.group), dice: self.dice.clone() }
    }

    async fn next(&mut self) -> Result<SourceEvent<SimFetched>, Fault> {
        loop {
            if let Ok(event) = self.inbox.try_recv() {
                return Ok(event);
            }
            if let Some((number, assignment, at)) = self.reading.pop_front() {
                let group = self.group.lock().unwrap();
                let ours = group.owners[number] == Some((self.worker, assignment));
                let end = group.records[number];
                drop(group);
                if ours && at < end {
                    let to = end.min(at + 1 + self.dice.below(9) as i64);
                    self.reading.push_back((number, assignment, to));
                    return Ok(SourceEvent::Fetched(SimFetched {
                        partition: partition(number),
                        assignment,
                        from: at,
                        to,
                        done: false,
                    }));
                }
                continue;
            }
            return Ok(self.inbox.recv().await.expect("the group keeps a sender"));
        }
    }

    fn resume(&mut self, partition: &TopicPartition, assignment: Assignment, at: Offset) {
        self.reading.retain(|(number, ..)| *number != partition.partition as usize);
        self.reading.push_back((partition.partition as usize, assignment, at.0));
    }

    async fn leave(self) {}
}

// ---- records to bytes, groups to names ----

#[derive(Default)]
struct Lines {
    output: Output,
    raw: u64,
}

impl Encode for Lines {
    fn record(&mut self, record: &RecordView<'_>, _: &mut Scratch) -> Result<(), RecordFault> {
        let mut line = record.value.unwrap().to_vec();
        line.push(b'\n');
        self.raw += line.len() as u64;
        self.output.push(line.into());
        Ok(())
    }
    fn finish(&mut self, _: &mut Scratch) {}
    fn squeeze(&mut self, _: &mut Scratch) {}
    fn output(&mut self) -> &mut Output {
        &mut self.output
    }
    fn memory(&self) -> usize {
        self.output.len()
    }
    fn raw_bytes(&self) -> u64 {
        self.raw
    }
}

struct LinesEncoders;

impl Encoders for LinesEncoders {
    fn open(&self) -> Box<dyn Encode> {
        Box::<Lines>::default()
    }
}

/// Groups of at most `limit` records, per partition; or by the last digit of the offset over all partitions.
#[derive(Clone)]
struct SimRouter {
    lanes: Lanes,
    limit: u64,
    nonce: Arc<Mutex<u64>>,
}

struct SimRoute {
    router: SimRouter,
    open: HashMap<String, (GroupIndex, u64)>,
    count: u32,
    /// What was routed last: its key, and what was open under it before.
    last: Option<(String, Option<(GroupIndex, u64)>)>,
}

impl Route for SimRoute {
    fn route(&mut self, partition: &TopicPartition, record: &RecordView<'_>, _: i64) -> Result<Routed, RecordFault> {
        let key = match self.router.lanes {
            Lanes::PerPartition => partition.to_string(),
            Lanes::Shared => format!("digit{}", record.offset.0 % 3),
        };
        self.last = Some((key.clone(), self.open.get(&key).copied()));
        let full = self.open.get(&key).map(|(index, records)| (*index, *records >= self.router.limit));
        if let Some((index, false)) = full {
            self.open.get_mut(&key).unwrap().1 += 1;
            return Ok(Routed::Group(index));
        }
        let name: ObjectName = match self.router.lanes {
            Lanes::PerPartition => format!("{key}-{}", record.offset).into(),
            // A name that no span determines: here only the multipart fence protects.
            Lanes::Shared => {
                let mut nonce = self.router.nonce.lock().unwrap();
                *nonce += 1;
                format!("{key}-{nonce}").into()
            }
        };
        self.open.insert(key, (GroupIndex(self.count), 1));
        self.count += 1;
        Ok(Routed::Open { name, closes: full.map(|(index, _)| index) })
    }
    fn undo(&mut self) {
        let (key, before) = self.last.take().unwrap();
        let now = self.open.remove(&key);
        if now.map(|(index, _)| index) != before.map(|(index, _)| index) {
            self.count -= 1;
        }
        self.open.extend(before.map(|before| (key, before)));
    }
    fn cut(&mut self) {
        self.open.clear();
        self.count = 0;
    }
}

impl Router for SimRouter {
    fn lanes(&self) -> Lanes {
        self.lanes
    }
    fn route(&self) -> Box<dyn Route> {
        Box::new(SimRoute { router: self.clone(), open: HashMap::new(), count: 0, last: None })
    }
}

struct NoLetters;

impl DeadLetters for NoLetters {
    async fn send(&self, letters: Vec<DeadLetter>) -> Result<(), Fault> {
        panic!("no record of this test is bad: {letters:?}");
    }
}

// ---- the play ----

struct Play {
    group: Shared,
    store: Arc<Mutex<Store>>,
    dice: Dice,
    router: SimRouter,
    compute: Compute,
    budget: Budget,
    workers: HashMap<usize, Worker>,
    next_worker: usize,
    recipe: &'static str,
    mode: WriteMode,
    may_publish: bool,
}

struct Worker {
    task: tokio::task::JoinHandle<Result<(), TaskError>>,
    stop: watch::Sender<bool>,
    stats: Arc<TaskStats>,
}

impl Play {
    fn new(dice: Dice, lanes: Lanes, limit: u64, group: Group) -> Self {
        Self {
            group: Arc::new(Mutex::new(group)),
            store: Arc::default(),
            router: SimRouter { lanes, limit, nonce: Arc::default() },
            dice,
            compute: Compute::start(1).unwrap(),
            budget: Budget::new(1 << 20),
            workers: HashMap::new(),
            next_worker: 0,
            recipe: "r",
            mode: WriteMode::ExactlyOnce,
            may_publish: true,
        }
    }

    /// A lifecycle rule of the bucket ends some upload, whoever still wants it.
    fn abort_an_upload(&self) {
        let mut store = self.store.lock().unwrap();
        let mut ids: Vec<String> = store.uploads.keys().cloned().collect();
        ids.sort_unstable();
        if !ids.is_empty() {
            let id = &ids[self.dice.below(ids.len() as u64) as usize];
            store.uploads.remove(id);
        }
    }

    fn start_worker(&mut self) -> usize {
        let id = self.next_worker;
        self.next_worker += 1;
        let (sender, inbox) = mpsc::channel(1000);
        self.group.lock().unwrap().inboxes.insert(id, sender);
        let source = SimSource {
            worker: id,
            group: Arc::clone(&self.group),
            dice: self.dice.clone(),
            inbox,
            reading: VecDeque::new(),
        };
        let stats = Arc::<TaskStats>::default();
        let parts = TaskParts {
            connector: "sim".into(),
            nonce: format!("w{id}").into(),
            sink: Arc::new(SimSink {
                store: Arc::clone(&self.store),
                dice: self.dice.clone(),
                may_publish: self.may_publish,
            }),
            letters: Arc::new(NoLetters),
            router: Arc::new(self.router.clone()),
            encoders: Arc::new(LinesEncoders),
            budget: self.budget.clone(),
            compute: self.compute.clone(),
            clock: Clock::system(),
            stats: Arc::clone(&stats),
            options: TaskOptions {
                mode: self.mode,
                tolerance: Tolerance { tolerate: false, report: false },
                rotate_interval: Duration::from_millis(100 + self.dice.below(200)),
                rotate_bytes: None,
                rotate_records: Some(20),
                part_size: 40,
                manifest_prefix: ".m/".to_owned(),
                recipe: Some(self.recipe.into()),
                // At times less than the group's, at times more.
                patience: Duration::from_millis([50, 5000][self.dice.below(2) as usize]),
                drain_to: HashMap::new(),
            },
        };
        let (stop, stopped) = watch::channel(false);
        self.workers.insert(id, Worker { task: tokio::spawn(run(source, parts, stopped)), stop, stats });
        id
    }

    /// Ends a worker between two awaits. (What it has sent arrives; the uploads that it aborts while it is dropped are
    /// those that a kill would leave: nobody reads them.)
    fn kill(&mut self, id: usize) {
        self.workers.remove(&id).unwrap().task.abort();
        let mut group = self.group.lock().unwrap();
        group.inboxes.remove(&id);
        for owner in &mut group.owners {
            if owner.is_some_and(|(worker, _)| worker == id) {
                *owner = None;
            }
        }
    }

    fn assign_orphans(&mut self) {
        let mut ids: Vec<usize> = self.workers.keys().copied().collect();
        ids.sort_unstable();
        let mut group = self.group.lock().unwrap();
        for number in 0..group.owners.len() {
            if group.owners[number].is_none() {
                let worker = ids[self.dice.below(ids.len() as u64) as usize];
                group.give(number, worker);
            }
        }
    }

    /// Waits until the compute thread has done its jobs. The runtime's clock is paused and jumps whenever nothing is due,
    /// so on a busy machine all the virtual minutes would be over before that thread has had the processor once.
    fn let_compute_catch_up(&self) {
        let (done, reached) = std::sync::mpsc::channel();
        // Polled once it is in the queue, behind all others.
        self.compute.run(move |_| done.send(()).ok()).now_or_never();
        reached.recv_timeout(Duration::from_mins(1)).expect("the compute thread gets the processor within a minute");
    }

    /// Peace: everything is read to its end and committed. Then each record is in one object.
    async fn end_in_peace(&mut self, seed: u64) {
        let committed = tokio::time::timeout(Duration::from_mins(10), async {
            loop {
                self.replace_ended();
                self.assign_orphans();
                if self.group.lock().unwrap().is_committed() {
                    return;
                }
                self.let_compute_catch_up();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let group = self.group.lock().unwrap();
        assert!(committed.is_ok(), "seed {seed}: not everything was committed: {:?}", group.committed);
        for worker in self.workers.values() {
            worker.stop.send(true).ok();
        }
        let store = self.store.lock().unwrap();
        assert!(store.violations.is_empty(), "seed {seed}: {:?}", store.violations);
        let mut times_of: HashMap<&str, u32> = HashMap::new();
        for (_, body) in store.objects.values() {
            for line in std::str::from_utf8(body).unwrap().lines() {
                *times_of.entry(line).or_default() += 1;
            }
        }
        for (number, end) in group.records.iter().enumerate() {
            for offset in 0..*end {
                let times = times_of.remove(format!("{}@{offset}", partition(number)).as_str()).unwrap_or(0);
                assert_eq!(
                    times, 1,
                    "seed {seed}: record {offset} of partition {number} is in {times} visible objects"
                );
            }
        }
        assert!(times_of.is_empty(), "seed {seed}: {times_of:?}");
    }

    /// A worker that has ended by itself (a shared lane was lost) is started anew, as a supervisor would.
    fn replace_ended(&mut self) {
        let mut ended: Vec<usize> =
            self.workers.iter().filter(|(_, worker)| worker.task.is_finished()).map(|(id, _)| *id).collect();
        ended.sort_unstable();
        for id in ended {
            self.kill(id);
            self.start_worker();
        }
    }
}

async fn play(seed: u64, lanes: Lanes) {
    let (partitions, records) = (3, 60);
    let dice = Dice::new(seed);
    let limit = 4 + dice.below(20);
    let mut play = Play::new(dice, lanes, limit, Group::new(partitions, records));
    play.start_worker();
    play.start_worker();
    for _ in 0..25 {
        play.replace_ended();
        play.assign_orphans();
        tokio::time::sleep(Duration::from_millis(play.dice.below(150))).await;
        let mut ids: Vec<usize> = play.workers.keys().copied().collect();
        ids.sort_unstable();
        let victim = ids[play.dice.below(ids.len() as u64) as usize];
        // Objects that hold records of several partitions are read again when they are torn, which is sound only for the
        // last record of a name; here they hold all of them.
        match play.dice.below(if lanes == Lanes::PerPartition { 6 } else { 4 }) {
            4 | 5 => play.abort_an_upload(),
            0 => {
                play.kill(victim);
                play.start_worker();
            }
            1 => {
                let number = play.dice.below(partitions as u64) as usize;
                play.group.lock().unwrap().take(number);
            }
            2 => {
                let number = play.dice.below(partitions as u64) as usize;
                let asked = play.group.lock().unwrap().revoke(number);
                if let Some(done) = asked {
                    // The group's patience ends at times before the worker is done; then the partition is simply gone.
                    let patience = Duration::from_millis(play.dice.below(400));
                    tokio::time::timeout(patience, done).await.ok();
                    play.group.lock().unwrap().take(number);
                }
            }
            _ => {}
        }
    }
    play.end_in_peace(seed).await;
}

fn run_seeds(lanes: Lanes, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        in_virtual_time(play(seed, lanes));
    }
}

fn in_virtual_time(play: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play);
}

#[test]
fn each_record_is_in_one_object_whatever_happens_to_workers_with_a_lane_per_partition() {
    run_seeds(Lanes::PerPartition, 0..150);
}

#[test]
fn each_record_is_in_one_object_whatever_happens_to_workers_with_a_shared_lane() {
    run_seeds(Lanes::Shared, 1000..1150);
}

/// A torn cut of offsets 0 to 20, prepared as four objects of five records: those of 0 and 10 are visible, the uploads of
/// 5 and 15 are gone. Its intent says that it holds `records`.
fn torn(seed: u64, records: u64) -> Play {
    let object = |from: i64| IntentObject {
        name: format!("{}-{from}", partition(0)).into(),
        upload: format!("old{from}").into(),
        marker: format!("theirs {from}").into(),
        shared: false,
    };
    let recipe = Some(intent::Recipe { name: "r".into(), records });
    let intent = intent::Intent { to: Offset(20), objects: [0, 5, 10, 15].map(object).to_vec(), recipe };
    let mut group = Group::new(1, 40);
    group.committed[0] = (0, intent.encode().to_string());
    let play = Play::new(Dice::new(seed), Lanes::PerPartition, 5, group);
    for from in [0, 10] {
        let lines: Vec<String> = (from..from + 5).map(|offset| format!("{}@{offset}", partition(0))).collect();
        let object = object(from);
        let visible = (object.marker.to_string(), (lines.join("\n") + "\n").into_bytes());
        play.store.lock().unwrap().objects.insert(object.name.to_string(), visible);
    }
    play
}

#[test]
fn of_a_torn_cut_only_the_missing_objects_are_written_whoever_dies_over_it() {
    for seed in 0..60 {
        in_virtual_time(async {
            let mut play = torn(seed, 20);
            // A record that is not of this cut must not get into its objects, however it was fetched; nor must any be
            // cut off before all of its records are read.
            for _ in 0..play.dice.below(3) {
                let worker = play.start_worker();
                play.assign_orphans();
                tokio::time::sleep(Duration::from_millis(play.dice.below(300))).await;
                play.kill(worker);
            }
            play.start_worker();
            let workers = play.next_worker;
            play.end_in_peace(seed).await;
            assert_eq!(play.next_worker, workers, "seed {seed}: a worker gave up");
            let store = play.store.lock().unwrap();
            for (from, by) in [(0, "theirs 0"), (5, "sim "), (10, "theirs 10"), (15, "sim ")] {
                let (marker, body) = &store.objects[&format!("{}-{from}", partition(0))];
                assert!(marker.starts_with(by), "seed {seed}: object {from} is by {marker}");
                assert_eq!(body.split(|byte| *byte == b'\n').count(), 5 + 1, "seed {seed}: object {from}");
            }
        });
    }
}

#[test]
fn a_torn_cut_that_could_come_out_otherwise_is_left_to_a_person() {
    // (what the connector's recipe is now, how many records there were)
    for (recipe, records, why) in [
        ("another", 20, "the configuration, or the version of tidegate, is another one now"),
        ("r", 21, "20 of the 21 records are left in the topic"),
    ] {
        in_virtual_time(async {
            let mut play = torn(1, records);
            play.recipe = recipe;
            let worker = play.start_worker();
            play.assign_orphans();
            let wait = async {
                while !play.workers[&worker].task.is_finished() {
                    play.let_compute_catch_up();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(Duration::from_mins(10), wait).await.expect("the worker gives up");
            let Err(TaskError::Fault(fault)) = play.workers.remove(&worker).unwrap().task.await.unwrap() else {
                panic!("it went on");
            };
            assert_eq!(fault.code(), "transit.torn-cut");
            assert!(fault.to_string().ends_with(why), "{fault}");
            assert_eq!(play.store.lock().unwrap().objects.len(), 2, "nothing became visible");
            assert_eq!(play.group.lock().unwrap().committed[0].0, 0, "nothing was committed");
        });
    }
}

#[test]
fn an_upload_that_may_not_be_published_is_ended_unless_an_intent_names_it() {
    for mode in [WriteMode::AtLeastOnce, WriteMode::ExactlyOnce] {
        in_virtual_time(async {
            let mut play = Play::new(Dice::new(3), Lanes::PerPartition, 30, Group::new(1, 20));
            (play.mode, play.may_publish) = (mode, false);
            let worker = play.start_worker();
            play.assign_orphans();
            let wait = async {
                while !play.workers[&worker].task.is_finished() {
                    play.let_compute_catch_up();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(Duration::from_mins(10), wait).await.expect("the worker gives up");
            // Aborts go on in the background.
            tokio::time::sleep(Duration::from_mins(1)).await;
            let (offset, intent) = play.group.lock().unwrap().committed[0].clone();
            let left = play.store.lock().unwrap().uploads.len();
            assert_eq!((offset, intent.is_empty()), (0, mode == WriteMode::AtLeastOnce));
            assert_eq!(left, usize::from(mode == WriteMode::ExactlyOnce), "{mode:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_open_records_leaves_a_shared_lane_without_ending_the_task() {
    let mut play = Play::new(Dice::new(7), Lanes::Shared, 10, Group::new(2, 60));
    play.group.lock().unwrap().records[1] = 0;
    let worker = play.start_worker();
    let done = tokio::time::timeout(Duration::from_mins(1), async {
        while play.group.lock().unwrap().committed[0].0 < 60 {
            {
                let mut group = play.group.lock().unwrap();
                group.take(1);
                (0..2)
                    .filter(|number| group.owners[*number].is_none())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|number| group.give(number, worker));
            }
            play.let_compute_catch_up();
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    });
    assert!(done.await.is_ok(), "the other partition is not held up");
    assert!(!play.workers[&worker].task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_shows_no_partition_as_its_own() {
    let mut play = Play::new(Dice::new(7), Lanes::Shared, 10, Group::new(2, 60));
    let worker = play.start_worker();
    play.assign_orphans();
    let ended = async {
        while play.workers[&worker].stats.records.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            play.let_compute_catch_up();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Its records are in objects shared with the other's: the task gives up.
        play.group.lock().unwrap().take(1);
        while !play.workers[&worker].task.is_finished() {
            play.let_compute_catch_up();
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), ended).await.expect("the worker gives up");
    assert_eq!(play.workers[&worker].stats.partitions(), []);
}
