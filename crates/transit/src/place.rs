use std::fmt;

use data::{Offset, TopicPartition};

/// One stay of a partition with this process. A partition that leaves and comes back comes under a new number, so that
/// what was begun in the old stay can be neither prepared nor committed in the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Assignment(pub u64);

/// The offsets `[from, to)` of a partition under one assignment. Offsets, not a count: a compacted or transactional
/// partition has gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose offsets.
    pub partition: TopicPartition,
    /// Under which assignment they were read.
    pub assignment: Assignment,
    /// The first offset, which is the committed one.
    pub from: Offset,
    /// The offset after the last one.
    pub to: Offset,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, {})", self.partition, self.from, self.to)
    }
}
