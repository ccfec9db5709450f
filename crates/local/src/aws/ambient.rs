//! The services that hand out sessions for what a machine is, has or knows, instead of for a key: instance metadata, the
//! container's endpoint, certificates. They share AWS's one port, and are told from S3 by their paths and by who does not
//! sign as S3 is signed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use iam::{Arn, Caller, Context, Policies, Request, ResourcePolicy, evaluate};

use super::connection::Reset;
use super::faults::End;
use super::gate::{respond, shifted};
use super::reply::{Body, Reply, truncated};
use super::s3::Target;
use super::server::Shared;
use super::session::{Minted, Session};
use super::{Aws, Container, Instance, PodIdentity, container, imds, oidc, roles_anywhere, time};

/// The largest body that one of them takes: a certificate chain stands in headers.
const MAX_BODY: usize = 64 * 1024;

/// What they know beside the accounts.
#[derive(Debug, Default)]
pub(super) struct Ambient {
    pub(super) instance: imds::Metadata,
    pub(super) container: container::Endpoint,
    pub(super) anywhere: roles_anywhere::Registry,
    pub(super) issuers: oidc::Issuers,
}

impl Aws {
    /// The instance that its machine is, without a role until one is attached.
    pub fn instance(&self) -> Instance {
        Instance::new(self.shared.clone())
    }

    /// Gives an ECS task its role, which must trust `ecs-tasks.amazonaws.com`.
    pub fn task(&self, role: &Arn) -> Container {
        self.shared.ambient.container.task(&self.endpoint(), role)
    }

    /// Gives an EKS pod its role (Pod Identity), which must trust `pods.eks.amazonaws.com` with `sts:TagSession` too.
    pub fn pod(&self, role: &Arn, pod: &PodIdentity) -> Container {
        self.shared.ambient.container.pod(&self.endpoint(), role, pod)
    }
}

/// Which of them is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    InstanceMetadata,
    Container,
    RolesAnywhere,
    Issuer,
}

impl Service {
    /// Who is asked, if it is one of them. A request that is signed, or presigned, as S3 wants it is S3's whatever its path:
    /// a bucket may be called `latest`.
    pub(super) fn asked(parts: &Parts) -> Option<Self> {
        let authorization = parts.headers.get("authorization").map_or(&b""[..], |value| value.as_bytes());
        let query = parts.uri.query().unwrap_or_default();
        let signed = authorization.starts_with(b"AWS4-HMAC") || query.contains("X-Amz-Algorithm=");
        if signed || Target::is_in_host(parts) {
            return None;
        }
        let path = parts.uri.path();
        // IMDS knows the dates of its versions too: `/2021-03-23/api/token`.
        let versioned = path.split('/').nth(1).is_some_and(imds::is_version);
        if versioned && path.len() > 1 {
            Some(Self::InstanceMetadata)
        } else if container::is_path(path) {
            Some(Self::Container)
        } else if path == roles_anywhere::PATH {
            Some(Self::RolesAnywhere)
        } else if path.starts_with(oidc::PREFIX) {
            Some(Self::Issuer)
        } else {
            None
        }
    }

    /// What the fault plane and the counters call a request.
    fn operation(self, parts: &Parts) -> &'static str {
        match self {
            Self::InstanceMetadata if parts.uri.path().ends_with("/api/token") => "InstanceMetadataToken",
            Self::InstanceMetadata => "InstanceMetadata",
            Self::Container => "ContainerCredentials",
            Self::RolesAnywhere => "CreateSession",
            Self::Issuer => "IssuerKeys",
        }
    }
}

/// Answers a request, or tears its connection.
pub(super) async fn serve(
    shared: &Shared,
    service: Service,
    parts: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Reset> {
    let operation = service.operation(parts);
    let fate = shared.faults.decide(operation, "", "");
    if !fate.delay.is_zero() {
        tokio::time::sleep(fate.delay).await;
    }
    let now = shifted(shared.clock.now(), fate.skew_seconds);
    let perform = async {
        let collected = tokio::time::timeout(shared.idle, Limited::new(body, MAX_BODY).collect()).await;
        let body = collected.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
        let asked = Asked { parts, body: body.as_ref(), now };
        match service {
            Service::InstanceMetadata => imds::handle(shared, &asked),
            Service::Container => container::handle(shared, &asked),
            Service::RolesAnywhere => roles_anywhere::handle(shared, &asked),
            Service::Issuer => oidc::handle(shared, &asked),
        }
    };
    let mut reply = match fate.end {
        None | Some(End::ErrorInBody(_)) => perform.await,
        Some(End::Error { error, applied }) => {
            if applied {
                drop(perform.await);
            }
            Reply::new(error.http_status(), error.message().to_owned()).with("content-type", "text/plain")
        }
        Some(End::Reset { applied }) => {
            if applied {
                drop(perform.await);
            }
            shared.requests.count(operation, "reset");
            return Err(Reset);
        }
    };
    if !fate.late.is_zero() {
        tokio::time::sleep(fate.late).await;
    }
    shared.requests.count(operation, reply.status.as_str());
    if fate.truncate {
        reply.body = truncated(reply.body, reply.length);
    }
    Ok(respond(reply, parts, now))
}

/// A request to one of them.
pub(super) struct Asked<'a> {
    pub(super) parts: &'a Parts,
    /// `None` if it did not come, or is too large.
    pub(super) body: Option<&'a Bytes>,
    pub(super) now: SystemTime,
}

