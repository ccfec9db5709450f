use std::net::IpAddr;
use std::time::SystemTime;

use iam::{
    AccountId, Arn, Caller, Context, Decision, Document, Partition, Policies, PolicyKind, Request, ResourcePolicy,
    evaluate,
};

use super::directory::Directory;
use super::session::Session;
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
    User { name: String },
    Session(Box<Session>),
}

impl Requester {
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.who {
            Who::User { .. } => None,
            Who::Session(session) => Some(session),
        }
    }
}

/// What is known of a request beside who sent it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) now: SystemTime,
    pub(super) source_ip: IpAddr,
    pub(super) user_agent: Option<String>,
    pub(super) region: String,
}

/// A refusal by policy, as data.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    /// AWS's sentence. Across accounts it says no more than that.
    pub(super) sentence: String,
    /// Which kind of policy decided, in AWS's words; told within an account only.
    pub(super) because: String,
    pub(super) same_account: bool,
}

/// May `requester` do `action` to `resource`, which belongs to `owner`? `trust` is the role's trust policy where a role
/// is the resource. `keys` adds the condition keys of the action.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that AWS takes into account")]
pub(super) fn authorize(
    directory: &Directory,
    requester: &Requester,
    facts: &Facts,
    action: &str,
    resource: &str,
    owner: AccountId,
    trust: Option<&Document>,
    keys: impl FnOnce(&mut Context),
) -> Result<(), Denied> {
    let mut context = context(directory, requester, facts);
    keys(&mut context);
    let attached = directory.policies_of(requester);
    let identity: Vec<&Document> = attached.iter().map(|document| &**document).collect();
    let session_policy = requester.session().and_then(|session| session.policy.as_deref());
    // Checked when the session was made; should it not read any more, nothing is allowed.
    let session_policy = session_policy.map(|text| Document::parse_as(PolicyKind::Session, text));
    let request = Request { caller: &requester.caller, action, resource, resource_account: owner, context: &context };
    let decision = match &session_policy {
        Some(Err(_)) => Decision::ImplicitlyDenied(PolicyKind::Session),
        readable => {
            let session = readable.as_ref().and_then(|policy| policy.as_ref().ok());
            let resource = trust.map(ResourcePolicy::Trust);
            evaluate(&request, &Policies { identity: &identity, session, resource, ..Policies::default() })
        }
    };
    let because = match decision {
        Decision::Allowed(_) => return Ok(()),
        Decision::ExplicitlyDenied(place) => {
            let article = if place.kind == PolicyKind::Identity { "an" } else { "a" };
            format!("with an explicit deny in {article} {} policy", place.kind.name())
        }
        Decision::ImplicitlyDenied(kind) => format!("because no {} policy allows the {action} action", kind.name()),
    };
    Err(Denied {
        sentence: format!("User: {} is not authorized to perform: {action} on resource: ", requester.arn),
        because,
        same_account: requester.account == owner,
    })
}

/// The condition keys that every signed request has.
fn context(directory: &Directory, requester: &Requester, facts: &Facts) -> Context {
    let mut context = Context::new();
    context.set("aws:CurrentTime", time::iso_seconds(facts.now));
    context.set("aws:EpochTime", time::epoch_seconds(facts.now).to_string());
    context.set("aws:SourceIp", facts.source_ip.to_string());
    context.set("aws:SecureTransport", "false");
    context.set("aws:RequestedRegion", &*facts.region);
    context.set("aws:ViaAWSService", "false");
    context.set("aws:PrincipalIsAWSService", "false");
    if let Some(agent) = &facts.user_agent {
        context.set("aws:UserAgent", &**agent);
    }
    context.set("aws:PrincipalAccount", requester.account.to_string());
    context.set("aws:userid", &*requester.user_id);
    match &requester.who {
        Who::User { name } => {
            context.set("aws:PrincipalType", "User");
            context.set("aws:PrincipalArn", requester.arn.to_string());
            context.set("aws:username", &**name);
        }
        Who::Session(session) => {
            context.set("aws:PrincipalType", "AssumedRole");
            let role = directory.role(requester.account, &session.role);
            // The role, with its path, not the session.
            let arn = match role {
                Some(role) => role.arn.to_string(),
                None => format!("arn:{}:iam::{}:role/{}", Partition::Aws.name(), requester.account, session.role),
            };
            context.set("aws:PrincipalArn", arn);
            context.set("aws:TokenIssueTime", time::iso_seconds(session.issued_at()));
            context.set("aws:MultiFactorAuthPresent", "false");
            if let Some(identity) = &session.source_identity {
                context.set("aws:SourceIdentity", &**identity);
            }
            for (key, value) in role.iter().flat_map(|role| &role.tags).chain(&session.tags) {
                context.set(&format!("aws:PrincipalTag/{key}"), &**value);
            }
        }
    }
    context
}
