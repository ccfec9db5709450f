//! The requests that the broker answers, one file a family.

mod admin;
mod cluster_info;
mod committed_offsets;
mod configs;
mod dispatch;
mod fetch;
mod groups;
mod metadata;
mod offsets;
mod produce;
mod versions;

pub(crate) use dispatch::answer;
