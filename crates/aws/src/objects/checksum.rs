use std::fmt;

use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};

/// The checksums that S3 compares what arrives with, keeps, and hands out again. All are cyclic redundancy checks, so that
/// the one of an object follows from those of its pieces, whatever the pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 as in zip. Read only: other tools write it.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME, S3's own choice for whoever makes none.
    Crc64Nvme,
}

impl Algorithm {
    fn crc(self) -> (CrcAlgorithm, usize) {
        match self {
            Self::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
            Self::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
            Self::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        }
    }

    pub(super) fn of_sdk(self) -> ChecksumAlgorithm {
        match self {
            Self::Crc32 => ChecksumAlgorithm::Crc32,
            Self::Crc32c => ChecksumAlgorithm::Crc32C,
            Self::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
        })
    }
}

/// The checksum of a run of bytes, which can be joined to that of the bytes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) algorithm: Algorithm,
    value: u64,
    pub(super) length: u64,
}

impl Sum {
    /// Of no bytes.
    pub(super) fn nothing(algorithm: Algorithm) -> Self {
        Running::new(algorithm).finish()
    }

    /// Of these bytes and those of `next` behind them.
    pub(super) fn join(self, next: Self) -> Self {
        let (algorithm, _) = self.algorithm.crc();
        let value = crc_fast::checksum_combine(algorithm, self.value, next.value, next.length);
        Self { value, length: self.length + next.length, ..self }
    }

    /// Whether it has 64 bits.
    pub(super) fn is_64(self) -> bool {
        self.algorithm == Algorithm::Crc64Nvme
    }

    /// As S3 writes it: big-endian, base64.
    pub(super) fn encode(self) -> String {
        let (_, width) = self.algorithm.crc();
        STANDARD.encode(&self.value.to_be_bytes()[8 - width..])
    }

    /// What [`Sum::encode`] wrote, of `length` bytes; `None` if it is none of this algorithm.
    pub(super) fn decode(algorithm: Algorithm, text: &str, length: u64) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let (_, width) = algorithm.crc();
        let value = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        (bytes.len() == width).then_some(Self { algorithm, value, length })
    }
}

/// A [`Sum`] in the making.
pub(super) struct Running {
    algorithm: Algorithm,
    digest: Digest,
    length: u64,
}

impl Running {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, digest: Digest::new(algorithm.crc().0), length: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub(super) fn finish(&self) -> Sum {
        Sum { algorithm: self.algorithm, value: self.digest.finalize(), length: self.length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> Sum {
        let mut running = Running::new(algorithm);
        running.update(bytes);
        running.finish()
    }

    #[test]
    fn sums_are_those_of_the_catalogue_and_join_at_any_place() {
        // Check values of "123456789" in the catalogue of parametrised CRC algorithms.
        for (algorithm, check) in [
            (Algorithm::Crc32, &[0xcb, 0xf4, 0x39, 0x26][..]),
            (Algorithm::Crc32c, &[0xe3, 0x06, 0x92, 0x83]),
            (Algorithm::Crc64Nvme, &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88]),
        ] {
            for at in 0..=9 {
                let (front, back) = b"123456789".split_at(at);
                let joined = sum(algorithm, front).join(sum(algorithm, back));
                assert_eq!(joined.encode(), STANDARD.encode(check), "{algorithm} at {at}");
                assert_eq!(Sum::decode(algorithm, &joined.encode(), 9), Some(joined));
            }
            assert_eq!(Sum::nothing(algorithm).join(sum(algorithm, b"x")), sum(algorithm, b"x"));
        }
        assert_eq!(Sum::decode(Algorithm::Crc32c, "rosUhgp5mIg=", 9), None);
    }
}
