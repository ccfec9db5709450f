//! The play: members, what is between them and the coordinator, and what must hold.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use transit::{Assignment, Commit, CommitOutcome};

use super::super::call::{Answer, Call, Silence};
use super::super::commits::Ticket;
use super::super::member::Member;
use super::super::membership::{Action, Announcement, Shape, Topics};
use super::super::options::{GroupOptions, GroupProtocol, Subscription};
use super::super::stays::{Numbered, Restart};
use super::coordinator::{Arrived, Coordinator, PARTITIONS, REBALANCE, SESSION, TOPIC, TOPIC_ID, Tag};

/// How long a member waits for an answer, about.
const PATIENCE: Duration = Duration::from_secs(2);
const MEMBERS: usize = 4;

/// Something that happens at a time.
enum Event {
    Arrives(Arrived),
    /// An answer, or none; to the call with this tag if it is still the one in flight.
    Answers(usize, Tag, Result<Answer, Silence>),
    Yielded(usize, u64, Vec<Numbered>),
    Located(usize, Vec<Numbered>),
    Looked(usize, u64),
    /// The task commits what it has done.
    Works(usize),
}

/// A member and its task.
struct Node {
    member: Member,
    instance: Option<Arc<str>>,
    calling: Option<Tag>,
    /// By which request the place of a partition was last asked for, and where it was then.
    asked: BTreeMap<TopicPartition, Tag>,
    held: BTreeMap<TopicPartition, Stay>,
    tickets: BTreeMap<Ticket, (TopicPartition, Assignment, Offset)>,
    next_ticket: u64,
    /// It stands still until then.
    frozen: Option<Instant>,
    leaving: bool,
    ended: bool,
}

struct Stay {
    number: Assignment,
    done: Offset,
    committing: bool,
}

struct Play {
    seed: u64,
    dice: SmallRng,
    now: Instant,
    protocol: GroupProtocol,
    coordinator: Coordinator,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    nodes: BTreeMap<usize, Node>,
    next_node: usize,
    /// Who asked with which tag.
    asker: BTreeMap<Tag, usize>,
    /// Each stay, by member and number, and when the coordinator told where it begins.
    begun: BTreeMap<(usize, TopicPartition, Assignment), u64>,
    /// The latest of these, for each partition.
    latest: BTreeMap<TopicPartition, u64>,
    /// When a commit was accepted last, and whose.
    accepted: BTreeMap<TopicPartition, (u64, usize)>,
    calm: bool,
    fixed: bool,
    instances: u64,
}

pub(super) fn play(seed: u64, protocol: &GroupProtocol, fixed: bool) {
    let mut play = Play {
        seed,
        dice: SmallRng::seed_from_u64(seed),
        now: Instant::now(),
        protocol: protocol.clone(),
        coordinator: Coordinator::default(),
        events: BTreeMap::new(),
        sequence: 0,
        nodes: BTreeMap::new(),
        next_node: 0,
        asker: BTreeMap::new(),
        begun: BTreeMap::new(),
        calm: false,
        latest: BTreeMap::new(),
        accepted: BTreeMap::new(),
        fixed,
        instances: 0,
    };
    play.start(None);
    for _ in 0..60 {
        play.trouble();
        let pause = Duration::from_millis(play.dice.random_range(10..1500));
        play.run(pause);
    }
    play.calm = true;
    // No newcomer if that can be helped: the rebalance that he brings would mend much that should mend itself.
    if play.nodes.values().all(|node| node.leaving) {
        play.start(None);
    }
    let until = play.now + Duration::from_mins(5);
    while !play.is_well() {
        assert!(play.now < until, "seed {seed}: {}", play.describe());
        play.run(Duration::from_millis(200));
    }
}

