use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data::Offset;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::ProduceResponse;
use tokio::time::Instant;

use super::Error;
use super::batch::Stamp;
use super::producer::Shared;
use super::request::{Job, init_producer_id, produce};
use super::slot::{Batch, Identity, Slot};
use crate::ErrorCode;
use crate::cluster::{Error as ClusterError, Metadata};

/// Requests to one broker that are not answered. More than Java's five would be refused for idempotence only where one
/// partition has several in flight, which never happens here; five are enough to keep a connection busy.
const IN_FLIGHT: usize = 5;

/// A Produce request that is being put together.
#[derive(Default)]
struct Request {
    /// Before compression.
    bytes: usize,
    jobs: Vec<Job>,
}

/// What ended.
enum Done {
    Produced { node: i32, jobs: Vec<Job>, result: Result<ProduceResponse, ClusterError> },
    Refreshed(Result<Arc<Metadata>, ClusterError>),
    Identified(Result<Identity, ClusterError>),
}

struct Sender {
    shared: Arc<Shared>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Requests under way by node.
    busy: HashMap<i32, usize>,
    identity: Option<Identity>,
    identifying: bool,
    refreshing: bool,
    stale: bool,
    refresh_not_before: Instant,
    refresh_due: Instant,
    slots: Vec<Arc<Slot>>,
}

/// Sends batches until the task is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let now = Instant::now();
    let mut sender = Sender {
        refresh_due: now + shared.cluster.config().metadata_max_age,
        shared: shared.clone(),
        work: FuturesUnordered::new(),
        busy: HashMap::new(),
        identity: None,
        identifying: false,
        refreshing: false,
        stale: false,
        refresh_not_before: now,
        slots: Vec::new(),
    };
    loop {
        let wait_until = sender.launch();
        tokio::select! {
            Some(done) = sender.work.next() => sender.take(done),
            () = shared.wake.notified() => {}
            () = tokio::time::sleep_until(wait_until) => {}
        }
    }
}

impl Sender {
    /// Starts everything that can be started now. Says when to look again if nothing happens.
    fn launch(&mut self) -> Instant {
        let now = Instant::now();
        let mut wait_until = self.refresh_due;
        {
            let mut active = self.shared.active.lock().expect("no code panics while it holds this lock");
            active.retain(|slot| {
                let mut queue = slot.queue();
                queue.listed = !queue.batches.is_empty() || queue.in_flight.is_some();
                queue.listed
            });
            // Not always the same partitions first, where a request does not hold all of them.
            if !active.is_empty() {
                active.rotate_left(1);
            }
            self.slots.clone_from(&active);
        }
        if self.slots.is_empty() {
            // Nothing to do until a record comes, and that wakes us.
            return now + Duration::from_hours(1);
        }
        let idempotent = self.shared.config.idempotent;
        let metadata = self.shared.cluster.metadata();
        let mut requests: HashMap<i32, Vec<Request>> = HashMap::new();
        for slot in std::mem::take(&mut self.slots) {
            match self.ready(&slot, now) {
                Err(later) => wait_until = wait_until.min(later),
                Ok(false) => {}
                Ok(true) => {
                    if idempotent && self.identity.is_none() {
                        self.identify();
                        continue;
                    }
                    let Some(leader) = metadata.leader(&slot.partition) else {
                        self.stale = true;
                        continue;
                    };
                    let free = IN_FLIGHT - self.busy.get(&leader.node).copied().unwrap_or(0);
                    let requests = requests.entry(leader.node).or_default();
                    self.pick_into(&slot, requests, free);
                }
            }
        }
        for (node, requests) in requests {
            for Request { jobs, .. } in requests.into_iter().filter(|request| !request.jobs.is_empty()) {
                *self.busy.entry(node).or_default() += 1;
                let shared = self.shared.clone();
                self.work.push(Box::pin(async move {
                    let (jobs, result) = produce(&shared, node, jobs).await;
                    Done::Produced { node, jobs, result }
                }));
            }
        }
        wait_until.min(self.refresh(now))
    }

