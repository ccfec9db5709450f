//! What a member has under either protocol: its name and epoch, its partitions, its commits, its clocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use data::TopicPartition;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use transit::{Assigned, Assignment};
use uuid::Uuid;

use super::call::Call;
use super::commits::{Commits, Settled};
use super::error::GroupError;
use super::options::{GroupOptions, Subscription};
use super::stays::{Numbered, Restart, Stays};
use crate::ErrorCode;

/// What the member wants done; the driver does it.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this to the coordinator. There is never a second one before the answer to the first.
    Call(Call),
    /// Close the connection to the coordinator, and with it forget the call in flight: no answer to it may come any more.
    Abandon,
    /// The coordinator is elsewhere: look it up before the next call.
    Seek,
    /// Tell the task.
    Announce(Announcement),
    /// Answer a commit.
    Settle(Settled),
    /// Ask the leaders where to begin with these.
    Locate(Vec<Numbered>),
    /// Ask what topics there are.
    Look { number: u64, topics: Look },
    /// The membership is over; nothing more comes.
    End(Option<GroupError>),
}

/// Something that the task is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Announcement {
    Assigned(Vec<Assigned>),
    /// To be given up; the driver reports when that is done.
    Revoked {
        number: u64,
        partitions: Vec<Numbered>,
    },
    Lost(Vec<Numbered>),
    Rewound(Rewound),
}

/// A partition that stays ours, under another assignment: its log was cut back or made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewound {
    /// Which.
    pub partition: TopicPartition,
    /// The assignment that is over: nothing of it can be committed any more.
    pub was: Assignment,
    /// The assignment that follows; where it begins is told by [`super::GroupEvent::Assigned`].
    pub now: Assignment,
    /// What that follows from.
    pub restart: Restart,
}

/// Which topics to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    All,
    Named(BTreeSet<Arc<str>>),
}

/// What was found out about topics: those that exist.
pub(crate) type Topics = BTreeMap<Arc<str>, Shape>;

/// A topic's identity and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
}

/// Failures of one kind, and until when to leave it.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
    until: Option<Instant>,
}

/// Why a member that leaves in an orderly way gives its partitions up: nothing to be alarmed about.
pub(crate) const LEAVING: &str = "the member leaves";

/// `retry.backoff.ms` and `retry.backoff.max.ms` of the Java clients.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Pause {
    /// It has failed again. `dice` are the member's own, so that a test can throw the same again (which
    /// `cluster::Backoff` cannot).
    pub(crate) fn failed(&mut self, now: Instant, dice: &mut SmallRng) {
        let doubled = FIRST_PAUSE * (1 << self.failures.min(10));
        self.failures += 1;
        self.until = Some(now + doubled.min(LONGEST_PAUSE).mul_f64(dice.random_range(0.8..1.2)));
    }

    /// It has succeeded.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether it is still to be left alone.
    pub(crate) fn holds(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

/// Partitions that are being given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Yielding {
    pub(crate) number: u64,
    pub(crate) until: Instant,
}

/// What a member has under either protocol.
///
/// `stays` is under (`id`, `epoch`) and no other: whoever changes one of these two first ends the stays that do not come
/// along. Everything about fencing follows from that, and from there being one call in flight at a time, so that an
/// epoch never changes under a commit that is on its way.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) options: Arc<GroupOptions>,
    pub(crate) now: Instant,
    /// The member id; empty before the coordinator has given one.
    pub(crate) id: Arc<str>,
    /// The generation or member epoch under which the stays are held; -1 if we are not a member.
    pub(crate) epoch: i32,
    /// When the session ends unless the coordinator confirms it before.
    pub(crate) deadline: Option<Instant>,
    pub(crate) stays: Stays,
    pub(crate) commits: Commits,
    pub(crate) yielding: Option<Yielding>,
    yields: u64,
    /// A member id of ours that the coordinator may still believe in, and until when: its session ends then anyway.
    pub(crate) forsaken: Option<(Arc<str>, Instant)>,
    /// The topics wanted; unknown until a pattern has been held against the cluster's topics.
    pub(crate) wanted: Option<BTreeSet<Arc<str>>>,
    pub(crate) topics: Topics,
    /// Everything that goes to the coordinator is left until then.
    pub(crate) calls: Pause,
    pub(crate) places: Pause,
    pub(crate) commit_pause: Pause,
    pub(crate) dice: SmallRng,
    actions: VecDeque<Action>,
}

