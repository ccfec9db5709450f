//! The rules that look at nothing but who is there: `range` and `roundrobin`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Assignments, Member, in_order, partitions_of};

fn nothing_yet(members: &[Member]) -> Assignments {
    members.iter().map(|member| (member.id.clone(), BTreeSet::new())).collect()
}

fn wanted<'a>(members: &[&'a Member]) -> BTreeSet<&'a Arc<str>> {
    members.iter().flat_map(|member| &member.topics).collect()
}

/// Each topic is cut into as many runs as it has members; the first ones are longer by one if it does not divide.
pub(super) fn range(members: &[Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignments {
    let mut assignments = nothing_yet(members);
    let members = in_order(members);
    for topic in wanted(&members) {
        let takers: Vec<_> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let partitions: Vec<_> = partitions_of(topic, counts).collect();
        let (each, longer) = (partitions.len() / takers.len(), partitions.len() % takers.len());
        let mut rest = partitions.into_iter();
        for (at, taker) in takers.iter().enumerate() {
            let share = rest.by_ref().take(each + usize::from(at < longer));
            assignments.entry(taker.id.clone()).or_default().extend(share);
        }
    }
    assignments
}

/// All partitions of all topics in order, each to the next member that wants its topic.
pub(super) fn round_robin(members: &[Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignments {
    let mut assignments = nothing_yet(members);
    let members = in_order(members);
    let mut turn = 0;
    for topic in wanted(&members) {
        for partition in partitions_of(topic, counts) {
            // Somebody wants the topic, or it would not be in the list.
            while !members[turn % members.len()].topics.contains(topic) {
                turn += 1;
            }
            assignments.entry(members[turn % members.len()].id.clone()).or_default().insert(partition);
            turn += 1;
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, member, numbers};
    use super::*;

    #[test]
    fn range_gives_neighbours_to_one_member() {
        let members = [member("b", &["t"]), member("a", &["t"]), member("c", &["t"])];
        let assignments = range(&members, &counts(&[("t", 7)]));
        assert_eq!(numbers(&assignments, "a"), [0, 1, 2]);
        assert_eq!(numbers(&assignments, "b"), [3, 4]);
        assert_eq!(numbers(&assignments, "c"), [5, 6]);
    }

    #[test]
    fn range_puts_static_members_first_by_their_instance() {
        let mut late = member("a", &["t"]);
        late.instance = Some("z".into());
        let members = [member("0", &["t"]), late];
        assert_eq!(numbers(&range(&members, &counts(&[("t", 3)])), "a"), [0, 1]);
    }

    #[test]
    fn range_leaves_members_beyond_the_partitions_without_any() {
        let members = [member("a", &["t"]), member("b", &["t"]), member("c", &["gone"])];
        let assignments = range(&members, &counts(&[("t", 1)]));
        assert_eq!(numbers(&assignments, "a"), [0]);
        assert!(assignments["b"].is_empty());
        assert!(assignments["c"].is_empty());
    }

    #[test]
    fn round_robin_goes_round_across_topics() {
        let members = [member("a", &["s", "t"]), member("b", &["t"])];
        let assignments = round_robin(&members, &counts(&[("s", 1), ("t", 4)]));
        assert_eq!(assignments["a"].len(), 3);
        assert_eq!(numbers(&assignments, "b"), [0, 2]);
    }
}
