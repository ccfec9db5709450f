//! Looking on: what a client may do and what stands in its way, asked so that nothing comes of it.
//!
//! What lives here: who is in a group, whether it would let us in, whether a topic may be written or made, a sample of
//! records, transactions that are open. What may not: joining a group (its members would have to share anew), committing,
//! creating, writing.
//!
//! Kafka checks a client's rights before it looks at what is asked, so a question that can have no effect shows the right:
//!
//! - A heartbeat of a member that there is not is refused with `UNKNOWN_MEMBER_ID` where the group may be read, else with
//!   `GROUP_AUTHORIZATION_FAILED`.
//! - A Produce without a record is refused with `INVALID_RECORD` where the topic may be written, else with
//!   `TOPIC_AUTHORIZATION_FAILED`.
//! - CreateTopics with `validate_only` says what creating would come to.

mod group;
mod rights;
mod sample;
mod transactions;

pub use group::{GroupDescription, GroupMember};
pub use sample::Sample;
pub use transactions::OpenTransaction;
