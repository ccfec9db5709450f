use std::sync::Arc;

use bytes::Bytes;
use fault::Fault;

/// The name under which an object becomes visible: an S3 key.
pub type ObjectName = Arc<str>;

/// The far side's name of an upload that is not visible yet.
pub type UploadId = Arc<str>;

/// Proof that a part is at the far side: its number, from 1, and the tag that it was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartTag {
    /// Its place in the object, from 1.
    pub number: i32,
    /// The far side's tag (S3: the `ETag`, quotes included).
    pub tag: String,
}

/// Where objects go. An upload is invisible until published, and publishing happens at most once.
///
/// Every call retries by itself what can be retried, for as long as it takes: S3 down for an hour is not a failure. It
/// returns an error only for what waiting cannot mend (access denied, no such bucket). Calls are cancel safe in the
/// sense that a dropped call leaves at worst an invisible upload.
pub trait Sink: Send + Sync + 'static {
    /// Begins an invisible upload of `name`, marked with `marker`, by which [`Sink::finish`] knows it again.
    fn begin(&self, name: &ObjectName, marker: &str) -> impl Future<Output = Result<UploadId, Fault>> + Send;

    /// Uploads one part. Parts may be uploaded side by side and again; all but the last have at least
    /// [`Sink::min_part`] bytes.
    fn part(
        &self,
        name: &ObjectName,
        upload: &UploadId,
        number: i32,
        body: Vec<Bytes>,
    ) -> impl Future<Output = Result<PartTag, Fault>> + Send;

    /// Makes the object visible. Sent again after a lost answer it says the same.
    fn publish(&self, object: &IntentObject, parts: &[PartTag])
    -> impl Future<Output = Result<Finished, Fault>> + Send;

    /// Completes what another owner prepared, of whom only the intent is known: asks the far side for the parts.
    fn finish(&self, object: &IntentObject) -> impl Future<Output = Result<Finished, Fault>> + Send;

    /// Gives an upload up. Best effort: what stays is found by the next start.
    fn abort(&self, name: &ObjectName, upload: &UploadId) -> impl Future<Output = ()> + Send;

    /// Writes a small object of our own (an intent that is too large for the commit's metadata) in one piece.
    fn put_manifest(&self, name: &ObjectName, body: Bytes) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Reads a manifest back; `None` if there is none.
    fn get_manifest(&self, name: &ObjectName) -> impl Future<Output = Result<Option<Bytes>, Fault>> + Send;

    /// Removes a manifest. Best effort.
    fn delete_manifest(&self, name: &ObjectName) -> impl Future<Output = ()> + Send;

    /// The least size of a part that is not the last (S3: 5 MiB), in bytes.
    fn min_part(&self) -> usize;
}

/// One object of an intent: what is needed to make it visible from nothing but this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentObject {
    /// Its name once visible.
    pub name: ObjectName,
    /// The upload that holds its bytes.
    pub upload: UploadId,
    /// The mark that the visible object carries.
    pub marker: Arc<str>,
    /// Whether it also holds records of partitions other than the one whose intent this is.
    ///
    /// Its name may then belong to another object by the time this one's upload is found to be over: another owner has
    /// finished the cut for his partitions, and gone on. Whatever else is only in one intent, and stays as it is until that
    /// is resolved. [`is_later`](crate::is_later) tells an object that has replaced this one from one that it was to replace.
    pub shared: bool,
}

/// What became of an object that was to be made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finished {
    /// It is visible, by this call or an earlier one.
    Visible,
    /// The upload is gone and no object with our marker is there (nor, for a shared one, with a later marker of ours that
    /// has replaced it): somebody aborted it (a lifecycle rule). Its records must be read and written again.
    Gone,
}
