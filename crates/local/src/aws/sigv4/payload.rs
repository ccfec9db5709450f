use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::Verified;
use super::chunked::Chunks;
use crate::aws::api_error::ApiError;

/// The body of a request as it streams in, decoded, and checked against what its sender signed.
///
/// The checks end with the body: only when [`Payload::next`] has answered `None` is what it gave out what was signed.
#[derive(Debug)]
pub(in crate::aws) struct Payload<'a> {
    body: &'a mut Incoming,
    check: Check,
    /// Bytes still to come, after decoding.
    left: u64,
    frame: Bytes,
    idle: Duration,
    done: bool,
}

#[derive(Debug)]
enum Check {
    /// `UNSIGNED-PAYLOAD`.
    Nothing,
    /// The hash that the request names.
    Hash { expected: String, hash: Sha256 },
    /// `aws-chunked`.
    Chunks(Chunks),
}

impl<'a> Payload<'a> {
    /// Prepares to read the body of a verified request. `idle` bounds the wait for each frame.
    pub(in crate::aws) fn new(
        body: &'a mut Incoming,
        headers: &HeaderMap,
        hash: &str,
        signed: &Verified,
        idle: Duration,
    ) -> Result<Self, ApiError> {
        let number =
            |name: &str| headers.get(name).map(|value| value.to_str().ok().and_then(|v| v.parse::<u64>().ok()));
        let Verified { claim, key, .. } = signed;
        let chunks =
            |with_trailer| Chunks::signed(key.clone(), &claim.time_text, claim.scope(), &claim.signature, with_trailer);
        let check = match hash {
            "UNSIGNED-PAYLOAD" => Check::Nothing,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Check::Chunks(Chunks::unsigned()),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Check::Chunks(chunks(false)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Check::Chunks(chunks(true)),
            hash if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Check::Hash { expected: hash.to_ascii_lowercase(), hash: Sha256::new() }
            }
            hash if hash.starts_with("STREAMING-AWS4-ECDSA") => {
                return Err(ApiError::of("NotImplemented").saying("signatures of version 4A are not implemented"));
            }
            _ => {
                return Err(ApiError::of("InvalidArgument")
                    .saying("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."));
            }
        };
        let declared = match check {
            Check::Chunks(_) => number("x-amz-decoded-content-length"),
            Check::Nothing | Check::Hash { .. } => number("content-length"),
        };
        let left = match declared {
            Some(Some(length)) => length,
            Some(None) => return Err(ApiError::of("InvalidArgument").saying("The length of the body is not a number")),
            None if body.is_end_stream() => 0,
            None => return Err(ApiError::of("MissingContentLength")),
        };
        Ok(Self { body, check, left, frame: Bytes::new(), idle, done: false })
    }

    /// How long the decoded body is.
    pub(in crate::aws) fn remaining(&self) -> u64 {
        self.left
    }

    /// The next piece of the body, a slice of what the socket gave; `None` at its verified end.
    pub(in crate::aws) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        while !self.done {
            if self.frame.is_empty() {
                if let Some(frame) = self.read_frame().await? {
                    self.frame = frame;
                } else {
                    self.done = true;
                    self.finish()?;
                    break;
                }
            }
            let data = match &mut self.check {
                Check::Nothing => Some(std::mem::take(&mut self.frame)),
                Check::Hash { hash, .. } => {
                    hash.update(&self.frame);
                    Some(std::mem::take(&mut self.frame))
                }
                Check::Chunks(chunks) => chunks.next(&mut self.frame)?,
            };
            if let Some(data) = data {
                self.left = self.left.checked_sub(data.len() as u64).ok_or_else(|| ApiError::of("IncompleteBody"))?;
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The whole body, for requests whose body is a small document.
    pub(in crate::aws) async fn read_to_end(&mut self, limit: u64) -> Result<Bytes, ApiError> {
        if self.left > limit {
            return Err(ApiError::of("EntityTooLarge"));
        }
        let mut pieces = VecDeque::new();
        while let Some(piece) = self.next().await? {
            pieces.push_back(piece);
        }
        if pieces.len() == 1 {
            return Ok(pieces.pop_front().unwrap_or_default());
        }
        Ok(pieces.into_iter().flatten().collect())
    }

    /// What came behind the data (checksums), names in lower case. Complete only after the end.
    pub(in crate::aws) fn trailers(&self) -> &[(String, String)] {
        match &self.check {
            Check::Chunks(chunks) => chunks.trailers(),
            Check::Nothing | Check::Hash { .. } => &[],
        }
    }

    async fn read_frame(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let frame =
                tokio::time::timeout(self.idle, self.body.frame()).await.map_err(|_| ApiError::of("RequestTimeout"))?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(ApiError::of("IncompleteBody")),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn finish(&mut self) -> Result<(), ApiError> {
        let complete = match &self.check {
            Check::Chunks(chunks) => chunks.is_done(),
            Check::Nothing | Check::Hash { .. } => true,
        };
        if self.left > 0 || !complete {
            return Err(ApiError::of("IncompleteBody"));
        }
        if let Check::Hash { expected, hash } = &mut self.check {
            let actual = hex::encode(std::mem::take(hash).finalize());
            if actual != *expected {
                return Err(ApiError::of("XAmzContentSHA256Mismatch")
                    .field("ClientComputedContentSHA256", &*expected)
                    .field("S3ComputedContentSHA256", actual));
            }
        }
        Ok(())
    }
}
