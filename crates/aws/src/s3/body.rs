use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::box_error::BoxError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::failure::Loss;

/// The bytes of one part, as they were collected: never joined, never copied. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    chunks: Arc<[Bytes]>,
    length: usize,
}

/// The most bytes of a frame: progress is seen frame by frame, so that a slow part is told from a stuck one.
const FRAME: usize = 64 << 10;

impl Content {
    pub(crate) fn new(chunks: Vec<Bytes>) -> Self {
        let length = chunks.iter().map(Bytes::len).sum();
        Self { chunks: chunks.into(), length }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The bytes, as they were collected.
    pub(crate) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// As S3 wants it in `x-amz-checksum-crc32c`: big-endian, base64.
    pub(crate) fn crc32c(&self) -> String {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        self.chunks.iter().for_each(|chunk| digest.update(chunk));
        STANDARD.encode((digest.finalize() as u32).to_be_bytes())
    }

    /// As SigV4 wants it. Lets others run between chunks: 8 MiB take some 5 ms.
    pub(crate) async fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for chunk in &*self.chunks {
            for piece in chunk.chunks(1 << 20) {
                hash.update(piece);
                tokio::task::yield_now().await;
            }
        }
        hex::encode(hash.finalize())
    }

    /// One way through the bytes, and a witness of how far it has come.
    pub(crate) fn read(&self) -> (Reading, Progress) {
        let progress = Progress::new(self.length);
        (Reading { content: self.clone(), chunk: 0, offset: 0, progress: progress.clone() }, progress)
    }
}

/// A body that hands out a [`Content`].
#[derive(Debug)]
pub(crate) struct Reading {
    content: Content,
    chunk: usize,
    offset: usize,
    progress: Progress,
}

impl Body for Reading {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            let Some(chunk) = self.content.chunks.get(self.chunk) else { return Poll::Ready(None) };
            if self.offset == chunk.len() {
                self.chunk += 1;
                self.offset = 0;
                continue;
            }
            let end = chunk.len().min(self.offset + FRAME);
            let frame = chunk.slice(self.offset..end);
            self.offset = end;
            self.progress.took(frame.len());
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.progress.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.progress.left() as u64)
    }
}

/// A body as the SDK takes it.
pub(crate) fn stream<B>(body: B) -> ByteStream
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError> + 'static,
{
    ByteStream::new(SdkBody::from_body_1_x(body))
}

/// When the far side last took bytes.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    left: usize,
}

impl Progress {
    /// Of a body of so many bytes, of which none has been taken yet.
    pub(crate) fn new(length: usize) -> Self {
        Self(Arc::new(Mutex::new(Seen { at: Instant::now(), left: length })))
    }

    /// How many bytes have not been taken yet.
    pub(crate) fn left(&self) -> usize {
        self.lock().left
    }

    /// Ends when nothing has moved for too long: `stall` between frames, `answer` after the last one.
    pub(crate) async fn stuck(&self, stall: Duration, answer: Duration) -> Loss {
        loop {
            let (at, left) = {
                let seen = self.lock();
                (seen.at, seen.left)
            };
            let limit = if left > 0 { stall } else { answer };
            let quiet = at.elapsed();
            if quiet >= limit {
                return if left > 0 { Loss::Stalled(limit) } else { Loss::Silent(limit) };
            }
            // No longer than `answer`: the last frame may be taken meanwhile, and then that is the limit.
            tokio::time::sleep(limit.saturating_sub(quiet).min(answer)).await;
        }
    }

    /// The far side has taken so many bytes.
    pub(crate) fn took(&self, bytes: usize) {
        let mut seen = self.lock();
        seen.at = Instant::now();
        seen.left -= bytes;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);
    const ANSWER: Duration = Duration::from_mins(2);

    fn content() -> Content {
        Content::new(vec![Bytes::from_static(b"12345"), Bytes::new(), Bytes::from_static(b"6789")])
    }

    #[tokio::test]
    async fn sums_are_those_of_the_joined_bytes() {
        // CRC-32C's check value is the sum of "123456789" (catalogue of parametrised CRC algorithms): 0xe3069283.
        assert_eq!(content().crc32c(), STANDARD.encode([0xe3, 0x06, 0x92, 0x83]));
        assert_eq!(content().sha256().await, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    }

    #[tokio::test]
    async fn a_body_can_be_read_again_and_knows_what_is_left() {
        let content = content();
        for _ in 0..2 {
            let (mut body, _) = content.read();
            assert_eq!(body.size_hint().exact(), Some(9));
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!((&first[..], body.size_hint().exact()), (&b"12345"[..], Some(4)));
            assert_eq!(body.collect().await.unwrap().to_bytes(), &b"6789"[..]);
        }
    }

    #[tokio::test]
    async fn large_chunks_are_handed_out_in_frames_without_being_copied() {
        let chunk = Bytes::from(vec![7; FRAME + 1]);
        let (mut body, _) = Content::new(vec![chunk.clone()]).read();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((frame.len(), frame.as_ptr()), (FRAME, chunk.as_ptr()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_part_is_told_from_a_stuck_one() {
        let (mut body, progress) = Content::new(vec![Bytes::from(vec![7; FRAME * 3])]).read();
        let begun = Instant::now();
        let watch = tokio::spawn(async move { progress.stuck(STALL, ANSWER).await });
        for _ in 0..2 {
            tokio::time::sleep(STALL.mul_f64(0.99)).await;
            body.frame().await.unwrap().unwrap();
        }
        assert!(matches!(watch.await.unwrap(), Loss::Stalled(_)));
        assert_eq!(begun.elapsed(), STALL.mul_f64(0.99) * 2 + STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_its_own_limit_once_all_is_sent() {
        let (body, progress) = content().read();
        let begun = Instant::now();
        body.collect().await.unwrap();
        assert!(matches!(progress.stuck(STALL, ANSWER).await, Loss::Silent(_)));
        assert_eq!(begun.elapsed(), ANSWER);
    }
}
