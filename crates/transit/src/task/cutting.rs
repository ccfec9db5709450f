//! Cuts: a lane's open objects close together, and what becomes of them.

use std::sync::Arc;

use fault::Fault;
use tokio::time::Instant;

use super::assignment::SharedLaneLost;
use super::{Event, LaneId, Task, TaskError};
use crate::cut::{self, Cut, CutEnd};
use crate::dead_letter::DeadLetters;
use crate::intent::Recipe;
use crate::lane::{Core, Emit};
use crate::stats::TaskStats;
use crate::{Sink, Source, Span};

impl<S: Source, K: Sink, D: DeadLetters> Task<S, K, D> {
    pub(super) fn sealed(&mut self, id: LaneId, mut core: Core, emitted: Vec<Emit>) -> Result<(), TaskError> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        core.set_until(None);
        lane.take_back(core);
        lane.sealing = false;
        self.dispatch(id, emitted);
        let lane = self.lanes.get_mut(&id).expect("it was there above");
        let recipe = self.parts.options.recipe.clone().map(|name| Recipe { name, records: lane.records });
        let mend = lane.mend.take();
        if let Some(mend) = &mend {
            lane.may_mend(mend)?;
        }
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
        lane.cut_records = std::mem::take(&mut lane.records);
        lane.encoded_bytes = 0;
        let letters = std::mem::take(&mut lane.letters);
        if spans.is_empty() && letters.is_empty() {
            self.advance(id);
            return Ok(());
        }
        lane.cutting = Some(spans.clone());
        if mend.is_some() {
            // What lies behind the torn cut was left alone: it is fetched once more.
            lane.queue.clear();
            for span in &spans {
                self.source.resume(&span.partition, span.assignment, span.to);
            }
        }
        let standing = mend.map(|mend| mend.into_standing()).unwrap_or_default();
        self.next_object += 1;
        let manifest =
            format!("{}{}-{}", self.parts.options.manifest_prefix, self.parts.nonce, self.next_object).into();
        let cut = Cut { spans, uploads, standing, recipe, letters, manifest, sealed: Instant::now() };
        let hands = self.hands.clone();
        self.work.push(Box::pin(async move { Event::Cut { lane: id, end: cut::run(cut, hands).await } }));
        self.advance(id);
        self.mend_next();
        Ok(())
    }

    pub(super) fn cut_ended(&mut self, id: LaneId, end: CutEnd) -> Result<(), TaskError> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        let spans = lane.cutting.take().expect("a cut ends once");
        match end {
            CutEnd::Done { objects, took } => {
                self.parts.stats.cut_done(lane.cut_records, objects, took);
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
}
