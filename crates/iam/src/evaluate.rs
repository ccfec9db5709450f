use crate::caller::Reach;
use crate::{AccountId, Caller, Context, Document, Effect, PolicyKind, Principals, Statement};

/// What is asked: may this caller do this to that.
#[derive(Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// `service:Name`; case does not matter.
    pub action: &'a str,
    /// The resource's ARN. `*` and `?` in it are characters.
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
    /// Passed when the calling session was made.
    pub session: Option<&'a Document>,
    /// Attached to the resource.
    pub resource: Option<ResourcePolicy<'a>>,
}

/// A policy attached to the resource.
#[derive(Debug, Clone, Copy)]
pub enum ResourcePolicy<'a> {
    /// Of a role: without its consent nobody gets in, whatever their own policies say.
    Trust(&'a Document),
    /// Of anything else: within an account it adds to what identity policies allow.
    Other(&'a Document),
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The kind of policy.
    pub kind: PolicyKind,
    /// Which of that kind, from 0.
    pub policy: usize,
    /// Which statement, from 0.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<&'a str>,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Yes; by this statement, or by none where an account's root acts in its own account.
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
/// Any matching `Deny` wins. In one account the resource's policy or the caller's may allow; a role's trust policy must
/// name the caller or its account. Across accounts both must allow. A session policy only narrows.
pub fn evaluate<'a>(request: &Request<'_>, policies: &Policies<'a>) -> Decision<'a> {
    let action = request.action.to_ascii_lowercase();
    let matching = Matching { request, action: &action };

    let identity = matching.all(PolicyKind::Identity, policies.identity.iter().copied());
    let session = matching.all(PolicyKind::Session, policies.session);
    let (kind, resource) = match policies.resource {
        Some(ResourcePolicy::Trust(document)) => (PolicyKind::Trust, matching.all(PolicyKind::Trust, [document])),
        Some(ResourcePolicy::Other(document)) => (PolicyKind::Resource, matching.all(PolicyKind::Resource, [document])),
        None => (PolicyKind::Resource, Found::default()),
    };
    if let Some(place) = identity.deny.or(session.deny).or(resource.deny) {
        return Decision::ExplicitlyDenied(place);
    }

    let caller = request.caller;
    let own_account = caller.account() == Some(request.resource_account);
    let grant = resource.allow;
    let is_trust = kind == PolicyKind::Trust;
    let reach = grant.map(|(reach, _)| reach);
    let by_resource = grant.map(|(_, place)| place);

    // What the resource's policy must say before the caller's own policies count.
    if (is_trust || !own_account) && reach.is_none() {
        return Decision::ImplicitlyDenied(kind);
    }
    if !caller.has_identity() {
        // Services, providers and the anonymous live by the resource's word alone.
        return by_resource.map_or(Decision::ImplicitlyDenied(kind), |place| Decision::Allowed(Some(place)));
    }
    let session_allows = policies.session.is_none() || session.allow.is_some();
    match reach {
        Some(Reach::Caller) if own_account => return Decision::Allowed(by_resource),
        Some(Reach::Role) if own_account && session_allows => return Decision::Allowed(by_resource),
        Some(Reach::Role) if own_account => return Decision::ImplicitlyDenied(PolicyKind::Session),
        Some(Reach::Caller | Reach::Role | Reach::Account) | None => {}
    }
    let by_identity = identity.allow.map(|(_, place)| place);
    if by_identity.is_none() && !caller.is_root() {
        return Decision::ImplicitlyDenied(PolicyKind::Identity);
    }
    if !session_allows {
        return Decision::ImplicitlyDenied(PolicyKind::Session);
    }
    Decision::Allowed(by_identity.or(by_resource))
}

struct Matching<'r> {
    request: &'r Request<'r>,
    action: &'r str,
}

/// The first statement that denies, and the one that allows with the furthest reach.
#[derive(Default)]
struct Found<'a> {
    deny: Option<Place<'a>>,
    allow: Option<(Reach, Place<'a>)>,
}

impl Matching<'_> {
    fn all<'a>(&self, kind: PolicyKind, documents: impl IntoIterator<Item = &'a Document>) -> Found<'a> {
        let mut found = Found::default();
        for (policy, document) in documents.into_iter().enumerate() {
            for (index, statement) in document.statements().iter().enumerate() {
                let Some(reach) = self.one(statement) else { continue };
                let place = Place { kind, policy, statement: index, sid: statement.sid() };
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
        let Request { caller, resource, context, .. } = *self.request;
        let reach = statement.principals().map_or(Some(Reach::Caller), |principals| reach(caller, principals))?;
        let matches = statement.actions().covers(self.action, context)
            && statement.resources().is_none_or(|resources| resources.covers(resource, context))
            && statement.conditions().iter().all(|condition| condition.holds(context));
        matches.then_some(reach)
    }
}

fn reach(caller: &Caller, principals: &Principals) -> Option<Reach> {
    let best = principals.list().iter().filter_map(|principal| caller.named_by(principal)).max();
    if !principals.is_except() {
        return best;
    }
    // To be spared by NotPrincipal, a caller must be named itself: naming its account alone does not spare it.
    match best {
        Some(Reach::Caller | Reach::Role) => None,
        Some(Reach::Account) | None => Some(Reach::Caller),
    }
}
