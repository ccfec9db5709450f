//! The checks, one file a group. Each writes down what it saw, and leaves why to [`crate::causes`].

pub(crate) mod anywhere;
pub(crate) mod bucket;
pub(crate) mod clock;
pub(crate) mod elsewhere;
pub(crate) mod expiry;
pub(crate) mod identity;
pub(crate) mod input;
pub(crate) mod kafka;
pub(crate) mod network;
pub(crate) mod ours;
pub(crate) mod policies;
pub(crate) mod reading;
pub(crate) mod refusal;
pub(crate) mod trust;
pub(crate) mod writing;
