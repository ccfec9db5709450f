use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::objects::bucket::Bucket;
use crate::objects::checksum::{Algorithm, Sum};
use crate::objects::error::Error;
use crate::objects::head::{Head, Reading};
use crate::objects::key::Key;
use crate::objects::part_file::PartFile;
use crate::objects::piece::blocking;
use crate::objects::stream::Pinned;
use crate::objects::transfer::{THRESHOLD, Transfer};

/// What a get has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// What it is.
    pub head: Head,
    /// Bytes that an earlier process had brought.
    pub resumed: u64,
    /// The checksum that was compared: `CRC64NVME`. `None` if S3 keeps none of the whole object: then its size was.
    pub verified: Option<String>,
}

/// The usual size of a range: 16 MiB. A range is written as it comes, so that memory does not grow with it.
const RANGE: u64 = 16 << 20;

/// Notes of another form are not read.
const FORM: u64 = 1;

impl Bucket {
    /// Reads an object into a file, whole or not at all. Above 16 MiB it comes in ranges, side by side.
    ///
    /// # Errors
    /// Besides what S3 refuses: the file cannot be written, the object is replaced meanwhile, or what arrived is not what
    /// S3 holds. What is at `path` is as it was then.
    pub async fn get_file(
        &self,
        key: &Key,
        reading: &Reading,
        path: &Path,
        transfer: &Transfer,
    ) -> Result<Fetched, Error> {
        let head = self.head(key, reading).await?;
        transfer.meter.expect(head.size);
        let range = match transfer.part_size {
            Some(size) => size.max(1),
            None if head.size <= THRESHOLD => THRESHOLD,
            None => RANGE,
        };
        let algorithm = head.checksum.map_or(Algorithm::Crc64Nvme, |sum| sum.algorithm);
        let file = Arc::new(PartFile::open(path, head.size, range, algorithm)?);
        let fetched = tokio::select! {
            fetched = self.fetch(key, reading, &head, &file, transfer) => fetched,
            () = transfer.interrupt.wait() => Err(Error::Stopped {
                left: if transfer.resume { "what came is kept: go on with --resume" } else { "nothing was written" },
            }),
        };
        let keep = match &fetched {
            Ok(_) => true,
            // Gone on with, it would come out wrong again.
            Err(Error::Damaged { .. } | Error::ObjectChanged { .. }) => false,
            Err(_) => transfer.resume,
        };
        if !keep {
            file.remove();
        }
        fetched
    }

    async fn fetch(
        &self,
        key: &Key,
        reading: &Reading,
        head: &Head,
        file: &Arc<PartFile>,
        transfer: &Transfer,
    ) -> Result<Fetched, Error> {
        let about = json!({
            "form": FORM,
            "store": self.options().s3.endpoint.as_deref().unwrap_or("aws"),
            "bucket": self.name(),
            "key": key.as_str(),
            "version": head.version,
            "etag": head.etag,
            "size": head.size,
            "range": file.bytes_of(0).end,
            "checksum": head.checksum.map(|sum| sum.algorithm.to_string()),
        });
        let mut there = {
            let (file, resume) = (Arc::clone(file), transfer.resume);
            blocking(move || file.take_up(&about, resume)).await
        }
        .map_err(|error| file.error(error))?;
        let resumed = there.values().map(|sum| sum.length).sum();
        transfer.meter.add(resumed);
        // Pinned to the version that was looked at, where there is one: it stays though a newer one comes.
        let version = reading.version.clone().or_else(|| head.version.clone());
        let reading = Reading { version, ..reading.clone() };
        let pinned = Pinned { key: key.clone(), reading, etag: head.etag.clone() };
        self.fetch_ranges(&pinned, file, transfer, &mut there).await?;
        let algorithm = head.checksum.map_or(Algorithm::Crc64Nvme, |sum| sum.algorithm);
        let whole = there.into_values().fold(Sum::nothing(algorithm), Sum::join);
        let verified = self.compare(key, head, whole)?;
        file.finish()?;
        Ok(Fetched { head: head.clone(), resumed, verified })
    }

    async fn fetch_ranges(
        &self,
        object: &Pinned,
        file: &Arc<PartFile>,
        transfer: &Transfer,
        there: &mut BTreeMap<u64, Sum>,
    ) -> Result<(), Error> {
        let missing: Vec<u64> = (0..file.ranges()).filter(|number| !there.contains_key(number)).collect();
        let mut missing = missing.into_iter();
        let mut under_way: JoinSet<Result<(u64, Sum), Error>> = JoinSet::new();
        loop {
            while under_way.len() < transfer.lanes()
                && let Some(number) = missing.next()
            {
                let (bucket, object, file) = (self.clone(), object.clone(), Arc::clone(file));
                let mut writer = file.writer(number, &transfer.meter);
                under_way.spawn(async move {
                    bucket.read_range(&object, file.bytes_of(number), &mut writer).await?;
                    let sum = writer.finish().await?;
                    file.note(number, sum);
                    Ok((number, sum))
                });
            }
            let Some(joined) = under_way.join_next().await else { return Ok(()) };
            let (number, sum) = joined.unwrap_or_else(|error| Err(file.error(std::io::Error::other(error))))?;
            there.insert(number, sum);
        }
    }
}
