use crate::arn_pattern::ArnParts;
use crate::caller::Reach;
use crate::matching::{Matches, Matching};
use crate::{AccountId, Caller, Context, Document, PolicyKind};

/// What is asked: may this caller do this to that.
#[derive(Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// `service:Name`; case does not matter.
    pub action: &'a str,
    /// The resource's ARN, in which `*` and `?` are characters; or `*` for an action that has no resource.
    pub resource: &'a str,
    /// Whose the resource is; S3's ARNs do not say.
    pub resource_account: AccountId,
    /// The condition keys, complete.
    pub context: &'a Context,
}

/// Every policy that applies to a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Attached to the calling user or role.
    pub identity: &'a [&'a Document],
    /// The permissions boundary of the calling user or role.
    pub boundary: Option<&'a Document>,
    /// Passed when the calling session was made.
    pub session: Option<&'a Document>,
    /// Attached to the resource.
    pub resource: Option<ResourcePolicy<'a>>,
    /// The service control policies of the caller's account, one list a level of its organisation, root first.
    pub service_control: &'a [Vec<Document>],
    /// The resource control policies of the resource's account, likewise. AWS's own, which allows everything, is
    /// understood at each level.
    pub resource_control: &'a [Vec<Document>],
    /// Of the VPC endpoint that the request passes through.
    pub endpoint: Option<&'a Document>,
}

