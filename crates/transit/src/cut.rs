//! Carries a cut through the steps of `protocol.rs`.

use std::sync::Arc;

use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{StreamExt, TryStreamExt};
use tokio::time::Instant;

use crate::dead_letter::{DeadLetter, DeadLetters};
use crate::intent::{self, HeldObject, Intent, METADATA_LIMIT, Recipe, encode_manifest};
use crate::protocol::{self, Step, WriteMode};
use crate::upload::Upload;
use crate::{Commit, CommitOutcome, Committer, Finished, IntentObject, ObjectName, PartTag, Sink, Span};

/// Objects closed together, and the spans of all the records that went into them.
pub(crate) struct Cut<K: Sink> {
    pub(crate) spans: Vec<Span>,
    pub(crate) uploads: Vec<Upload<K>>,
    /// Objects of it that were visible before: it is a torn one that is being mended.
    pub(crate) standing: Vec<IntentObject>,
    /// By what its records became its objects, where that can be done again.
    pub(crate) recipe: Option<Recipe>,
    pub(crate) letters: Vec<DeadLetter>,
    /// Where the intent goes if it is too large to stand beside an offset.
    pub(crate) manifest: ObjectName,
    pub(crate) sealed: Instant,
}

impl<K: Sink> Cut<K> {
    /// The objects that are visible already. Cuts that mix partitions are never mended, so they are of all its partitions.
    fn standing(&self) -> impl Iterator<Item = HeldObject> {
        self.standing.iter().map(|object| HeldObject {
            object: object.clone(),
            partitions: self.spans.iter().map(|span| span.partition.clone()).collect(),
        })
    }
}

/// How a cut ended.
#[derive(Debug)]
pub(crate) enum CutEnd {
    /// Every record of its spans is settled.
    Done { objects: usize, took: std::time::Duration },
    /// Its assignment is over; the next owner reads again or finishes it.
    Fenced,
    /// The task cannot go on like this.
    Failed(Arc<Fault>),
}

/// What a cut needs of its task.
pub(crate) struct Hands<K, C, D> {
    pub(crate) sink: Arc<K>,
    pub(crate) committer: C,
    pub(crate) letters: Arc<D>,
    pub(crate) mode: WriteMode,
}

impl<K, C: Clone, D> Clone for Hands<K, C, D> {
    fn clone(&self) -> Self {
        Self {
            sink: Arc::clone(&self.sink),
            committer: self.committer.clone(),
            letters: Arc::clone(&self.letters),
            mode: self.mode,
        }
    }
}

/// Runs the protocol to its end. Cancel safe in its sense: dropped at any await, it leaves either nothing (its uploads
/// are aborted) or a durable intent that the next owner finishes.
pub(crate) async fn run<K: Sink, C: Committer, D: DeadLetters>(cut: Cut<K>, hands: Hands<K, C, D>) -> CutEnd {
    let sealed = cut.sealed;
    let objects = cut.uploads.len();
    match publish(cut, &hands).await {
        Ok(CommitOutcome::Done) => CutEnd::Done { objects, took: sealed.elapsed() },
        Ok(CommitOutcome::Fenced | CommitOutcome::Unknown) => CutEnd::Fenced,
        Ok(CommitOutcome::Refused { code }) => CutEnd::Failed(Arc::new(Fault::new(CommitRefused { code }))),
        Err(fault) => CutEnd::Failed(fault),
    }
}

