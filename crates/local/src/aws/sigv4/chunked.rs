use bytes::{Buf, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::canonical::{SigningKey, sha256_hex};
use crate::aws::api_error::ApiError;

/// The longest line between chunks: a length in hex and a signature, or one trailer.
const MAX_LINE: usize = 1024;

/// More trailers than S3 knows.
const MAX_TRAILERS: usize = 8;

/// Takes the frames of the `aws-chunked` encoding apart: data comes out as slices of what came in, and each chunk's
/// signature is checked when the chunk ends. Nothing may be made of the data before [`Chunks::is_done`].
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    line: BytesMut,
    signing: Option<Signing>,
    with_trailer: bool,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Header,
    Data {
        left: u64,
    },
    /// The line break behind a chunk's data.
    DataEnd,
    Trailers,
    Done,
}

/// The chain of signatures: each chunk's depends on the one before.
#[derive(Debug)]
struct Signing {
    key: SigningKey,
    time: String,
    scope: String,
    previous: String,
    chunk_signature: String,
    hash: Sha256,
}

impl Chunks {
    /// Chunks without signatures.
    pub(super) fn unsigned() -> Self {
        let line = BytesMut::new();
        Self { state: State::Header, line, signing: None, with_trailer: true, trailers: Vec::new() }
    }

    /// Chunks of which the first continues the request's own signature `seed`.
    pub(super) fn signed(key: SigningKey, time: &str, scope: String, seed: &str, with_trailer: bool) -> Self {
        let signing = Signing {
            key,
            time: time.to_owned(),
            scope,
            previous: seed.to_owned(),
            chunk_signature: String::new(),
            hash: Sha256::new(),
        };
        Self { signing: Some(signing), with_trailer, ..Self::unsigned() }
    }

    /// Whether the last chunk and all trailers have been read.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What came behind the data, names in lower case.
    pub(super) fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }

    /// Takes from `frame` up to the end of the next piece of data. `None`: the frame is used up.
    pub(super) fn next(&mut self, frame: &mut Bytes) -> Result<Option<Bytes>, ApiError> {
        while !frame.is_empty() {
            match self.state {
                State::Data { left: 0 } => {
                    if let Some(signing) = &mut self.signing {
                        signing.end_of_chunk()?;
                    }
                    self.state = State::DataEnd;
                }
                State::Data { left } => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(frame.len());
                    let data = frame.split_to(length);
                    if let Some(signing) = &mut self.signing {
                        signing.hash.update(&data);
                    }
                    self.state = State::Data { left: left - length as u64 };
                    return Ok(Some(data));
                }
                State::Header | State::DataEnd | State::Trailers => {
                    if let Some(line) = self.take_line(frame)? {
                        self.line_read(&line)?;
                    }
                }
                State::Done => return Err(malformed("data behind the last chunk")),
            }
        }
        Ok(None)
    }

    /// Reads up to a line break, over several frames if need be.
    fn take_line(&mut self, frame: &mut Bytes) -> Result<Option<String>, ApiError> {
        let end = memchr::memchr(b'\n', frame);
        self.line.extend_from_slice(&frame[..end.unwrap_or(frame.len()).min(MAX_LINE)]);
        if self.line.len() >= MAX_LINE {
            return Err(malformed("a line that is too long"));
        }
        frame.advance(end.map_or(frame.len(), |end| end + 1));
        if end.is_none() {
            return Ok(None);
        }
        let line = self.line.split();
        let line = line.strip_suffix(b"\r").ok_or_else(|| malformed("a line without CR"))?;
        String::from_utf8(line.to_vec()).map(Some).map_err(|_| malformed("a line that is not text"))
    }

    fn line_read(&mut self, line: &str) -> Result<(), ApiError> {
        match self.state {
            State::Header => self.header_read(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::Header;
                Ok(())
            }
            State::DataEnd => Err(malformed("a chunk longer than its length")),
            State::Trailers => self.trailer_read(line),
            State::Data { .. } | State::Done => Ok(()),
        }
    }

    fn header_read(&mut self, line: &str) -> Result<(), ApiError> {
        let (length, extension) = line.split_once(';').unwrap_or((line, ""));
        let left = u64::from_str_radix(length, 16).map_err(|_| malformed("a chunk without a length"))?;
        if let Some(signing) = &mut self.signing {
            let signature = extension.strip_prefix("chunk-signature=");
            signature.ok_or_else(|| malformed("a chunk without a signature"))?.clone_into(&mut signing.chunk_signature);
            signing.hash = Sha256::new();
        }
        self.state = State::Data { left };
        if left == 0 {
            if let Some(signing) = &mut self.signing {
                signing.end_of_chunk()?;
            }
            self.state = State::Trailers;
        }
        Ok(())
    }

    fn trailer_read(&mut self, line: &str) -> Result<(), ApiError> {
        if line.is_empty() {
            if let (Some(signing), true) = (&mut self.signing, self.with_trailer) {
                signing.end_of_trailers(&mut self.trailers)?;
            }
            self.state = State::Done;
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a trailer without a value"))?;
        if !self.with_trailer || self.trailers.len() >= MAX_TRAILERS {
            return Err(malformed("a trailer that was not announced"));
        }
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }
}