impl Asked<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }
}

pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Reply {
    Reply::new(status, text.into()).with("content-type", "text/plain")
}

/// A role's session as one of AWS's services, or a web identity, asks for it.
pub(super) struct Taking<'a> {
    pub(super) role: &'a Arn,
    /// Who asks: a service's name, or the ARN of an identity provider.
    pub(super) caller: &'a str,
    /// Each of these the trust policy must allow.
    pub(super) actions: &'a [&'a str],
    pub(super) session_name: &'a str,
    pub(super) duration: Duration,
    /// What becomes of a life longer than the role's sessions may have; `None` where that bound is not for them.
    pub(super) limit: Option<Limit>,
    pub(super) policy: Option<&'a str>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive: Vec<String>,
    pub(super) source_identity: Option<&'a str>,
}

/// What becomes of a life that is longer than a role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// It is cut down to it.
    Cut,
    /// It is refused.
    Refuse,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Untaken {
    /// There is no such role, which is told to nobody.
    NoRole,
    /// The trust policy does not allow this.
    NotTrusted { action: String },
    /// The role's sessions may not last so long.
    TooLong,
}

/// Makes the session if the role's trust policy says so. `keys` adds the condition keys of the way it is asked for.
pub(super) fn take(
    shared: &Shared,
    taking: Taking<'_>,
    now: SystemTime,
    keys: impl FnOnce(&mut Context),
) -> Result<Minted, Untaken> {
    let directory = shared.directory();
    let account = taking.role.account().ok_or(Untaken::NoRole)?;
    let role = taking.role.role_name().and_then(|name| directory.role(account, name));
    let role = role.filter(|role| role.arn == *taking.role).ok_or(Untaken::NoRole)?;
    let trust = &role.trust.at(now).ok_or(Untaken::NoRole)?.enforced;

    let mut context = Context::new();
    context.set("aws:CurrentTime", time::iso_seconds(now));
    context.set("aws:EpochTime", time::epoch_seconds(now).to_string());
    context.set("sts:RoleSessionName", taking.session_name);
    if let Some(identity) = taking.source_identity {
        context.set("sts:SourceIdentity", identity);
    }
    if !taking.tags.is_empty() {
        context.set_many("aws:TagKeys", taking.tags.keys().cloned());
    }
    if !taking.transitive.is_empty() {
        context.set_many("sts:TransitiveTagKeys", taking.transitive.iter().cloned());
    }
    for (key, value) in &taking.tags {
        context.set(&format!("aws:RequestTag/{key}"), &**value);
    }
    for (key, value) in &role.tags {
        context.set(&format!("aws:ResourceTag/{key}"), &**value);
        context.set(&format!("iam:ResourceTag/{key}"), &**value);
    }
    keys(&mut context);
    let caller = Caller::parse(taking.caller).map_err(|_| Untaken::NoRole)?;
    for action in taking.actions {
        let resource = role.arn.as_str();
        let request = Request { caller: &caller, action, resource, resource_account: account, context: &context };
        let policies = Policies { resource: Some(ResourcePolicy::Trust(trust)), ..Policies::default() };
        if !evaluate(&request, &policies).is_allowed() {
            return Err(Untaken::NotTrusted { action: (*action).to_owned() });
        }
    }
    let duration = match taking.limit {
        Some(Limit::Refuse) if taking.duration > role.max_session => return Err(Untaken::TooLong),
        Some(Limit::Cut) => taking.duration.min(role.max_session),
        Some(Limit::Refuse) | None => taking.duration,
    };
    let session = Session {
        account: account.to_string(),
        role: role.arn.role_name().unwrap_or_default().to_owned(),
        role_id: role.id.clone(),
        name: taking.session_name.to_owned(),
        policy: taking.policy.map(str::to_owned),
        tags: taking.tags,
        transitive: taking.transitive,
        source_identity: taking.source_identity.map(str::to_owned),
        ..Session::default()
    };
    Ok(shared.mint.mint(session, account, now, duration))
}
