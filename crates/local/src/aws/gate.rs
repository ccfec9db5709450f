use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use rand::RngExt;

use super::admin;
use super::ambient;
use super::api_error::ApiError;
use super::asked::Asked;
use super::authorize::Facts;
use super::connection::{Door, Reset};
use super::faults::End;
use super::iam;
use super::kms;
use super::reply::{Body, Reply, truncated, whole};
use super::s3::{self, Call, Target};
use super::server::Shared;
use super::sigv4::{Dialect, Payload, authenticate};
use super::sts;
use super::time;
use super::uri::Query;

/// The largest body that the administration takes: one rule.
const MAX_RULE: usize = 64 * 1024;

/// How much of a refused body is still read, so that its sender gets to read the answer.
const MAX_DRAIN: u64 = 256 << 20;

/// A century: a clock that is off by more, or an edit that takes longer, makes no difference, and there is a time so far
/// away.
pub(super) const FAR: Duration = Duration::from_hours(100 * 366 * 24);

/// Answers one request, or tears its connection.
pub(super) async fn handle(
    shared: &Arc<Shared>,
    peer: SocketAddr,
    door: Door,
    request: Request<Incoming>,
) -> Result<Response<Body>, Reset> {
    let (parts, mut body) = request.into_parts();
    // Where the bucket stands in the host, the path is all key.
    if parts.uri.path().starts_with(admin::PREFIX) && !Target::is_in_host(&parts) {
        let collected = Limited::new(body, MAX_RULE).collect().await.map(http_body_util::Collected::to_bytes);
        let reply = admin::handle(shared, &parts, peer.ip().is_loopback(), &collected.unwrap_or_default()).await;
        return Ok(respond(reply, &parts, shared.clock.now()));
    }
    if let Some(service) = ambient::Service::asked(&parts) {
        return ambient::serve(shared, service, &parts, body).await;
    }
    let (dialect, asked) = Asked::read(&parts, &mut body, shared.idle).await;
    let (operation, (bucket, key)) = match &asked {
        Ok(asked) => (asked.operation(), asked.target()),
        Err(_) => ("Unknown", ("", "")),
    };
    let fate = shared.faults.decide(operation, bucket, key);
    if !fate.delay.is_zero() {
        tokio::time::sleep(fate.delay).await;
    }
    let now = shifted(shared.clock.now(), fate.skew_seconds);
    let mut exchange = Exchange { shared, parts: &parts, body: &mut body, peer, door, now, ids: Ids::new() };
    if fate.expire_session {
        exchange.expire_session(asked.as_ref().ok());
    }
    let Ok(outcome) = exchange.answer(asked, fate.end).await else {
        shared.requests.count(operation, "reset");
        return Err(Reset);
    };
    if !fate.late.is_zero() {
        tokio::time::sleep(fate.late).await;
    }
    let mut reply = match outcome {
        Ok(reply) => {
            shared.requests.count(operation, reply.status.as_str());
            reply
        }
        Err(error) => {
            shared.requests.count(operation, error.code());
            exchange.drain().await;
            exchange.refuse(&error, dialect)
        }
    };
    exchange.ids.add_to(&mut reply, dialect);
    if fate.truncate {
        reply.body = truncated(reply.body, reply.length);
    }
    Ok(respond(reply, &parts, now))
}

/// One request on its way to an answer.
struct Exchange<'a> {
    shared: &'a Shared,
    parts: &'a Parts,
    body: &'a mut Incoming,
    peer: SocketAddr,
    door: Door,
    now: SystemTime,
    ids: Ids,
}

