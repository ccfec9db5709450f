use crate::arn_pattern::ArnParts;
use crate::caller::Reach;
use crate::{AccountId, Caller, Context, Document, Effect, PolicyKind, Principals, Statement};

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
    let matching = Matching {
        request,
        resource: ArnParts::cut(request.resource),
        has_boundary: policies.boundary.is_some() && caller.has_identity(),
    };
    let found = matching.everything(policies);
    if let Some(place) = found.deny() {
        return Decision::ExplicitlyDenied(place);
    }
    decide(request, policies, &found, matching.resource.as_ref())
}

/// What follows where nothing denies.
fn decide<'a>(
    request: &Request<'_>,
    policies: &Policies<'a>,
    found: &All<'a>,
    resource: Option<&ArnParts<'_>>,
) -> Decision<'a> {
    let Request { caller, action, .. } = *request;
    if let Some(kind) = reserved(action, resource) {
        return Decision::ImplicitlyDenied(kind);
    }
    if found.service_control.is_none() {
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

/// What AWS keeps for itself in everybody's account, whatever their policies say: its managed policies, the roles below
/// `/aws-reserved/`, and KMS's aliases below `alias/aws/`.
fn reserved(action: &str, resource: Option<&ArnParts<'_>>) -> Option<PolicyKind> {
    let resource = resource?;
    let (service, name) = action.split_once(':')?;
    let changes = |thing: &str| {
        ["Create", "Delete", "Update", "Put", "Attach", "Detach", "Tag", "Untag", "SetDefault"].iter().any(|verb| {
            let rest = name.get(..verb.len()).filter(|start| is(start, verb)).and(name.get(verb.len()..));
            rest.and_then(|rest| rest.get(..thing.len())).is_some_and(|start| is(start, thing))
        })
    };
    let below = |prefix: &str| resource.resource().starts_with(prefix);
    let is_reserved = match resource.service() {
        "iam" if is(service, "iam") => {
            resource.account() == "aws" && below("policy/") && changes("Policy")
                || below("role/aws-reserved/") && (changes("Role") || is(name, "UpdateAssumeRolePolicy"))
        }
        "kms" if is(service, "kms") => below("alias/aws/") && changes("Alias"),
        _ => false,
    };
    is_reserved.then_some(PolicyKind::Resource)
}

fn is(action: &str, name: &str) -> bool {
    action.eq_ignore_ascii_case(name)
}

struct Matching<'r> {
    request: &'r Request<'r>,
    resource: Option<ArnParts<'r>>,
    has_boundary: bool,
}

/// The first statement that denies, and the one that allows with the furthest reach.
#[derive(Default)]
struct Found<'a> {
    deny: Option<Place<'a>>,
    allow: Option<(Reach, Place<'a>)>,
}

/// What was found in every kind of policy.
struct All<'a> {
    identity: Found<'a>,
    boundary: Found<'a>,
    session: Found<'a>,
    resource: Found<'a>,
    endpoint: Found<'a>,
    /// `Some` where every level allows.
    service_control: Option<()>,
    control_deny: Option<Place<'a>>,
}

impl<'a> All<'a> {
    fn deny(&self) -> Option<Place<'a>> {
        let found = [&self.identity, &self.resource, &self.boundary, &self.session, &self.endpoint];
        found.iter().find_map(|found| found.deny).or(self.control_deny)
    }
}

