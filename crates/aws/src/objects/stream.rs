use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::failure::{Failure, Loss};
use crate::objects::bucket::Bucket;
use crate::objects::call::{GaveUp, Tries};
use crate::objects::checksum::{Algorithm, Running};
use crate::objects::encryption::AES256;
use crate::objects::error::Error;
use crate::objects::head::{Head, Reading};
use crate::objects::key::Key;
use crate::objects::put::stream;
use crate::objects::transfer::{Meter, Transfer};
use crate::s3::operation::Operation;

/// Where the bytes of a range go, in order.
pub(super) trait Take: Send {
    fn take(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The very object whose bytes are read: not one that takes its place meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) key: Key,
    pub(super) reading: Reading,
    pub(super) etag: String,
}

impl Bucket {
    /// Writes an object's bytes to `out`, in order, and goes on where a connection broke.
    ///
    /// # Errors
    /// Besides what S3 refuses: `out` fails, the object is replaced meanwhile, or what arrived is not what S3 holds. Bytes
    /// may have been written by then.
    pub async fn read(
        &self,
        key: &Key,
        reading: &Reading,
        out: &mut (impl AsyncWrite + Unpin + Send),
        transfer: &Transfer,
    ) -> Result<Head, Error> {
        let head = self.head(key, reading).await?;
        transfer.meter.expect(head.size);
        let algorithm = head.checksum.map_or(Algorithm::Crc64Nvme, |sum| sum.algorithm);
        let mut writing = Writing { out, running: Running::new(algorithm), meter: transfer.meter.clone() };
        let pinned = Pinned { key: key.clone(), reading: reading.clone(), etag: head.etag.clone() };
        tokio::select! {
            read = self.read_range(&pinned, 0..head.size, &mut writing) => read?,
            () = transfer.interrupt.wait() => return Err(Error::Stopped { left: "a part of it was written" }),
        }
        writing.out.flush().await.map_err(|error| stream(WRITE, error))?;
        self.compare(key, &head, writing.running.finish())?;
        Ok(head)
    }

    /// Compares what arrived with what S3 holds; the checksum's name if there was one to compare.
    pub(super) fn compare(&self, key: &Key, head: &Head, found: super::checksum::Sum) -> Result<Option<String>, Error> {
        let damaged = |what: String, found: String, expected: String| {
            Err(Error::Damaged { what, bucket: self.name().to_owned(), name: key.to_string(), found, expected })
        };
        if found.length != head.size {
            return damaged("size".into(), found.length.to_string(), head.size.to_string());
        }
        match head.checksum {
            Some(expected) if expected != found => {
                damaged(expected.algorithm.to_string(), found.encode(), expected.encode())
            }
            known => Ok(known.map(|sum| sum.algorithm.to_string())),
        }
    }

    /// Reads a range, and goes on where a connection broke.
    pub(super) async fn read_range(
        &self,
        object: &Pinned,
        range: Range<u64>,
        take: &mut impl Take,
    ) -> Result<(), Error> {
        let operation = Operation::GetObject;
        let name = object.key.as_str();
        let mut tries = Tries::new(self, operation, name);
        let mut at = range.start;
        while at < range.end {
            let signer = match tries.signer().await {
                Ok(signer) => signer,
                Err(gave_up) => return Err(self.explain(operation, name, gave_up).await),
            };
            let failure = {
                let _place = self.limiter().place().await;
                match self.read_some(object, &mut at, range.end, take, &mut tries).await {
                    Ok(()) => continue,
                    Err(Broken::Here(error)) => return Err(error),
                    Err(Broken::There(failure)) => failure,
                }
            };
            if let Err(gave_up) = tries.failed(failure, signer).await {
                return Err(match gave_up {
                    // What is read is gone: replaced, or deleted.
                    GaveUp::Failure(Failure::Answered(answer), _) if answer.status == 412 => {
                        Error::ObjectChanged { bucket: self.name().to_owned(), name: name.to_owned() }
                    }
                    gave_up => self.explain(operation, name, gave_up).await,
                });
            }
        }
        Ok(())
    }

    async fn read_some(
        &self,
        object: &Pinned,
        at: &mut u64,
        end: u64,
        take: &mut impl Take,
        tries: &mut Tries<'_>,
    ) -> Result<(), Broken> {
        let operation = Operation::GetObject;
        let within = tries.begin();
        let request = self
            .client()
            .get_object()
            .bucket(self.name())
            .set_expected_bucket_owner(self.owner())
            .key(object.key.as_str())
            .set_version_id(object.reading.version.clone())
            .if_match(&object.etag)
            .range(format!("bytes={at}-{}", end - 1));
        let request = match &object.reading.customer {
            None => request,
            Some(key) => {
                request.sse_customer_algorithm(AES256).sse_customer_key(key.key()).sse_customer_key_md5(key.md5())
            }
        };
        let answer = self.attempt(operation, within, async { request.send().await.map_err(Failure::from) });
        let answer = answer.await.map_err(Broken::There)?;
        let wanted = format!("bytes {at}-");
        if !answer.content_range().is_some_and(|range| range.starts_with(&wanted)) {
            return Err(Broken::Here(self.malformed(operation, object.key.as_str(), "the range that was asked for")));
        }
        let mut body = answer.body;
        let stall = self.options().s3.stall_after;
        let stall = within.map_or(stall, |within| within.min(stall));
        let lost = |error: Arc<dyn std::error::Error + Send + Sync>| {
            Err(Broken::There(Failure::Lost(Loss::Connection(error))))
        };
        loop {
            match tokio::time::timeout(stall, body.next()).await {
                Err(_) => return Err(Broken::There(Failure::Lost(Loss::Stalled(stall)))),
                Ok(Some(Err(error))) => return lost(Arc::new(error)),
                Ok(None) if *at < end => return lost(Arc::new(io::Error::from(io::ErrorKind::UnexpectedEof))),
                Ok(None) => return Ok(()),
                Ok(Some(Ok(mut bytes))) => {
                    // More than was asked for is nobody's.
                    bytes.truncate(usize::try_from(end - *at).unwrap_or(usize::MAX));
                    *at += bytes.len() as u64;
                    take.take(bytes).await.map_err(Broken::Here)?;
                    tries.progressed();
                }
            }
        }
    }
}

/// Where a reading ended early.
enum Broken {
    Here(Error),
    There(Failure),
}

const WRITE: &str = "write the output";

struct Writing<'a, W> {
    out: &'a mut W,
    running: Running,
    meter: Meter,
}

impl<W: AsyncWrite + Unpin + Send> Take for Writing<'_, W> {
    async fn take(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.running.update(&bytes);
        self.out.write_all(&bytes).await.map_err(|error| stream(WRITE, error))?;
        self.meter.add(bytes.len() as u64);
        Ok(())
    }
}
