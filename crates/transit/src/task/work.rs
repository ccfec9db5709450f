//! From records fetched to parts under way: one job a lane at a time on the compute threads.

use std::sync::Arc;

use data::TopicPartition;
use fault::{Blame, Code, Diagnose, Retry};

use super::lane::OpenObject;
use super::{Event, LaneId, Task};
use crate::dead_letter::DeadLetters;
use crate::lane::{Core, Emit, Worked};
use crate::mark::mark;
use crate::stats::TaskStats;
use crate::upload::Upload;
use crate::{Fetched, Sink, Source};

/// The most fetched bytes that one job takes up: some milliseconds of work, so that lanes take turns on few cores.
const JOB_BYTES: usize = 512 << 10;
/// S3 takes at most 10,000 parts an object; the rest is a margin for what one more job emits.
const PARTS_LIMIT: usize = 9_000;

impl<S: Source, K: Sink, D: DeadLetters> Task<S, K, D> {
    pub(super) fn enqueue(&mut self, fetched: S::Fetched) {
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

    pub(super) fn worked(&mut self, id: LaneId, core: Core, worked: Worked) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.take_back(core);
        lane.squeezed = false;
        lane.records += worked.records;
        lane.encoded_bytes += worked.encoded_bytes;
        TaskStats::add(&self.parts.stats.records, worked.records);
        TaskStats::add(&self.parts.stats.skipped_records, worked.skipped);
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
    pub(super) fn dispatch(&mut self, id: LaneId, emitted: Vec<Emit>) {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        for emit in emitted {
            match emit {
                Emit::Open(name) => {
                    let stands = lane.mend.as_ref().is_some_and(|mend| mend.stands(&name));
                    lane.uploads.push(OpenObject { name, stands, upload: None });
                }
                Emit::Restart(index) => lane.uploads[index.0 as usize].upload = None,
                Emit::Holds(index, partitions) => {
                    if let Some(upload) = &mut lane.uploads[index.0 as usize].upload {
                        upload.holds(partitions);
                    }
                }
                Emit::Part(index, _) if lane.uploads[index.0 as usize].stands => {}
                Emit::Part(index, body) => {
                    let bytes = body.iter().map(bytes::Bytes::len).sum();
                    TaskStats::add(&self.parts.stats.stored_bytes, bytes as u64);
                    let open = &mut lane.uploads[index.0 as usize];
                    let upload = open.upload.get_or_insert_with(|| {
                        self.next_object += 1;
                        let now = self.parts.clock.now_millis();
                        let marker = mark(&self.parts.connector, &self.parts.nonce, self.next_object, now);
                        let (sink, name) = (Arc::clone(&self.hands.sink), Arc::clone(&open.name));
                        Upload::begin(sink, name, marker, self.failures_in.clone())
                    });
                    // The part's bytes were charged as the encoder's output until now; `take_back` has counted the rest.
                    upload.part(body, self.parts.budget.charge(bytes));
                }
            }
        }
    }

    /// Starts what the lane can do next: the one place that decides it.
    pub(super) fn advance(&mut self, id: LaneId) {
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
        let mut wants_cut = lane.cut_wanted || leaving || self.stopping.is_some();
        if let Some(mend) = &lane.mend {
            let reached = lane.members.values().all(|member| member.position >= mend.to);
            if !reached && (leaving || self.stopping.is_some()) {
                // Cut sooner it would be another cut. The intent stays: the next owner begins anew.
                let partitions: Vec<TopicPartition> = lane.members.keys().cloned().collect();
                for partition in partitions {
                    self.remove_member(id, &partition);
                }
                return;
            }
            wants_cut = reached;
        }
        if wants_cut && lane.has_progress() && lane.cutting.is_none() {
            lane.cut_wanted = false;
            self.seal(id);
        } else if !(lane.queue.is_empty() || leaving && lane.has_progress()) {
            // Above the limit no more records are encoded until parts have left. What is encoded already is cut early by
            // `relieve`, so room comes back as long as the sink takes parts at all.
            //
            // Not a lane that mends: none of its parts leaves early, and what it takes up is at least not queued any more.
            if self.parts.budget.used() < self.parts.budget.limit() || lane.mend.is_some() {
                self.start_job(id);
            } else {
                self.waiting_for_room = true;
            }
        }
    }

    pub(super) fn start_job(&mut self, id: LaneId) {
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

    pub(super) fn seal(&mut self, id: LaneId) {
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

    pub(super) fn squeeze(&mut self, id: LaneId) {
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
