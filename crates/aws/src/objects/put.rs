use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::failure::{Failure, Loss};
use crate::objects::bucket::Bucket;
use crate::objects::checksum::Sum;
use crate::objects::encryption::{AES256, CustomerKey};
use crate::objects::error::Error;
use crate::objects::head::Reading;
use crate::objects::key::Key;
use crate::objects::multipart::Job;
use crate::objects::notes::Uploads;
use crate::objects::parts::Parts;
use crate::objects::piece::{Piece, Sums, Watched, blocking};
use crate::objects::traits::Traits;
use crate::objects::transfer::{Interrupt, THRESHOLD, Transfer};
use crate::s3::body::{Content, Progress};
use crate::s3::operation::Operation;
use crate::s3::signing::PayloadSigning;

/// What is there after a put or a copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// Its ETag, as S3 writes it, quotes and all.
    pub etag: String,
    /// Its version, where the bucket keeps versions.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum: `CRC64NVME rosUhgp5mIg=`.
    pub checksum: Option<String>,
    /// In how many parts it went; 0 for one request.
    pub parts: u64,
    /// How many of them an earlier process had sent.
    pub resumed: u64,
}

/// What is put where.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) key: Key,
    pub(super) traits: Arc<Traits>,
    /// Whether nothing may be there yet.
    pub(super) only_new: bool,
}

impl Bucket {
    /// Writes a file. Above 16 MiB it goes in parts, side by side; `uploads` is where notes of them are kept, so that
    /// [`Transfer::resume`] can go on after a crash.
    ///
    /// # Errors
    /// Besides what S3 refuses: the file cannot be read, is a directory, or changes meanwhile. Nothing visible is left
    /// behind then, and no parts either unless they are kept to be resumed.
    pub async fn put_file(
        &self,
        key: &Key,
        path: &Path,
        traits: Traits,
        only_new: bool,
        transfer: &Transfer,
        uploads: Option<&Uploads>,
    ) -> Result<Stored, Error> {
        let target = self.target(key, traits, only_new)?;
        let file = open(path, &transfer.interrupt).await?;
        if !file.file.metadata().is_ok_and(|facts| facts.is_file()) {
            // A pipe or a device: read once, from its front.
            let file = file.file.try_clone().map_err(|error| Error::file("read", path, error))?;
            return self.put_stream(target, file, transfer).await;
        }
        transfer.meter.expect(file.size);
        if file.size > THRESHOLD {
            return self.put_in_parts(target, Arc::new(file), transfer, uploads).await;
        }
        let (content, file) = blocking(move || {
            let mut bytes = Vec::with_capacity(file.size as usize);
            (&file.file).take(file.size + 1).read_to_end(&mut bytes)?;
            Ok((bytes, file))
        })
        .await
        .map_err(|error| Error::file("read", path, error))?;
        if content.len() as u64 != file.size || !file.is_same() {
            return Err(Error::FileChanged { path: path.to_owned() });
        }
        self.put_whole(&target, content, transfer).await
    }

    /// Writes what `reader` gives, to its end. Memory is bounded by [`Transfer::parallel`] parts.
    ///
    /// # Errors
    /// Besides what S3 refuses: `reader` fails, or has more than 10,000 parts. Nothing is left behind then.
    pub async fn put_reader(
        &self,
        key: &Key,
        reader: impl io::Read + Send + 'static,
        traits: Traits,
        only_new: bool,
        transfer: &Transfer,
    ) -> Result<Stored, Error> {
        let target = self.target(key, traits, only_new)?;
        self.put_stream(target, reader, transfer).await
    }

