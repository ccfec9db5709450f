//! The member as a state machine: what happens goes in, what is to be done comes out. No I/O, and no clock but the one it
//! is told. The driver carries the actions out; the tests do it in every order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use tokio::time::Instant;
use transit::{Assignment, Commit, CommitOutcome};

use super::call::{Answer, Call, LEAVING, LEAVING_FOR_A_WHILE, Reconcile, Refusal, Silence};
use super::classic::Classic;
use super::commits::{Asked, Ticket};
use super::consumer::Consumer;
use super::error::GroupError;
use super::membership::{Action, Announcement, Look, Membership, Pause, Rewound, Topics};
use super::options::{GroupOptions, GroupProtocol, OffsetReset, Subscription};
use super::stays::{Numbered, Restart, Stage};
use crate::ErrorCode;

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

/// Looks at the cluster's topics. Numbered, so that who needs a fresh one can tell.
#[derive(Debug)]
struct Looks {
    last: u64,
    under_way: bool,
    next_at: Instant,
    /// `metadata.max.age.ms`.
    every: Duration,
    pause: Pause,
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

    /// The cluster has said what topics there are; `None` if it could not be asked.
    pub(crate) fn looked(&mut self, now: Instant, number: u64, topics: Option<Topics>) {
        self.begin(now);
        self.looks.under_way = false;
        match topics {
            None => self.looks.pause.failed(self.base.now, &mut self.base.dice),
            Some(topics) => {
                self.looks.pause.clear();
                self.looks.next_at = self.base.now + self.looks.every;
                self.base.topics = topics;
                self.apply_pattern();
                match &mut self.rules {
                    Rules::Classic(classic) => classic.looked(&mut self.base, number),
                    Rules::Consumer(consumer) => {
                        consumer.looked(&mut self.base);
                        if consumer.needs_look() {
                            self.looks.pause.failed(self.base.now, &mut self.base.dice);
                        }
                    }
                }
            }
        }
        self.go_on();
    }

