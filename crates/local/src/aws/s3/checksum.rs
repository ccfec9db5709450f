use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::call::Call;
use crate::aws::api_error::ApiError;

/// The checksums that S3 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::aws) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

/// What the checksum of an object in parts is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::aws) enum ChecksumKind {
    /// Of all its bytes.
    FullObject,
    /// Of its parts' checksums.
    Composite,
}

impl ChecksumKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-crc32c`.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// As in `<ChecksumCRC32C>`.
    pub(super) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// As in `x-amz-checksum-algorithm: CRC32C`.
    pub(super) fn name(self) -> &'static str {
        &self.element()["Checksum".len()..]
    }

    pub(super) fn of_name(name: &str) -> Result<Self, ApiError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            ApiError::of("InvalidRequest").saying("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        })
    }

    /// What a checksum of an upload in parts is of, unless its client says otherwise.
    pub(super) fn default_kind(self) -> ChecksumKind {
        match self {
            Self::Crc64nvme => ChecksumKind::FullObject,
            Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256 => ChecksumKind::Composite,
        }
    }

    pub(super) fn allows(self, kind: ChecksumKind) -> bool {
        match (self, kind) {
            (Self::Crc32 | Self::Crc32c, _)
            | (Self::Crc64nvme, ChecksumKind::FullObject)
            | (Self::Sha1 | Self::Sha256, ChecksumKind::Composite) => true,
            (Self::Crc64nvme, ChecksumKind::Composite) | (Self::Sha1 | Self::Sha256, ChecksumKind::FullObject) => false,
        }
    }

    fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Self::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Self::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Self::Crc64nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn start(self) -> Running {
        match (self, self.crc()) {
            (_, Some((algorithm, width))) => Running::Crc(Crc::new(algorithm), width),
            (Self::Sha1, None) => Running::Sha1(Sha1::new()),
            (Self::Crc32 | Self::Crc32c | Self::Crc64nvme | Self::Sha256, None) => Running::Sha256(Sha256::new()),
        }
    }

    /// The checksum of an object from the checksums and lengths of its parts, in base64.
    pub(super) fn combine(self, kind: ChecksumKind, parts: &[(String, u64)]) -> Option<String> {
        let decoded = parts.iter().map(|(value, length)| Some((STANDARD.decode(value).ok()?, *length)));
        let parts: Vec<(Vec<u8>, u64)> = decoded.collect::<Option<_>>()?;
        match kind {
            ChecksumKind::Composite => {
                let mut running = self.start();
                for (value, _) in &parts {
                    running.update(value);
                }
                Some(format!("{}-{}", running.finish(), parts.len()))
            }
            ChecksumKind::FullObject => {
                let (algorithm, width) = self.crc()?;
                let number = |value: &[u8]| value.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
                let mut parts = parts.iter();
                let (first, _) = parts.next()?;
                let whole = parts.fold(number(first), |sum, (value, length)| {
                    crc_fast::checksum_combine(algorithm, sum, number(value), *length)
                });
                Some(STANDARD.encode(&whole.to_be_bytes()[8 - width..]))
            }
        }
    }
}

enum Running {
    Crc(Crc, usize),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Running {
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(crc, _) => crc.update(data),
            Self::Sha1(hash) => hash.update(data),
            Self::Sha256(hash) => hash.update(data),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc(crc, width) => STANDARD.encode(&crc.finalize().to_be_bytes()[8 - width..]),
            Self::Sha1(hash) => STANDARD.encode(hash.finalize()),
            Self::Sha256(hash) => STANDARD.encode(hash.finalize()),
        }
    }
}

/// Computes, in one pass, what a body must be compared with.
pub(super) struct Digests {
    md5: Option<Md5>,
    content_md5: Option<Vec<u8>>,
    checksum: Option<(Algorithm, Running, Expected)>,
}

enum Expected {
    /// In a header, before the body.
    Value(String),
    /// In a trailer, behind it.
    Trailer,
    /// By nobody: the upload wants parts to have one, and this client sends none.
    Nobody,
}

/// What came out.
#[derive(Debug)]
pub(super) struct Digested {
    /// MD5; `None` where bodies are thrown away and nobody asked for it.
    pub(super) md5: Option<[u8; 16]>,
    pub(super) checksum: Option<(Algorithm, String)>,
}

impl Digests {
    /// Reads from the headers what is to be verified. `wanted` is the algorithm of the upload that a part is for.
    pub(super) fn of_call(call: &Call<'_>, wanted: Option<Algorithm>) -> Result<Self, ApiError> {
        let content_md5 = match call.header("content-md5") {
            None => None,
            Some(text) => {
                let decoded = STANDARD.decode(text).ok().filter(|digest| digest.len() == 16);
                Some(decoded.ok_or_else(|| ApiError::of("InvalidDigest").field("Content-MD5", text))?)
            }
        };
        let in_headers: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, call.header(algorithm.header())?.to_owned())))
            .collect();
        let trailer = call.header("x-amz-trailer").map(|name| {
            let named = |algorithm: &Algorithm| name.trim().eq_ignore_ascii_case(algorithm.header());
            Algorithm::ALL.into_iter().find(named).ok_or_else(|| {
                ApiError::of("InvalidRequest")
                    .saying("The value specified in the x-amz-trailer header is not supported")
            })
        });
        let trailer = trailer.transpose()?;
        let several = || {
            ApiError::of("InvalidRequest")
                .saying("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        };
        let (algorithm, expected) = match (&in_headers[..], trailer) {
            ([], None) => (wanted, Expected::Nobody),
            ([], Some(algorithm)) => (Some(algorithm), Expected::Trailer),
            ([(algorithm, value)], None) => (Some(*algorithm), Expected::Value(value.clone())),
            _ => return Err(several()),
        };
        if let (Some(algorithm), Some(wanted)) = (algorithm, wanted)
            && algorithm != wanted
        {
            return Err(ApiError::of("InvalidRequest").saying(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                wanted.name().to_ascii_lowercase(),
                algorithm.name().to_ascii_lowercase()
            )));
        }
        let md5 = (call.shared.store.keeps_bodies() || content_md5.is_some()).then(Md5::new);
        Ok(Self { md5, content_md5, checksum: algorithm.map(|a| (a, a.start(), expected)) })
    }

    /// Without the checksum, for a body that it is not of.
    pub(super) fn md5_only(self) -> Self {
        Self { checksum: None, ..self }
    }

    /// For bytes that are here already: there is nothing to compare them with.
    pub(super) fn of_copy(algorithm: Option<Algorithm>) -> Self {
        let checksum = algorithm.map(|algorithm| (algorithm, algorithm.start(), Expected::Nobody));
        Self { md5: Some(Md5::new()), content_md5: None, checksum }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        if let Some((_, running, _)) = &mut self.checksum {
            running.update(data);
        }
    }

    /// Compares. `trailers` came behind the body.
    pub(super) fn finish(self, trailers: &[(String, String)]) -> Result<Digested, ApiError> {
        let md5 = self.md5.map(|md5| <[u8; 16]>::from(md5.finalize()));
        if let (Some(expected), Some(actual)) = (self.content_md5, md5)
            && expected != actual
        {
            return Err(ApiError::of("BadDigest")
                .field("ExpectedDigest", STANDARD.encode(expected))
                .field("CalculatedDigest", STANDARD.encode(actual)));
        }
        let Some((algorithm, running, expected)) = self.checksum else { return Ok(Digested { md5, checksum: None }) };
        let actual = running.finish();
        let expected = match &expected {
            Expected::Value(value) => Some(&**value),
            Expected::Trailer => {
                let value = trailers.iter().find(|(name, _)| name == algorithm.header()).map(|(_, value)| &**value);
                Some(value.ok_or_else(|| ApiError::of("InvalidRequest").saying("The announced trailer is missing"))?)
            }
            Expected::Nobody => None,
        };
        match expected {
            Some(expected) if expected != actual => {
                let name = algorithm.name();
                Err(ApiError::of("BadDigest")
                    .saying(format!("The {name} you specified did not match the calculated checksum.")))
            }
            _ => Ok(Digested { md5, checksum: Some((algorithm, actual)) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Algorithm, ChecksumKind};

    fn of(algorithm: Algorithm, data: &[u8]) -> String {
        let mut running = algorithm.start();
        running.update(data);
        running.finish()
    }

    #[test]
    fn each_algorithm_gives_its_published_check_value() {
        // Of "123456789", from the catalogue of CRCs and from FIPS 180.
        for (algorithm, expected) in [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            assert_eq!(of(algorithm, b"123456789"), expected, "{algorithm:?}");
        }
    }

    proptest! {
        #[test]
        fn the_combined_checksum_of_parts_is_that_of_the_whole(parts in proptest::collection::vec(".{0,20}", 1..5)) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme] {
                let pairs: Vec<_> = parts.iter().map(|p| (of(algorithm, p.as_bytes()), p.len() as u64)).collect();
                let whole = of(algorithm, parts.concat().as_bytes());
                prop_assert_eq!(algorithm.combine(ChecksumKind::FullObject, &pairs), Some(whole));
            }
        }
    }
}
