use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use iam::{
    AccountId, Arn, Caller, Context, Decision, Document, Policies, PolicyKind, Request, ResourcePolicy, evaluate,
};

use super::api_error::ApiError;
use super::connection::Door;
use super::directory::Directory;
use super::organization::Organization;
use super::session::Session;
use super::surroundings::VpcEndpoint;
use super::time;

/// Who has signed a request.
#[derive(Debug, Clone)]
pub(super) struct Requester {
    /// As policies see it.
    pub(super) caller: Caller,
    /// The user, or the role session.
    pub(super) arn: Arn,
    pub(super) account: AccountId,
    /// `AIDA..`, or `AROA..:session`.
    pub(super) user_id: String,
    pub(super) who: Who,
}

#[derive(Debug, Clone)]
pub(super) enum Who {
    User {
        name: String,
        /// The session that GetSessionToken made for him, if he asks with one.
        session: Option<Box<Session>>,
    },
    Session(Box<Session>),
    /// The account itself, by an access key of its root user.
    Root,
}

impl Requester {
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.who {
            Who::User { session, .. } => session.as_deref(),
            Who::Session(session) => Some(session),
            Who::Root => None,
        }
    }
}

/// What is known of a request beside who sent it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) now: SystemTime,
    pub(super) source_ip: IpAddr,
    /// Whether the request counts as encrypted.
    pub(super) is_secure: bool,
    /// The VPC endpoint of the service that is asked, if the request passes through one.
    pub(super) endpoint: Option<Arc<VpcEndpoint>>,
    /// By which address it came.
    pub(super) door: Door,
    /// The service that is asked: `s3`.
    pub(super) service: &'static str,
    pub(super) user_agent: Option<String>,
    pub(super) region: String,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    /// Whose the resource is.
    pub(super) owner: AccountId,
    /// The resource's own policy: of a role, a bucket or a key.
    pub(super) policy: Option<ResourcePolicy<'a>>,
    /// What the caller's own policies say, where they were asked about the same thing by another name; `None`: they are
    /// asked now.
    pub(super) said: Option<bool>,
}

/// A refusal by policy, as data.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    /// AWS's sentence, up to the resource. To a stranger it says no more than that.
    pub(super) sentence: String,
    /// Which kind of policy decided, in AWS's words.
    pub(super) because: String,
    /// Whether that is told: within an account and within an organisation.
    pub(super) is_told: bool,
    /// Whether a statement says no, which nothing can outweigh.
    pub(super) explicit: bool,
    /// The request and the decision, for `sts:DecodeAuthorizationMessage`.
    details: String,
}

impl Denied {
    /// The refusal as most services say it.
    pub(super) fn refuse(&self, code: &str, resource: &str) -> ApiError {
        let because = if self.is_told { format!(" {}", self.because) } else { String::new() };
        self.refuse_saying(code, format!("{}{resource}{because}", self.sentence))
    }

    /// The refusal in a service's own words.
    pub(super) fn refuse_saying(&self, code: &str, message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError::of(code).saying(message).because(&*self.details)
    }
}

/// May `requester` do what he asks for? `keys` adds the condition keys of the action.
pub(super) fn authorize(
    directory: &Directory,
    requester: &Requester,
    facts: &Facts,
    asking: &Asking<'_>,
    keys: impl FnOnce(&mut Context),
) -> Result<(), Denied> {
    let mut context = context(directory, requester, facts);
    let Asking { action, resource, owner, policy, said } = *asking;
    let organization = |account| directory.entities(account).and_then(|entities| entities.organization.as_ref());
    let (callers, owners) = (organization(requester.account), organization(owner));
    context.set("aws:ResourceAccount", owner.to_string());
    if let Some(organization) = owners {
        context.set("aws:ResourceOrgID", &*organization.id);
    }
    keys(&mut context);
    let request = Request { caller: &requester.caller, action, resource, resource_account: owner, context: &context };
    let grants = directory.grants_of(requester, facts.now).filter(|_| said.is_none());
    let attached = grants.into_iter().flat_map(|grants| grants.inline.values().chain(grants.attached.values()));
    let attached = attached.map(|document| &**document);
    let identity: Vec<&Document> = attached.chain(said.filter(|yes| *yes).map(|_| &**EVERYTHING)).collect();
    let boundary = grants.and_then(|grants| grants.boundary.as_ref()).map(|(_, document)| &**document);
    // S3 asks KMS by itself, from within AWS: no endpoint is on that way.
    let of_service = action.split_once(':').is_some_and(|(service, _)| service == facts.service);
    let endpoint =
        facts.endpoint.as_ref().filter(|_| of_service && said.is_none()).and_then(|endpoint| endpoint.policy.as_ref());
    let policies = Policies {
        identity: &identity,
        boundary,
        resource: policy,
        service_control: callers.filter(|_| said.is_none()).map_or(&[], |organization| &organization.service_control),
        resource_control: owners.map_or(&[], |organization| &organization.resource_control),
        endpoint,
        ..Policies::default()
    };
    let passed = if said.is_none() { session_policies(directory, requester) } else { Vec::new() };
    // Of several session policies any may allow, and each may deny.
    let decision = passed
        .iter()
        .map(|document| evaluate(&request, &Policies { session: Some(document), ..policies }))
        .reduce(|so_far, next| match (so_far, next) {
            (Decision::ExplicitlyDenied(_), _) | (Decision::Allowed(_), Decision::ImplicitlyDenied(_)) => so_far,
            _ => next,
        })
        .unwrap_or_else(|| evaluate(&request, &policies));
    let noun = |kind: PolicyKind| match kind {
        PolicyKind::Boundary => "permissions boundary".to_owned(),
        other => format!("{} policy", other.name()),
    };
    let (because, explicit) = match decision {
        Decision::Allowed(_) => return Ok(()),
        Decision::ExplicitlyDenied(place) => {
            let article = if place.kind == PolicyKind::Identity { "an" } else { "a" };
            (format!("with an explicit deny in {article} {}", noun(place.kind)), true)
        }
        Decision::ImplicitlyDenied(kind) => (format!("because no {} allows the {action} action", noun(kind)), false),
    };
    let details = serde_json::json!({
        "allowed": false,
        "explicitDeny": explicit,
        "reason": because,
        "context": {
            "principal": {"id": requester.user_id, "arn": requester.arn.as_str()},
            "action": action,
            "resource": resource,
        },
    });
    Err(Denied {
        details: details.to_string(),
        sentence: format!("User: {} is not authorized to perform: {action} on resource: ", requester.arn),
        because,
        is_told: requester.account == owner || is_same(callers, owners),
        explicit,
    })
}

