use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

/// What a certificate says of itself. Whoever answers has written it: nothing of it is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSeen {
    /// Whose it is: `CN=*.s3.eu-central-1.amazonaws.com`.
    pub subject: String,
    /// Who issued it: `C=US, O=Amazon, CN=Amazon RSA 2048 M03`. A proxy that opens TLS shows itself here.
    pub issuer: String,
    /// The names that it is for; at most a few.
    pub names: Vec<String>,
    /// When it begins.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
}

/// How much of a text of theirs is kept.
const LONGEST: usize = 200;

/// How many names are kept.
const MOST: usize = 8;

impl CertificateSeen {
    /// Reads one; `None` if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(cut(name)),
            GeneralName::IPAddress(bytes) => {
                <[u8; 4]>::try_from(*bytes).ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string())
            }
            _ => None,
        });
        Some(Self {
            subject: cut(&certificate.subject().to_string()),
            issuer: cut(&certificate.issuer().to_string()),
            names: names.take(MOST).collect(),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
        })
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = time.timestamp();
    let by = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds >= 0 { UNIX_EPOCH.checked_add(by) } else { UNIX_EPOCH.checked_sub(by) };
    time.unwrap_or(UNIX_EPOCH)
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
