use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::instance::State;
use crate::aws::ambient::{Asked, text};
use crate::aws::reply::Reply;
use crate::aws::server::Shared;
use crate::aws::time;

/// The longest life of a token, in seconds (EC2 user guide): six hours.
const MAX_TTL: u64 = 21_600;

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Whether a path's first part names a version of the metadata: `latest`, a date, or `1.0`.
pub(in crate::aws) fn is_version(part: &str) -> bool {
    let is_date = part.len() == 10
        && part.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    part == "latest" || part == "1.0" || is_date
}

/// Answers a request to a path that begins with a version.
pub(in crate::aws) fn handle(shared: &Shared, asked: &Asked<'_>) -> Reply {
    let mut state = shared.ambient.instance.state();
    if !state.enabled {
        return text(StatusCode::FORBIDDEN, "");
    }
    let (version, path) = asked.path().trim_start_matches('/').split_once('/').unwrap_or((asked.path(), ""));
    if path == "api/token" && state.first_version {
        return text(StatusCode::NOT_FOUND, "");
    }
    if path == "api/token" {
        return token(&mut state, version, asked);
    }
    if !matches!(asked.parts.method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let knows = |token: &str| state.knows_token(token, asked.now);
    if !state.first_version && !asked.header("x-aws-ec2-metadata-token").is_some_and(knows) {
        return text(StatusCode::UNAUTHORIZED, "");
    }
    document(shared, &mut state, path, asked)
}

fn token(state: &mut State, version: &str, asked: &Asked<'_>) -> Reply {
    if asked.parts.method != Method::PUT {
        return text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    // A proxy has sent it on: then it is not from here.
    if asked.parts.headers.contains_key("x-forwarded-for") || version != "latest" {
        return text(StatusCode::FORBIDDEN, "");
    }
    let ttl = asked.header(TTL).and_then(|ttl| ttl.parse::<u64>().ok()).filter(|ttl| (1..=MAX_TTL).contains(ttl));
    let Some(ttl) = ttl else { return text(StatusCode::BAD_REQUEST, "") };
    match state.make_token(asked.now, Duration::from_secs(ttl)) {
        Some(token) => text(StatusCode::OK, token).with(TTL, ttl.to_string()),
        None => text(StatusCode::SERVICE_UNAVAILABLE, ""),
    }
}

fn document(shared: &Shared, state: &mut State, path: &str, asked: &Asked<'_>) -> Reply {
    let missing = || text(StatusCode::NOT_FOUND, "");
    let role = state.role.clone();
    let role_name = role.as_ref().and_then(|role| role.role_name()).unwrap_or_default().to_owned();
    let account = role.as_ref().and_then(iam::Arn::account).map(|account| account.to_string());
    if let Some(name) = path.strip_prefix("meta-data/iam/security-credentials") {
        let Some(role) = role else { return missing() };
        return match name.trim_start_matches('/') {
            "" => text(StatusCode::OK, role_name),
            name if name == role_name => {
                let document = state.credentials(shared, &role, asked.now);
                text(StatusCode::OK, format!("{document:#}"))
            }
            _ => missing(),
        };
    }
    match path {
        "meta-data/instance-id" => text(StatusCode::OK, &*state.id),
        "meta-data/placement/region" => text(StatusCode::OK, &*state.region),
        "meta-data/placement/availability-zone" => text(StatusCode::OK, format!("{}a", state.region)),
        "meta-data/iam/info" => match (account, role) {
            (Some(account), Some(_)) => {
                let profile = format!("arn:aws:iam::{account}:instance-profile/{role_name}");
                let info = json!({"Code": "Success", "LastUpdated": time::iso_seconds(asked.now), "InstanceProfileArn": profile});
                text(StatusCode::OK, format!("{info:#}"))
            }
            _ => missing(),
        },
        "dynamic/instance-identity/document" => {
            let document = json!({
                "accountId": account, "instanceId": state.id, "region": state.region,
                "availabilityZone": format!("{}a", state.region), "version": "2017-09-30",
            });
            text(StatusCode::OK, format!("{document:#}"))
        }
        _ => missing(),
    }
}