    /// Whether the slot's first batch is to be sent now; `Err` says when to look again.
    fn ready(&self, slot: &Slot, now: Instant) -> Result<bool, Instant> {
        let config = &self.shared.config;
        let mut queue = slot.queue();
        if queue.in_flight.is_some() {
            return Ok(false);
        }
        while let Some(first) = queue.batches.front()
            && first.created + config.delivery_timeout <= now
        {
            let batch = queue.batches.pop_front().expect("looked at above");
            // What became of it is not known, so neither is the sequence to go on with.
            queue.out_of_step |= batch.sealed.is_some();
            (queue.not_before, queue.backoff) = (None, None);
            expire(&batch, slot, config.delivery_timeout);
        }
        let several = queue.batches.len() > 1;
        let Some(first) = queue.batches.front() else { return Ok(false) };
        if let Some(not_before) = queue.not_before.filter(|not_before| *not_before > now) {
            return Err(not_before.min(first.created + config.delivery_timeout));
        }
        let lingered = first.created + config.linger;
        let pressed = self.shared.pressed.load(Ordering::Relaxed) > 0;
        if several || first.closed || first.failures > 0 || pressed || lingered <= now {
            return Ok(true);
        }
        Err(lingered)
    }

    /// Puts the slot's first batch into the last request, or into a new one if there may be another.
    fn pick_into(&mut self, slot: &Arc<Slot>, requests: &mut Vec<Request>, free: usize) {
        let Some(size) = slot.queue().batches.front().map(|batch| batch.writer.len()) else { return };
        let most = self.shared.config.max_request_size;
        if requests.last().is_none_or(|request| request.bytes + size > most) {
            if requests.len() == free {
                return;
            }
            requests.push(Request::default());
        }
        let job = self.pick(slot);
        if let Some(request) = requests.last_mut()
            && let Some(job) = job
        {
            request.bytes += size;
            request.jobs.push(job);
        }
    }

    /// Takes the slot's first batch out, stamped. `None` if there is no producer id to stamp it with.
    fn pick(&mut self, slot: &Arc<Slot>) -> Option<Job> {
        let mut queue = slot.queue();
        let sent_before = queue.batches.front()?.sealed.as_ref().map(|(stamp, _)| *stamp);
        let stamp = match sent_before {
            Some(stamp) => stamp,
            None if self.shared.config.idempotent => queue.stamp(&mut self.identity)?,
            None => Stamp::NONE,
        };
        let mut batch = queue.batches.pop_front()?;
        batch.closed = true;
        queue.in_flight = Some(batch.fate.clone());
        Some(Job { slot: slot.clone(), batch, stamp })
    }

    /// Asks for an id, unless that is under way.
    fn identify(&mut self) {
        if !std::mem::replace(&mut self.identifying, true) {
            let cluster = self.shared.cluster.clone();
            self.work.push(Box::pin(async move { Done::Identified(init_producer_id(&cluster).await) }));
        }
    }