    async fn put_stream(
        &self,
        target: Target,
        reader: impl io::Read + Send + 'static,
        transfer: &Transfer,
    ) -> Result<Stored, Error> {
        let mut parts = Parts::of_reader(reader, transfer);
        let begun = async {
            let Some(first) = parts.next(1).await? else { return Ok((None, None)) };
            // A second part, or the end: an object that fits into one part needs no upload of its own.
            let second = if first.len() < transfer.part_of_unknown(1).unwrap_or_default() {
                None
            } else {
                parts.next(2).await?
            };
            Ok((Some(first), second))
        };
        let (first, second) = tokio::select! {
            begun = begun => begun?,
            () = transfer.interrupt.wait() => return Err(STOPPED),
        };
        match (first, second) {
            (Some(first), Some(second)) => {
                parts.push_back(first, second);
                self.put_parts(target, parts, Job::new(transfer), None).await
            }
            (Some(Piece::Memory(content)), None) => self.put_content(&target, content, transfer).await,
            (first, _) => {
                debug_assert!(first.is_none(), "a reader's pieces are in memory");
                self.put_whole(&target, Vec::new(), transfer).await
            }
        }
    }

    async fn put_whole(&self, target: &Target, bytes: Vec<u8>, transfer: &Transfer) -> Result<Stored, Error> {
        self.put_content(target, Content::new(vec![Bytes::from(bytes)]), transfer).await
    }

    async fn put_content(&self, target: &Target, content: Content, transfer: &Transfer) -> Result<Stored, Error> {
        let put = self.put_object(target, Piece::Memory(content));
        let stored = tokio::select! {
            stored = put => stored?,
            // The last byte may have gone already.
            () = transfer.interrupt.wait() => return Err(Error::Stopped { left: PERHAPS }),
        };
        transfer.meter.add(stored.size);
        Ok(stored)
    }

    /// One request.
    async fn put_object(&self, target: &Target, piece: Piece) -> Result<Stored, Error> {
        let operation = Operation::PutObject;
        let name = target.key.as_str();
        let sums = self.sums(&piece).await.map_err(|source| stream("read what is to be sent", source))?;
        let attempts = AtomicU32::new(0);
        let put = self
            .persist_sending(operation, name, |client, within| {
                attempts.fetch_add(1, Ordering::Relaxed);
                let traits = &target.traits;
                let request = client
                    .put_object()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .content_type(traits.content_type())
                    .set_content_encoding(traits.content_encoding.clone())
                    .set_cache_control(traits.cache_control.clone())
                    .set_content_disposition(traits.content_disposition.clone())
                    .set_content_language(traits.content_language.clone())
                    .content_length(piece.len() as i64)
                    .set_metadata(traits.metadata())
                    .set_tagging(traits.tagging())
                    .set_storage_class(traits.storage_class.as_deref().map(Into::into))
                    .set_server_side_encryption(traits.encryption.algorithm())
                    .set_ssekms_key_id(traits.encryption.kms_key())
                    .set_if_none_match(target.only_new.then(|| "*".to_owned()));
                let request = match traits.encryption.customer() {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                let (crc32c, crc64) = encoded(sums.checksum);
                let request = request.set_checksum_crc32_c(crc32c).set_checksum_crc64_nvme(crc64);
                let signing = PayloadSigning::of(sums.sha256.as_deref());
                let piece = &piece;
                async move {
                    let mut sending = piece.send();
                    self.counters().sent(piece.len() as usize);
                    let request = request.body(sending.body()).customize().interceptor(signing);
                    let outcome = tokio::select! {
                        answer = request.send() => answer.map_err(Failure::from),
                        loss = self.stuck(sending.progress(), within) => Err(Failure::Lost(loss)),
                    };
                    piece.judge(&sending, outcome)
                }
            })
            .await;
        let stored = |etag: String, version: Option<String>| Stored {
            etag,
            version,
            size: piece.len(),
            checksum: sums.checksum.map(described),
            ..Stored::default()
        };
        match put {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(stored(etag, answer.version_id)),
                // A server of another kind says 200 to whatever comes.
                None => Err(self.malformed(operation, name, "an ETag")),
            },
            Err(gave_up) if target.only_new && gave_up.has_status(412) => {
                // An earlier attempt may have made it, and its answer was lost.
                if attempts.load(Ordering::Relaxed) > 1
                    && let Some(found) = self.find_same(target, piece.len(), sums.checksum).await?
                {
                    return Ok(stored(found.etag, found.version));
                }
                Err(self.exists(&target.key))
            }
            Err(gave_up) => {
                let gave_up = piece.blame(gave_up)?;
                Err(self.explain(operation, name, gave_up).await)
            }
        }
    }

