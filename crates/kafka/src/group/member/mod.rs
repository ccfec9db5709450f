//! The member as a state machine: what happens goes in, what is to be done comes out. No I/O, and no clock but the one it
//! is told. The driver carries the actions out; the tests do it in every order.

mod looks;
mod next;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use tokio::time::Instant;
use transit::{Assignment, Commit};

use super::call::{Answer, Call, Reconcile, Refusal, Silence};
use super::classic::Classic;
use super::commits::{Asked, Ticket};
use super::consumer::Consumer;
use super::error::GroupError;
use super::membership::{Action, Announcement, LEAVING, Membership, Pause, Rewound};
use super::options::{GroupOptions, GroupProtocol, OffsetReset};
use super::stays::{Numbered, Restart};
use looks::Looks;

/// What a protocol wants to be sent next.
#[derive(Debug)]
pub(crate) enum Next {
    Call(Call),
    /// The commits that wait.
    Commit,
}

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Member {
    base: Membership,
    rules: Rules,
    busy: Option<Busy>,
    looks: Looks,
    /// Whether leaders are being asked for places.
    locating: bool,
    end: End,
}

#[derive(Debug)]
enum Rules {
    Classic(Classic),
    Consumer(Consumer),
}

/// The call in flight.
#[derive(Debug)]
struct Busy {
    sent: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A call of the protocol; what it says if it is a heartbeat of KIP-848.
    Protocol(Option<Reconcile>),
    Commit(Vec<Asked>),
    Places(Vec<Numbered>),
    /// Telling the coordinator that an id of ours is not used any more.
    Forsaken,
    Leave,
}

#[derive(Debug)]
enum End {
    No,
    /// Leave, then end with this.
    Wanted(Option<GroupError>),
    Done,
}

impl Member {
    /// One that has not begun to join. It looks for new topics and partitions every `look_every`; `seed` makes its member
    /// ids and the lengths of its pauses.
    pub(crate) fn new(options: Arc<GroupOptions>, look_every: Duration, seed: u64, now: Instant) -> Self {
        let rules = match &options.protocol {
            GroupProtocol::Classic(assignors) => Rules::Classic(Classic::new(assignors.clone(), now)),
            GroupProtocol::Consumer(_) => Rules::Consumer(Consumer::new(now)),
        };
        let looks = Looks { last: 0, under_way: false, next_at: now, every: look_every, pause: Pause::default() };
        Self { base: Membership::new(options, seed, now), rules, busy: None, looks, locating: false, end: End::No }
    }

