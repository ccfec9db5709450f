use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::Place;
use super::disk::Disk;
use crate::aws::api_error::ApiError;
use crate::aws::reply;

/// Below this a body is copied into a buffer of its own: a slice would keep alive the whole buffer that the socket was
/// read into (up to 400 KiB).
const COPY_BELOW: u64 = 64 * 1024;

/// How much of a file is read at a time.
const READ_SIZE: usize = 256 * 1024;

/// Where the bytes of an object or part are. Cloning shares them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::aws) enum Body {
    /// As they came from the socket.
    #[serde(skip)]
    Memory(Arc<[Bytes]>),
    /// The path is relative to the store's directory in the journal, absolute in memory.
    File(PathBuf),
    Discarded,
}

impl Body {
    /// The file that holds it, if one does.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Memory(_) | Self::Discarded => None,
        }
    }

    /// Streams a range of it. The error is `NotFound` if it was replaced since it was looked up.
    pub(in crate::aws) async fn read(&self, range: Range<u64>) -> io::Result<reply::Body> {
        match self {
            Self::Memory(chunks) => {
                let slices: Vec<io::Result<_>> =
                    slices(chunks, range).into_iter().map(|slice| Ok(Frame::data(slice))).collect();
                Ok(StreamBody::new(stream::iter(slices)).boxed_unsync())
            }
            Self::File(path) => {
                let mut file = tokio::fs::File::open(path).await?;
                file.seek(SeekFrom::Start(range.start)).await?;
                let left = range.end - range.start;
                let frames = stream::try_unfold((file, left), |(mut file, left)| async move {
                    if left == 0 {
                        return Ok(None);
                    }
                    let mut buffer = BytesMut::with_capacity(READ_SIZE.min(usize::try_from(left).unwrap_or(READ_SIZE)));
                    if file.read_buf(&mut buffer).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let mut data = buffer.freeze();
                    data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - data.len() as u64;
                    Ok(Some((Frame::data(data), (file, left))))
                });
                Ok(StreamBody::new(frames).boxed_unsync())
            }
            Self::Discarded => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The parts of `chunks` that lie in `range`, without a copy.
fn slices(chunks: &[Bytes], range: Range<u64>) -> Vec<Bytes> {
    let mut at = 0u64;
    let mut slices = Vec::new();
    for chunk in chunks {
        let end = at + chunk.len() as u64;
        let (from, to) = (range.start.clamp(at, end) - at, range.end.clamp(at, end) - at);
        if from < to {
            slices.push(chunk.slice(from as usize..to as usize));
        }
        at = end;
    }
    slices
}

/// Takes in a body as it streams. What is dropped unfinished leaves nothing behind.
#[derive(Debug)]
pub(in crate::aws) struct BodyWriter {
    taking: Taking,
    size: u64,
    lines: u64,
}

#[derive(Debug)]
enum Taking {
    Memory(Vec<Bytes>),
    Disk { file: tokio::fs::File, temporary: Temporary, disk: Disk },
    Discard,
}

/// A file that is removed unless it is put to its place.
#[derive(Debug)]
pub(in crate::aws) struct Temporary(Option<PathBuf>);

impl Temporary {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or_else(|| Path::new(""))
    }

    /// It is at its place now.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "cannot remove a temporary file");
        }
    }
}

impl BodyWriter {
    pub(super) async fn begin(place: &Place) -> Result<Self, ApiError> {
        let taking = match place {
            Place::Memory => Taking::Memory(Vec::new()),
            Place::Discard => Taking::Discard,
            Place::Disk(disk) => {
                let path = disk.temporary_path();
                let file = tokio::fs::File::create_new(&path).await?;
                Taking::Disk { file, temporary: Temporary::new(path), disk: disk.clone() }
            }
        };
        Ok(Self { taking, size: 0, lines: 0 })
    }

    pub(in crate::aws) async fn write(&mut self, data: Bytes) -> Result<(), ApiError> {
        self.size += data.len() as u64;
        match &mut self.taking {
            Taking::Memory(chunks) => chunks.push(data),
            Taking::Disk { file, .. } => file.write_all(&data).await?,
            Taking::Discard => self.lines += memchr::memchr_iter(b'\n', &data).count() as u64,
        }
        Ok(())
    }

