//! The protocol of the prepared cut as pure code: which step comes after which, and what a new owner does with an intent.
//!
//! Neither I/O nor time: `cut.rs` and `recover.rs` carry the steps out, and the model test walks the very same functions
//! through every interleaving of crashes, zombies and rebalances. The protocol itself, and why it is sound, is
//! docs/exactly-once.md.

use crate::{CommitOutcome, Finished};

/// How a connector makes its objects visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// An intent is made durable before anything becomes visible: each record is in exactly one visible object.
    ExactlyOnce,
    /// No intent: after a crash between publishing and committing, records come again.
    AtLeastOnce,
}

/// What is to be done next with a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Wait until all parts are at the far side.
    Upload,
    /// Commit the unchanged offsets with the intent beside them.
    Prepare,
    /// Make the objects visible.
    Publish,
    /// Commit the new offsets.
    Commit,
    /// Nothing: every record of the cut is settled.
    Done,
    /// Give the cut up; nothing of it is or will become visible by us. Its uploads are aborted.
    Drop,
    /// Give the cut up, but touch nothing: its intent is durable, and the next owner finishes it.
    Leave,
    /// An upload that was promised in the intent is gone: the records must be read again.
    ReadAgain,
}

/// The first step of a cut. One that makes no object (all its records were filtered or dead-lettered) has only its
/// offset to commit.
pub fn first_step(objects: usize) -> Step {
    if objects == 0 { Step::Commit } else { Step::Upload }
}

/// What follows when all parts are uploaded.
pub fn after_upload(mode: WriteMode) -> Step {
    match mode {
        WriteMode::ExactlyOnce => Step::Prepare,
        WriteMode::AtLeastOnce => Step::Publish,
    }
}

/// What follows the prepare.
///
/// Fenced: the group has moved on, and the new owner reads from the old offset, so nothing of ours may become visible.
/// Unknown: the new owner may have found our intent and be finishing it. An upload aborted under its hands, while it has
/// completed another one of the same cut, would leave the cut torn; so nothing is touched.
pub fn after_prepare(outcome: &CommitOutcome) -> Step {
    match outcome {
        CommitOutcome::Done => Step::Publish,
        CommitOutcome::Unknown => Step::Leave,
        CommitOutcome::Fenced | CommitOutcome::Refused { .. } => Step::Drop,
    }
}

/// What follows when every object of the cut has been published or found gone.
///
/// `Gone` for our own publish: either the next owner aborted nothing (we never abort a prepared upload) and a lifecycle
/// rule removed it, or somebody else completed and removed the object. The committed offset has not moved, so reading
/// again loses nothing.
pub fn after_publish(finished: &[Finished]) -> Step {
    if finished.iter().all(|one| *one == Finished::Visible) { Step::Commit } else { Step::ReadAgain }
}

/// What follows the commit of the new offsets.
///
/// Fenced after publishing: the next owner has read our intent (it stands beside the offset it started from), finds the
/// objects visible, and commits for us.
pub fn after_commit(outcome: &CommitOutcome, mode: WriteMode) -> Step {
    match (outcome, mode) {
        (CommitOutcome::Done, _) => Step::Done,
        (_, WriteMode::ExactlyOnce | WriteMode::AtLeastOnce) => Step::Leave,
    }
}

/// What a new owner does with the partition of an intent once each of its objects was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// All objects are visible: commit the intent's end and go on there.
    Commit,
    /// None is visible and none ever will be: go on at the unchanged offset.
    ReadAgain,
    /// Some are visible and some are gone for good: going on at either end would double or lose records. The span is
    /// read again, and the missing objects alone are written again and prepared together with the visible ones
    /// (`mend.rs`, which also says when that is not safe and a person has to decide).
    Torn,
}

/// Decides from what became of the objects. The caller has tried *every* object first.
pub fn recovery(finished: &[Finished]) -> Recovery {
    let visible = finished.iter().filter(|one| **one == Finished::Visible).count();
    if visible == finished.len() {
        Recovery::Commit
    } else if visible == 0 {
        Recovery::ReadAgain
    } else {
        Recovery::Torn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_whose_intent_may_be_durable_are_left_to_the_next_owner() {
        assert_eq!(after_prepare(&CommitOutcome::Unknown), Step::Leave);
        assert_eq!(after_prepare(&CommitOutcome::Fenced), Step::Drop);
    }
}
