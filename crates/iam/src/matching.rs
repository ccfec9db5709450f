use crate::arn_pattern::ArnParts;
use crate::caller::Reach;
use crate::evaluate::is;
use crate::{Document, Effect, Place, Policies, PolicyKind, Principals, Request, ResourcePolicy, Statement};

/// A request, prepared for being held against statements.
pub(crate) struct Matching<'r> {
    request: &'r Request<'r>,
    /// `None` where it is no ARN.
    resource: Option<ArnParts<'r>>,
    has_boundary: bool,
}

/// The first statement that denies, and the one that allows with the furthest reach.
#[derive(Default)]
pub(crate) struct Found<'a> {
    pub(crate) deny: Option<Place<'a>>,
    pub(crate) allow: Option<(Reach, Place<'a>)>,
}

/// What was found in every kind of policy.
pub(crate) struct Matches<'a> {
    pub(crate) identity: Found<'a>,
    pub(crate) boundary: Found<'a>,
    pub(crate) session: Found<'a>,
    pub(crate) resource: Found<'a>,
    pub(crate) endpoint: Found<'a>,
    /// Whether every level allows that binds the caller.
    pub(crate) is_within_service_control: bool,
    control_deny: Option<Place<'a>>,
}

impl<'a> Matches<'a> {
    pub(crate) fn deny(&self) -> Option<Place<'a>> {
        let found = [&self.identity, &self.resource, &self.boundary, &self.session, &self.endpoint];
        found.iter().find_map(|found| found.deny).or(self.control_deny)
    }
}

impl<'r> Matching<'r> {
    pub(crate) fn new(request: &'r Request<'r>, policies: &Policies<'_>) -> Self {
        let has_boundary = policies.boundary.is_some() && request.caller.has_identity();
        Self { request, resource: ArnParts::cut(request.resource), has_boundary }
    }

    pub(crate) fn resource(&self) -> Option<&ArnParts<'r>> {
        self.resource.as_ref()
    }

    pub(crate) fn everything<'a>(&self, policies: &Policies<'a>) -> Matches<'a> {
        let mut all = Matches {
            identity: self.all(PolicyKind::Identity, policies.identity.iter().copied()),
            boundary: self.all(PolicyKind::Boundary, policies.boundary),
            session: self.all(PolicyKind::Session, policies.session),
            resource: match policies.resource {
                Some(ResourcePolicy::Trust(document)) => self.all(PolicyKind::Trust, [document]),
                Some(ResourcePolicy::Other(document)) => self.all(PolicyKind::Resource, [document]),
                None => Found::default(),
            },
            endpoint: self.all(PolicyKind::Endpoint, policies.endpoint),
            is_within_service_control: true,
            control_deny: None,
        };
        // Organizations: an SCP binds the users, roles and the root of its accounts, but neither services nor strangers.
        let is_bound = |levels: &[Vec<Document>]| !levels.is_empty() && self.request.caller.has_identity();
        if is_bound(policies.service_control) && !self.is_service_linked() {
            for found in self.levels(PolicyKind::ServiceControl, policies.service_control) {
                all.control_deny = all.control_deny.or(found.deny);
                all.is_within_service_control &= found.allow.is_some();
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
    /// they are known; the role's own has it. Where the context does not tell that one, the name has to do, which services
    /// begin alike.
    fn is_service_linked(&self) -> bool {
        match self.request.context.one("aws:PrincipalArn").and_then(ArnParts::cut) {
            Some(arn) => arn.resource().starts_with("role/aws-service-role/"),
            None => self.request.caller.session_role().is_some_and(|name| name.starts_with("AWSServiceRoleFor")),
        }
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
        let reach = self.reach_of(statement)?;
        let matches = statement.actions().covers(action)
            && self.covers_resource(statement)
            && statement.conditions().iter().all(|condition| condition.holds(context));
        matches.then_some(reach)
    }

    /// Whether a statement names the caller, as one without principals does.
    pub(crate) fn names_caller(&self, statement: &Statement) -> bool {
        self.reach_of(statement).is_some()
    }

    /// Whether a statement speaks of the resource, as one without resources does.
    pub(crate) fn covers_resource(&self, statement: &Statement) -> bool {
        let context = self.request.context;
        statement.resources().is_none_or(|resources| resources.covers(self.resource.as_ref(), context))
    }

    fn reach_of(&self, statement: &Statement) -> Option<Reach> {
        statement.principals().map_or(Some(Reach::Caller), |principals| self.reach(principals))
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
