use std::sync::Arc;

use bytes::Bytes;
use fault::Fault;
use futures_util::future::{BoxFuture, FutureExt, Shared};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::intent::HeldObject;
use crate::{IntentObject, ObjectName, PartTag, Permit, Sink, TopicPartition, UploadId};

/// The upload of one object: begun with its first part, parts side by side, invisible.
///
/// Dropped without [`Upload::keep`] it gives up: parts under way end, and what is at the far side is aborted.
#[derive(Debug)]
pub(crate) struct Upload<K: Sink> {
    sink: Arc<K>,
    name: ObjectName,
    marker: Arc<str>,
    begun: Shared<BoxFuture<'static, Result<UploadId, Arc<Fault>>>>,
    parts: Vec<AbortOnDrop<Result<PartTag, Arc<Fault>>>>,
    /// Where a failure is told at once, not only when the object is closed.
    failures: mpsc::Sender<Arc<Fault>>,
    kept: bool,
    /// Whose records it holds, once it is closed.
    partitions: Vec<TopicPartition>,
}

/// A task that ends with its handle.
#[derive(Debug)]
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<K: Sink> Upload<K> {
    /// Begins the upload of `name` in the background.
    pub(crate) fn begin(sink: Arc<K>, name: ObjectName, marker: Arc<str>, failures: mpsc::Sender<Arc<Fault>>) -> Self {
        let begun = {
            let (sink, name, marker) = (Arc::clone(&sink), Arc::clone(&name), Arc::clone(&marker));
            // In a task of its own: a `Shared` moves only while somebody awaits it, and an object that is dropped at
            // this moment must still learn its upload's id, or it could not abort it.
            let task =
                tokio::spawn(async move { sink.begin(&name, &marker).await.map_err(Arc::new) }.in_current_span());
            async move {
                match task.await {
                    Ok(result) => result,
                    Err(error) => Err(Arc::new(Fault::new(UploadLost(error.to_string())))),
                }
            }
            .boxed()
            .shared()
        };
        Self { sink, name, marker, begun, parts: Vec::new(), failures, kept: false, partitions: Vec::new() }
    }

    /// Uploads the next part in the background. `permit` is given back when it is at the far side.
    pub(crate) fn part(&mut self, body: Vec<Bytes>, permit: Permit) {
        let number = i32::try_from(self.parts.len() + 1).expect("an object has at most 10,000 parts");
        let (sink, name, begun) = (Arc::clone(&self.sink), Arc::clone(&self.name), self.begun.clone());
        let failures = self.failures.clone();
        let upload = async move {
            let _permit = permit;
            let result = async {
                let upload = begun.await?;
                sink.part(&name, &upload, number, body).await.map_err(Arc::new)
            }
            .await;
            if let Err(fault) = &result {
                // The channel holds one: the first failure ends the task, the others say the same.
                failures.try_send(Arc::clone(fault)).ok();
            }
            result
        };
        self.parts.push(AbortOnDrop(tokio::spawn(upload.in_current_span())));
    }

    /// How many parts were handed over.
    pub(crate) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// Notes whose records the object holds, all in all.
    pub(crate) fn holds(&mut self, partitions: Vec<TopicPartition>) {
        self.partitions = partitions;
    }

    /// Waits until all parts are at the far side.
    pub(crate) async fn settle(&mut self) -> Result<(HeldObject, Vec<PartTag>), Arc<Fault>> {
        let upload = self.begun.clone().await?;
        let mut tags = Vec::with_capacity(self.parts.len());
        for part in &mut self.parts {
            match (&mut part.0).await {
                Ok(tag) => tags.push(tag?),
                Err(error) => return Err(Arc::new(Fault::new(UploadLost(error.to_string())))),
            }
        }
        let partitions = std::mem::take(&mut self.partitions);
        let object = IntentObject {
            name: Arc::clone(&self.name),
            upload,
            marker: Arc::clone(&self.marker),
            shared: partitions.len() > 1,
        };
        Ok((HeldObject { object, partitions }, tags))
    }

    /// From here on the upload is not ours to abort: an intent may name it.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// No intent names it after all: it is aborted when dropped.
    pub(crate) fn give_up(&mut self) {
        self.kept = false;
    }
}

impl<K: Sink> Drop for Upload<K> {
    fn drop(&mut self) {
        self.parts.clear();
        // No runtime: the process is ending; the orphan is found by a later start.
        let (false, Ok(runtime)) = (self.kept, tokio::runtime::Handle::try_current()) else { return };
        let (sink, name, begun) = (Arc::clone(&self.sink), Arc::clone(&self.name), self.begun.clone());
        runtime.spawn(async move {
            if let Ok(upload) = begun.await {
                sink.abort(&name, &upload).await;
            }
        });
    }
}

/// A background task of an upload ended without a result.
#[derive(Debug, thiserror::Error)]
#[error("the upload ended without a result: {0}")]
struct UploadLost(String);

impl fault::Diagnose for UploadLost {
    fn code(&self) -> fault::Code {
        "transit.upload-lost"
    }
    fn blame(&self) -> fault::Blame {
        fault::Blame::Bug
    }
    fn retry(&self) -> fault::Retry {
        fault::Retry::Backoff
    }
}