/// A policy attached to the resource.
#[derive(Debug, Clone, Copy)]
pub enum ResourcePolicy<'a> {
    /// Of a role: without its consent nobody gets in, whatever their own policies say.
    Trust(&'a Document),
    /// Of anything else: within an account it adds to what identity policies allow, except for KMS keys, which are as
    /// strict as roles.
    Other(&'a Document),
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The kind of policy.
    pub kind: PolicyKind,
    /// Which of that kind, from 0; for control policies counted through all levels.
    pub policy: usize,
    /// Which statement, from 0.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<&'a str>,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Yes; by this statement, or by none where none is needed: an account's root acts in its own account, or the action
    /// is one that every caller may do.
    Allowed(Option<Place<'a>>),
    /// No: this statement says so.
    ExplicitlyDenied(Place<'a>),
    /// No: no policy of this kind says yes, and one would have to.
    ImplicitlyDenied(PolicyKind),
}

impl Decision<'_> {
    /// Whether it is yes.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Decides one request by AWS's rules. See [`Policies`] for what it takes into account.
///
/// Any matching `Deny` wins. Control and endpoint policies must allow, and grant nothing. In one account the resource's
/// policy or the caller's may allow; roles and KMS keys must themselves name the caller or its account. Across accounts
/// both must allow. Boundaries and session policies only narrow; how far they narrow what the resource's policy grants
/// depends on how closely it names the caller.
///
/// Source: the IAM User Guide's pages "Policy evaluation logic" and "Cross-account policy evaluation logic".
pub fn evaluate<'a>(request: &Request<'_>, policies: &Policies<'a>) -> Decision<'a> {
    let caller = request.caller;
    // STS's reference: even an explicit deny does not keep anybody from it.
    if is(request.action, "sts:GetCallerIdentity") && !caller.is_anonymous() {
        return Decision::Allowed(None);
    }
    let matching = Matching::new(request, policies);
    let found = matching.everything(policies);
    if let Some(place) = found.deny() {
        return Decision::ExplicitlyDenied(place);
    }
    decide(request, policies, &found, matching.resource())
}

/// What follows where nothing denies.
fn decide<'a>(
    request: &Request<'_>,
    policies: &Policies<'a>,
    found: &Matches<'a>,
    resource: Option<&ArnParts<'_>>,
) -> Decision<'a> {
    let Request { caller, action, .. } = *request;
    if is_reserved(action, resource) {
        return Decision::ImplicitlyDenied(PolicyKind::Resource);
    }
    if !found.is_within_service_control {
        return Decision::ImplicitlyDenied(PolicyKind::ServiceControl);
    }
    if policies.endpoint.is_some() && found.endpoint.allow.is_none() {
        return Decision::ImplicitlyDenied(PolicyKind::Endpoint);
    }
    let is_role = matches!(policies.resource, Some(ResourcePolicy::Trust(_))) || is_assumption(action, resource);
    let is_key = resource.is_some_and(|arn| arn.service() == "kms" && arn.resource().starts_with("key/"));
    let kind = if is_role { PolicyKind::Trust } else { PolicyKind::Resource };
    // A role is assumed by whoever has signed the call or shows a token, and never by a root; a key serves signed calls
    // only. A token serves for nothing but a role of the account that knows its provider.
    let is_refused = (is_role || is_key) && caller.is_anonymous()
        || is_role && caller.is_root()
        || caller.is_provider() && (!is_role || is(action, "sts:AssumeRole"))
        || caller.is_provider_outside(request.resource_account);
    let own_account = caller.account() == Some(request.resource_account);
    let granted = found.resource.allow;
    let by_resource = granted.map(|(_, place)| place);

    // What the resource's policy must say before the caller's own policies count.
    if is_refused || (is_role || is_key || !own_account) && granted.is_none() {
        return Decision::ImplicitlyDenied(kind);
    }
    if !caller.has_identity() {
        // Services, providers and the anonymous live by the resource's word alone.
        return by_resource.map_or(Decision::ImplicitlyDenied(kind), |place| Decision::Allowed(Some(place)));
    }
    let reach = granted.map(|(reach, _)| reach).filter(|_| own_account);
    if reach == Some(Reach::Caller) {
        return Decision::Allowed(by_resource);
    }
    let by_identity = found.identity.allow.map(|(_, place)| place);
    let needs_nothing = caller.is_root() || caller.is_user() && is(action, "sts:GetSessionToken");
    if reach != Some(Reach::Role) && by_identity.is_none() && !needs_nothing {
        return Decision::ImplicitlyDenied(PolicyKind::Identity);
    }
    if policies.boundary.is_some() && found.boundary.allow.is_none() {
        return Decision::ImplicitlyDenied(PolicyKind::Boundary);
    }
    // A federated user session has what its session policy gives it, so without one nothing.
    if (policies.session.is_some() || caller.is_federated_user()) && found.session.allow.is_none() {
        return Decision::ImplicitlyDenied(PolicyKind::Session);
    }
    Decision::Allowed(by_identity.or(by_resource))
}

/// Whether it asks a role for a session, so that the role's trust policy has the first word, even where it is missing.
fn is_assumption(action: &str, resource: Option<&ArnParts<'_>>) -> bool {
    let actions = [
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:TagSession",
        "sts:SetSourceIdentity",
    ];
    resource.is_some_and(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"))
        && actions.iter().any(|known| is(action, known))
}

/// What AWS keeps for itself in everybody's account, whatever their policies say: its managed policies and the roles below
/// `/aws-reserved/` are read only, KMS's aliases below `alias/aws/` are its own.
fn is_reserved(action: &str, resource: Option<&ArnParts<'_>>) -> bool {
    let (Some(resource), Some((service, name))) = (resource, action.split_once(':')) else { return false };
    let below = |prefix: &str| resource.resource().starts_with(prefix);
    let begins = |start: &str| name.get(..start.len()).is_some_and(|own| is(own, start));
    match resource.service() {
        "iam" if is(service, "iam") => {
            let is_aws = resource.account() == "aws" && below("policy/") || below("role/aws-reserved/");
            is_aws && !["Get", "List", "Generate", "Simulate"].into_iter().any(begins)
        }
        "kms" if is(service, "kms") => {
            below("alias/aws/") && ["CreateAlias", "DeleteAlias", "UpdateAlias"].iter().any(|known| is(name, known))
        }
        _ => false,
    }
}

pub(crate) fn is(action: &str, name: &str) -> bool {
    action.eq_ignore_ascii_case(name)
}