impl Play {
    fn at(&mut self, after: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + after, self.sequence), event);
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.dice.random_range(range))
    }

    fn start(&mut self, instance: Option<Arc<str>>) {
        let instance = instance.or_else(|| {
            self.instances += 1;
            self.fixed.then(|| format!("i{}", self.instances).into())
        });
        let mut options = GroupOptions::new("g", Subscription::topics([TOPIC]));
        options.protocol = self.protocol.clone();
        options.instance.clone_from(&instance);
        options.session_timeout = SESSION;
        options.heartbeat_interval = Duration::from_millis(500);
        options.max_poll_interval = REBALANCE;
        options.revocation_patience = REBALANCE / 2;
        let mut member = Member::new(options.into(), Duration::from_secs(20), self.dice.random(), self.now);
        member.tick(self.now);
        let node = Node {
            member,
            instance,
            calling: None,
            asked: BTreeMap::new(),
            held: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            frozen: None,
            leaving: false,
            ended: false,
        };
        self.next_node += 1;
        self.nodes.insert(self.next_node, node);
        self.at(Duration::ZERO, Event::Works(self.next_node));
    }

    fn trouble(&mut self) {
        let ids: Vec<usize> = self.nodes.keys().copied().collect();
        let victim = if ids.is_empty() { 0 } else { ids[self.dice.random_range(0..ids.len())] };
        let now = self.now;
        match self.dice.random_range(0..10) {
            0 | 1 if self.nodes.len() < MEMBERS => self.start(None),
            2 => {
                let died = self.nodes.remove(&victim);
                // A static one comes back, often at once.
                if let Some(instance) = died.and_then(|node| node.instance) {
                    self.start(Some(instance));
                }
            }
            3 => {
                if let Some(node) = self.nodes.get_mut(&victim) {
                    node.leaving = true;
                    node.member.leave(now);
                }
            }
            4 | 5 => {
                let until = now + self.millis(100..8000);
                if let Some(node) = self.nodes.get_mut(&victim) {
                    node.frozen = Some(until);
                }
            }
            6 => {
                if let Some(node) = self.nodes.get_mut(&victim)
                    && node.frozen.is_none()
                    && let Some((partition, stay)) = node.held.iter().next()
                {
                    let restart = Restart { at: stay.done, anew: false, settled: false };
                    node.member.rewound(now, partition.clone(), stay.number, restart);
                }
            }
            _ => {}
        }
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            for (tag, answer) in self.coordinator.tick(self.now) {
                self.send_back(tag, answer);
            }
            let ids: Vec<usize> = self.nodes.keys().copied().collect();
            for id in ids {
                self.carry_out(id);
            }
            let wakes = self.nodes.values().filter(|node| node.frozen.is_none()).filter_map(|it| it.member.wake_at());
            let thaws = self.nodes.values().filter_map(|node| node.frozen);
            let first = self.events.keys().next().map(|(at, _)| *at);
            // The coordinator looks at its clocks ten times a second.
            let next = wakes.chain(thaws).chain(first).chain([self.now + Duration::from_millis(100)]).min();
            let next = next.expect("one at least").max(self.now);
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        let mut tick_first = BTreeSet::new();
        for (id, node) in &mut self.nodes {
            if node.frozen.is_some_and(|until| now >= until) {
                node.frozen = None;
                // What a process that goes on looks at first, is chance.
                if self.dice.random() {
                    tick_first.insert(*id);
                }
            }
        }
        for id in tick_first {
            self.nodes.get_mut(&id).expect("listed").member.tick(now);
            self.carry_out(id);
        }
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let event = entry.remove();
            self.happen(event);
        }
        let ids: Vec<usize> = self.nodes.keys().copied().collect();
        for id in ids {
            let node = self.nodes.get_mut(&id).expect("listed");
            if node.frozen.is_none() && node.member.wake_at().is_some_and(|at| at <= now) {
                node.member.tick(now);
                self.carry_out(id);
            }
        }
        self.nodes.retain(|_, node| !node.ended);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        if let Event::Arrives(arrived) = event {
            for (tag, answer) in self.coordinator.take_in(now, arrived) {
                self.send_back(tag, answer);
            }
            self.judge();
            return;
        }
        let (Event::Answers(id, ..)
        | Event::Yielded(id, ..)
        | Event::Located(id, _)
        | Event::Looked(id, _)
        | Event::Works(id)) = event
        else {
            return;
        };
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(until) = node.frozen {
            self.sequence += 1;
            self.events.insert((until, self.sequence), event);
            return;
        }
        match event {
            Event::Answers(_, tag, answer) => {
                if node.calling == Some(tag) {
                    node.calling = None;
                    match answer {
                        Ok(answer) => node.member.answered(now, answer),
                        Err(silence) => node.member.unanswered(now, silence),
                    }
                }
            }
            Event::Yielded(_, number, given_up) => {
                node.held.retain(|partition, stay| !given_up.contains(&(partition.clone(), stay.number)));
                node.member.yielded(now, number);
            }
            Event::Located(_, asked) => {
                node.member.located(now, asked.into_iter().map(|it| (it, Some(Offset(0)))).collect());
            }
            Event::Looked(_, number) => {
                let topics: Topics = [(TOPIC.into(), Shape { id: TOPIC_ID, partitions: PARTITIONS })].into();
                node.member.looked(now, number, Some(topics));
            }
            Event::Works(_) => {
                for (partition, stay) in &mut node.held {
                    if !stay.committing {
                        stay.committing = true;
                        node.next_ticket += 1;
                        let (ticket, offset) = (Ticket(node.next_ticket), Offset(stay.done.0 + 1));
                        node.tickets.insert(ticket, (partition.clone(), stay.number, offset));
                        let (partition, assignment) = (partition.clone(), stay.number);
                        let commit = Commit { partition, assignment, offset, metadata: "".into() };
                        node.member.commit(now, ticket, vec![commit]);
                    }
                }
                let pause = self.millis(50..400);
                self.at(pause, Event::Works(id));
            }
            Event::Arrives(_) => {}
        }
        self.carry_out(id);
    }

    /// Answers what arrived with `tag`, if the answer gets through.
    fn send_back(&mut self, tag: Tag, answer: Answer) {
        let Some(id) = self.asker.get(&tag).copied() else { return };
        let lost = !self.calm && self.dice.random_range(0..40) == 0;
        let (after, answer) =
            if lost { (self.millis(0..500), Err(Silence::Broken)) } else { (self.millis(0..40), Ok(answer)) };
        self.at(after, Event::Answers(id, tag, answer));
    }

    fn carry_out(&mut self, id: usize) {
        while let Some(node) = self.nodes.get_mut(&id) {
            if node.frozen.is_some() {
                return;
            }
            let Some(action) = node.member.next_action() else { return };
            match action {
                Action::Call(call) => self.call(id, call),
                // What is on its way stays so: the kernel sends on what a closed socket holds.
                Action::Abandon => node.calling = None,
                Action::Seek => {}
                Action::Announce(announcement) => self.announce(id, announcement),
                Action::Settle(settled) => {
                    let Some((partition, number, offset)) = node.tickets.remove(&settled.ticket) else { continue };
                    if let Some(stay) = node.held.get_mut(&partition).filter(|stay| stay.number == number) {
                        // After any other outcome the stay is over, and its end is told in time.
                        if settled.outcome == CommitOutcome::Done {
                            (stay.done, stay.committing) = (offset, false);
                        }
                    }
                }
                Action::Locate(asked) => {
                    let after = self.millis(0..100);
                    self.at(after, Event::Located(id, asked));
                }
                Action::Look { number, .. } => {
                    let after = self.millis(0..100);
                    self.at(after, Event::Looked(id, number));
                }
                Action::End(error) => {
                    assert!(error.is_none(), "seed {}: {error:?}", self.seed);
                    node.ended = true;
                    return;
                }
            }
        }
    }

    fn call(&mut self, id: usize, call: Call) {
        self.sequence += 1;
        let tag = self.sequence;
        self.asker.insert(tag, id);
        let node = self.nodes.get_mut(&id).expect("it has called");
        assert_eq!(node.calling, None, "seed {}: two calls at once", self.seed);
        node.calling = Some(tag);
        if let Call::Places { partitions, .. } = &call {
            for partition in partitions {
                node.asked.insert(partition.clone(), tag);
            }
        }
        let long = matches!(call, Call::Join { .. } | Call::Sync { .. });
        let arrived = Arrived { tag, instance: node.instance.clone(), call: mark(call, id) };
        match self.dice.random_range(0..60) {
            // It never arrives.
            0 if !self.calm => {
                let after = self.millis(0..500);
                self.at(after, Event::Answers(id, tag, Err(Silence::Broken)));
            }
            // It arrives when nobody waits for it any more.
            1 if !self.calm && !long => {
                let late = PATIENCE + self.millis(0..9000);
                self.at(late, Event::Arrives(arrived));
                self.at(PATIENCE, Event::Answers(id, tag, Err(Silence::Expired)));
            }
            _ => {
                let after = self.millis(0..40);
                self.at(after, Event::Arrives(arrived));
            }
        }
    }

    fn announce(&mut self, id: usize, announcement: Announcement) {
        let node = self.nodes.get_mut(&id).expect("it has announced");
        match announcement {
            Announcement::Assigned(assigned) => {
                for one in assigned {
                    let node = self.nodes.get_mut(&id).expect("it has announced");
                    let tag = node.asked[&one.partition];
                    let stay = Stay { number: one.assignment, done: one.position, committing: false };
                    let before = node.held.insert(one.partition.clone(), stay);
                    assert!(before.is_none(), "seed {}: {} is held already", self.seed, one.partition);
                    self.begin(id, &one.partition, one.assignment, tag);
                }
            }
            Announcement::Revoked { number, partitions } => {
                // The stays go on until this has been reported, or a loss.
                let slow = self.dice.random_range(0..8) == 0;
                let after = if slow { self.millis(0..9000) } else { self.millis(0..600) };
                self.at(after, Event::Yielded(id, number, partitions));
            }
            Announcement::Lost(lost) => {
                for (partition, number) in lost {
                    // None if it was given up just before.
                    let over = node.held.remove(&partition);
                    assert!(over.is_none_or(|it| it.number == number), "seed {}: another stay was lost", self.seed);
                }
            }
            Announcement::Rewound(rewound) => {
                let over = node.held.remove(&rewound.partition);
                assert!(over.is_some_and(|it| it.number == rewound.was), "seed {}", self.seed);
            }
        }
    }
}

/// Notes beside what is committed who does it.
fn mark(call: Call, id: usize) -> Call {
    match call {
        Call::Commit { member, epoch, entries } => {
            let marked = entries.into_iter().map(|entry| Commit { metadata: id.to_string().into(), ..entry });
            Call::Commit { member, epoch, entries: marked.collect() }
        }
        other => other,
    }
}
