use fault::Diagnose as _;
use transit::{Finished, IntentObject};

use crate::failure::Failure;
use crate::s3::error::Error;
use crate::s3::operation::Operation;
use crate::s3::sink::{Proof, S3Sink};
use crate::s3::upload::{MARKER, header_text};

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    /// An object with our mark.
    Ours,
    /// An object with another mark.
    Marked {
        /// Whether it was made later than the one that was looked for.
        later: bool,
    },
    /// An object without a mark.
    Foreign,
    /// Nothing.
    Absent,
    /// An object or nothing: S3 does not say, for want of `s3:ListBucket` (nothing there) or `s3:GetObject` (something).
    Hidden {
        /// Whether S3 said that it was for want of `s3:ListBucket`, so that there is nothing.
        for_want_of_list: bool,
    },
}

/// How the key of the object ends that shows whether we may read, beside the one that we may not see. It begins as that one
/// does: whatever we are fenced in to, it is inside too.
const PROOF: &str = ".tidegate-proof";

/// The longest key that S3 takes, in bytes.
const LONGEST: usize = 1024;

/// When to look again for an object that is not there, in shares of `gone_after`.
const LOOKS: [f64; 4] = [0.0, 0.1, 0.3, 0.6];

impl S3Sink {
    /// An upload is over. Was it completed (our mark is there) or aborted?
    pub(super) async fn look_for(&self, object: &IntentObject) -> Result<Finished, Error> {
        let mut there = There::Absent;
        // A completion whose answer was lost may have used the upload up and not yet shown the object. S3 promises
        // nothing about the time between, so "gone" is said late: said wrongly it would double the records.
        for share in LOOKS {
            tokio::time::sleep(self.options().gone_after.mul_f64(share)).await;
            there = self.there(&object.name, &object.marker).await?;
            if there == There::Ours {
                self.set_proof(Proof::Seen);
                return Ok(Finished::Visible);
            }
            if there == (There::Marked { later: true }) && object.shared {
                // Another owner has finished the cut for its own partitions, gone on, and replaced the object by then. An
                // earlier one says the contrary: ours was to replace it and never did.
                return Ok(Finished::Visible);
            }
        }
        match there {
            There::Ours => Ok(Finished::Visible),
            There::Absent | There::Marked { .. } | There::Foreign | There::Hidden { for_want_of_list: true } => {
                Ok(Finished::Gone)
            }
            There::Hidden { for_want_of_list: false } => {
                if self.proof() == Proof::Seen || !self.may_be_there(object).await? {
                    Ok(Finished::Gone)
                } else {
                    Err(self.unseen(&object.name).await)
                }
            }
        }
    }

    /// After a refused `If-None-Match: *`: is the object that is in the way our own?
    pub(super) async fn ours_or_exists(&self, name: &str, marker: &str) -> Result<(), Error> {
        match self.there(name, marker).await? {
            There::Ours => Ok(()),
            There::Hidden { .. } => Err(self.unseen(name).await),
            // Absent: it was there a moment ago, or the store would not have said so. The next attempt will tell.
            There::Marked { .. } | There::Foreign | There::Absent => {
                Err(Error::Exists { bucket: self.options().bucket.clone(), name: name.to_owned() })
            }
        }
    }

    /// Looks at the first object that was made visible: may we read, and does the store keep the mark? Once a process,
    /// because all that is promised about crashes hangs on it.
    pub(super) async fn prove(&self, object: &IntentObject) -> Result<(), Error> {
        if self.proof() != Proof::Open {
            return Ok(());
        }
        match self.there(&object.name, &object.marker).await? {
            There::Ours => self.set_proof(Proof::Seen),
            There::Foreign => {
                let bucket = self.options().bucket.clone();
                return Err(Error::NoMarker { bucket, name: object.name.to_string() });
            }
            // Overwritten or taken away already by somebody quick: the next object will show.
            There::Marked { .. } | There::Absent => {}
            // Nothing is lost by it yet: only a crash at the wrong moment makes the question, and then it is an error.
            There::Hidden { .. } => {
                self.set_proof(Proof::Denied);
                let error = self.unseen(&object.name).await;
                tracing::warn!(
                    bucket = self.options().bucket,
                    hint = error.hint().as_deref(),
                    "objects may be written and not read: after a crash it may not be told whether one was published, and the \
                     connector will stop rather than guess"
                );
            }
        }
        Ok(())
    }

