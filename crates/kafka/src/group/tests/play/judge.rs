//! What must hold.

use data::TopicPartition;
use transit::Assignment;

use super::super::coordinator::{PARTITIONS, TOPIC, Tag};
use super::{Node, Play};

impl Play {
    /// Nothing may be accepted of a stay after a later one was told where to begin.
    pub(super) fn judge(&mut self) {
        for (accepted, commit) in std::mem::take(&mut self.coordinator.accepted) {
            let id: usize = commit.metadata.parse().expect("marked");
            let told = self.begun[&(id, commit.partition.clone(), commit.assignment)];
            let latest = self.latest.get(&commit.partition).copied();
            assert!(
                latest.is_some_and(|latest| latest <= told),
                "seed {}: member {id} committed {} of {} by a stay that is over",
                self.seed,
                commit.offset,
                commit.partition
            );
            self.accepted.insert(commit.partition, (accepted, id));
        }
    }

    /// Nor may anything have been accepted between the telling and the beginning.
    pub(super) fn begin(&mut self, id: usize, partition: &TopicPartition, number: Assignment, tag: Tag) {
        let told = self.coordinator.told[&tag];
        let accepted = self.accepted.get(partition).copied();
        assert!(
            accepted.is_none_or(|(accepted, _)| accepted < told),
            "seed {}: member {id} begins with {partition} behind a commit of {accepted:?}",
            self.seed
        );
        self.begun.insert((id, partition.clone(), number), told);
        let latest = self.latest.entry(partition.clone()).or_insert(told);
        *latest = told.max(*latest);
    }

    /// Whether every partition has one owner, who has just committed.
    pub(super) fn is_well(&self) -> bool {
        (0..PARTITIONS).all(|number| {
            let partition = TopicPartition::new(TOPIC, number);
            let mut owners = self.nodes.values().filter_map(|node| node.held.get(&partition));
            let committed = self.coordinator.committed(&partition);
            owners.next().is_some_and(|stay| committed == Some(stay.done)) && owners.next().is_none()
        })
    }

    pub(super) fn describe(&self) -> String {
        let held = |node: &Node| node.held.iter().map(|(it, stay)| (it.partition, stay.done.0)).collect::<Vec<_>>();
        let nodes: Vec<_> = self.nodes.iter().map(|(id, node)| format!("{id} holds {:?}", held(node))).collect();
        format!("not well after trouble: {}; {:?}", nodes.join(", "), self.coordinator)
    }
}
