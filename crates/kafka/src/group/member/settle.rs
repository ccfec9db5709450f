//! What becomes of commits: the coordinator's answer for each partition, or none.

use std::collections::BTreeMap;

use data::TopicPartition;
use transit::CommitOutcome;

use super::super::call::{Answer, Refusal, Silence};
use super::super::commits::Asked;
use super::super::error::GroupError;
use super::super::membership::Action;
use super::{Member, Rules};
use crate::ErrorCode;

impl Member {
    /// Settles a batch by what the coordinator said of each partition.
    pub(super) fn committed(&mut self, batch: Vec<Asked>, answer: Answer) -> Result<(), GroupError> {
        let Answer::Committed(errors) = answer else { return Ok(()) };
        let mut again = Vec::new();
        let mut verdict = Verdict::Accepted;
        for mut asked in batch {
            if asked.accept(|partition| errors.get(partition) == Some(&None)) {
                self.base.act(Action::Settle(asked.settled(CommitOutcome::Done)));
                continue;
            }
            let each = asked.open().map(|entry| judge(&errors, &entry.partition));
            let worst = each.fold(Verdict::Accepted, Verdict::worse);
            match worst {
                Verdict::Refused(code) => {
                    let outcome = CommitOutcome::Refused { code: code.to_string() };
                    self.base.act(Action::Settle(asked.settled(outcome)));
                    continue;
                }
                Verdict::Stale => asked.stale_at = Some(self.base.epoch),
                Verdict::Retry(code) if may_be_written(code) => asked.went_unanswered(),
                Verdict::Accepted | Verdict::Later | Verdict::Retry(_) | Verdict::Over(_) => {}
            }
            verdict = verdict.worse(worst);
            again.push(asked);
        }
        self.base.commits.take_back(again);
        // One whose assignment was given up while it was under way is not sent again.
        self.base.sweep();
        match verdict {
            Verdict::Accepted | Verdict::Refused(_) => {
                self.base.commit_pause.clear();
                self.base.calls.clear();
            }
            Verdict::Later => self.base.commit_pause.failed(self.base.now, &mut self.base.dice),
            Verdict::Retry(code) => {
                self.base.retry_later(code);
                if let (Rules::Classic(classic), ErrorCode::REBALANCE_IN_PROGRESS) = (&mut self.rules, code) {
                    // Not accepted, but not because of us: the group is between two generations, and ours is still the
                    // last that has an assignment. The next SyncGroup says whether the partition is kept; until then
                    // the commit waits, and if not, it is fenced.
                    classic.rebalance(&mut self.base, "a commit met a rebalance");
                }
            }
            Verdict::Stale => match &mut self.rules {
                // The epoch has moved on without our knowing; the assignment has not ended by that. The next heartbeat
                // says where we are, and under which epoch the commit may be sent again, or that all is lost.
                Rules::Consumer(consumer) => consumer.doubt(&self.base),
                Rules::Classic(classic) => {
                    self.base.lose("a commit was refused as stale");
                    classic.apart();
                }
            },
            Verdict::Over(code) => {
                let refusal = Refusal { code, message: None };
                match (&mut self.rules, code) {
                    (Rules::Classic(classic), ErrorCode::FENCED_MEMBER_EPOCH) => {
                        self.base.lose("a commit was fenced");
                        classic.apart();
                    }
                    (Rules::Consumer(consumer), ErrorCode::ILLEGAL_GENERATION) => {
                        self.base.die("a commit was fenced", true);
                        consumer.apart();
                    }
                    _ => self.refused("OffsetCommit", refusal)?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn commit_unanswered(&mut self, mut batch: Vec<Asked>, silence: Silence) {
        match silence {
            Silence::Unsent => self.base.commits.take_back(batch),
            // The connection is gone at the far side too, so nothing of it can arrive there any more but what has arrived
            // already. The same commit under the same epoch says the same again.
            Silence::Broken => {
                batch.iter_mut().for_each(Asked::went_unanswered);
                self.base.commits.take_back(batch);
            }
            // We gave up waiting, but the request may still sit in a buffer on the way, and be served after everything
            // that we send from now on over another connection: a later commit could be overwritten by this one. Only
            // under another epoch is it harmless.
            Silence::Expired => {
                batch.iter_mut().for_each(Asked::went_unanswered);
                self.base.commits.take_back(batch);
                self.die("a commit was not answered");
            }
        }
        self.base.sweep();
    }
}

/// Whether a commit that was refused with `code`, to be sent again, may be in the coordinator's log all the same: it says so
/// too when the replicas were too slow to take what it had written, or it ceased to coordinate meanwhile. A coordinator that
/// loads that log finds it.
fn may_be_written(code: ErrorCode) -> bool {
    ![ErrorCode::REBALANCE_IN_PROGRESS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS].contains(&code)
}

/// What an error of OffsetCommit means, in the order in which one outweighs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    /// The broker does not know the topic, perhaps not yet.
    Later,
    /// The coordinator cannot take it now.
    Retry(ErrorCode),
    /// No rebalance will mend it.
    Refused(ErrorCode),
    /// The epoch is not the member's current one.
    Stale,
    /// The membership is over.
    Over(ErrorCode),
}

impl Verdict {
    fn worse(self, other: Self) -> Self {
        let weight = |verdict: &Self| match verdict {
            Self::Accepted => 0,
            Self::Later => 1,
            Self::Retry(_) => 2,
            Self::Refused(_) => 3,
            Self::Stale => 4,
            Self::Over(_) => 5,
        };
        if weight(&other) > weight(&self) { other } else { self }
    }
}

fn judge(errors: &BTreeMap<TopicPartition, Option<ErrorCode>>, partition: &TopicPartition) -> Verdict {
    let code = match errors.get(partition) {
        Some(None) => return Verdict::Accepted,
        Some(Some(code)) => *code,
        // An answer that leaves a partition out says nothing about it.
        None => return Verdict::Later,
    };
    match code {
        ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::FENCED_MEMBER_EPOCH
        | ErrorCode::FENCED_INSTANCE_ID => Verdict::Over(code),
        ErrorCode::STALE_MEMBER_EPOCH => Verdict::Stale,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Verdict::Later,
        code if code.is_retriable() || code == ErrorCode::REBALANCE_IN_PROGRESS => Verdict::Retry(code),
        code => Verdict::Refused(code),
    }
}
