use std::time::Duration;

use iam::AccountId;

use crate::Backoff;

/// How to write to a bucket.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of S3's, and no two belong together")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Options {
    /// The bucket's name.
    pub bucket: String,
    /// The region that the bucket is in.
    pub region: String,
    /// An URL in place of AWS's own; path style addressing goes with it.
    pub endpoint: Option<String>,
    /// `https://host/bucket/key` in place of `https://bucket.host/key`. Always on with an endpoint.
    pub path_style: bool,
    /// Whether AWS's own endpoint is the one with FIPS 140 cryptography.
    pub fips: bool,
    /// Whether AWS's own endpoint is the one that has IPv6 too.
    pub dual_stack: bool,
    /// The account that the bucket must be in (`x-amz-expected-bucket-owner`, with every request): a bucket that somebody
    /// else has made under the name of one that was deleted gets nothing.
    pub owner: Option<AccountId>,
    /// `AES256`, `aws:kms` or `aws:kms:dsse`; `None` leaves it to the bucket.
    pub server_side_encryption: Option<String>,
    /// The pauses between attempts.
    pub backoff: Backoff,
    /// What to do about an object of the same name that we did not write.
    pub existing: ExistingObject,
    /// How request bodies are signed.
    pub payload: Payload,
    /// Whether parts carry their CRC32C, which S3 then checks and keeps. Off for stores that know no checksums.
    pub checksums: bool,
    /// The longest time in which the far side takes no byte of a body. Bytes are handed out in pieces of 64 KiB, so that
    /// a slow link (17 kbit/s within 30 s) is told from a dead one.
    pub stall_after: Duration,
    /// How long the answer to a body may take once the body is sent.
    pub answer_within: Duration,
    /// How long an object that is nowhere to be seen after its upload has gone is looked for again, before it is said to
    /// be gone. A `CompleteMultipartUpload` whose answer was lost may still be at work.
    pub gone_after: Duration,
}

impl S3Options {
    /// Options for `bucket` in `region` with everything else as AWS and Aiven's connector have it by default.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: region.into(),
            endpoint: None,
            path_style: false,
            fips: false,
            dual_stack: false,
            owner: None,
            server_side_encryption: None,
            backoff: Backoff::default(),
            existing: ExistingObject::Overwrite,
            payload: Payload::Auto,
            checksums: true,
            stall_after: Duration::from_secs(30),
            answer_within: Duration::from_mins(1),
            gone_after: Duration::from_secs(15),
        }
    }

    /// Whether nobody can read or change what is on its way to the endpoint.
    pub(crate) fn is_sealed(&self) -> bool {
        self.endpoint.as_deref().is_none_or(is_sealed)
    }

    /// Whether the body's SHA-256 goes into the signature.
    pub(crate) fn signs_payload(&self) -> bool {
        match self.payload {
            Payload::Signed => true,
            Payload::Unsigned => false,
            Payload::Auto => self.endpoint.as_deref().is_some_and(|url| !is_sealed(url)),
        }
    }
}

/// What to do about an object of the same name that we did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingObject {
    /// Put ours in its place, as Aiven's connector does.
    Overwrite,
    /// Refuse to (`If-None-Match: *`).
    Fail,
}

/// Whether the body's SHA-256 goes into the signature. It costs two thirds of all that an upload costs the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Signed only where nothing else guards the bytes on their way: plain http to another machine. TLS guards them
    /// otherwise, and to the loopback there is no way.
    Auto,
    /// Always.
    Signed,
    /// Never (`UNSIGNED-PAYLOAD`).
    Unsigned,
}

/// Whether nobody can change bytes on the way to `url`.
fn is_sealed(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if scheme.eq_ignore_ascii_case("https") {
        return true;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_signed_only_over_plain_http_to_another_machine() {
        let signs = |endpoint: Option<&str>| {
            let options = S3Options { endpoint: endpoint.map(str::to_owned), ..S3Options::new("b", "eu-central-1") };
            options.signs_payload()
        };
        assert!(!signs(None));
        assert!(!signs(Some("https://minio.example.com")));
        assert!(!signs(Some("http://127.0.0.1:9000/")));
        assert!(!signs(Some("http://[::1]:9000")));
        assert!(!signs(Some("http://localhost:9000")));
        assert!(signs(Some("http://minio.example.com:9000")));
        assert!(signs(Some("http://127.0.0.1@evil.example.com/")));
        assert!(signs(Some("http://localhost.example.com/")));
        assert!(signs(Some("http://10.0.0.5:9000")));
    }
}