impl Exchange<'_> {
    /// Ends the session that signed the request, if one did.
    fn expire_session(&self, asked: Option<&Asked>) {
        let token = asked.and_then(Asked::claim).and_then(|claim| claim.token.as_deref());
        if let Some(session) = token.and_then(|token| self.shared.mint.read(token)) {
            self.shared.mint.revoke(&session, self.now);
        }
    }

    /// Does what is asked, as far as its fate lets it.
    async fn answer(
        &mut self,
        asked: Result<Asked, ApiError>,
        end: Option<End>,
    ) -> Result<Result<Reply, ApiError>, Reset> {
        match end {
            None => Ok(self.perform(asked).await),
            Some(End::Reset { applied: false }) => Err(Reset),
            Some(End::Error { error, applied: false }) => Ok(Err(error)),
            Some(End::ErrorInBody(error)) => {
                let text = error.to_s3_xml(self.parts.uri.path(), &self.ids.request, &self.ids.host);
                Ok(Ok(Reply::xml(text)))
            }
            Some(End::Reset { applied: true }) => {
                drop(self.perform(asked).await);
                Err(Reset)
            }
            // A refusal that the request has deserved is not hidden by one that it has not.
            Some(End::Error { error, applied: true }) => Ok(self.perform(asked).await.and(Err(error))),
        }
    }

    async fn perform(&mut self, asked: Result<Asked, ApiError>) -> Result<Reply, ApiError> {
        let Self { shared, parts, now, .. } = *self;
        let asked = asked?;
        let agent = parts.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
        let (path, service) = (shared.surroundings.path(), asked.service());
        let facts = Facts {
            now,
            source_ip: path.source_ip.unwrap_or_else(|| self.peer.ip()),
            is_secure: path.is_secure,
            endpoint: path.endpoint(service),
            door: self.door,
            service,
            user_agent: agent.map(str::to_owned),
            region: asked.claim().map_or_else(String::new, |claim| claim.region.clone()),
        };
        if self.door == Door::GlobalSts {
            if service != "sts" {
                return Err(ApiError::of("InvalidAction").saying("This is the global endpoint of STS"));
            }
            if !facts.region.is_empty() && facts.region != "us-east-1" {
                return Err(
                    ApiError::of("SignatureDoesNotMatch").saying("Credential should be scoped to a valid region.")
                );
            }
        }
        match asked {
            Asked::Form { dialect: Dialect::Iam, form, claim, payload_hash } => {
                iam::handle(shared, parts, &form, claim, &payload_hash, &facts, &self.ids.request).await
            }
            Asked::Form { form, claim, payload_hash, .. } => {
                sts::handle(shared, parts, &form, claim, &payload_hash, &facts, &self.ids.request)
            }
            Asked::Kms { operation, body, claim, payload_hash } => {
                kms::handle(shared, parts, &operation, &body, claim, &payload_hash, &facts).await
            }
            Asked::S3 { operation, mut target, query, claim } => {
                let access_point = shared.access_points.find(&target.bucket);
                if let Some(point) = &access_point {
                    target.bucket.clone_from(&point.bucket);
                }
                // No bucket is open to those who do not say who they are.
                let claim = claim.ok_or_else(|| ApiError::of("AccessDenied"))?;
                let header = parts.headers.get("x-amz-content-sha256").and_then(|hash| hash.to_str().ok());
                let hash = match (header, claim.expires) {
                    (Some(hash), _) => hash,
                    (None, Some(_)) => query.get("X-Amz-Content-Sha256").unwrap_or("UNSIGNED-PAYLOAD"),
                    (None, None) => {
                        return Err(ApiError::of("InvalidRequest")
                            .saying("Missing required header for this request: x-amz-content-sha256"));
                    }
                };
                let verified = {
                    let directory = shared.directory();
                    authenticate(Dialect::S3, parts, claim, hash, &directory, &shared.mint, now)?
                };
                let payload = Payload::new(self.body, &parts.headers, hash, &verified, shared.idle)?;
                // What a presigned URL says in its query counts as if it stood in a header; it is signed either way.
                let hoisted = verified.claim.expires.map(|_| with_hoisted_headers(parts, &query));
                let parts = hoisted.as_ref().unwrap_or(parts);
                let (target, query, verified, facts) = (&target, &query, &verified, &facts);
                let mut call = Call { shared, operation, target, access_point, query, parts, verified, facts, payload };
                s3::handle(&mut call).await
            }
        }
    }

    /// Reads what is left of a refused body: a client that is still writing when the connection closes may never see
    /// why.
    async fn drain(&mut self) {
        // Who asked first has sent nothing yet; to read on would be to tell him to send it.
        if self.parts.headers.contains_key("expect") {
            return;
        }
        let mut left = MAX_DRAIN;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(self.shared.idle, self.body.frame()).await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
            if left == 0 {
                break;
            }
        }
    }

    fn refuse(&self, error: &ApiError, dialect: Dialect) -> Reply {
        let (text, kind) = match dialect {
            Dialect::S3 => {
                (error.to_s3_xml(self.parts.uri.path(), &self.ids.request, &self.ids.host), "application/xml")
            }
            Dialect::Sts => (error.to_query_xml(sts::NAMESPACE, &self.ids.request), "text/xml"),
            Dialect::Iam => (error.to_query_xml(iam::NAMESPACE, &self.ids.request), "text/xml"),
            Dialect::Kms => (error.to_json(), "application/x-amz-json-1.1"),
        };
        let mut reply = Reply::new(error.http_status(), text).with("content-type", kind);
        for (name, value) in error.headers() {
            reply.set(name, value);
        }
        if let Some(details) = error.details() {
            reply.set("x-tidegate-authorization-message", &self.shared.denials.encode(details));
        }
        reply
    }
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

    fn add_to(&self, reply: &mut Reply, dialect: Dialect) {
        match dialect {
            Dialect::S3 => {
                reply.set("x-amz-request-id", &self.request);
                reply.set("x-amz-id-2", &self.host);
            }
            Dialect::Sts | Dialect::Iam | Dialect::Kms => reply.set("x-amzn-requestid", &self.request),
        }
    }
}

/// Makes the answer that goes out.
pub(super) fn respond(mut reply: Reply, parts: &Parts, now: SystemTime) -> Response<Body> {
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

/// The head of a presigned request with the headers that its signer has put into the query.
fn with_hoisted_headers(parts: &Parts, query: &Query) -> Parts {
    const OF_SIGNATURE: [&str; 8] = [
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    ];
    let mut parts = parts.clone();
    for (name, value) in &query.0 {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || OF_SIGNATURE.contains(&&*name) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            parts.headers.entry(name).or_insert(value);
        }
    }
    parts
}

pub(super) fn shifted(now: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs()).min(FAR);
    if seconds < 0 { now - by } else { now + by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_beyond_all_time_is_off_by_a_century() {
        let now = SystemTime::UNIX_EPOCH + FAR;
        assert_eq!(shifted(now, i64::MAX), now + FAR);
        assert_eq!(shifted(now, i64::MIN), now - FAR);
        assert_eq!(shifted(now, -901), now - Duration::from_secs(901));
    }
}
