use crate::{AccountId, Arn, ArnError, Principal};

/// Who makes a request, as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    kind: Kind,
    unique_id: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Root(Arn),
    User(Arn),
    RoleSession(Arn),
    FederatedUser(Arn),
    Service(Box<str>),
    Provider(Arn),
    Anonymous,
}

/// How far a principal that names the caller reaches: what else it then needs, and what may still hold it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// It names the caller's account: that account's own policies decide.
    Account,
    /// It names the caller's role: a session policy still narrows it.
    Role,
    /// It names the caller itself.
    Caller,
}

impl Caller {
    /// Reads a caller: an ARN of a user, root, role session, federated user or identity provider, the name of an AWS
    /// service, or `anonymous`.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let kind = if text == "anonymous" {
            Kind::Anonymous
        } else if !text.contains(':') && text.contains('.') {
            Kind::Service(text.into())
        } else {
            let arn: Arn = text.parse()?;
            let has = |prefix| arn.resource().starts_with(prefix);
            match arn.service() {
                _ if arn.account().is_none() => None,
                "iam" if arn.is_root() => Some(Kind::Root(arn.clone())),
                "iam" if has("user/") => Some(Kind::User(arn.clone())),
                "iam" if has("oidc-provider/") || has("saml-provider/") => Some(Kind::Provider(arn.clone())),
                "sts" if arn.role_session().is_some() => Some(Kind::RoleSession(arn.clone())),
                "sts" if has("federated-user/") => Some(Kind::FederatedUser(arn.clone())),
                _ => None,
            }
            .ok_or_else(|| ArnError::Malformed {
                arn: text.to_owned(),
                reason: "names nobody who can make a request",
            })?
        };
        Ok(Self { kind, unique_id: None })
    }

    /// Adds the unique id of the user or of the session's role, which a saved policy names.
    #[must_use]
    pub fn with_unique_id(mut self, id: &str) -> Self {
        self.unique_id = Some(id.into());
        self
    }

    /// Its account; services and the anonymous have none.
    pub fn account(&self) -> Option<AccountId> {
        match &self.kind {
            Kind::Root(arn)
            | Kind::User(arn)
            | Kind::RoleSession(arn)
            | Kind::FederatedUser(arn)
            | Kind::Provider(arn) => arn.account(),
            Kind::Service(_) | Kind::Anonymous => None,
        }
    }

    /// Whether its own account's policies must allow what it does. Services, identity providers and the anonymous have
    /// no policies of their own.
    pub(crate) fn has_identity(&self) -> bool {
        match self.kind {
            Kind::Root(_) | Kind::User(_) | Kind::RoleSession(_) | Kind::FederatedUser(_) => true,
            Kind::Service(_) | Kind::Provider(_) | Kind::Anonymous => false,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        matches!(self.kind, Kind::Root(_))
    }

    /// Whether `principal` names this caller, and how closely.
    pub(crate) fn named_by(&self, principal: &Principal) -> Option<Reach> {
        let same = |arn: &Arn, own: &Arn| (arn == own).then_some(Reach::Caller);
        match (principal, &self.kind) {
            (Principal::Anyone, _) => Some(Reach::Caller),
            (Principal::Account(account), _) => (self.account() == Some(*account) && self.has_identity())
                .then_some(if self.is_root() { Reach::Caller } else { Reach::Account }),
            (Principal::User(arn), Kind::User(own))
            | (Principal::Session(arn), Kind::RoleSession(own))
            | (Principal::FederatedUser(arn), Kind::FederatedUser(own)) => same(arn, own),
            // A session's ARN has lost the role's path; names are unique in an account, so the name is enough.
            (Principal::Role(arn), Kind::RoleSession(own)) => {
                let role = own.role_session().map(|(role, _)| role);
                let same = arn.role_name() == role && arn.account() == own.account();
                (same && arn.partition() == own.partition()).then_some(Reach::Role)
            }
            (Principal::UniqueId(id), _) if self.unique_id.as_ref() == Some(id) => match self.kind {
                Kind::RoleSession(_) => Some(Reach::Role),
                _ => Some(Reach::Caller),
            },
            (Principal::Service(name), Kind::Service(own)) => (name == own).then_some(Reach::Caller),
            (Principal::Federated(name), Kind::Provider(own)) => (**name == *own.as_str()).then_some(Reach::Caller),
            // No pair left names the caller; a canonical id is none of the above.
            (
                Principal::User(_)
                | Principal::Role(_)
                | Principal::Session(_)
                | Principal::FederatedUser(_)
                | Principal::UniqueId(_)
                | Principal::Service(_)
                | Principal::Federated(_)
                | Principal::CanonicalUser(_),
                _,
            ) => None,
        }
    }
}