async fn publish<K: Sink, C: Committer, D: DeadLetters>(
    mut cut: Cut<K>,
    hands: &Hands<K, C, D>,
) -> Result<CommitOutcome, Arc<Fault>> {
    let mut objects: Vec<(HeldObject, Vec<PartTag>)> = Vec::with_capacity(cut.uploads.len());
    let mut spilled = false;
    let mut step = protocol::first_step(cut.uploads.len());
    // Dead letters first: an offset behind them must not be committed before they are durable.
    if !cut.letters.is_empty() {
        hands.letters.send(std::mem::take(&mut cut.letters)).await.map_err(Arc::new)?;
    }
    loop {
        step = match step {
            Step::Upload => {
                for upload in &mut cut.uploads {
                    objects.push(upload.settle().await?);
                }
                protocol::after_upload(hands.mode)
            }
            Step::Prepare => {
                let new = objects.iter().map(|(held, _)| held.clone());
                let held: Vec<HeldObject> = cut.standing().chain(new).collect();
                let (commits, manifest) = prepares(&cut.spans, &held, cut.recipe.as_ref(), &cut.manifest);
                if let Some(body) = manifest {
                    hands.sink.put_manifest(&cut.manifest, body).await.map_err(Arc::new)?;
                    spilled = true;
                }
                // From the moment it is sent the intent may be durable, whatever we get to hear of it.
                cut.uploads.iter_mut().for_each(Upload::keep);
                let outcome = hands.committer.commit(commits).await.map_err(Arc::new)?;
                let next = protocol::after_prepare(&outcome);
                match next {
                    Step::Drop => {
                        cut.uploads.iter_mut().for_each(Upload::give_up);
                        return Ok(outcome);
                    }
                    Step::Leave => return Ok(outcome),
                    next => next,
                }
            }
            Step::Publish => {
                let finished = publish_all(&*hands.sink, &objects).await?;
                // Without an intent nobody else would ever end those that could not be published; until here they end
                // with us.
                cut.uploads.iter_mut().for_each(Upload::keep);
                protocol::after_publish(&finished)
            }
            Step::Commit => {
                let commits = cut.spans.iter().map(|span| commit(span, span.to, "".into())).collect();
                let outcome = hands.committer.commit(commits).await.map_err(Arc::new)?;
                match protocol::after_commit(&outcome, hands.mode) {
                    Step::Done if spilled => hands.sink.delete_manifest(&cut.manifest).await,
                    _ => {}
                }
                return Ok(outcome);
            }
            Step::ReadAgain => return Err(Arc::new(Fault::new(UploadGone { spans: describe(&cut.spans) }))),
            Step::Done | Step::Drop | Step::Leave => unreachable!("these end the cut where they are decided"),
        };
    }
}

/// Publishing side by side: enough to hide the round trip, few enough to leave room for the parts of other lanes.
const PUBLISH_AT_ONCE: usize = 16;

async fn publish_all<K: Sink>(sink: &K, objects: &[(HeldObject, Vec<PartTag>)]) -> Result<Vec<Finished>, Arc<Fault>> {
    // Collected and boxed: as a lazy `map` the compiler cannot prove the stream `Send` for every lifetime.
    let publishing: Vec<BoxFuture<'_, Result<Finished, Fault>>> =
        objects.iter().map(|(held, parts)| sink.publish(&held.object, parts).boxed()).collect();
    futures_util::stream::iter(publishing).buffer_unordered(PUBLISH_AT_ONCE).try_collect().await.map_err(Arc::new)
}

/// The most bytes that the intents of one cut may have together. They are committed in one request, which the broker
/// writes as one batch of its offsets topic and refuses whole above `message.max.bytes` (1 MiB by default): four hundred
/// partitions of a shared lane with an intent of 3 KB each would never be committed.
const PREPARE_LIMIT: usize = 256 << 10;

/// The commits of the prepare step, and the manifest's body if an intent, or all of them together, are too large.
///
/// An intent names only the objects that hold records of its partition. Nobody but the partition's owner can write others
/// under their names before the intent is resolved; what holds records of other partitions only may be finished by their
/// owner, and replaced, long before this intent is looked at.
fn prepares(
    spans: &[Span],
    objects: &[HeldObject],
    recipe: Option<&Recipe>,
    manifest: &ObjectName,
) -> (Vec<Commit>, Option<bytes::Bytes>) {
    let intent = |span: &Span| Intent {
        to: span.to,
        objects: intent::objects_of(objects, &span.partition),
        recipe: recipe.cloned(),
    };
    let intents: Vec<Intent> = spans.iter().map(intent).collect();
    let whole: Vec<Arc<str>> = intents.iter().map(Intent::encode).collect();
    let together: usize = whole.iter().map(|intent| intent.len()).sum();
    if together <= PREPARE_LIMIT && whole.iter().all(|intent| intent.len() <= METADATA_LIMIT) {
        let commits = spans.iter().zip(whole).map(|(span, intent)| commit(span, span.from, intent));
        return (commits.collect(), None);
    }
    let body = encode_manifest(objects);
    let commits =
        spans.iter().zip(intents).map(|(span, intent)| commit(span, span.from, intent.encode_spilled(manifest, &body)));
    (commits.collect(), Some(body))
}

fn commit(span: &Span, offset: data::Offset, metadata: Arc<str>) -> Commit {
    Commit { partition: span.partition.clone(), assignment: span.assignment, offset, metadata }
}