    /// Refreshes the metadata if they are stale or old. Says when to look again.
    fn refresh(&mut self, now: Instant) -> Instant {
        if self.refreshing {
            return self.refresh_due.max(now + Duration::from_secs(1));
        }
        if !self.stale && now < self.refresh_due {
            return self.refresh_due;
        }
        if now < self.refresh_not_before {
            return self.refresh_not_before;
        }
        self.refreshing = true;
        self.stale = false;
        let config = self.shared.cluster.config();
        self.refresh_not_before = now + config.retry_backoff;
        self.refresh_due = now + config.metadata_max_age;
        let cluster = self.shared.cluster.clone();
        self.work.push(Box::pin(async move { Done::Refreshed(cluster.refresh().await) }));
        self.refresh_due
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Produced { node, jobs, result } => {
                if let Some(busy) = self.busy.get_mut(&node) {
                    *busy -= 1;
                }
                match result {
                    Ok(response) => self.answered(jobs, &response),
                    Err(error) => self.unanswered(jobs, &error),
                }
            }
            Done::Refreshed(Ok(metadata)) => {
                self.refreshing = false;
                for name in self.shared.names() {
                    self.shared.adopt(&metadata, &name);
                }
            }
            Done::Refreshed(Err(_)) => {
                self.refreshing = false;
                self.stale = true;
            }
            Done::Identified(Ok(identity)) => {
                self.identifying = false;
                self.identity = Some(identity);
            }
            Done::Identified(Err(error)) => {
                self.identifying = false;
                if !error.is_retriable() {
                    self.give_up(&error);
                }
            }
        }
    }

    /// Settles everything that waits: without an id nothing can be written.
    fn give_up(&self, error: &ClusterError) {
        let slots = self.shared.active.lock().expect("no code panics while it holds this lock").clone();
        for slot in slots {
            for batch in slot.queue().batches.drain(..) {
                let topic = slot.partition.topic.clone();
                batch.fate.settle(Err(Error::Unprepared { topic, source: error.clone() }));
            }
        }
    }

    fn unanswered(&mut self, jobs: Vec<Job>, error: &ClusterError) {
        self.stale = true;
        for job in jobs {
            if error.is_retriable() {
                self.again(job, error.clone());
            } else {
                let topic = job.slot.partition.topic.clone();
                settle(job, Err(Error::Unprepared { topic, source: error.clone() }));
            }
        }
    }

    fn answered(&mut self, jobs: Vec<Job>, response: &ProduceResponse) {
        for job in jobs {
            let partition = &job.slot.partition;
            let answer = response
                .responses
                .iter()
                .filter(|topic| **topic.name == *partition.topic)
                .flat_map(|topic| &topic.partition_responses)
                .find(|answer| answer.index == partition.partition);
            let Some(answer) = answer else {
                let what = format!("records for {partition}").into();
                self.again(job, ClusterError::Incomplete { what });
                continue;
            };
            let Some(code) = ErrorCode::of(answer.error_code) else {
                let base = Some(Offset(answer.base_offset)).filter(|base| base.0 >= 0);
                settle(job, Ok(base));
                continue;
            };
            let error = || {
                let what = format!("writing to {}", job.slot.partition);
                ClusterError::refused(what, code, answer.error_message.as_deref())
            };
            match code {
                // An earlier try had arrived, and so long ago that the broker no longer knows its offset.
                ErrorCode::DUPLICATE_SEQUENCE_NUMBER => settle(job, Ok(None)),
                // The broker has forgotten us, or lost records of ours: nothing of this batch is written. Begin anew
                // under a higher epoch (KIP-360).
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::UNKNOWN_PRODUCER_ID
                | ErrorCode::INVALID_PRODUCER_EPOCH
                    if self.shared.config.idempotent =>
                {
                    tracing::warn!(partition = %job.slot.partition, %code, "the producer's sequence begins anew");
                    let error = error();
                    let mut job = job;
                    job.batch.sealed = None;
                    job.slot.queue().out_of_step = true;
                    self.again(job, error);
                }
                code if code.is_retriable() => {
                    self.stale |= code.is_stale_metadata();
                    let error = error();
                    self.again(job, error);
                }
                code => {
                    let partition = job.slot.partition.clone();
                    let message = answer.error_message.as_deref().map(Into::into);
                    settle(job, Err(Error::Refused { partition, code, message }));
                }
            }
        }
    }

    /// Puts a batch back at the head of its partition, to be sent again after a pause.
    fn again(&self, job: Job, error: ClusterError) {
        let Job { slot, mut batch, .. } = job;
        batch.failures += 1;
        batch.last_error = Some(error);
        let mut queue = slot.queue();
        let pause = queue.backoff.get_or_insert_with(|| self.shared.cluster.retry_backoff()).next_pause();
        queue.not_before = Some(Instant::now() + pause);
        queue.in_flight = None;
        queue.batches.push_front(batch);
    }
}

/// Ends a batch for good.
fn settle(job: Job, result: Result<Option<Offset>, Error>) {
    let Job { slot, batch, stamp } = job;
    let mut queue = slot.queue();
    queue.in_flight = None;
    queue.not_before = None;
    queue.backoff = None;
    if result.is_ok() && stamp != Stamp::NONE {
        queue.advance(stamp, batch.writer.count());
    }
    // A batch that was refused is not written, so its sequence numbers are still free, unless it was tried before and
    // that try's outcome is not known.
    queue.out_of_step |= result.is_err() && stamp != Stamp::NONE && batch.failures > 0;
    drop(queue);
    batch.fate.settle(result);
}

fn expire(batch: &Batch, slot: &Slot, after: Duration) {
    let source = batch.last_error.clone();
    batch.fate.settle(Err(Error::Expired { partition: slot.partition.clone(), after, source }));
}
