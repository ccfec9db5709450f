//! Signature Version 4, from the verifier's side. AWS's public test vectors are its tests.

mod canonical;
mod chunked;
mod claim;
mod payload;
mod verify;

pub(super) use canonical::sha256_hex;
pub(super) use claim::Claim;
pub(super) use payload::Payload;
pub(super) use verify::{Dialect, Verified, authenticate};

#[cfg(test)]
pub(super) use signing::{chunk_signature, sign_for_test};

/// The signer's side, for tests. That it is AWS's way is shown by AWS's vectors, which check the same code.
#[cfg(test)]
mod signing {
    use std::time::SystemTime;

    use http::HeaderMap;

    use super::Claim;
    use super::canonical::{PathStyle, SigningKey, canonical_request, string_to_sign};
    use crate::aws::time;

    /// Signs what `request` says, with all of `headers`, and gives the claim that goes with it.
    pub(in crate::aws) fn sign_for_test<'a>(
        key_id: &str,
        secret: &str,
        region: &str,
        service: &str,
        now: SystemTime,
        headers: &HeaderMap,
        (method, path, query, payload_hash): (&'a str, &'a str, &'a str, &'a str),
    ) -> Claim {
        let time_text = time::compact(now);
        let mut names: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        let mut claim = Claim {
            key_id: key_id.to_owned(),
            date: time_text[..8].to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: names,
            time_text,
            time: now,
            ..Claim::default()
        };
        let style = if service == "s3" { PathStyle::Once } else { PathStyle::Twice };
        let canonical = canonical_request(method, path, query, headers, &claim, payload_hash, style);
        let key = SigningKey::derive(secret, &claim.date, region, service);
        claim.signature = key.sign(&string_to_sign(&claim.time_text, &claim.scope(), &canonical));
        claim
    }

    /// Signs what follows a chunk's own lines: `kind` is `PAYLOAD` or `TRAILER`.
    pub(in crate::aws) fn chunk_signature(
        secret: &str,
        claim: &Claim,
        kind: &str,
        previous: &str,
        tail: &str,
    ) -> String {
        let key = SigningKey::derive(secret, &claim.date, &claim.region, &claim.service);
        key.sign(&format!("AWS4-HMAC-SHA256-{kind}\n{}\n{}\n{previous}\n{tail}", claim.time_text, claim.scope()))
    }
}
