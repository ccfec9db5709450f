use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use rand::RngExt;

use super::admin;
use super::authorize::Facts;
use super::connection::Reset;
use super::error::ApiError;
use super::faults::{End, Fate};
use super::reply::{Body, Reply, truncated, whole};
use super::s3::{self, Call, Operation, Target};
use super::server::Shared;
use super::sigv4::{Claim, Dialect, Payload, authenticate, sha256_hex};
use super::sts;
use super::time;
use super::uri::Query;

/// The largest form that STS takes: a session policy and fifty tags, encoded.
const MAX_FORM: usize = 128 * 1024;

/// How much of a refused body is still read, so that its sender gets to read the answer.
const MAX_DRAIN: u64 = 256 << 20;

/// Answers one request, or tears its connection.
pub(super) async fn handle(
    shared: &Shared,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Reset> {
    let (parts, mut body) = request.into_parts();
    if parts.uri.path().starts_with(admin::PREFIX) {
        let collected = Limited::new(body, MAX_FORM).collect().await.map(http_body_util::Collected::to_bytes);
        let reply = admin::handle(shared, &parts, peer.ip().is_loopback(), &collected.unwrap_or_default());
        return Ok(respond(reply, &parts, shared.clock.now()));
    }
    let ids = Ids::new();
    let asked = identify(shared, &parts, &mut body).await;
    let (operation, bucket, key) = match &asked {
        Ok(Asked::Sts { form, .. }) => (sts::operation(form), "", ""),
        Ok(Asked::S3 { operation, target, .. }) => (operation.name(), &*target.bucket, &*target.key),
        Err(_) => ("Unknown", "", ""),
    };
    let mut fate = shared.faults.decide(operation, bucket, key);
    if !fate.delay.is_zero() {
        tokio::time::sleep(fate.delay).await;
    }
    let now = shifted(shared.clock.now(), fate.skew_seconds);
    let dialect = match &asked {
        Ok(Asked::Sts { .. }) => Dialect::Sts,
        Ok(Asked::S3 { .. }) | Err(_) => Dialect::S3,
    };
    let resource = parts.uri.path().to_owned();
    let operation = operation.to_owned();
    let outcome = answer(shared, &parts, &mut body, asked, &mut fate, now, peer, &ids).await;
    let mut reply = match outcome {
        Err(Reset) => {
            shared.requests.count(&operation, "reset");
            return Err(Reset);
        }
        Ok(Ok(reply)) => {
            shared.requests.count(&operation, reply.status.as_str());
            reply
        }
        Ok(Err(error)) => {
            shared.requests.count(&operation, error.code());
            drain(shared, &parts, &mut body).await;
            error_reply(&error, dialect, &resource, &ids)
        }
    };
    match dialect {
        Dialect::S3 => {
            reply.set("x-amz-request-id", &ids.request);
            reply.set("x-amz-id-2", &ids.host);
        }
        Dialect::Sts => reply.set("x-amzn-requestid", &ids.request),
    }
    if fate.truncate {
        reply.body = truncated(reply.body, reply.length);
    }
    Ok(respond(reply, &parts, now))
}

/// The two ids by which support finds a request.
#[derive(Debug)]
struct Ids {
    request: String,
    host: String,
}

impl Ids {
    fn new() -> Self {
        let mut rng = rand::rng();
        let request = hex::encode_upper(rng.random::<[u8; 8]>());
        Self { request, host: STANDARD.encode(rng.random::<[u8; 42]>()) }
    }
}

/// What a request turns out to be.
enum Asked {
    Sts { form: Query, claim: Option<Claim>, payload_hash: String },
    S3 { operation: Operation, target: Target, query: Query, claim: Option<Claim> },
}

async fn identify(shared: &Shared, parts: &Parts, body: &mut Incoming) -> Result<Asked, ApiError> {
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    let claim = Claim::read(&parts.headers, &query)?;
    let service = claim.as_ref().map(|claim| &*claim.service);
    let form = parts
        .headers
        .get("content-type")
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let unsigned_sts =
        service.is_none() && parts.uri.path() == "/" && ((parts.method == Method::POST && form) || query.has("Action"));
    match service {
        _ if service == Some("sts") || unsigned_sts => {
            let limited = Limited::new(body, MAX_FORM).collect();
            let body = tokio::time::timeout(shared.idle, limited).await;
            let body = body.map_err(|_| ApiError::of("RequestTimeout"))?;
            let body = body.map_err(|_| ApiError::of("IncompleteBody"))?.to_bytes();
            let mut form = Query::parse(&String::from_utf8_lossy(&body))?;
            form.0.extend(query.0);
            Ok(Asked::Sts { form, claim, payload_hash: sha256_hex(&body) })
        }
        None | Some("s3") => {
            let target = Target::read(parts)?;
            let operation = Operation::find(&parts.method, &target, &query, &parts.headers)?;
            Ok(Asked::S3 { operation, target, query, claim })
        }
        Some(other) => Err(ApiError::of("NotImplemented")
            .saying(format!("the embedded AWS serves sts and s3, and the request is signed for {other}"))),
    }
}

/// Does what is asked, as far as its fate lets it.
#[expect(clippy::too_many_arguments, reason = "the parts of one request, each used once")]
async fn answer(
    shared: &Shared,
    parts: &Parts,
    body: &mut Incoming,
    asked: Result<Asked, ApiError>,
    fate: &mut Fate,
    now: SystemTime,
    peer: SocketAddr,
    ids: &Ids,
) -> Result<Result<Reply, ApiError>, Reset> {
    match fate.end.take() {
        None => Ok(perform(shared, parts, body, asked, fate, now, peer, ids).await),
        Some(End::Reset { applied: false }) => Err(Reset),
        Some(End::Error { error, applied: false }) => Ok(Err(error)),
        Some(End::ErrorInBody(error)) => {
            let text = error.to_s3_xml(parts.uri.path(), &ids.request, &ids.host);
            Ok(Ok(Reply::xml(text)))
        }
        Some(End::Reset { applied: true }) => {
            drop(perform(shared, parts, body, asked, fate, now, peer, ids).await);
            Err(Reset)
        }
        Some(End::Error { error, applied: true }) => {
            // What the request itself deserves is not hidden by a fault.
            Ok(perform(shared, parts, body, asked, fate, now, peer, ids).await.and(Err(error)))
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request, each used once")]
async fn perform(
    shared: &Shared,
    parts: &Parts,
    body: &mut Incoming,
    asked: Result<Asked, ApiError>,
    fate: &Fate,
    now: SystemTime,
    peer: SocketAddr,
    ids: &Ids,
) -> Result<Reply, ApiError> {
    let claim = match &asked {
        Ok(Asked::Sts { claim, .. } | Asked::S3 { claim, .. }) => claim.as_ref(),
        Err(_) => None,
    };
    if fate.expire_session
        && let Some(session) = claim.and_then(|claim| shared.mint.read(claim.token.as_deref()?))
    {
        shared.mint.revoke(&session, now);
    }
    let agent = parts.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    let facts = Facts {
        now,
        source_ip: peer.ip(),
        user_agent: agent.map(str::to_owned),
        region: claim.map_or_else(String::new, |claim| claim.region.clone()),
    };
    match asked? {
        Asked::Sts { form, claim, payload_hash } => {
            sts::handle(shared, parts, &form, claim, &payload_hash, &facts, &ids.request)
        }
        Asked::S3 { operation, target, query, claim } => {
            // No bucket is open to those who do not say who they are.
            let claim = claim.ok_or_else(|| ApiError::of("AccessDenied"))?;
            let header = parts.headers.get("x-amz-content-sha256").and_then(|hash| hash.to_str().ok());
            let hash = match (header, claim.expires) {
                (Some(hash), _) => hash,
                (None, Some(_)) => "UNSIGNED-PAYLOAD",
                (None, None) => {
                    return Err(ApiError::of("InvalidRequest")
                        .saying("Missing required header for this request: x-amz-content-sha256"));
                }
            };
            let verified = {
                let directory = shared.directory.read().expect("no thread panics while it holds this lock");
                authenticate(Dialect::S3, parts, claim, hash, &directory, &shared.mint, now)?
            };
            let payload = Payload::new(body, &parts.headers, hash, &verified, shared.idle)?;
            let (target, query, verified, facts) = (&target, &query, &verified, &facts);
            s3::handle(&mut Call { shared, operation, target, query, parts, verified, facts, payload }).await
        }
    }
}

/// Reads what is left of a refused body: a client that is still writing when the connection closes may never see why.
async fn drain(shared: &Shared, parts: &Parts, body: &mut Incoming) {
    // Who asked first has sent nothing yet; to read on would be to tell him to send it.
    if parts.headers.contains_key("expect") {
        return;
    }
    let mut left = MAX_DRAIN;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(shared.idle, body.frame()).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
        if left == 0 {
            break;
        }
    }
}

fn error_reply(error: &ApiError, dialect: Dialect, resource: &str, ids: &Ids) -> Reply {
    let (text, kind) = match dialect {
        Dialect::S3 => (error.to_s3_xml(resource, &ids.request, &ids.host), "application/xml"),
        Dialect::Sts => (error.to_sts_xml(&ids.request), "text/xml"),
    };
    let mut reply = Reply::new(error.http_status(), text).with("content-type", kind);
    for (name, value) in error.headers() {
        reply.set(name, value);
    }
    reply
}

/// Makes the answer that goes out.
fn respond(mut reply: Reply, parts: &Parts, now: SystemTime) -> Response<Body> {
    let empty = matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if parts.method == Method::HEAD || empty {
        // An error's document is not sent in answer to HEAD, nor its length: there is no object of that length.
        if reply.status.is_client_error() || reply.status.is_server_error() || empty {
            reply.length = 0;
            reply.headers.remove("content-type");
        }
        reply.body = whole(Bytes::new());
    }
    reply.set("date", &time::http(now));
    reply.set("server", "Tidegate");
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if !empty {
        response.headers_mut().insert("content-length", HeaderValue::from(reply.length));
    }
    response
}

fn shifted(now: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { now - by } else { now + by }
}