fn describe(spans: &[Span]) -> String {
    spans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The broker refuses our commits for a reason that no rebalance mends.
#[derive(Debug, thiserror::Error)]
#[error("the broker refuses to commit offsets: {code}")]
pub struct CommitRefused {
    /// Kafka's name of the error.
    pub code: String,
}

impl Diagnose for CommitRefused {
    fn code(&self) -> Code {
        "kafka.commit-refused"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(match self.code.as_str() {
            "OFFSET_METADATA_TOO_LARGE" => {
                "raise offset.metadata.max.bytes of the brokers to its default of 4096, or set \
                 tidegate.write.mode=at-least-once"
                    .into()
            }
            "GROUP_AUTHORIZATION_FAILED" | "TOPIC_AUTHORIZATION_FAILED" => {
                "allow READ on the consumer group and its topics to this principal (kafka-acls --add --operation Read \
                 --group .. --topic ..)"
                    .into()
            }
            _ => return None,
        })
    }
}

/// An upload that was complete and promised is gone: a lifecycle rule or a person aborted it.
#[derive(Debug, thiserror::Error)]
#[error("an upload was aborted by somebody else before it could be published; {spans} will be read again")]
pub struct UploadGone {
    /// What will be read again.
    pub spans: String,
}

impl Diagnose for UploadGone {
    fn code(&self) -> Code {
        "s3.upload-gone"
    }
    fn blame(&self) -> Blame {
        Blame::Remote
    }
    fn retry(&self) -> Retry {
        Retry::Backoff
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(
            "if a lifecycle rule of the bucket aborts incomplete multipart uploads, let it wait for at least a day"
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use data::{Offset, TopicPartition};

    use super::*;
    use crate::Assignment;
    use crate::intent::Metadata;

    fn part(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    fn held(name: &str, numbers: &[i32]) -> HeldObject {
        let object =
            IntentObject { name: name.into(), upload: "u".into(), marker: "m".into(), shared: numbers.len() > 1 };
        HeldObject { object, partitions: numbers.iter().map(|number| part(*number)).collect() }
    }

    /// The names in each partition's intent, wherever they are written.
    fn names(objects: &[HeldObject]) -> Vec<Vec<String>> {
        let span = |number| Span { partition: part(number), assignment: Assignment(1), from: Offset(3), to: Offset(9) };
        let (commits, manifest) = prepares(&[span(0), span(1)], objects, None, &"manifest".into());
        let objects = commits.iter().map(|commit| match intent::decode(&commit.metadata).unwrap() {
            Metadata::Intent(intent) => intent.objects,
            Metadata::Spilled { hash, .. } => {
                let objects = intent::decode_manifest(manifest.as_deref().unwrap(), &hash).unwrap();
                intent::objects_of(&objects, &commit.partition)
            }
            Metadata::Foreign => panic!("{}", commit.metadata),
        });
        objects.map(|objects| objects.iter().map(|object| object.name.to_string()).collect()).collect()
    }

    #[test]
    fn intents_that_are_too_large_together_are_spilled_though_each_is_short() {
        let all: Vec<i32> = (0..400).collect();
        let span =
            |number: &i32| Span { partition: part(*number), assignment: Assignment(1), from: Offset(3), to: Offset(9) };
        let spans: Vec<Span> = all.iter().map(span).collect();
        // An object of all partitions under a key of 1,000 bytes, and one under a key of 10.
        for (name, spills) in [("k".repeat(1_000), true), ("k".repeat(10), false)] {
            let held = [held(&name, &all)];
            let (commits, manifest) = prepares(&spans, &held, None, &"manifest".into());
            let bytes: usize = commits.iter().map(|commit| commit.metadata.len()).sum();
            assert!(bytes <= PREPARE_LIMIT, "{bytes} bytes in one request");
            assert_eq!(manifest.is_some(), spills);
        }
    }

    #[test]
    fn an_intent_names_the_objects_of_its_partition_and_no_others() {
        let few = [held("a", &[0]), held("b", &[0, 1]), held("c", &[1])];
        assert_eq!(names(&few), [["a", "b"], ["b", "c"]]);
        // The same when it is too long to stand beside an offset.
        let long = "l".repeat(METADATA_LIMIT);
        let many = [held("a", &[0]), held(&long, &[0, 1]), held("c", &[1])];
        assert_eq!(names(&many), [["a", &long], [&long, "c"]]);
    }
}