    /// The next thing to do. To be asked until there is nothing, after each input.
    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.base.next_action()
    }

    /// When to call [`Member::tick`] at the latest.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let base = &self.base;
        let session = base.deadline.filter(|_| self.session_runs());
        let beat = match &self.rules {
            Rules::Classic(classic) => classic.beat_at(),
            Rules::Consumer(consumer) => consumer.beat_at(),
        };
        let pauses = [base.calls.until(), base.places.until(), base.commit_pause.until(), self.looks.pause.until()];
        let all = [session, beat, base.yielding.map(|it| it.until), Some(self.looks.next_at)];
        // What is due already either was done or waits for something else to happen.
        all.into_iter().chain(pauses).flatten().filter(|at| *at > base.now).min()
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.begin(now);
        self.go_on();
    }

    /// The call in flight was answered.
    pub(crate) fn answered(&mut self, now: Instant, answer: Answer) {
        self.begin(now);
        // None if `begin` has given the call up.
        if let Some(busy) = self.busy.take() {
            let result = match busy.what {
                What::Commit(batch) => self.committed(batch, answer),
                What::Places(asked) => self.placed(&asked, answer),
                What::Protocol(said) => self.follow(said.as_ref(), answer, busy.sent),
                What::Forsaken => {
                    self.base.forsaken = None;
                    Ok(())
                }
                What::Leave => {
                    self.finish();
                    Ok(())
                }
            };
            if let Err(error) = result {
                self.fail(error);
            }
        }
        self.go_on();
    }

    /// The call in flight will not be answered.
    pub(crate) fn unanswered(&mut self, now: Instant, silence: Silence) {
        self.begin(now);
        if let Some(busy) = self.busy.take() {
            self.base.calls.failed(self.base.now, &mut self.base.dice);
            match busy.what {
                What::Commit(batch) => self.commit_unanswered(batch, silence),
                What::Places(_) | What::Forsaken => {}
                What::Protocol(_) => {
                    if let Rules::Consumer(consumer) = &mut self.rules {
                        consumer.went_unanswered(&self.base);
                    }
                }
                What::Leave => self.finish(),
            }
        }
        self.go_on();
    }

    /// A lane wants to commit.
    pub(crate) fn commit(&mut self, now: Instant, ticket: Ticket, entries: Vec<Commit>) {
        self.begin(now);
        self.base.commits.ask(ticket, entries);
        // What names an assignment that is over is fenced at once.
        self.base.sweep();
        self.go_on();
    }

    /// The task has given up what revocation `number` asked for.
    pub(crate) fn yielded(&mut self, now: Instant, number: u64) {
        self.begin(now);
        if self.base.yielding.is_some_and(|yielding| yielding.number == number) {
            self.end_yield(false);
        }
        self.go_on();
    }

    /// The log of a partition was cut back or made anew: what was made of its records under this assignment must not be
    /// committed.
    pub(crate) fn rewound(&mut self, now: Instant, partition: TopicPartition, was: Assignment, restart: Restart) {
        self.begin(now);
        if let Some(now) = self.base.stays.renew(&partition, was, restart) {
            self.base.act(Action::Announce(Announcement::Rewound(Rewound { partition, was, now, restart })));
            self.base.sweep();
        }
        self.go_on();
    }

    /// The leaders have said where to begin; `None` where they could not be asked.
    pub(crate) fn located(&mut self, now: Instant, found: Vec<(Numbered, Option<Offset>)>) {
        self.begin(now);
        self.locating = false;
        let mut assigned = Vec::new();
        let mut failed = false;
        for ((partition, assignment), offset) in found {
            match offset {
                Some(offset) => assigned.extend(self.base.stays.located(partition, assignment, offset)),
                None => failed = true,
            }
        }
        if failed {
            self.base.places.failed(self.base.now, &mut self.base.dice);
        } else {
            self.base.places.clear();
        }
        if !assigned.is_empty() {
            self.base.act(Action::Announce(Announcement::Assigned(assigned)));
        }
        self.go_on();
    }

    /// Leaves the group and ends. What waits to be committed is fenced; what is in flight is waited for.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.begin(now);
        if matches!(self.end, End::No) {
            self.end = End::Wanted(None);
            self.base.lose(LEAVING);
            if self.busy.as_ref().is_some_and(|busy| !matches!(busy.what, What::Commit(_))) {
                self.abandon();
            }
        }
        self.go_on();
    }

    /// The call in flight has failed in a way that no further try mends.
    pub(crate) fn failed(&mut self, now: Instant, error: GroupError) {
        self.begin(now);
        self.abandon();
        self.fail(error);
        self.go_on();
    }

    fn fail(&mut self, error: GroupError) {
        if !matches!(self.end, End::No) {
            return;
        }
        self.base.lose("the membership has failed");
        if matches!(error, GroupError::InstanceTaken { .. }) {
            // The place in the group is somebody else's now.
            self.base.id = "".into();
        }
        self.end = End::Wanted(Some(error));
    }

    // ---- time ----

    /// What comes before everything: how late is it, and does that end something?
    fn begin(&mut self, now: Instant) {
        self.base.now = now;
        if matches!(self.end, End::No) && self.base.is_expired() && self.session_runs() {
            // We may have stood still for hours. Whatever was in flight belongs to a membership that is over: the
            // connection goes with it, so that nothing of it comes back to us or is still sent by the kernel.
            self.abandon();
            self.die("no word from the coordinator for a whole session");
        }
        if self.base.yielding.is_some_and(|yielding| now >= yielding.until) {
            self.end_yield(true);
        }
    }

    fn session_runs(&self) -> bool {
        match &self.rules {
            Rules::Classic(classic) => {
                let in_flight = self.busy.as_ref().is_some_and(|busy| matches!(busy.what, What::Protocol(_)));
                classic.session_runs(in_flight)
            }
            Rules::Consumer(_) => true,
        }
    }

    /// The membership is over by our own decision: the coordinator may not know it yet.
    fn die(&mut self, why: &'static str) {
        let linger = match &self.rules {
            // Joining with the instance id takes the place of the old member; leaving would end it for the group.
            Rules::Classic(_) => self.base.options.instance.is_none(),
            Rules::Consumer(_) => true,
        };
        self.base.die(why, linger);
        match &mut self.rules {
            Rules::Classic(classic) => classic.apart(),
            Rules::Consumer(consumer) => consumer.apart(),
        }
    }

    fn abandon(&mut self) {
        let Some(busy) = self.busy.take() else { return };
        self.base.act(Action::Abandon);
        match busy.what {
            What::Commit(mut batch) => {
                batch.iter_mut().for_each(Asked::went_unanswered);
                self.base.commits.take_back(batch);
                self.base.sweep();
            }
            What::Protocol(_) => {
                if let Rules::Consumer(consumer) = &mut self.rules {
                    consumer.went_unanswered(&self.base);
                }
            }
            What::Places(_) | What::Forsaken | What::Leave => {}
        }
    }

    fn end_yield(&mut self, overdue: bool) {
        self.base.end_yield(overdue);
        match &mut self.rules {
            Rules::Classic(classic) => classic.yielded(&mut self.base),
            Rules::Consumer(consumer) => consumer.yielded(&mut self.base),
        }
    }

    // ---- answers ----

    fn follow(&mut self, said: Option<&Reconcile>, answer: Answer, sent: Instant) -> Result<(), GroupError> {
        let base = &mut self.base;
        match (&mut self.rules, answer) {
            (Rules::Classic(_), Answer::NeedsId(id)) => {
                base.calls.clear();
                base.id = id;
                Ok(())
            }
            (Rules::Classic(classic), Answer::Joined(answer)) => classic.joined(base, answer, self.looks.last + 1),
            (Rules::Classic(classic), Answer::Synced(answer)) => classic.synced(base, answer),
            (Rules::Classic(classic), Answer::Beaten(answer)) => classic.beaten(base, answer, sent),
            (Rules::Consumer(consumer), Answer::Reconciled(answer)) => match said {
                Some(said) => consumer.reconciled(base, said, answer, sent, self.looks.last + 1),
                None => Ok(()),
            },
            // The driver pairs calls and answers; there is no other pair.
            (Rules::Classic(_) | Rules::Consumer(_), _) => Ok(()),
        }
    }

    fn refused(&mut self, request: &'static str, refusal: Refusal) -> Result<(), GroupError> {
        match &mut self.rules {
            Rules::Classic(classic) => classic.refused(&mut self.base, request, refusal),
            Rules::Consumer(consumer) => consumer.refused(&mut self.base, request, refusal),
        }
    }

    fn placed(&mut self, asked: &[Numbered], answer: Answer) -> Result<(), GroupError> {
        let Answer::Places(answer) = answer else { return Ok(()) };
        let found = match answer {
            Ok(found) => found,
            Err(refusal) => {
                self.base.places.failed(self.base.now, &mut self.base.dice);
                return self.refused("OffsetFetch", refusal);
            }
        };
        self.base.calls.clear();
        self.base.places.clear();
        let numbers: BTreeMap<&TopicPartition, Assignment> = asked.iter().map(|(it, number)| (it, *number)).collect();
        let mut assigned = Vec::new();
        for (partition, place) in found {
            let Some(number) = numbers.get(&partition) else { continue };
            match place {
                Ok(None) if self.base.options.offset_reset == OffsetReset::None => {
                    return Err(GroupError::NoOffset { group: self.base.options.group.clone(), partition });
                }
                Ok(committed) => assigned.extend(self.base.stays.found(&partition, *number, committed)),
                // A transaction that commits this offset is still open, or the topic is not known there yet.
                Err(code) if code.is_retriable() => self.base.places.failed(self.base.now, &mut self.base.dice),
                Err(code) => return Err(self.base.refused("OffsetFetch", code, None)),
            }
        }
        if !assigned.is_empty() {
            self.base.act(Action::Announce(Announcement::Assigned(assigned)));
        }
        Ok(())
    }
}
