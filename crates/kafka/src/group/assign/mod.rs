//! Who gets which partition, worked out by the leader of a classic group.
//!
//! The same inputs may give another distribution than Java's assignors would; only one member of a group decides at a
//! time, and each rule here keeps its namesake's promise.

mod even;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use data::TopicPartition;

use super::wire::{self, Subscription};

/// A rule by which partitions are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assignor {
    /// Topic by topic, each member gets a run of neighbouring partitions.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// Evenly, moving as few as possible; everything is given up before each rebalance.
    Sticky,
    /// Evenly, moving as few as possible; what does not move is never given up.
    CooperativeSticky,
}

impl Assignor {
    /// The name under which members agree on it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The one that an entry of `partition.assignment.strategy` names: a Java class, with or without its package, or
    /// librdkafka's short name.
    pub fn named(entry: &str) -> Option<Self> {
        let class = entry.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(entry);
        match class {
            "RangeAssignor" | "range" => Some(Self::Range),
            "RoundRobinAssignor" | "roundrobin" => Some(Self::RoundRobin),
            "StickyAssignor" | "sticky" => Some(Self::Sticky),
            "CooperativeStickyAssignor" | "cooperative-sticky" => Some(Self::CooperativeSticky),
            _ => None,
        }
    }

    /// Whether members may keep what they have while a rebalance goes on.
    pub(crate) fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }

    /// What this rule wants to have noted in the subscription of a member that had `previous` since `generation`.
    pub(crate) fn user_data(self, previous: &BTreeSet<TopicPartition>, generation: i32) -> Option<Bytes> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => Some(wire::encode_previous(previous, generation)),
            Self::CooperativeSticky => Some(wire::encode_generation(generation)),
        }
    }

    /// Shares out the partitions of the topics that `members` want. `counts` says how many partitions each topic has; a
    /// topic that it lacks does not exist.
    pub(crate) fn assign(self, members: &[Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignments {
        let mut assignments = match self {
            Self::Range => even::range(members, counts),
            Self::RoundRobin => even::round_robin(members, counts),
            Self::Sticky | Self::CooperativeSticky => sticky::assign(members, counts),
        };
        if self.is_cooperative() {
            sticky::hold_back_what_moves(members, &mut assignments);
        }
        assignments
    }
}

impl fmt::Display for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What each member gets, by member id. Every member has an entry.
pub(crate) type Assignments = BTreeMap<Arc<str>, BTreeSet<TopicPartition>>;

/// A member of the group, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: Arc<str>,
    pub(crate) instance: Option<Arc<str>>,
    pub(crate) topics: BTreeSet<Arc<str>>,
    /// What it says that it has.
    pub(crate) owned: BTreeSet<TopicPartition>,
    /// Since which generation it has it; -1 if it does not say.
    pub(crate) generation: i32,
}

impl Member {
    /// Reads what a member's subscription says to `assignor`.
    pub(crate) fn read(
        id: Arc<str>,
        instance: Option<Arc<str>>,
        subscription: Subscription,
        assignor: Assignor,
    ) -> Self {
        let Subscription { topics, mut owned, mut generation, user_data, .. } = subscription;
        // A note that cannot be read is no reason to fail the whole group: the member then counts as having nothing.
        match (assignor, user_data) {
            (Assignor::Sticky, Some(note)) => {
                if let Ok((previous, since)) = wire::decode_previous(note) {
                    (owned, generation) = (previous, since);
                }
            }
            (Assignor::CooperativeSticky, Some(note)) if generation < 0 => {
                generation = wire::decode_generation(note).unwrap_or(-1);
            }
            (Assignor::Range | Assignor::RoundRobin | Assignor::CooperativeSticky | Assignor::Sticky, _) => {}
        }
        Self { id, instance, topics, owned, generation }
    }

    /// Members in an order that a restart does not change for static ones, which come first, as with Java.
    fn order(&self) -> (bool, &Arc<str>) {
        (self.instance.is_none(), self.instance.as_ref().unwrap_or(&self.id))
    }
}

fn in_order(members: &[Member]) -> Vec<&Member> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by(|a, b| a.order().cmp(&b.order()));
    members
}

fn partitions_of<'a>(
    topic: &'a Arc<str>,
    counts: &BTreeMap<Arc<str>, i32>,
) -> impl Iterator<Item = TopicPartition> + 'a {
    let count = counts.get(topic).copied().unwrap_or(0);
    (0..count).map(|partition| TopicPartition { topic: topic.clone(), partition })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn member(id: &str, topics: &[&str]) -> Member {
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        Member { id: id.into(), instance: None, topics, owned: BTreeSet::new(), generation: -1 }
    }

    pub(crate) fn counts(topics: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
        topics.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
    }

    pub(crate) fn numbers(assignments: &Assignments, member: &str) -> Vec<i32> {
        assignments[member].iter().map(|partition| partition.partition).collect()
    }

    #[test]
    fn java_class_names_and_short_names_are_known() {
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
            assert_eq!(Assignor::named(assignor.name()), Some(assignor));
        }
        let class = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        assert_eq!(Assignor::named(class), Some(Assignor::CooperativeSticky));
        assert_eq!(Assignor::named("RangeAssignor"), Some(Assignor::Range));
        assert_eq!(Assignor::named("com.example.Mine"), None);
    }

    #[test]
    fn what_sticky_notes_is_what_its_leader_reads() {
        let previous: BTreeSet<_> = [TopicPartition::new("t", 3)].into();
        for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
            let subscription = Subscription {
                topics: ["t".into()].into(),
                owned: if assignor.is_cooperative() { previous.clone() } else { BTreeSet::new() },
                generation: -1,
                rack: None,
                user_data: assignor.user_data(&previous, 5),
            };
            let read = Member::read("m".into(), None, subscription, assignor);
            assert_eq!((&read.owned, read.generation), (&previous, 5));
        }
    }
}