    fn target(&self, key: &Key, traits: Traits, only_new: bool) -> Result<Target, Error> {
        self.admit(key)?;
        traits.check()?;
        self.check_customer_key(traits.encryption.customer())?;
        Ok(Target { key: key.clone(), traits: Arc::new(traits), only_new })
    }

    /// Refuses to send a customer's key where others can read it.
    pub(super) fn check_customer_key(&self, key: Option<&CustomerKey>) -> Result<(), Error> {
        if key.is_some() && !self.options().s3.is_sealed() {
            let text = "a customer's key would go over plain http for all to read".to_owned();
            return Err(Error::BadInput { text, hint: Some("use an https endpoint".into()) });
        }
        Ok(())
    }

    /// The object, if it is there with this size and checksum.
    pub(super) async fn find_same(
        &self,
        target: &Target,
        size: u64,
        checksum: Option<Sum>,
    ) -> Result<Option<Stored>, Error> {
        let reading = Reading { customer: target.traits.encryption.customer().cloned(), ..Reading::default() };
        match self.head(&target.key, &reading).await {
            Ok(head) => {
                let same = head.size == size && checksum.is_some() && head.checksum == checksum;
                Ok(same.then(|| Stored { etag: head.etag, version: head.version, ..Stored::default() }))
            }
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn exists(&self, key: &Key) -> Error {
        Error::Exists { bucket: self.name().to_owned(), name: key.to_string() }
    }

    pub(super) async fn sums(&self, piece: &Piece) -> io::Result<Sums> {
        piece.sums(self.options().checksum, self.options().s3.signs_payload()).await
    }

    pub(super) async fn stuck(&self, progress: &Progress, within: Option<Duration>) -> Loss {
        let options = &self.options().s3;
        let bounded = |limit: Duration| within.map_or(limit, |within| within.min(limit));
        progress.stuck(bounded(options.stall_after), bounded(options.answer_within)).await
    }
}

/// What is left where nothing had become visible.
pub(super) const STOPPED: Error = Error::Stopped { left: "nothing was written" };

/// What is left where S3 had been asked and had not answered.
pub(super) const PERHAPS: &str = "the object is there whole, or not at all: tidegate object head tells";

/// A checksum as the two headers that S3 has for ours.
pub(super) fn encoded(checksum: Option<Sum>) -> (Option<String>, Option<String>) {
    match checksum {
        None => (None, None),
        Some(sum) if sum.is_64() => (None, Some(sum.encode())),
        Some(sum) => (Some(sum.encode()), None),
    }
}

pub(super) fn described(sum: Sum) -> String {
    format!("{} {}", sum.algorithm, sum.encode())
}

pub(super) fn stream(doing: &'static str, source: io::Error) -> Error {
    Error::Stream { doing, source: Arc::new(source) }
}

/// Opens a file to be read. A pipe opens once somebody writes to it, which may be never: so in a thread that nobody waits
/// for at the end, as the runtime waits for its own.
async fn open(path: &Path, interrupt: &Interrupt) -> Result<Watched, Error> {
    let owned = path.to_owned();
    let (give, given) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || give.send(File::open(&owned).and_then(|file| Watched::new(file, &owned))).ok());
    let opened = tokio::select! {
        opened = given => opened.unwrap_or_else(|error| Err(io::Error::other(error))),
        () = interrupt.wait() => return Err(STOPPED),
    };
    let file = opened.map_err(|error| Error::file("read", path, error))?;
    if file.file.metadata().is_ok_and(|facts| facts.is_dir()) {
        let text = format!("{} is a directory", path.display());
        return Err(Error::BadInput { text, hint: Some("put its files one by one".into()) });
    }
    Ok(file)
}
