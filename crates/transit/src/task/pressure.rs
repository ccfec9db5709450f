//! Deadlines, and memory: who has to make room when the budget runs out.

use data::TopicPartition;
use fault::Fault;
use tokio::time::Instant;

use super::{LaneId, Task, TaskError};
use crate::dead_letter::DeadLetters;
use crate::{Sink, Source};

/// Above this share of the budget, lanes that hold most are squeezed, then cut early.
const PRESSURE: f64 = 0.75;

impl<S: Source, K: Sink, D: DeadLetters> Task<S, K, D> {
    /// Deadlines and memory, looked at every tick.
    pub(super) fn look_around(&mut self) -> Result<(), TaskError> {
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
        self.relieve()
    }

    /// There is room again: lanes that had to wait go on.
    pub(super) fn go_on(&mut self) {
        self.waiting_for_room = false;
        let idle: Vec<LaneId> =
            self.lanes.iter().filter(|(_, l)| l.core.is_some() && !l.queue.is_empty()).map(|(id, _)| *id).collect();
        for id in idle {
            self.advance(id);
        }
    }

    /// Under pressure: lanes that hold most are squeezed once, and cut if that does not help.
    pub(super) fn relieve(&mut self) -> Result<(), TaskError> {
        let budget = &self.parts.budget;
        let threshold = (budget.limit() as f64 * PRESSURE) as usize;
        if budget.used() < threshold {
            return Ok(());
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
            if let (true, Some(mend)) = (squeezed, &lane.mend) {
                // It cannot be cut early. The others make room for it; where that cannot be enough, it can never end.
                if bytes >= threshold {
                    let (partition, _) = lane.members.iter().next().expect("a lane has members");
                    let why = "they need more memory than there is now".to_owned();
                    return Err(Fault::new(mend.torn(partition, why)).into());
                }
                continue;
            }
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
        Ok(())
    }
}