fn is_same(one: Option<&Organization>, other: Option<&Organization>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.id == other.id)
}

/// What was passed when the session was made. A policy that does not read any more, or is gone, allows nothing.
fn session_policies(directory: &Directory, requester: &Requester) -> Vec<Arc<Document>> {
    let Some(session) = requester.session() else { return Vec::new() };
    let inline = session.policy.iter().map(|text| Document::parse_as(PolicyKind::Session, text).ok().map(Arc::new));
    let managed = session.policy_arns.iter().map(|arn| directory.managed_policy(arn));
    inline.chain(managed).map(|document| document.unwrap_or_else(|| NOTHING.clone())).collect()
}

static EVERYTHING: LazyLock<Arc<Document>> = LazyLock::new(|| {
    let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Arc::new(Document::parse(text).expect("this policy is a constant"))
});

static NOTHING: LazyLock<Arc<Document>> = LazyLock::new(|| {
    let text = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Arc::new(Document::parse(text).expect("this policy is a constant"))
});

/// The condition keys that tell where a request comes from.
pub(super) fn network_keys(context: &mut Context, facts: &Facts) {
    match &facts.endpoint {
        None => context.set("aws:SourceIp", facts.source_ip.to_string()),
        // Behind an endpoint nobody has a public address.
        Some(endpoint) => {
            context.set("aws:SourceVpce", &*endpoint.id);
            context.set("aws:SourceVpc", &*endpoint.vpc);
            context.set("aws:VpcSourceIp", facts.source_ip.to_string());
        }
    }
    context.set("aws:SecureTransport", facts.is_secure.to_string());
}

/// The condition keys that every signed request has.
fn context(directory: &Directory, requester: &Requester, facts: &Facts) -> Context {
    let mut context = Context::new();
    context.set("aws:CurrentTime", time::iso_seconds(facts.now));
    context.set("aws:EpochTime", time::epoch_seconds(facts.now).to_string());
    network_keys(&mut context, facts);
    context.set("aws:RequestedRegion", &*facts.region);
    context.set("aws:ViaAWSService", "false");
    context.set("aws:PrincipalIsAWSService", "false");
    if let Some(agent) = &facts.user_agent {
        context.set("aws:UserAgent", &**agent);
    }
    context.set("aws:PrincipalAccount", requester.account.to_string());
    if let Some(organization) = directory.entities(requester.account).and_then(|own| own.organization.as_ref()) {
        context.set("aws:PrincipalOrgID", &*organization.id);
    }
    context.set("aws:userid", &*requester.user_id);
    let session = requester.session();
    if let Some(session) = session {
        context.set("aws:TokenIssueTime", time::iso_seconds(session.issued_at()));
        context.set("aws:MultiFactorAuthPresent", "false");
    }
    let no_tags = BTreeMap::new();
    let tags = match &requester.who {
        Who::User { name, .. } => {
            context.set("aws:PrincipalType", "User");
            context.set("aws:PrincipalArn", requester.arn.to_string());
            context.set("aws:username", &**name);
            directory.user(requester.account, name).map_or(&no_tags, |user| &user.tags)
        }
        Who::Root => {
            context.set("aws:PrincipalType", "Account");
            context.set("aws:PrincipalArn", requester.arn.to_string());
            &no_tags
        }
        Who::Session(session) => {
            context.set("aws:PrincipalType", "AssumedRole");
            let role = directory.role(requester.account, &session.role);
            // The role, with its path, not the session.
            let arn = match role {
                Some(role) => role.arn.to_string(),
                None => {
                    format!("arn:{}:iam::{}:role/{}", requester.arn.partition().name(), requester.account, session.role)
                }
            };
            context.set("aws:PrincipalArn", arn);
            if let Some(identity) = &session.source_identity {
                context.set("aws:SourceIdentity", &**identity);
            }
            role.map_or(&no_tags, |role| &role.tags)
        }
    };
    // Keys of tags ignore case, and a session's tags go before those of its role.
    for (key, value) in tags.iter().chain(session.iter().flat_map(|session| &session.tags)) {
        context.set(&format!("aws:PrincipalTag/{key}"), &**value);
    }
    context
}
