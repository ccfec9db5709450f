//! The rule of `sticky` and `cooperative-sticky`: as even as it gets, and nothing moves without need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data::TopicPartition;

use super::{Assignments, Member, in_order, partitions_of};

/// Every member keeps what it validly claims; what is free goes to whoever has least; then partitions move from those
/// that have at least two more to those that have less.
///
/// As with Java's assignor, only direct moves are tried: among members with different subscriptions a chain of moves that
/// each alone improves nothing is not found.
pub(super) fn assign(members: &[Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignments {
    let members = in_order(members);
    let mut shares: Vec<BTreeSet<TopicPartition>> = valid_claims(&members, counts);
    let mut takers: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        for topic in &member.topics {
            takers.entry(topic).or_default().push(at);
        }
    }
    hand_out(&takers, counts, &mut shares);
    while let Some((from, to, partition)) = improving_move(&takers, &shares) {
        shares[from].remove(&partition);
        shares[to].insert(partition);
    }
    members.iter().map(|member| member.id.clone()).zip(shares).collect()
}

/// What each member has a right to keep: partitions that exist, of topics that it still wants, claimed by it alone with
/// the latest generation. An older claim is of a member that missed a rebalance: somebody else may have had the
/// partition since. Of two equal claims neither counts.
fn valid_claims(members: &[&Member], counts: &BTreeMap<Arc<str>, i32>) -> Vec<BTreeSet<TopicPartition>> {
    let latest = members.iter().map(|member| member.generation).max().unwrap_or(-1);
    let mut claims: BTreeMap<&TopicPartition, usize> = BTreeMap::new();
    for member in members.iter().filter(|member| member.generation == latest) {
        for partition in &member.owned {
            *claims.entry(partition).or_default() += 1;
        }
    }
    let valid = |member: &Member, partition: &TopicPartition| {
        member.generation == latest
            && claims.get(partition) == Some(&1)
            && member.topics.contains(&partition.topic)
            && counts.get(&partition.topic).is_some_and(|count| (0..*count).contains(&partition.partition))
    };
    members.iter().map(|member| member.owned.iter().filter(|it| valid(member, it)).cloned().collect()).collect()
}

/// Gives each free partition to the member that has least of those that want it. Topics that few want come first, for
/// they have the least choice.
fn hand_out(
    takers: &BTreeMap<&Arc<str>, Vec<usize>>,
    counts: &BTreeMap<Arc<str>, i32>,
    shares: &mut [BTreeSet<TopicPartition>],
) {
    let taken: BTreeSet<_> = shares.iter().flatten().cloned().collect();
    let mut topics: Vec<_> = takers.iter().collect();
    topics.sort_by_key(|(_, takers)| takers.len());
    for (topic, takers) in topics {
        for partition in partitions_of(topic, counts).filter(|partition| !taken.contains(partition)) {
            let least = takers.iter().copied().min_by_key(|at| (shares[*at].len(), *at));
            if let Some(least) = least {
                shares[least].insert(partition);
            }
        }
    }
}

/// A partition whose move makes things more even, from a member with most. Each move lowers the sum of squares of the
/// shares, so moving ends.
fn improving_move(
    takers: &BTreeMap<&Arc<str>, Vec<usize>>,
    shares: &[BTreeSet<TopicPartition>],
) -> Option<(usize, usize, TopicPartition)> {
    // Who has least, per topic: one pass instead of one for each partition.
    let least = |topic: &Arc<str>| takers.get(topic)?.iter().copied().min_by_key(|at| (shares[*at].len(), *at));
    let least: BTreeMap<_, _> = takers.keys().filter_map(|topic| Some((*topic, least(topic)?))).collect();
    let mut from: Vec<_> = (0..shares.len()).collect();
    from.sort_by_key(|at| std::cmp::Reverse(shares[*at].len()));
    from.into_iter().find_map(|from| {
        // The last ones move, so that a member keeps the partitions it would get first.
        shares[from].iter().rev().find_map(|partition| {
            let to = *least.get(&partition.topic)?;
            (shares[from].len() >= shares[to].len() + 2).then(|| (from, to, partition.clone()))
        })
    })
}

/// Leaves out what another member still holds: it is given up in this round and handed out in the next. Any claim
/// counts here, even one too old to be kept by, because its owner may not know yet that it is.
pub(super) fn hold_back_what_moves(members: &[Member], assignments: &mut Assignments) {
    let mut holders: BTreeMap<&TopicPartition, Vec<&Arc<str>>> = BTreeMap::new();
    for member in members {
        for partition in &member.owned {
            holders.entry(partition).or_default().push(&member.id);
        }
    }
    for (member, share) in assignments {
        share.retain(|partition| {
            holders.get(partition).is_none_or(|holders| holders.iter().all(|holder| *holder == member))
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Assignor;
    use super::super::tests::{counts, member, numbers};
    use super::*;

    fn owning(id: &str, generation: i32, numbers: &[i32]) -> Member {
        let owned = numbers.iter().map(|number| TopicPartition::new("t", *number)).collect();
        Member { owned, generation, ..member(id, &["t"]) }
    }

    #[test]
    fn a_newcomer_gets_its_share_and_nothing_else_moves() {
        let members = [owning("a", 3, &[0, 2, 4]), owning("b", 3, &[1, 3, 5]), owning("c", -1, &[])];
        let assignments = assign(&members, &counts(&[("t", 6)]));
        assert_eq!(numbers(&assignments, "a"), [0, 2]);
        assert_eq!(numbers(&assignments, "b"), [1, 3]);
        assert_eq!(numbers(&assignments, "c"), [4, 5]);
    }

    #[test]
    fn cooperation_holds_back_what_moves_for_one_round() {
        let members = [owning("a", 3, &[0, 1]), owning("b", -1, &[])];
        let assignments = Assignor::CooperativeSticky.assign(&members, &counts(&[("t", 2)]));
        assert_eq!(numbers(&assignments, "a"), [0]);
        assert!(assignments["b"].is_empty());
        let members = [owning("a", 4, &[0]), owning("b", 4, &[])];
        let assignments = Assignor::CooperativeSticky.assign(&members, &counts(&[("t", 2)]));
        assert_eq!(numbers(&assignments, "b"), [1]);
    }

    #[test]
    fn a_claim_from_before_the_latest_generation_does_not_count_but_is_not_overrun() {
        let members = [owning("a", 3, &[0, 1]), owning("b", 4, &[1])];
        let assignments = Assignor::CooperativeSticky.assign(&members, &counts(&[("t", 2)]));
        assert_eq!(numbers(&assignments, "a"), [0]);
        assert!(assignments["b"].is_empty(), "a may still be writing to 1");
    }

    #[test]
    fn of_two_equal_claims_neither_counts() {
        let members = [owning("a", 3, &[0]), owning("b", 3, &[0])];
        let assignments = Assignor::CooperativeSticky.assign(&members, &counts(&[("t", 1)]));
        assert!(assignments.values().all(BTreeSet::is_empty));
    }

    #[test]
    fn partitions_that_are_gone_are_not_assigned() {
        let members = [owning("a", 3, &[0, 9])];
        assert_eq!(numbers(&assign(&members, &counts(&[("t", 1)])), "a"), [0]);
    }

    #[test]
    fn a_thousand_partitions_and_forty_members_are_quick() {
        let all: Vec<_> = (0..1000).collect();
        let mut members = vec![owning("first", 1, &all)];
        members.extend((0..39).map(|at| owning(&format!("late-{at}"), -1, &[])));
        let assignments = assign(&members, &counts(&[("t", 1000)]));
        assert!(assignments.values().all(|share| share.len() == 25));
    }

    prop_compose! {
        fn a_group()(
            topics in proptest::collection::vec(0..6_i32, 1..4),
            members in proptest::collection::vec((proptest::collection::vec(any::<bool>(), 4), 0..3_i32, any::<u64>()), 1..6),
        ) -> (Vec<Member>, BTreeMap<Arc<str>, i32>) {
            let names = ["s", "t", "u", "v"];
            let counts: BTreeMap<Arc<str>, i32> = topics.iter().zip(names).map(|(n, name)| (name.into(), *n)).collect();
            let members = members.iter().enumerate().map(|(at, (wants, generation, claims))| Member {
                id: format!("m{at}").into(),
                instance: None,
                topics: names.iter().zip(wants).filter(|(_, wants)| **wants).map(|(name, _)| Arc::from(*name)).collect(),
                owned: (0..24).filter(|bit| claims >> bit & 1 == 1 && (claims >> (bit + 24)).trailing_zeros() >= 2)
                    .map(|bit| TopicPartition::new(names[bit as usize / 6], bit % 6)).collect(),
                generation: *generation,
            }).collect();
            (members, counts)
        }
    }

    proptest! {
        #[test]
        fn every_partition_that_somebody_wants_has_exactly_one_owner_who_wants_it((members, counts) in a_group()) {
            for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky] {
                let assignments = assignor.assign(&members, &counts);
                let mut all: Vec<_> = assignments.values().flatten().cloned().collect();
                let wanted: BTreeSet<_> = members.iter().flat_map(|member| &member.topics)
                    .flat_map(|topic| partitions_of(topic, &counts)).collect();
                all.sort();
                prop_assert_eq!(all, wanted.into_iter().collect::<Vec<_>>());
                for member in &members {
                    prop_assert!(assignments[&member.id].iter().all(|it| member.topics.contains(&it.topic)));
                }
            }
        }

        #[test]
        fn nobody_gets_what_another_still_holds((members, counts) in a_group()) {
            let assignments = Assignor::CooperativeSticky.assign(&members, &counts);
            for member in &members {
                for other in members.iter().filter(|other| other.id != member.id) {
                    prop_assert!(assignments[&member.id].is_disjoint(&other.owned));
                }
            }
        }

        #[test]
        fn equal_subscriptions_get_equal_shares((members, counts) in a_group()) {
            let members: Vec<_> = members.iter().map(|it| Member { topics: members[0].topics.clone(), ..it.clone() }).collect();
            let assignments = assign(&members, &counts);
            let most = assignments.values().map(BTreeSet::len).max().unwrap();
            let least = assignments.values().map(BTreeSet::len).min().unwrap();
            prop_assert!(most - least <= 1);
        }
    }
}
