//! Resolves what the previous owner of a partition left beside its offset, before the first record is read.

use std::sync::Arc;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Fault, Retry};

use crate::intent::{self, Metadata};
use crate::mend::{Mend, TornCut};
use crate::protocol::{self, Recovery};
use crate::{Assigned, Commit, CommitOutcome, Committer, Finished, Lanes, Sink};

/// Where a partition goes on.
#[derive(Debug)]
pub(crate) enum Recovered {
    /// At this offset; `finished` tells whether an intent of somebody else was completed.
    At { offset: Offset, finished: bool },
    /// At the unchanged offset, and the torn cut that begins there is to be mended first.
    Torn(Box<Mend>),
    /// The assignment is over already.
    Fenced,
}

/// What became of an intent that was dealt with by one who reads nothing afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nothing is left of it: there was none, or it is finished and committed, or nothing that was to be visible is.
    Done,
    /// Some of its objects are visible and the uploads of the others are gone: only a task that reads its records again can
    /// make it whole.
    Torn {
        /// Where its records begin.
        from: Offset,
    },
    /// Somebody else has the partition by now, and deals with it.
    Fenced,
}

/// Finishes the intent of `assigned` as its next owner would, for one who is about to move the group's offsets: from then
/// on nobody would know of it. `recipe` is the one by which the connector makes objects.
pub async fn settle<K: Sink, C: Committer>(
    assigned: &Assigned,
    sink: &K,
    committer: &C,
    recipe: Option<&Arc<str>>,
    lanes: Lanes,
) -> Result<Settled, Fault> {
    Ok(match recover(assigned, sink, committer, recipe, lanes).await? {
        Recovered::At { .. } => Settled::Done,
        Recovered::Torn(mend) => Settled::Torn { from: mend.from },
        Recovered::Fenced => Settled::Fenced,
    })
}

/// Finishes the intent of `assigned`, if there is one. `ours` is the recipe by which this task makes objects.
pub(crate) async fn recover<K: Sink, C: Committer>(
    assigned: &Assigned,
    sink: &K,
    committer: &C,
    ours: Option<&Arc<str>>,
    lanes: Lanes,
) -> Result<Recovered, Fault> {
    let stay = Recovered::At { offset: assigned.position, finished: false };
    let unreadable = |error: intent::UnreadableIntent| {
        Fault::new(IntentUnreadable { partition: assigned.partition.clone(), offset: assigned.position, source: error })
    };
    let (to, objects, recipe) = match intent::decode(&assigned.metadata).map_err(unreadable)? {
        Metadata::Foreign => return Ok(stay),
        Metadata::Intent(intent) => (intent.to, intent.objects, intent.recipe),
        Metadata::Spilled { to, manifest, hash, recipe } => {
            let Some(body) = sink.get_manifest(&manifest).await? else {
                let reason = format!("its manifest {manifest} is gone");
                return Err(unreadable(intent::UnreadableIntent { reason }));
            };
            let objects = intent::decode_manifest(&body, &hash).map_err(unreadable)?;
            let objects = intent::objects_of(&objects, &assigned.partition);
            // The manifest stays: the owners of the cut's other partitions may still have to read it.
            (to, objects, recipe)
        }
    };
    let mut finished = Vec::with_capacity(objects.len());
    for object in &objects {
        finished.push(sink.finish(object).await?);
    }
    match protocol::recovery(&finished) {
        Recovery::Commit => {}
        Recovery::ReadAgain => {
            tracing::warn!(partition = %assigned.partition, from = %assigned.position, %to,
                "the uploads of the previous owner are gone; its records are read again");
            return Ok(stay);
        }
        // Names of keys come back: what is not ours any more may have been published and since replaced by the owner of
        // another partition that has the same key. An object there is the last record of its key, and reading the span
        // again puts just that there.
        Recovery::Torn if lanes == Lanes::Shared => {
            tracing::info!(partition = %assigned.partition, from = %assigned.position, %to,
                "objects of the previous owner's cut have been replaced since; its records are read again");
            return Ok(stay);
        }
        Recovery::Torn => {
            let visible = finished.iter().filter(|one| **one == Finished::Visible).count();
            let of = finished.len();
            let (partition, from) = (assigned.partition.clone(), assigned.position);
            return match Mend::plan((from, to), objects, &finished, recipe, ours) {
                Ok(mend) => {
                    tracing::warn!(%partition, %from, %to, visible, of,
                        "uploads of the previous owner's cut are gone; its records are read again, and the objects \
                         that are missing are written again");
                    Ok(Recovered::Torn(Box::new(mend)))
                }
                Err(why) => Err(Fault::new(TornCut { partition, from, to, visible, of, why })),
            };
        }
    }
    let commit = Commit {
        partition: assigned.partition.clone(),
        assignment: assigned.assignment,
        offset: to,
        metadata: "".into(),
    };
    match committer.commit(vec![commit]).await? {
        CommitOutcome::Done => {
            tracing::info!(partition = %assigned.partition, from = %assigned.position, %to, objects = objects.len(),
                "finished the cut that the previous owner had prepared");
            Ok(Recovered::At { offset: to, finished: true })
        }
        // The intent is finished all the same; whoever has the partition now finds its objects visible.
        CommitOutcome::Fenced | CommitOutcome::Unknown => Ok(Recovered::Fenced),
        CommitOutcome::Refused { code } => Err(Fault::new(crate::cut::CommitRefused { code })),
    }
}

/// An intent that this program cannot read stands beside the committed offset.
#[derive(Debug, thiserror::Error)]
#[error("cannot go on with {partition} at offset {offset}")]
pub struct IntentUnreadable {
    /// Whose intent.
    pub partition: TopicPartition,
    /// The committed offset.
    pub offset: Offset,
    source: intent::UnreadableIntent,
}

impl Diagnose for IntentUnreadable {
    fn code(&self) -> Code {
        "transit.intent-unreadable"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(
            "start the version of tidegate that wrote it; or, to give the intent up and read its records again, reset \
             the group to this offset with kafka-consumer-groups --reset-offsets --to-offset"
                .into(),
        )
    }
}
