use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::aws::api_error::ApiError;
use crate::aws::time::parse_compact;
use crate::aws::uri::Query;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who a request says it is from, and the signature that is to prove it. Nothing here has been verified.
#[derive(Debug)]
pub(in crate::aws) struct Claim {
    pub(in crate::aws) key_id: String,
    /// `YYYYMMDD`, of the scope.
    pub(in crate::aws) date: String,
    pub(in crate::aws) region: String,
    pub(in crate::aws) service: String,
    /// Lower case, in the order given.
    pub(in crate::aws) signed_headers: Vec<String>,
    pub(in crate::aws) signature: String,
    /// When it was signed, as text and as time.
    pub(in crate::aws) time_text: String,
    pub(in crate::aws) time: SystemTime,
    /// How long a presigned URL is good for; `None` for a request signed in its headers.
    pub(in crate::aws) expires: Option<Duration>,
    /// The session token.
    pub(in crate::aws) token: Option<String>,
}

impl Default for Claim {
    fn default() -> Self {
        Self {
            key_id: String::new(),
            date: String::new(),
            region: String::new(),
            service: String::new(),
            signed_headers: Vec::new(),
            signature: String::new(),
            time_text: String::new(),
            time: UNIX_EPOCH,
            expires: None,
            token: None,
        }
    }
}

impl Claim {
    /// Reads the claim from the headers or the query; `None` if the request is not signed at all.
    pub(in crate::aws) fn read(headers: &HeaderMap, query: &Query) -> Result<Option<Self>, ApiError> {
        if query.has("AWSAccessKeyId") {
            return Err(mechanism_refused());
        }
        let in_query = query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature");
        match (headers.get(AUTHORIZATION), in_query) {
            (None, false) => Ok(None),
            (Some(_), true) => Err(ApiError::of("InvalidArgument")
                .saying("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")),
            (Some(value), false) => Self::from_headers(value.to_str().unwrap_or_default(), headers).map(Some),
            (None, true) => Self::from_query(query).map(Some),
        }
    }

    /// `date/region/service/aws4_request`.
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn from_headers(authorization: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        let malformed = |what: &str| {
            ApiError::of("AuthorizationHeaderMalformed")
                .saying(format!("The authorization header is malformed; {what}"))
        };
        let Some(rest) = authorization.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with([' ', ','])) else {
            return Err(if authorization.starts_with("AWS4-ECDSA") {
                ApiError::of("NotImplemented").saying("signatures of version 4A are not implemented")
            } else {
                mechanism_refused()
            });
        };
        // A blank inside a key shows itself so.
        if let Some(odd) = rest.split([',', ' ']).find(|part| !part.is_empty() && !part.contains('=')) {
            return Err(ApiError::of("AuthorizationHeaderMalformed").saying(format!(
                "'{odd}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
            )));
        }
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let credential = part("Credential").ok_or_else(|| malformed("the Credential is missing."))?;
        let signed = part("SignedHeaders").ok_or_else(|| malformed("the SignedHeaders are missing."))?;
        let signature = part("Signature").ok_or_else(|| malformed("the Signature is missing."))?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let time_text = header("x-amz-date").ok_or_else(|| {
            ApiError::of("AccessDenied").saying("AWS authentication requires a valid Date or x-amz-date header")
        })?;
        let token = header("x-amz-security-token").map(str::to_owned);
        Self { signature: signature.to_owned(), token, ..Self::default() }
            .complete(credential, signed, time_text)
            .ok_or_else(|| {
                malformed(
                    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
                )
            })
    }

    fn from_query(query: &Query) -> Result<Self, ApiError> {
        let refuse = |what: String| ApiError::of("AuthorizationQueryParametersError").saying(what);
        if query.get("X-Amz-Algorithm") != Some(ALGORITHM) {
            return Err(refuse("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".to_owned()));
        }
        let need = |name: &str| {
            query.get(name).ok_or_else(|| {
                refuse("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.".to_owned())
            })
        };
        let signature = need("X-Amz-Signature")?.to_owned();
        let (credential, signed) = (need("X-Amz-Credential")?, need("X-Amz-SignedHeaders")?);
        let seconds: u64 =
            need("X-Amz-Expires")?.parse().map_err(|_| refuse("X-Amz-Expires should be a number".to_owned()))?;
        // Seven days: as long as a signing key lives.
        if !(1..=604_800).contains(&seconds) {
            return Err(refuse(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds".to_owned(),
            ));
        }
        let token = query.get("X-Amz-Security-Token").map(str::to_owned);
        Self { signature, expires: Some(Duration::from_secs(seconds)), token, ..Self::default() }
            .complete(credential, signed, need("X-Amz-Date")?)
            .ok_or_else(|| refuse("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".".to_owned()))
    }

    /// Splits the credential; `None` if it, the headers or the date have not the form they must have.
    fn complete(mut self, credential: &str, signed: &str, time_text: &str) -> Option<Self> {
        let mut parts = credential.rsplitn(5, '/');
        let (terminator, service, region, date, key_id) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        self.time = parse_compact(time_text)?;
        let whole = [key_id, date, region, service].iter().all(|part| !part.is_empty());
        if terminator != "aws4_request" || !whole || !time_text.starts_with(date) || date.len() != 8 {
            return None;
        }
        self.signed_headers = signed.split(';').map(str::to_ascii_lowercase).collect();
        (self.key_id, self.date) = (key_id.to_owned(), date.to_owned());
        (self.region, self.service) = (region.to_owned(), service.to_owned());
        time_text.clone_into(&mut self.time_text);
        Some(self)
    }
}

/// Signature Version 2, mostly: AWS takes it for no bucket made since 2020.
fn mechanism_refused() -> ApiError {
    ApiError::of("InvalidRequest")
        .saying("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::Claim;
    use crate::aws::uri::Query;

    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, \
                                 SignedHeaders=host;x-amz-date, Signature=00ff";
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request\
                         &X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=00ff";

    fn headers(authorization: &[u8], date: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_bytes(authorization).ok()?);
        headers.insert("x-amz-date", HeaderValue::from_bytes(date).ok()?);
        Some(headers)
    }

    #[test]
    fn the_claims_to_be_damaged_are_sound() {
        let headers = headers(AUTHORIZATION.as_bytes(), b"20260101T000000Z").unwrap();
        for (headers, query) in [(headers, ""), (HeaderMap::new(), QUERY)] {
            let claim = Claim::read(&headers, &Query::parse(query).unwrap()).unwrap().unwrap();
            assert_eq!((&*claim.key_id, &*claim.region, &*claim.signature), ("AKIA", "eu-west-1", "00ff"));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_claim_is_read_or_refused(
            damage in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, any::<u8>()), 1..5),
        ) {
            let mut texts = [AUTHORIZATION.as_bytes().to_vec(), b"20260101T000000Z".to_vec(), QUERY.as_bytes().to_vec()];
            for text in &mut texts {
                for (at, how, byte) in &damage {
                    let at = at.index(text.len().max(1));
                    match how {
                        0 if at < text.len() => text[at] = *byte,
                        1 if at < text.len() => drop(text.remove(at)),
                        _ => text.truncate(at),
                    }
                }
            }
            if let Some(headers) = headers(&texts[0], &texts[1]) {
                drop(Claim::read(&headers, &Query::parse("").unwrap()));
            }
            if let Ok(query) = Query::parse(&String::from_utf8_lossy(&texts[2])) {
                drop(Claim::read(&HeaderMap::new(), &query));
            }
        }
    }
}