impl Matching<'_> {
    fn everything<'a>(&self, policies: &Policies<'a>) -> All<'a> {
        let mut all = All {
            identity: self.all(PolicyKind::Identity, policies.identity.iter().copied()),
            boundary: self.all(PolicyKind::Boundary, policies.boundary),
            session: self.all(PolicyKind::Session, policies.session),
            resource: match policies.resource {
                Some(ResourcePolicy::Trust(document)) => self.all(PolicyKind::Trust, [document]),
                Some(ResourcePolicy::Other(document)) => self.all(PolicyKind::Resource, [document]),
                None => Found::default(),
            },
            endpoint: self.all(PolicyKind::Endpoint, policies.endpoint),
            service_control: Some(()),
            control_deny: None,
        };
        // Organizations: an SCP binds the users, roles and the root of its accounts, but neither services nor strangers.
        let is_bound = |levels: &[Vec<Document>]| !levels.is_empty() && self.request.caller.has_identity();
        if is_bound(policies.service_control) && !self.is_service_linked() {
            for found in self.levels(PolicyKind::ServiceControl, policies.service_control) {
                all.control_deny = all.control_deny.or(found.deny);
                all.service_control = all.service_control.filter(|()| found.allow.is_some());
            }
        }
        if !policies.resource_control.is_empty() && !self.is_beyond_resource_control() {
            for found in self.levels(PolicyKind::ResourceControl, policies.resource_control) {
                all.control_deny = all.control_deny.or(found.deny);
            }
        }
        all
    }

    /// Roles that a service made for itself are bound by no control policy. A session's ARN has lost the path by which
    /// they are known; the role's own has it.
    fn is_service_linked(&self) -> bool {
        let role = self.request.context.one("aws:PrincipalArn");
        role.and_then(ArnParts::cut).is_some_and(|arn| arn.resource().starts_with("role/aws-service-role/"))
    }

    /// Organizations' page on RCPs, "Resources and entities not restricted by RCPs".
    fn is_beyond_resource_control(&self) -> bool {
        let asks_service_linked = self.resource.is_some_and(|arn| arn.resource().starts_with("role/aws-service-role/"));
        self.is_service_linked() || asks_service_linked || is(self.request.action, "kms:RetireGrant")
    }

    /// Each level for itself; their policies are numbered through.
    fn levels<'a>(&self, kind: PolicyKind, levels: &'a [Vec<Document>]) -> impl Iterator<Item = Found<'a>> {
        let mut first = 0;
        levels.iter().map(move |level| {
            let found = self.some(kind, first, level);
            first += level.len();
            found
        })
    }

    fn all<'a>(&self, kind: PolicyKind, documents: impl IntoIterator<Item = &'a Document>) -> Found<'a> {
        self.some(kind, 0, documents)
    }

    fn some<'a>(&self, kind: PolicyKind, first: usize, documents: impl IntoIterator<Item = &'a Document>) -> Found<'a> {
        let mut found = Found::default();
        for (policy, document) in documents.into_iter().enumerate() {
            for (index, statement) in document.statements().iter().enumerate() {
                let Some(reach) = self.one(statement) else { continue };
                let place = Place { kind, policy: first + policy, statement: index, sid: statement.sid() };
                match statement.effect() {
                    Effect::Deny => {
                        found.deny.get_or_insert(place);
                    }
                    Effect::Allow => {
                        if found.allow.is_none_or(|(best, _)| best < reach) {
                            found.allow = Some((reach, place));
                        }
                    }
                }
            }
        }
        found
    }

    /// Whether a statement speaks of the request, and how closely it names the caller.
    fn one(&self, statement: &Statement) -> Option<Reach> {
        let Request { action, context, .. } = *self.request;
        let reach = statement.principals().map_or(Some(Reach::Caller), |principals| self.reach(principals))?;
        let matches = statement.actions().covers(action)
            && statement.resources().is_none_or(|resources| resources.covers(self.resource.as_ref(), context))
            && statement.conditions().iter().all(|condition| condition.holds(context));
        matches.then_some(reach)
    }

    fn reach(&self, principals: &Principals) -> Option<Reach> {
        let best = principals.list().iter().filter_map(|principal| self.request.caller.named_by(principal)).max();
        if !principals.is_except() {
            return best;
        }
        // AWS: whoever has a permissions boundary is denied by NotPrincipal, whomever it spares.
        if self.has_boundary {
            return Some(Reach::Caller);
        }
        // To be spared by NotPrincipal, a caller must be named itself: naming its account alone does not spare it.
        match best {
            Some(Reach::Caller | Reach::Role) => None,
            Some(Reach::Account) | None => Some(Reach::Caller),
        }
    }
}
