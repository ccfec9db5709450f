//! Tokens for Amazon MSK: a signed request to connect, which the broker sends on its own behalf to find out who we are.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use iam::Partition;
use identity::{Signer, domain_of};
use world::Secret;

use crate::bridge::credentials;

/// How long a token may be used after it was signed: the 15 minutes that AWS's own signers ask for.
const EXPIRES: Duration = Duration::from_mins(15);

/// Why a token could not be signed. Holds no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not sign a token for MSK in {region}: {why}")]
pub struct MskTokenError {
    region: String,
    why: String,
}

/// A token for every broker of every cluster in `region` that `signer` may connect to, signed at `now`: the URL of a
/// request `kafka-cluster:Connect`, signed in its query, in base64 (aws-msk-iam-sasl-signer). For SASL's OAUTHBEARER.
pub fn msk_token(signer: &Signer, region: &str, now: SystemTime) -> Result<Secret, MskTokenError> {
    let failed = |why: &dyn std::fmt::Display| MskTokenError { region: region.to_owned(), why: why.to_string() };
    if matches!(signer, Signer::Anonymous) {
        return Err(failed(&"nobody cannot sign"));
    }
    let url =
        format!("https://kafka.{region}.{}/?Action=kafka-cluster%3AConnect", domain_of(Partition::of_region(region)));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials(signer).into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("kafka-cluster")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(b""))
        .map_err(|error| failed(&error))?;
    let (instructions, _) = sign(request, &parameters).map_err(|error| failed(&error))?.into_parts();
    let mut presigned = url;
    for (name, value) in instructions.params() {
        presigned.push('&');
        presigned.push_str(name);
        presigned.push('=');
        presigned.push_str(&encoded(value));
    }
    // Behind the signature, as AWS's own signers put it: for the cluster's logs.
    presigned.push_str("&User-Agent=tidegate%2F");
    presigned.push_str(env!("CARGO_PKG_VERSION"));
    let presigned = Secret::new(presigned);
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(presigned.expose())))
}

/// As SigV4 encodes a value of a query: everything but `A-Z a-z 0-9 - . _ ~`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use identity::{AccessKeyId, Session, StaticKeys};

    use super::*;

    /// 2026-11-23T08:00:00Z.
    const NOW: Duration = Duration::from_hours(498_728);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn url(signer: &Signer, region: &str) -> String {
        let token = msk_token(signer, region, UNIX_EPOCH + NOW).unwrap();
        assert!(token.expose().starts_with("aHR0cHM6Ly9rYWZrYS5"), "it is a URL in base64");
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token.expose()).unwrap()).unwrap()
    }

    // The answers are those of aws-msk-iam-sasl-signer-python 1.0.2 (botocore) with its clock stopped, and of the published
    // algorithm computed by hand in Python; both agree.
    #[test]
    fn a_token_is_signed_as_awss_own_signer_does() {
        let access_key_id = AccessKeyId::new("AKIAIOSFODNN7EXAMPLE");
        let keys: Signer = StaticKeys { access_key_id, secret: Secret::new(SECRET), token: None }.into();
        let token = url(&keys, "eu-central-1");
        let (presigned, agent) = token.split_once("&User-Agent=").unwrap();
        assert!(agent.starts_with("tidegate%2F"), "{agent}");
        assert_eq!(
            presigned,
            "https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261123%2Feu-central-1%2Fkafka-cluster%2Faws4_request\
             &X-Amz-Date=20261123T080000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=e72961c9d73dbe56c5d34fe61e3896dec0742b0240f7c9f2b797331b46ea798b"
        );
    }

    #[test]
    fn a_sessions_token_is_signed_along() {
        let end = UNIX_EPOCH + NOW + Duration::from_hours(1);
        let id = AccessKeyId::new("ASIAIOSFODNN7EXAMPLE");
        let session: Signer = Session::new(id, Secret::new(SECRET), Secret::new("FwoGZXIvYXdz+/=EXAMPLE"), end).into();
        let token = url(&session, "eu-central-1");
        assert!(token.contains("&X-Amz-Security-Token=FwoGZXIvYXdz%2B%2F%3DEXAMPLE"), "{token}");
        assert!(
            token.contains("&X-Amz-Signature=78da099ebcdad4af94b515e052d75dc613ef2538a8171ba1a96dac1251c7270c"),
            "{token}"
        );
        let china = url(&session, "cn-north-1");
        assert!(china.starts_with("https://kafka.cn-north-1.amazonaws.com.cn/?"), "{china}");
        assert!(msk_token(&Signer::Anonymous, "eu-central-1", UNIX_EPOCH + NOW).is_err());
    }
}
