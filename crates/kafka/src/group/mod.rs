//! Membership of a consumer group, by the classic protocol or that of KIP-848.
//!
//! The promise that all of this is made for: an offset is committed only by who holds its partition. Kafka fences a commit
//! by the member id and epoch that the *request* carries, not by ownership, so a client that stamps a commit with whatever
//! epoch it has at the moment can overwrite what the new owner has committed (seen with the usual clients: a member that
//! was frozen past its session rejoins, and commits offsets of a partition that it lost). Here:
//!
//! - Each stay of a partition has a number; a commit names it. A stay is held under the membership of the moment, and
//!   what a rebalance is not known to have kept is taken out before the epoch moves on (`stays`, `membership`).
//! - One machine sends everything, one request at a time on one connection, which nobody else uses (`member`). So no
//!   epoch changes under a commit in flight, and a revocation is acknowledged (by JoinGroup, or by the heartbeat that
//!   lists what is held) only after the answer to the last commit.
//! - A refused commit is not sent again under another membership. Only two refusals leave it waiting, and both say that
//!   it was the epoch and not the assignment that had moved: see `REBALANCE_IN_PROGRESS` and `STALE_MEMBER_EPOCH` there.
//! - A commit that was not answered is sent again only if its connection ended; if it merely took too long, the member
//!   gives itself up and comes back under another id, so that the old request is harmless wherever it still is.
//! - A membership that the coordinator has not confirmed for a whole session is over, whatever the coordinator thinks:
//!   the first thing that is looked at when a process that stood still goes on.
//!
//! ```text
//! Group (handle) ── commands ──> driver: one task, one connection ── calls ──> coordinator
//!      ^                        |  ^
//!      +── mailbox <── actions ─+  +─ inputs ── member: pure, knows both protocols (classic, consumer)
//! ```

mod assign;
mod call;
mod classic;
mod commits;
mod consumer;
mod driver;
mod error;
mod handle;
mod mailbox;
mod member;
mod membership;
mod options;
mod requests;
mod stays;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub use assign::Assignor;
pub use error::GroupError;
pub use handle::{Group, GroupCommitter};
pub use mailbox::GroupEvent;
pub use membership::Rewound;
pub use options::{GroupOptions, GroupProtocol, OffsetReset, Subscription, TopicPattern};
pub use stays::Restart;
