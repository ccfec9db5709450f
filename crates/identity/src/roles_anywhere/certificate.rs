use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
    OID_PKCS1_RSASSAPSS, Oid,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The shortest RSA key that AWS takes, in bits.
const MIN_RSA_BITS: usize = 2048;

/// The largest certificate that Roles Anywhere takes (its service quotas).
const MAX_BYTES: usize = 16 * 1024;

/// A certificate, as far as Roles Anywhere looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: String,
    subject: String,
    common_name: Option<String>,
    issuer: String,
    not_before: SystemTime,
    not_after: SystemTime,
    version: u32,
    key: KeyKind,
    public_key: Vec<u8>,
    hash: Option<&'static str>,
    is_ca: bool,
    digital_signature: Option<bool>,
}

/// What kind of key a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with its length in bits.
    Rsa(usize),
    /// EC over P-256.
    P256,
    /// EC over P-384.
    P384,
    /// Another: its curve's or algorithm's name.
    Other(String),
}

impl Certificate {
    /// Reads one from DER; `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let usage = parsed.key_usage().ok()?;
        Some(Self {
            der: der.to_vec(),
            serial: parsed.tbs_certificate.serial.to_string(),
            subject: parsed.subject().to_string(),
            common_name: common_name.map(str::to_owned),
            issuer: parsed.issuer().to_string(),
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
            version: parsed.version().0 + 1,
            key: KeyKind::of(parsed.public_key()),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            hash: hash(&parsed),
            // An extension that cannot be read is not one that says no.
            is_ca: parsed.basic_constraints().ok()?.is_some_and(|basic| basic.value.ca),
            digital_signature: usage.map(|usage| usage.value.digital_signature()),
        })
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its serial number, in decimal: so it stands in the signature's credential.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Its subject: `C=DE, O=Shop, CN=worker-1`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The subject's common name, which becomes the session's source identity.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Who has issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// From when it is valid.
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when it is valid, that second included.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The kind of its key.
    pub fn key(&self) -> &KeyKind {
        &self.key
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether it has issued itself: a root, which is not sent.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Everything that AWS would refuse it for at `now`, each a clause to follow its name. The rules are those of the Roles
    /// Anywhere user guide, "trust model"; an extended key usage is not asked for.
    pub fn faults(&self, now: SystemTime) -> Vec<String> {
        let mut faults = Vec::new();
        if self.der.len() > MAX_BYTES {
            faults.push(format!("has {} bytes, more than the {MAX_BYTES} that AWS takes", self.der.len()));
        }
        if self.version != X509Version::V3.0 + 1 {
            faults.push(format!("is of X.509 version {}, not 3", self.version));
        }
        if now > self.not_after {
            faults.push(format!("expired at {}", Day(self.not_after)));
        }
        if now < self.not_before {
            faults.push(format!("is not valid before {}", Day(self.not_before)));
        }
        if self.is_ca {
            faults.push("is an authority's (CA:true), not an end entity's".to_owned());
        }
        if self.digital_signature != Some(true) {
            faults.push("lacks keyUsage digitalSignature".to_owned());
        }
        match self.hash {
            // A signature whose hash we do not know is AWS's to judge.
            Some("SHA-256" | "SHA-384" | "SHA-512") | None => {}
            Some(weak) => faults.push(format!("is signed with {weak}, and AWS takes SHA-256 or stronger")),
        }
        match &self.key {
            KeyKind::Rsa(bits) if *bits < MIN_RSA_BITS => {
                faults.push(format!("has an RSA key of {bits} bits, fewer than {MIN_RSA_BITS}"));
            }
            KeyKind::Rsa(_) | KeyKind::P256 | KeyKind::P384 => {}
            KeyKind::Other(name) => {
                faults.push(format!("has a key that is neither RSA nor EC P-256 or P-384, but {name}"));
            }
        }
        faults
    }
}

impl KeyKind {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &info.algorithm.algorithm;
        let curve = || info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        if *algorithm == OID_PKCS1_RSAENCRYPTION || *algorithm == OID_PKCS1_RSASSAPSS {
            return match info.parsed() {
                Ok(PublicKey::RSA(key)) => Self::Rsa(key.key_size()),
                _ => Self::Other("a damaged RSA key".to_owned()),
            };
        }
        if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Self::Other(name(algorithm));
        }
        match curve() {
            Some(curve) if curve == OID_EC_P256 => Self::P256,
            Some(curve) if curve == OID_NIST_EC_P384 => Self::P384,
            Some(curve) if curve == OID_NIST_EC_P521 => Self::Other("EC P-521".to_owned()),
            Some(curve) => Self::Other(format!("EC over {}", name(&curve))),
            None => Self::Other("EC without a named curve".to_owned()),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA of {bits} bits"),
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

fn name(oid: &Oid<'_>) -> String {
    // RFC 8410: the four of Edwards and Montgomery, which have no parameters.
    match oid.to_id_string().as_str() {
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        other => format!("algorithm {other}"),
    }
}

/// The hash that the certificate is signed with; `None` where its signature has none of its own, or one unknown here.
fn hash(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    let algorithm = &certificate.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    // Of RSASSA-PSS the hash is a parameter; SHA-1 if there is none (RFC 4055).
    let oid = if oid == "1.2.840.113549.1.1.10" {
        let parameters = algorithm.parameters.as_ref()?;
        let pss = x509_parser::signature_algorithm::RsaSsaPssParams::try_from(parameters).ok()?;
        pss.hash_algorithm_oid().to_id_string()
    } else {
        oid
    };
    Some(match oid.as_str() {
        "1.2.840.113549.1.1.2" => "MD2",
        "1.2.840.113549.1.1.4" => "MD5",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" | "1.2.840.10045.4.1" | "1.3.14.3.2.26" => "SHA-1",
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => "SHA-224",
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.2.1" => "SHA-256",
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => "SHA-384",
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => "SHA-512",
        _ => return None,
    })
}

fn time(seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 { UNIX_EPOCH + by } else { UNIX_EPOCH - by }
}

/// A time as people read it: `2027-03-01T12:00:00Z`.
pub(super) struct Day(pub(super) SystemTime);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::try_from(self.0).unwrap_or(Timestamp::MAX);
        write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}
