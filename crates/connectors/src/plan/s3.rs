use std::time::Duration;

use iam::AccountId;

/// Where objects go, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is one key of the configuration")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Target {
    /// The bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// A URL in place of AWS's own.
    pub endpoint: Option<String>,
    /// Whether AWS's endpoints with FIPS 140 cryptography are asked.
    pub fips: bool,
    /// Whether AWS's endpoints that have IPv6 too are asked.
    pub dual_stack: bool,
    /// The account that the bucket must be in.
    pub owner: Option<AccountId>,
    /// Whether the bucket stands in the path and not in the host's name.
    pub path_style: bool,
    /// `AES256`, `aws:kms` or `aws:kms:dsse`; `None` leaves it to the bucket.
    pub server_side_encryption: Option<String>,
    /// Size of parts in bytes, at least S3's minimum of 5 MiB.
    pub part_size: u64,
    /// The pauses between attempts.
    pub retry: S3Retry,
    /// What to do about an object of the same name that is not ours.
    pub existing: ExistingObject,
    /// Whether parts carry their CRC32C.
    pub checksums: bool,
    /// Whether bodies of requests are signed.
    pub payload_signature: PayloadSignature,
}

/// The pauses between attempts of a request. How often is not limited: what can be retried is retried until it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Retry {
    /// The first pause; it doubles with each further failure.
    pub delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
}

/// What to do about an object of the same name that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingObject {
    /// Put ours in its place, as Aiven's connector does.
    Overwrite,
    /// Refuse to.
    Fail,
}

/// Whether bodies of requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadSignature {
    /// Only on unencrypted ways to other machines.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
