//! Groups of real members around a coordinator that follows Kafka's rules, in virtual time, with everything that can go
//! wrong between them: requests and answers lost or late, members that die, stand still, restart, or take their time.
//!
//! The one promise: from the moment at which a member is told where to begin with a partition, nothing that an earlier
//! stay commits is accepted. And when the trouble is over, every partition finds an owner that can commit.

mod alone;
mod coordinator;

mod play;

use super::assign::Assignor;
use super::options::GroupProtocol;

fn run_seeds(protocol: &GroupProtocol, fixed: bool, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        play::play(seed, protocol, fixed);
    }
}

#[test]
fn no_two_stays_can_commit_under_range() {
    run_seeds(&GroupProtocol::Classic(vec![Assignor::Range]), false, 0..60);
}

#[test]
fn no_two_stays_can_commit_under_cooperative_sticky() {
    run_seeds(&GroupProtocol::Classic(vec![Assignor::CooperativeSticky]), false, 0..150);
}

#[test]
fn no_two_stays_can_commit_under_cooperative_sticky_with_static_members() {
    run_seeds(&GroupProtocol::Classic(vec![Assignor::CooperativeSticky]), true, 0..150);
}

#[test]
fn no_two_stays_can_commit_under_kip_848() {
    run_seeds(&GroupProtocol::Consumer(None), false, 0..400);
}
