//! Consumer groups: who is a member, what is assigned to whom, and what they committed.

mod classic;
mod coordinator;
mod journal;
mod member;
mod subscription;

pub(crate) use classic::{Join, Sync};
pub(crate) use coordinator::{
    CommitIdentity, Committed, Coordinator, GroupDescription, GroupLimits, MemberDescription,
};
pub(crate) use member::Client;