    /// Leaves the group and ends. What waits to be committed is fenced; what is in flight is waited for.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.begin(now);
        if matches!(self.end, End::No) {
            self.end = End::Wanted(None);
            self.base.lose("the member leaves");
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
                Some(said) => consumer.reconciled(base, said, answer, sent),
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

    /// Settles a batch by what the coordinator said of each partition.
    fn committed(&mut self, batch: Vec<Asked>, answer: Answer) -> Result<(), GroupError> {
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

    fn commit_unanswered(&mut self, mut batch: Vec<Asked>, silence: Silence) {
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

    // ---- what comes next ----

    /// Starts what can be started: the one place that decides it.
    fn go_on(&mut self) {
        if matches!(self.end, End::Done) {
            self.base.commits.sweep(&self.base.stays).into_iter().for_each(|it| self.base.act(Action::Settle(it)));
            return;
        }
        if let End::Wanted(_) = self.end {
            self.go_away();
            return;
        }
        if self.busy.is_none() && !self.base.calls.holds(self.base.now) {
            self.call();
        }
        let uncommitted = self.base.stays.at(Stage::Uncommitted);
        if !uncommitted.is_empty() && !self.locating && !self.base.places.holds(self.base.now) {
            self.locating = true;
            self.base.act(Action::Locate(uncommitted));
        }
        if !self.looks.under_way && !self.looks.pause.holds(self.base.now) && self.wants_look() {
            self.looks.under_way = true;
            self.looks.last += 1;
            let number = self.looks.last;
            let topics = self.topics_to_look_at();
            self.base.act(Action::Look { number, topics });
        }
    }

    fn call(&mut self) {
        if self.base.forsaken.as_ref().is_some_and(|(_, until)| self.base.now >= *until) {
            self.base.forsaken = None;
        }
        if let Some((id, _)) = self.base.forsaken.clone() {
            let call = self.leaving_call(id, "the member was fenced");
            return self.send(call, What::Forsaken);
        }
        let next = match &mut self.rules {
            Rules::Classic(classic) => classic.next_call(&mut self.base),
            Rules::Consumer(consumer) => consumer.next_call(&mut self.base),
        };
        let may_commit = match &self.rules {
            Rules::Classic(classic) => classic.may_commit(),
            Rules::Consumer(consumer) => consumer.may_commit(),
        };
        match next {
            Some(Next::Call(call)) => {
                let said = if let Call::Reconcile(said) = &call { Some(said.clone()) } else { None };
                return self.send(call, What::Protocol(said));
            }
            Some(Next::Commit) => return self.send_commits(),
            None if !may_commit => return,
            None => {}
        }
        let unknown = self.base.stays.at(Stage::Unknown);
        if !unknown.is_empty() && !self.base.places.holds(self.base.now) {
            let (member, epoch) = (self.base.id.clone(), self.base.epoch);
            let partitions = unknown.iter().map(|(partition, _)| partition.clone()).collect();
            return self.send(Call::Places { member, epoch, partitions }, What::Places(unknown));
        }
        if self.base.has_commits() {
            self.send_commits();
        }
    }

    fn send_commits(&mut self) {
        let batch = self.base.commits.next_batch();
        let entries = batch.iter().flat_map(Asked::open).cloned().collect();
        let (member, epoch) = (self.base.id.clone(), self.base.epoch);
        self.send(Call::Commit { member, epoch, entries }, What::Commit(batch));
    }

    fn send(&mut self, call: Call, what: What) {
        self.busy = Some(Busy { sent: self.base.now, what });
        self.base.act(Action::Call(call));
    }

    fn leaving_call(&self, member: Arc<str>, reason: &'static str) -> Call {
        match &self.rules {
            Rules::Classic(_) => Call::Leave { member, reason },
            Rules::Consumer(_) => {
                let epoch = if self.base.options.instance.is_some() { LEAVING_FOR_A_WHILE } else { LEAVING };
                Call::Reconcile(Reconcile { member, epoch, full: false, topics: None, owned: None })
            }
        }
    }

    fn go_away(&mut self) {
        if self.busy.is_some() {
            return;
        }
        // A static member of the classic protocol goes without a word, so that its partitions wait for it.
        let silent = matches!(self.rules, Rules::Classic(_)) && self.base.options.instance.is_some();
        if silent || self.base.id.is_empty() {
            return self.finish();
        }
        let id = std::mem::replace(&mut self.base.id, "".into());
        let call = self.leaving_call(id, "the connector stops");
        self.send(call, What::Leave);
    }

    fn finish(&mut self) {
        if let End::Wanted(error) = std::mem::replace(&mut self.end, End::Done) {
            self.base.act(Action::End(error));
        }
    }

    // ---- topics ----

    fn wants_look(&self) -> bool {
        let due = self.base.now >= self.looks.next_at;
        let pattern = matches!(self.base.options.subscription, Subscription::Pattern(_));
        let (needed, leads) = match &self.rules {
            Rules::Classic(classic) => {
                (classic.needs_look().is_some_and(|number| self.looks.last < number), !classic.topics_led().is_empty())
            }
            Rules::Consumer(consumer) => (consumer.needs_look(), false),
        };
        needed || due && (pattern || leads)
    }

    fn topics_to_look_at(&self) -> Look {
        match &self.base.options.subscription {
            Subscription::Pattern(_) => Look::All,
            Subscription::Topics(topics) => {
                let led = match &self.rules {
                    Rules::Classic(classic) => classic.topics_led(),
                    Rules::Consumer(_) => BTreeSet::new(),
                };
                Look::Named(topics | &led)
            }
        }
    }

    fn apply_pattern(&mut self) {
        let Subscription::Pattern(pattern) = &self.base.options.subscription else { return };
        let matching: BTreeSet<_> = self.base.topics.keys().filter(|topic| pattern.matches(topic)).cloned().collect();
        if self.base.wanted.as_ref() == Some(&matching) {
            return;
        }
        tracing::info!(group = %self.base.options.group, %pattern, topics = matching.len(), "topics match");
        self.base.wanted = Some(matching);
        if let Rules::Classic(classic) = &mut self.rules {
            classic.wants_changed(&mut self.base);
        }
    }
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
