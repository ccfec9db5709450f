use http::{Method, StatusCode};
use serde_json::json;

use crate::aws::ambient::{Asked, text};
use crate::aws::reply::Reply;
use crate::aws::server::Shared;

/// Where issuers' documents are: behind it the issuer's URL without its scheme. No bucket's name begins with an underscore.
pub(in crate::aws) const PREFIX: &str = "/_oidc/";

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";

/// Answers a request for a discovery document or a key set.
pub(in crate::aws) fn handle(shared: &Shared, asked: &Asked<'_>) -> Reply {
    if !matches!(asked.parts.method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let path = asked.path().strip_prefix(PREFIX).unwrap_or_default();
    let issuers = &shared.ambient.issuers;
    let document = if let Some(url) = path.strip_suffix(CONFIGURATION) {
        let scheme = if url.starts_with("127.0.0.1") { "http" } else { "https" };
        let host = asked.header("host").unwrap_or_default();
        issuers.keys(url).map(|_| {
            json!({
                "issuer": format!("{scheme}://{url}"),
                "jwks_uri": format!("http://{host}{PREFIX}{url}{KEYS}"),
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            })
        })
    } else {
        path.strip_suffix(KEYS).and_then(|url| issuers.keys(url)).map(|keys| keys.as_jwks())
    };
    match document {
        Some(document) => Reply::new(StatusCode::OK, document.to_string()).with("content-type", "application/json"),
        None => text(StatusCode::NOT_FOUND, ""),
    }
}
