use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::HOST;
use sha2::{Digest, Sha256};

use super::Claim;
use crate::aws::uri::{decode_bytes, encode_into};

/// How the path enters the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aws) enum PathStyle {
    /// S3: encoded once; `..` and `//` are parts of keys.
    Once,
    /// All other services: dot segments removed, then what came over the wire is encoded again.
    Twice,
    /// As `Twice`, without removing dot segments.
    #[cfg(test)]
    TwiceVerbatim,
}

pub(in crate::aws) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

/// The request in the form in which both sides hash it.
pub(super) fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    claim: &Claim,
    payload_hash: &str,
    style: PathStyle,
) -> String {
    let mut text = String::with_capacity(512);
    writeln!(text, "{method}").expect("a string takes any text");
    canonical_path(&mut text, path, style);
    text.push('\n');
    canonical_query(&mut text, query);
    text.push('\n');
    for name in &claim.signed_headers {
        text.push_str(name);
        text.push(':');
        canonical_header(&mut text, headers, name);
        text.push('\n');
    }
    write!(text, "\n{}\n{payload_hash}", claim.signed_headers.join(";")).expect("a string takes any text");
    text
}

fn canonical_path(out: &mut String, path: &str, style: PathStyle) {
    let path = if path.is_empty() { "/" } else { path };
    match style {
        // Decoded first: a client may leave characters bare that the signature has encoded.
        PathStyle::Once => encode_into(out, &decode_bytes(path.as_bytes(), false), true),
        PathStyle::Twice => encode_into(out, without_dots(path).as_bytes(), true),
        #[cfg(test)]
        PathStyle::TwiceVerbatim => encode_into(out, path.as_bytes(), true),
    }
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let slash = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

fn canonical_query(out: &mut String, query: &str) {
    let encoded = |part: &str| {
        let mut text = String::new();
        encode_into(&mut text, &decode_bytes(part.as_bytes(), true), false);
        text
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        write!(out, "{}{name}={value}", if index == 0 { "" } else { "&" }).expect("a string takes any text");
    }
}

/// Values joined by commas, each trimmed, runs of blanks inside made one.
fn canonical_header(out: &mut String, headers: &HeaderMap, name: &str) {
    for (index, value) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        for (index, word) in text.split_ascii_whitespace().enumerate() {
            out.push_str(if index > 0 { " " } else { "" });
            out.push_str(word);
        }
    }
    debug_assert!(name != HOST.as_str() || headers.contains_key(HOST), "the caller checks that host is there");
}

pub(super) fn string_to_sign(time: &str, scope: &str, canonical_request: &str) -> String {
    format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// The key of one day, region and service.
#[derive(Clone)]
pub(in crate::aws) struct SigningKey([u8; 32]);

impl SigningKey {
    pub(super) fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let key = Self::hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
        let key = Self::hmac(&key, region.as_bytes());
        let key = Self::hmac(&key, service.as_bytes());
        Self(Self::hmac(&key, b"aws4_request"))
    }

    #[cfg(test)]
    pub(super) fn sign(&self, text: &str) -> String {
        hex::encode(Self::hmac(&self.0, text.as_bytes()))
    }

    /// Whether `signature` is the one for `text`, in a time that does not depend on where they differ.
    pub(super) fn verify(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.verify_slice(&signature).is_ok()
    }

    fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::Value;
    use world::Environment;

    use super::{PathStyle, SigningKey, canonical_request, sha256_hex, string_to_sign};
    use crate::aws::sigv4::Claim;

    /// AWS's own test suite, one JSON object a line. It is not ours to copy: name the file to test against it.
    const VECTORS: &str = "TIDEGATE_SIGV4_VECTORS";

    #[test]
    fn aws_test_vectors_agree() {
        let Some(path) = Environment::process().get(VECTORS) else { return };
        let lines = std::fs::read_to_string(path).unwrap();
        let mut checked = 0;
        for vector in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            for way in ["header", "query"] {
                if vector[way].is_object() {
                    agrees(&vector, way);
                    checked += 1;
                }
            }
        }
        assert!(checked > 30, "only {checked} vectors");
    }

    fn agrees(vector: &Value, way: &str) {
        let name = format!("{} by {way}", vector["name"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (expected, context) = (&vector[way], &vector["context"]);
        let canonical = text(&expected["canonical-request"]);

        let request = text(&vector["request"]);
        let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        let mut last: Option<HeaderName> = None;
        for line in lines {
            if let (Some(name), true) = (&last, line.starts_with(' ')) {
                // A folded line goes on with the header before it.
                let values = headers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned());
                let mut values: Vec<String> = values.collect();
                *values.last_mut().unwrap() += line;
                headers.remove(name);
                for value in values {
                    headers.append(name, HeaderValue::from_str(&value).unwrap());
                }
            } else {
                let (key, value) = line.split_once(':').unwrap();
                let key: HeaderName = key.parse().unwrap();
                headers.append(&key, HeaderValue::from_str(value).unwrap());
                last = Some(key);
            }
        }

        // What a signer adds, taken from the expected request: its headers, or its query.
        let rows: Vec<&str> = canonical.lines().collect();
        let signed: Vec<String> = rows[rows.len() - 2].split(';').map(str::to_owned).collect();
        for row in &rows[3..rows.len() - 3] {
            let (key, value) = row.split_once(':').unwrap();
            if key.starts_with("x-amz-") && !headers.contains_key(key) {
                headers.append(key.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
        }
        let query = if way == "query" { rows[2].to_owned() } else { query.to_owned() };
        let time = text(&context["timestamp"]).replace(['-', ':'], "");
        let claim = Claim { signed_headers: signed, ..Claim::default() };
        let style = match (context["service"].as_str(), context["normalize"].as_bool()) {
            (Some("s3"), _) => PathStyle::Once,
            (_, Some(false)) => PathStyle::TwiceVerbatim,
            _ => PathStyle::Twice,
        };
        let actual = canonical_request(method, path, &query, &headers, &claim, &sha256_hex(body.as_bytes()), style);
        assert_eq!(actual, canonical, "{name}");

        let (region, service) = (text(&context["region"]), text(&context["service"]));
        let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
        let to_sign = string_to_sign(&time, &scope, &actual);
        assert_eq!(to_sign, text(&expected["string-to-sign"]), "{name}");
        let secret = text(&context["credentials"]["secret_access_key"]);
        let key = SigningKey::derive(&secret, &time[..8], &region, &service);
        assert_eq!(key.sign(&to_sign), text(&expected["signature"]), "{name}");
        assert!(key.verify(&to_sign, &key.sign(&to_sign)) && !key.verify(&actual, &key.sign(&to_sign)));
    }
}
