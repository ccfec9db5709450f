use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use fault::{Blame, Code, Diagnose, Retry};

/// Why a certificate and its key are not used. Nothing in it repeats what stands in a file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{place} cannot be read")]
    Unreadable {
        /// Which: `private key file /etc/worker.key`.
        place: String,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// A text or file is not in a form that we know.
    #[error("{place} {reason}")]
    Damaged {
        /// Which.
        place: String,
        /// What is wrong, to follow the place.
        reason: String,
    },
    /// A key or store does not open.
    #[error("{place} {reason}")]
    Sealed {
        /// Which.
        place: String,
        /// Why not, to follow the place.
        reason: &'static str,
    },
    /// No certificate is for the key.
    #[error("the private key in {key} is not the one of the certificate in {certificate}")]
    Mismatch {
        /// Where the certificate is.
        certificate: String,
        /// Where the key is.
        key: String,
    },
    /// AWS would refuse the certificate.
    #[error("certificate {subject} (serial {serial}) {}", Listed(faults))]
    Unfit {
        /// Its subject.
        subject: String,
        /// Its serial number, in decimal as AWS writes it.
        serial: String,
        /// All that is wrong with it, each to follow the certificate.
        faults: Vec<String>,
    },
    /// More intermediates than AWS takes.
    #[error("{place} has {count} intermediate certificates, more than the 5 that AWS takes")]
    LongChain {
        /// Where they are.
        place: String,
        /// How many.
        count: usize,
    },
    /// The crypto library did not sign, which it does not do for a key that it has read.
    #[error("the key in {place} did not sign")]
    Signing {
        /// Where it is.
        place: String,
    },
}

impl Diagnose for CertificateError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => "certificate.unreadable",
            Self::Damaged { .. } => "certificate.damaged",
            Self::Sealed { .. } => "certificate.sealed",
            Self::Mismatch { .. } => "certificate.key-mismatch",
            Self::Unfit { .. } => "certificate.unfit",
            Self::LongChain { .. } => "certificate.long-chain",
            Self::Signing { .. } => "certificate.not-signed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Signing { .. } => Blame::Bug,
            Self::Unreadable { .. }
            | Self::Damaged { .. }
            | Self::Sealed { .. }
            | Self::Mismatch { .. }
            | Self::Unfit { .. }
            | Self::LongChain { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Unreadable { place, .. } => {
                format!("let the user that Tidegate runs as read {place}, or correct the path").into()
            }
            Self::Damaged { .. } => {
                "give a certificate as PEM or DER, and a key as PKCS#8, PKCS#1 or SEC1 in PEM or DER, or both in one PKCS#12 file"
                    .into()
            }
            Self::Sealed { .. } => "set the key's password, or correct it".into(),
            Self::Mismatch { .. } => {
                "compare `openssl x509 -noout -pubkey -in CERTIFICATE` with `openssl pkey -pubout -in KEY`, and give the two that belong together"
                    .into()
            }
            Self::Unfit { .. } => {
                "have a certificate issued by the trust anchor's authority with CA:false, keyUsage digitalSignature, SHA-256 or stronger, RSA of 2048 bits or more or EC P-256 or P-384"
                    .into()
            }
            Self::LongChain { .. } => "leave the root out, and what does not lead from the certificate to it".into(),
            Self::Signing { .. } => return None,
        })
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; it "))
    }
}
