use std::time::SystemTime;

use world::Secret;
use zeroize::Zeroizing;

use super::key::PrivateKey;
use super::material::{Found, Slot, read};
use super::{Certificate, CertificateError};

/// The most intermediates that AWS takes beside a certificate.
const MAX_CHAIN: usize = 5;

/// A certificate, the key that is its own, and the intermediates above it.
#[derive(Debug)]
pub struct Pair {
    certificate: Certificate,
    /// Intermediates alone: the root is AWS's to know.
    chain: Vec<Certificate>,
    key: PrivateKey,
    place: String,
}

/// What a pair is read from, each with the name that messages call it by.
pub(super) struct Sources {
    pub(super) certificate: (String, Zeroizing<Vec<u8>>),
    pub(super) private_key: Option<(String, Zeroizing<Vec<u8>>)>,
    pub(super) intermediates: Option<(String, Zeroizing<Vec<u8>>)>,
    pub(super) password: Option<Secret>,
}

impl Pair {
    /// Reads a pair. Slow: a sealed key's password is stretched.
    pub(super) fn read(sources: &Sources) -> Result<Self, CertificateError> {
        let password = sources.password.as_ref();
        let (place, data) = &sources.certificate;
        let Found { certificates: mut ders, mut key } = read(data, Slot::Certificates, place, password)?;
        let mut key_place = place;
        if let Some((own_place, data)) = &sources.private_key {
            let found = read(data, Slot::Key, own_place, password)?;
            key_place = own_place;
            key = found.key;
        }
        if let Some((place, data)) = &sources.intermediates {
            ders.extend(read(data, Slot::Certificates, place, password)?.certificates);
        }
        let mut certificates = Vec::with_capacity(ders.len());
        for der in &ders {
            let certificate = Certificate::read(der).ok_or_else(|| CertificateError::Damaged {
                place: place.clone(),
                reason: "holds a certificate that cannot be read".to_owned(),
            })?;
            // One that stands in two files is sent once.
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        let first = certificates.first().ok_or_else(|| CertificateError::Damaged {
            place: place.clone(),
            reason: "holds no certificate".to_owned(),
        })?;
        let key = key.ok_or_else(|| CertificateError::Damaged {
            place: key_place.clone(),
            reason: "holds no private key".to_owned(),
        })?;
        let Some(key) = PrivateKey::read(&key) else {
            // A key of a kind that AWS does not take is better told by its certificate, which says which kind it is.
            let faults: Vec<String> = first
                .faults(first.not_before())
                .into_iter()
                .filter(|fault| fault.contains("key of") || fault.contains("key that"))
                .collect();
            return Err(if faults.is_empty() {
                CertificateError::Damaged {
                    place: key_place.clone(),
                    reason: "holds a private key that is neither RSA of 2048 bits or more nor EC P-256 or P-384"
                        .to_owned(),
                }
            } else {
                unfit(first, faults)
            });
        };
        // Whose key it is, is the certificate; stores and bundles come in any order.
        let at = certificates.iter().position(|certificate| certificate.public_key() == key.public_key());
        let at = at.ok_or_else(|| CertificateError::Mismatch { certificate: place.clone(), key: key_place.clone() })?;
        let certificate = certificates.remove(at);
        certificates.retain(|certificate| !certificate.is_self_issued());
        if certificates.len() > MAX_CHAIN {
            return Err(CertificateError::LongChain { place: place.clone(), count: certificates.len() });
        }
        Ok(Self { certificate, chain: certificates, key, place: key_place.clone() })
    }

    /// Refuses a certificate that AWS would refuse at `now`.
    pub(super) fn check(&self, now: SystemTime) -> Result<(), CertificateError> {
        let faults = self.certificate.faults(now);
        if faults.is_empty() { Ok(()) } else { Err(unfit(&self.certificate, faults)) }
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The intermediates, without the root.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The name of its signatures: `AWS4-X509-RSA-SHA256`.
    pub(super) fn algorithm(&self) -> &'static str {
        self.key.algorithm()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CertificateError> {
        self.key.sign(message).ok_or_else(|| CertificateError::Signing { place: self.place.clone() })
    }
}

fn unfit(certificate: &Certificate, faults: Vec<String>) -> CertificateError {
    CertificateError::Unfit {
        subject: certificate.subject().to_owned(),
        serial: certificate.serial().to_owned(),
        faults,
    }
}
