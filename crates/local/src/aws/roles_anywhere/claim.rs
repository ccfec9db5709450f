use std::fmt::Write;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::request::Parts;
use sha2::{Digest, Sha256};

use super::create_session::Refused;
use super::x509::Kind;
use crate::aws::sigv4::sha256_hex;
use crate::aws::time::parse_compact;
use crate::aws::uri::{decode_bytes, encode};

/// How far a client's clock may be off.
const MAX_SKEW: Duration = Duration::from_mins(15);

/// Who a request says it is from. Nothing here has been verified.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    algorithm: &'a str,
    /// The certificate's serial number, as text.
    pub(super) serial: &'a str,
    scope: &'a str,
    pub(super) region: &'a str,
    signed_headers: Vec<&'a str>,
    pub(super) signature: Vec<u8>,
    time: &'a str,
    /// The certificate's and the intermediates' base64.
    pub(super) certificate: &'a str,
    pub(super) intermediates: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    /// Reads the claim and holds it to the rules of its headers.
    pub(super) fn read(headers: &'a HeaderMap, now: SystemTime) -> Result<Self, Refused> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").ok_or_else(|| Refused::denied("Missing Authentication Token"))?;
        let malformed = || Refused::denied("The authorization header is malformed");
        let (algorithm, rest) = authorization.split_once(' ').ok_or_else(malformed)?;
        if !matches!(algorithm, "AWS4-X509-RSA-SHA256" | "AWS4-X509-ECDSA-SHA256") {
            return Err(Refused::denied("The signature algorithm is not supported"));
        }
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or_else(malformed)
        };
        let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        let (serial, scope) = credential.split_once('/').ok_or_else(malformed)?;
        let scoped: Vec<&str> = scope.split('/').collect();
        let [date, region, "rolesanywhere", "aws4_request"] = scoped[..] else {
            return Err(Refused::denied("The credential scope is not one of rolesanywhere"));
        };

        let signed_headers: Vec<&str> = signed.split(';').collect();
        let certificate = header("x-amz-x509").ok_or_else(|| Refused::denied("The X-Amz-X509 header is missing"))?;
        let intermediates = header("x-amz-x509-chain").map(|chain| chain.split(',').collect()).unwrap_or_default();
        let mut must = vec!["host", "x-amz-date", "x-amz-x509"];
        if headers.contains_key("x-amz-x509-chain") {
            must.push("x-amz-x509-chain");
        }
        if let Some(missing) = must.into_iter().find(|name| !signed_headers.contains(name)) {
            return Err(Refused::denied(format!("The header {missing} is not signed")));
        }
        // What is there twice could be read once this way and once that way.
        if signed_headers.iter().any(|name| headers.get_all(*name).iter().count() != 1) || !signed_headers.is_sorted() {
            return Err(malformed());
        }
        let time = header("x-amz-date").unwrap_or_default();
        let at = parse_compact(time).filter(|_| time.starts_with(date) && date.len() == 8).ok_or_else(malformed)?;
        let off = at.duration_since(now).or_else(|_| now.duration_since(at)).unwrap_or_default();
        if off > MAX_SKEW {
            return Err(Refused::denied("Signature expired or not yet current"));
        }
        let signature = hex::decode(signature).map_err(|_| malformed())?;
        Ok(Self { algorithm, serial, scope, region, signed_headers, signature, time, certificate, intermediates })
    }

    /// Whether the algorithm named is that of the key's kind.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        (self.algorithm == "AWS4-X509-RSA-SHA256") == (kind == Kind::Rsa)
    }

    /// What the certificate's key must have signed: over all headers that the claim lists, whichever they are.
    pub(super) fn string_to_sign(&self, parts: &Parts, body: &[u8]) -> String {
        let mut canonical =
            format!("{}\n{}\n{}\n", parts.method, parts.uri.path(), query(parts.uri.query().unwrap_or("")));
        for name in &self.signed_headers {
            let value = parts.headers.get(*name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let value = value.unwrap_or_default();
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            writeln!(canonical, "{name}:{}", words.join(" ")).expect("a string takes any text");
        }
        let (signed, hash) = (self.signed_headers.join(";"), hex::encode(Sha256::digest(body)));
        write!(canonical, "\n{signed}\n{hash}").expect("a string takes any text");
        format!("{}\n{}\n{}\n{}", self.algorithm, self.time, self.scope, sha256_hex(canonical.as_bytes()))
    }
}

fn query(query: &str) -> String {
    let encoded = |part: &str| encode(&String::from_utf8_lossy(&decode_bytes(part.as_bytes(), true)), false);
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.sort();
    pairs.join("&")
}