impl Membership {
    pub(crate) fn new(options: Arc<GroupOptions>, seed: u64, now: Instant) -> Self {
        let wanted = match &options.subscription {
            Subscription::Topics(topics) => Some(topics.clone()),
            Subscription::Pattern(_) => None,
        };
        Self {
            options,
            now,
            id: "".into(),
            epoch: -1,
            deadline: None,
            stays: Stays::default(),
            commits: Commits::default(),
            yielding: None,
            yields: 0,
            forsaken: None,
            wanted,
            topics: Topics::new(),
            calls: Pause::default(),
            places: Pause::default(),
            commit_pause: Pause::default(),
            dice: SmallRng::seed_from_u64(seed),
            actions: VecDeque::new(),
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the coordinator has not confirmed the membership for a whole session. Somebody else may have our
    /// partitions then.
    pub(crate) fn is_expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.now >= deadline)
    }

    /// The coordinator has confirmed the membership by the answer to something sent at `sent`. (Not "received at": its
    /// clock for us began no earlier than we sent, so ours runs out first.)
    pub(crate) fn confirm(&mut self, sent: Instant) {
        self.deadline = Some(sent + self.options.session_timeout);
    }

    /// Ends everything that is held: the task loses it, and commits that wait are fenced.
    pub(crate) fn lose(&mut self, why: &'static str) {
        let told = self.stays.end_all();
        self.yielding = None;
        self.epoch = -1;
        self.deadline = None;
        if !told.is_empty() {
            if why == LEAVING {
                tracing::info!(group = %self.options.group, partitions = told.len(), "gave all partitions back");
            } else {
                tracing::warn!(group = %self.options.group, partitions = told.len(), why, "lost partitions");
            }
            self.act(Action::Announce(Announcement::Lost(told)));
        }
        self.sweep();
    }

    /// Ends what is held of `partitions`, while the membership goes on: nothing of it is committed any more.
    pub(crate) fn lose_some(&mut self, partitions: &BTreeSet<TopicPartition>, why: &'static str) {
        let told = self.stays.end(partitions);
        if !told.is_empty() {
            tracing::warn!(group = %self.options.group, partitions = told.len(), why, "lost partitions");
            self.act(Action::Announce(Announcement::Lost(told)));
        }
        self.sweep();
    }

    /// Like [`Membership::lose`], and the member id goes too. `linger` if the coordinator may still believe in it.
    pub(crate) fn die(&mut self, why: &'static str, linger: bool) {
        self.lose(why);
        let id = std::mem::replace(&mut self.id, "".into());
        if linger && !id.is_empty() {
            self.forsaken = Some((id, self.now + self.options.session_timeout));
        }
    }

    /// Begins to give `partitions` up. False if nobody has to be waited for.
    pub(crate) fn begin_yield(&mut self, partitions: &BTreeSet<TopicPartition>) -> bool {
        let told = self.stays.begin_yield(partitions);
        if !told.is_empty() {
            self.yields += 1;
            let until = self.now + self.options.revocation_patience;
            self.yielding = Some(Yielding { number: self.yields, until });
            self.act(Action::Announce(Announcement::Revoked { number: self.yields, partitions: told }));
        }
        self.sweep();
        self.yielding.is_some()
    }

    /// The task has given up what it was asked to, or has had its time. From here on commits for it are fenced; one that
    /// is in flight is answered before anything else is sent, so it is waited for.
    pub(crate) fn end_yield(&mut self, overdue: bool) {
        self.yielding = None;
        let ended = self.stays.end_yield();
        if overdue && !ended.is_empty() {
            tracing::warn!(group = %self.options.group, partitions = ended.len(),
                patience = ?self.options.revocation_patience, "a rebalance has waited long enough for the task");
            self.act(Action::Announce(Announcement::Lost(ended)));
        }
        self.sweep();
    }

    /// Settles the commits of which an assignment is over.
    pub(crate) fn sweep(&mut self) {
        for settled in self.commits.sweep(&self.stays) {
            self.act(Action::Settle(settled));
        }
    }

    /// Takes the calls for the next OffsetCommit, if there are any and they need not wait.
    pub(crate) fn has_commits(&self) -> bool {
        !self.commits.is_empty() && !self.commit_pause.holds(self.now)
    }

    /// The coordinator cannot be used now: it is elsewhere, or not ready.
    pub(crate) fn retry_later(&mut self, code: ErrorCode) {
        if code.is_stale_coordinator() {
            self.act(Action::Seek);
        }
        self.calls.failed(self.now, &mut self.dice);
    }

    pub(crate) fn refused(&self, request: &'static str, code: ErrorCode, message: Option<Arc<str>>) -> GroupError {
        let group = self.options.group.clone();
        match &self.options.instance {
            Some(instance) if code == ErrorCode::FENCED_INSTANCE_ID => {
                GroupError::InstanceTaken { group, instance: instance.clone() }
            }
            _ => GroupError::Refused { request, group, code, message },
        }
    }
}
