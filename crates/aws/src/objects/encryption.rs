use std::fmt;

use aws_sdk_s3::types::ServerSideEncryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use world::Secret;

use crate::objects::error::Error;

/// How S3 is to encrypt an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    Bucket,
    /// With a key of S3's own (`AES256`, SSE-S3).
    S3,
    /// With a key of KMS (`aws:kms`): this one, or AWS's own for S3.
    Kms {
        /// Its id, alias or ARN.
        key: Option<String>,
        /// In two layers (`aws:kms:dsse`).
        dual: bool,
    },
    /// With a key that comes with each request and that S3 forgets (SSE-C).
    Customer(CustomerKey),
}

impl Encryption {
    /// `x-amz-server-side-encryption`.
    pub(super) fn algorithm(&self) -> Option<ServerSideEncryption> {
        match self {
            Self::Bucket | Self::Customer(_) => None,
            Self::S3 => Some(ServerSideEncryption::Aes256),
            Self::Kms { dual: false, .. } => Some(ServerSideEncryption::AwsKms),
            Self::Kms { dual: true, .. } => Some(ServerSideEncryption::AwsKmsDsse),
        }
    }

    /// `x-amz-server-side-encryption-aws-kms-key-id`.
    pub(super) fn kms_key(&self) -> Option<String> {
        match self {
            Self::Kms { key, .. } => key.clone(),
            Self::Bucket | Self::S3 | Self::Customer(_) => None,
        }
    }

    pub(super) fn customer(&self) -> Option<&CustomerKey> {
        match self {
            Self::Customer(key) => Some(key),
            Self::Bucket | Self::S3 | Self::Kms { .. } => None,
        }
    }
}

/// A key of AES-256 that S3 is told with each request.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey {
    key: Secret,
    md5: String,
}

/// 256 bits.
const LENGTH: usize = 32;

impl CustomerKey {
    /// A key as it is written in files: 32 bytes in base64.
    ///
    /// # Errors
    /// It is not that.
    pub fn new(base64: &str) -> Result<Self, Error> {
        let text = base64.trim();
        match STANDARD.decode(text) {
            Ok(bytes) if bytes.len() == LENGTH => {
                Ok(Self { key: Secret::new(text), md5: STANDARD.encode(Md5::digest(&bytes)) })
            }
            _ => Err(Error::BadInput {
                text: "customer key is not 32 bytes in base64".into(),
                hint: Some("make one: head -c 32 /dev/urandom | base64".into()),
            }),
        }
    }

    /// `x-amz-server-side-encryption-customer-key`.
    pub(super) fn key(&self) -> String {
        self.key.expose().to_owned()
    }

    /// `x-amz-server-side-encryption-customer-key-MD5`; tells nothing of a random key.
    pub(super) fn md5(&self) -> String {
        self.md5.clone()
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[hidden, MD5 {}]", self.md5)
    }
}

/// The one algorithm of customer keys.
pub(super) const AES256: &str = "AES256";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_key_is_shown_nowhere() {
        let text = STANDARD.encode([7; LENGTH]);
        let key = CustomerKey::new(&format!("{text}\n")).unwrap();
        assert_eq!(key.key(), text);
        assert!(!format!("{:?}", Encryption::Customer(key)).contains(&text));
        for wrong in ["", "secret", &STANDARD.encode([7; 31])] {
            let error = CustomerKey::new(wrong).unwrap_err().to_string();
            assert!(error.contains("32 bytes") && (wrong.is_empty() || !error.contains(wrong)), "{error}");
        }
    }
}