    /// How many bytes there were.
    pub(in crate::aws) fn size(&self) -> u64 {
        self.size
    }

    /// How many line feeds, if they were counted.
    pub(in crate::aws) fn lines(&self) -> u64 {
        self.lines
    }

    /// Ends it: the bytes are durable, but not at their place.
    pub(in crate::aws) async fn finish(self) -> Result<Pending, ApiError> {
        Ok(match self.taking {
            Taking::Memory(chunks) if self.size < COPY_BELOW => {
                let mut whole = BytesMut::with_capacity(self.size as usize);
                for chunk in chunks {
                    whole.extend_from_slice(&chunk);
                }
                Pending::Body(Body::Memory(if whole.is_empty() { Arc::new([]) } else { Arc::new([whole.freeze()]) }))
            }
            Taking::Memory(chunks) => Pending::Body(Body::Memory(chunks.into())),
            Taking::Disk { mut file, temporary, disk } => {
                file.flush().await?;
                file.sync_all().await?;
                Pending::File { temporary, disk }
            }
            Taking::Discard => Pending::Body(Body::Discarded),
        })
    }
}

/// A body that has arrived and has no place yet.
#[derive(Debug)]
pub(in crate::aws) enum Pending {
    Body(Body),
    File { temporary: Temporary, disk: Disk },
}

impl Pending {
    /// Joins the bodies of parts into one. In memory that copies nothing.
    pub(super) async fn join(place: &Place, parts: Vec<Body>) -> Result<Self, ApiError> {
        Ok(match place {
            Place::Memory => {
                let chunks = parts.iter().flat_map(|part| match part {
                    Body::Memory(chunks) => &chunks[..],
                    Body::File(_) | Body::Discarded => &[],
                });
                Self::Body(Body::Memory(chunks.cloned().collect()))
            }
            Place::Discard => Self::Body(Body::Discarded),
            Place::Disk(disk) => {
                let paths = parts.iter().filter_map(Body::file).collect();
                Self::File { temporary: disk.clone().join(paths).await?, disk: disk.clone() }
            }
        })
    }

    pub(super) async fn settle_object(self, bucket: &str, key: &str) -> Result<Settled, ApiError> {
        match self {
            Self::Body(body) => Ok(Settled::Body(body)),
            Self::File { temporary, disk } => {
                let (bucket, key) = (bucket.to_owned(), key.to_owned());
                Ok(Settled::File(disk.settle(temporary, move |disk| disk.object_paths(&bucket, &key)).await?))
            }
        }
    }

    pub(super) async fn settle_part(self, upload: &str, number: u16) -> Result<Settled, ApiError> {
        match self {
            Self::Body(body) => Ok(Settled::Body(body)),
            Self::File { temporary, disk } => {
                let upload = upload.to_owned();
                Ok(Settled::File(disk.settle(temporary, move |disk| disk.part_paths(&upload, number)).await?))
            }
        }
    }
}

/// A body at its place, which leaves it again unless it is kept: when the write's condition does not hold, or its
/// client goes away before it is written down.
#[derive(Debug)]
pub(super) enum Settled {
    Body(Body),
    File(Temporary),
}

impl Settled {
    pub(super) fn body(&self) -> Body {
        match self {
            Self::Body(body) => body.clone(),
            Self::File(file) => Body::File(file.path().to_owned()),
        }
    }

    pub(super) fn keep(self) {
        match self {
            Self::Body(_) => {}
            Self::File(file) => file.keep(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::slices;

    proptest! {
        #[test]
        fn a_range_over_chunks_is_the_range_of_the_whole(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..6),
            a in 0usize..30,
            b in 0usize..30,
        ) {
            let whole: Vec<u8> = chunks.concat();
            let (start, end) = (a.min(b).min(whole.len()), a.max(b).min(whole.len()));
            let chunks: Vec<Bytes> = chunks.into_iter().map(Bytes::from).collect();
            let cut: Vec<u8> = slices(&chunks, start as u64..end as u64).concat();
            prop_assert_eq!(&cut[..], &whole[start..end]);
        }
    }
}