    async fn there(&self, name: &str, marker: &str) -> Result<There, Error> {
        let head = self
            .persist(Operation::HeadObject, name, || async {
                let request = self
                    .client()
                    .head_object()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(name);
                request.send().await.map_err(Failure::from)
            })
            .await;
        let gave_up = match head {
            Ok(head) => {
                let mark = head.metadata.as_ref().and_then(|metadata| metadata.get(MARKER));
                let ours = header_text(marker);
                return Ok(match mark {
                    Some(mark) if *mark == ours => There::Ours,
                    Some(mark) => There::Marked { later: transit::is_later(mark, &ours) },
                    None => There::Foreign,
                });
            }
            Err(gave_up) => gave_up,
        };
        match gave_up.answer().map(|answer| answer.status) {
            Some(404) => Ok(There::Absent),
            // HEAD says no more than that. GET says why: an hour, a key or a session that is wrong is no missing object.
            Some(400 | 403) => self.why_hidden(name).await,
            _ => Err(self.explain(Operation::HeadObject, name, gave_up).await),
        }
    }

    async fn why_hidden(&self, name: &str) -> Result<There, Error> {
        let get = self
            .persist(Operation::GetObject, name, || async {
                let request = self
                    .client()
                    .get_object()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .range("bytes=0-0");
                request.send().await.map_err(Failure::from)
            })
            .await;
        // Made readable in between: the next look will see it.
        let Err(gave_up) = get else { return Ok(There::Hidden { for_want_of_list: false }) };
        match gave_up.answer() {
            Some(answer) if answer.code == "NoSuchKey" => Ok(There::Absent),
            Some(answer) if answer.code == "AccessDenied" => {
                Ok(There::Hidden { for_want_of_list: gave_up.wants_list() })
            }
            _ => Err(self.explain(Operation::GetObject, name, gave_up).await),
        }
    }

    /// Neither seen nor said to be missing: finds out by other ways whether it may be there.
    async fn may_be_there(&self, object: &IntentObject) -> Result<bool, Error> {
        let list = self
            .persist(Operation::ListObjectsV2, &object.name, || async {
                let request = self
                    .client()
                    .list_objects_v2()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner());
                request.prefix(&*object.name).max_keys(1).send().await.map_err(Failure::from)
            })
            .await;
        match list {
            Ok(page) => {
                // The first key with this prefix, in order, is the name itself if it is there at all.
                return Ok(page.contents.unwrap_or_default().iter().any(|found| found.key() == Some(&*object.name)));
            }
            Err(gave_up) if gave_up.is("AccessDenied") => {}
            Err(gave_up) => return Err(self.explain(Operation::ListObjectsV2, &object.name, gave_up).await),
        }
        // The role may neither list nor see it. If it may read what it writes, there is nothing: so write something
        // beside it and read that. Rare enough (a crash, then a lifecycle rule, under a role without s3:ListBucket).
        let start = object.name.floor_char_boundary(LONGEST - PROOF.len());
        let proof = format!("{}{PROOF}", &object.name[..start]).into();
        let text =
            bytes::Bytes::from_static(b"Written by Tidegate to see whether it may read here. It can be deleted.\n");
        self.put(&proof, vec![text], Some(PROOF)).await?;
        let reads = self.there(&proof, PROOF).await? == There::Ours;
        transit::Sink::delete_manifest(self, &proof).await;
        if reads {
            self.set_proof(Proof::Seen);
        }
        Ok(!reads)
    }

    async fn unseen(&self, name: &str) -> Error {
        let as_whom = match self.identity().signer().await {
            Ok(signer) => self.as_whom(&signer).await,
            Err(_) => self.identity().name(),
        };
        Error::Unseen { bucket: self.options().bucket.clone(), name: name.to_owned(), as_whom }
    }
}
