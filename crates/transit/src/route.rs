use data::{RecordFault, RecordView, TopicPartition};

use crate::ObjectName;

/// Which partitions are cut together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// An object holds records of one partition only: each partition is a lane of its own.
    PerPartition,
    /// An object may hold records of several partitions: all partitions of the task are one lane. Such an object is only the
    /// last record of its name, so what a crash has torn may be read and written again, over what was visible.
    Shared,
}

/// A group of the cut that is open now: its place in the order in which the groups were opened, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupIndex(pub u32);

/// Where a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// To a group that is open.
    Group(GroupIndex),
    /// To a new group with this name, which gets the next index.
    Open {
        /// The object's name.
        name: ObjectName,
        /// A group that no record will go to any more, so that its memory can be freed.
        closes: Option<GroupIndex>,
    },
    /// To a group that is open, in place of all that it holds (the last record of a key wins).
    Replace(GroupIndex),
}

/// Says which object each record of a lane goes to. Pure, and stateful between two cuts.
pub trait Route: Send {
    /// Where the next record of the lane goes. `now_millis` is the time of day at which the records were taken up, for
    /// names made from it (milliseconds since 1970).
    fn route(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        now_millis: i64,
    ) -> Result<Routed, RecordFault>;

    /// The record that was routed last could not be stored: goes on as if it had never been routed. A group that it
    /// opened does not exist, and what it would have closed stays open. At most once after a `route` that returned `Ok`.
    ///
    /// Names show the first record of a group and groups are limited by count: neither may depend on a record that is
    /// not there.
    fn undo(&mut self);

    /// The lane has been cut: every group is closed, indexes begin at 0 again.
    fn cut(&mut self);
}

/// Makes the [`Route`] of each lane of a connector.
pub trait Router: Send + Sync + 'static {
    /// Which partitions are cut together.
    fn lanes(&self) -> Lanes;
    /// A fresh route for one lane.
    fn route(&self) -> Box<dyn Route>;
}
