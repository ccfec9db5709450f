use std::fmt::Write;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{CertificateError, Pair};

/// Where CreateSession is.
pub(super) const PATH: &str = "/sessions";

/// A request before it is signed: `POST /sessions` without a query.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// Host, and port where it is not the scheme's own, as the `Host` header will say it.
    pub host: &'a str,
    /// The region that is asked.
    pub region: &'a str,
    /// The body's type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// When it is signed, in AWS's time.
    pub time: SystemTime,
}

/// A request's signature, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// All headers to send, the `Host` header among them; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The request in the form in which both sides hash it.
    pub canonical_request: String,
    /// What the key has signed.
    pub string_to_sign: String,
}

/// Signs a request by X.509 (`AWS4-X509-*`, Roles Anywhere user guide, "signing process"). As Signature Version 4, but the
/// key signs the string to sign itself: no key is derived from it.
pub fn sign(unsigned: &Unsigned<'_>, pair: &Pair) -> Result<Signed, CertificateError> {
    let Unsigned { host, region, content_type, body, time } = *unsigned;
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{region}/rolesanywhere/aws4_request", &time[..8]);

    // In the order of their names, as they must be signed.
    let mut headers = vec![
        ("content-type", content_type.to_owned()),
        ("host", host.to_owned()),
        ("x-amz-date", time.clone()),
        ("x-amz-x509", STANDARD.encode(pair.certificate().der())),
    ];
    if !pair.chain().is_empty() {
        let chain: Vec<String> = pair.chain().iter().map(|certificate| STANDARD.encode(certificate.der())).collect();
        headers.push(("x-amz-x509-chain", chain.join(",")));
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");

    let mut canonical_request = format!("POST\n{PATH}\n\n");
    for (name, value) in &headers {
        writeln!(canonical_request, "{name}:{value}").expect("a string takes any text");
    }
    write!(canonical_request, "\n{names}\n{}", sha256_hex(body)).expect("a string takes any text");

    let algorithm = pair.algorithm();
    let string_to_sign = format!("{algorithm}\n{time}\n{scope}\n{}", sha256_hex(canonical_request.as_bytes()));
    let signature = hex::encode(pair.sign(string_to_sign.as_bytes())?);
    let serial = pair.certificate().serial();
    headers.push((
        "authorization",
        format!("{algorithm} Credential={serial}/{scope}, SignedHeaders={names}, Signature={signature}"),
    ));
    Ok(Signed { headers, canonical_request, string_to_sign })
}

fn sha256_hex(data: &[u8]) -> String {
    hex::encode(digest(&SHA256, data))
}