impl Signing {
    fn end_of_chunk(&mut self) -> Result<(), ApiError> {
        let hash = hex::encode(std::mem::take(&mut self.hash).finalize());
        let empty = sha256_hex(b"");
        let Self { time, scope, previous, .. } = self;
        let to_sign = format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{previous}\n{empty}\n{hash}");
        if !self.key.verify(&to_sign, &self.chunk_signature) {
            return Err(ApiError::of("SignatureDoesNotMatch"));
        }
        self.previous.clone_from(&self.chunk_signature);
        Ok(())
    }

    /// The last trailer is the signature of the others.
    fn end_of_trailers(&self, trailers: &mut Vec<(String, String)>) -> Result<(), ApiError> {
        let signature = trailers.pop().filter(|(name, _)| name == "x-amz-trailer-signature");
        let (_, signature) = signature.ok_or_else(|| malformed("trailers without a signature"))?;
        let lines: String = trailers.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect();
        let Self { time, scope, previous, .. } = self;
        let hash = sha256_hex(lines.as_bytes());
        let to_sign = format!("AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{previous}\n{hash}");
        if !self.key.verify(&to_sign, &signature) {
            return Err(ApiError::of("SignatureDoesNotMatch"));
        }
        Ok(())
    }
}

fn malformed(what: &str) -> ApiError {
    ApiError::of("InvalidRequest").saying(format!("The aws-chunked body holds {what}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{Chunks, SigningKey};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// The upload of 66,560 letters `a` in chunks of 64 KiB and 1 KiB that the S3 documentation works out.
    fn documented(seed: &str, with_trailer: bool) -> Chunks {
        let key = SigningKey::derive(SECRET, "20130524", "us-east-1", "s3");
        let scope = "20130524/us-east-1/s3/aws4_request".to_owned();
        Chunks::signed(key, "20130524T000000Z", scope, seed, with_trailer)
    }

    fn decode(mut chunks: Chunks, encoded: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, Chunks), String> {
        let mut data = Vec::new();
        let mut rest = Bytes::copy_from_slice(encoded);
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let mut frame = rest.split_to(cut.min(rest.len()));
            while let Some(piece) = chunks.next(&mut frame).map_err(|error| error.code().to_owned())? {
                data.extend_from_slice(&piece);
            }
        }
        Ok((data, chunks))
    }

    fn encode(signatures: [&str; 3], tail: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for (size, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
            out.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
            out.extend(std::iter::repeat_n(b'a', size));
            out.extend_from_slice(if size > 0 { b"\r\n" } else { b"" });
        }
        out.extend_from_slice(tail.as_bytes());
        out
    }

    #[test]
    fn the_documented_signatures_of_chunks_agree() {
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let signatures = [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ];
        let (data, chunks) = decode(documented(seed, false), &encode(signatures, "\r\n"), &[]).unwrap();
        assert!(chunks.is_done() && data.len() == 66560);
        let swapped = [signatures[1], signatures[0], signatures[2]];
        let error = decode(documented(seed, false), &encode(swapped, "\r\n"), &[]).unwrap_err();
        assert_eq!(error, "SignatureDoesNotMatch");
    }

    #[test]
    fn the_documented_signature_of_a_trailer_agrees() {
        let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
        let signatures = [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ];
        let trailer = "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
        let (_, chunks) = decode(documented(seed, true), &encode(signatures, trailer), &[]).unwrap();
        assert_eq!(chunks.trailers(), [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
    }

    proptest! {
        #[test]
        fn frames_may_be_cut_anywhere(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..5),
            cuts in proptest::collection::vec(0usize..12, 0..20),
        ) {
            let mut encoded = Vec::new();
            for part in &parts {
                encoded.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                encoded.extend_from_slice(part);
                encoded.extend_from_slice(b"\r\n");
            }
            encoded.extend_from_slice(b"0\r\na:b\r\n\r\n");
            let (data, chunks) = decode(Chunks::unsigned(), &encoded, &cuts).unwrap();
            prop_assert!(chunks.is_done());
            prop_assert_eq!(data, parts.concat());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[0-9a-f;\r\n:]{0,40}") {
            drop((decode(Chunks::unsigned(), &bytes, &[7]), decode(Chunks::unsigned(), text.as_bytes(), &[3])));
        }
    }
}
