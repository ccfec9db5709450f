use crate::{AccountId, Arn, ArnError, Principal};

/// Who makes a request, as policies see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    kind: Kind,
    unique_id: Option<Box<str>>,
    canonical_id: Option<Box<str>>,
    federated_by: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Root(Arn),
    User(Arn),
    /// A session of this role, by whatever name.
    Role(Arn),
    RoleSession(Arn),
    FederatedUser(Arn),
    Service(Box<str>),
    /// By ARN, or by the domain of one of those that AWS knows itself.
    Provider(Box<str>),
    Anonymous,
}

/// How far a principal that names the caller reaches: what else it then needs, and what may still hold it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// It names the caller's account: that account's own policies decide.
    Account,
    /// It names the caller's role, or the user who made the caller's federated session: the boundary and a session
    /// policy still narrow it.
    Role,
    /// It names the caller itself.
    Caller,
}

impl Caller {
    /// Reads a caller: an ARN of a user, root, role session, role (for any session of it), federated user or identity
    /// provider, the name of an AWS service, or `anonymous`.
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
                "iam" if has("role/") => Some(Kind::Role(arn.clone())),
                "iam" if has("oidc-provider/") || has("saml-provider/") => Some(Kind::Provider(text.into())),
                "sts" if arn.role_session().is_some() => Some(Kind::RoleSession(arn.clone())),
                "sts" if has("federated-user/") => Some(Kind::FederatedUser(arn.clone())),
                _ => None,
            }
            .ok_or_else(|| ArnError::Malformed {
                arn: text.to_owned(),
                reason: "names nobody who can make a request",
            })?
        };
        Ok(Self { kind, unique_id: None, canonical_id: None, federated_by: None })
    }

    /// Whoever shows a token of this identity provider, which is known by its ARN or, as `accounts.google.com` is, by its
    /// domain.
    pub fn provider(name: &str) -> Self {
        Self { kind: Kind::Provider(name.into()), unique_id: None, canonical_id: None, federated_by: None }
    }

    /// Adds the unique id of the user or of the session's role, which a saved policy names.
    #[must_use]
    pub fn with_unique_id(mut self, id: &str) -> Self {
        self.unique_id = Some(id.into());
        self
    }

    /// Adds the canonical user id of the caller's account, by which S3's policies may name it.
    #[must_use]
    pub fn with_canonical_id(mut self, id: &str) -> Self {
        self.canonical_id = Some(id.into());
        self
    }

    /// Adds who made the caller's federated session. The session's ARN does not say: its name is free to choose.
    #[must_use]
    pub fn with_federating_user(mut self, user_name: &str) -> Self {
        self.federated_by = Some(user_name.into());
        self
    }

    /// The name of a federated user session.
    pub(crate) fn federated_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::FederatedUser(arn) => arn.resource().strip_prefix("federated-user/"),
            _ => None,
        }
    }

    /// Its account; services, identity providers and the anonymous belong to none.
    pub fn account(&self) -> Option<AccountId> {
        match &self.kind {
            Kind::Root(arn) | Kind::User(arn) | Kind::Role(arn) | Kind::RoleSession(arn) | Kind::FederatedUser(arn) => {
                arn.account()
            }
            Kind::Provider(_) | Kind::Service(_) | Kind::Anonymous => None,
        }
    }

    /// Whether its own account's policies must allow what it does. Services, identity providers and the anonymous have
    /// no policies of their own.
    pub(crate) fn has_identity(&self) -> bool {
        match self.kind {
            Kind::Root(_) | Kind::User(_) | Kind::Role(_) | Kind::RoleSession(_) | Kind::FederatedUser(_) => true,
            Kind::Service(_) | Kind::Provider(_) | Kind::Anonymous => false,
        }
    }

    /// The name of the role whose session it is.
    pub(crate) fn session_role(&self) -> Option<&str> {
        match &self.kind {
            Kind::RoleSession(arn) => arn.role_session().map(|(role, _)| role),
            _ => None,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        matches!(self.kind, Kind::Root(_))
    }

    pub(crate) fn is_user(&self) -> bool {
        matches!(self.kind, Kind::User(_))
    }

    pub(crate) fn is_federated_user(&self) -> bool {
        matches!(self.kind, Kind::FederatedUser(_))
    }

    pub(crate) fn is_provider(&self) -> bool {
        matches!(self.kind, Kind::Provider(_))
    }

    /// Whether it is an identity provider that was set up in another account: tokens are checked in the role's alone.
    pub(crate) fn is_provider_outside(&self, account: AccountId) -> bool {
        match &self.kind {
            Kind::Provider(name) => name.parse::<Arn>().is_ok_and(|arn| arn.account() != Some(account)),
            _ => false,
        }
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.kind, Kind::Anonymous)
    }

    /// Whether `principal` names this caller, and how closely.
    pub(crate) fn named_by(&self, principal: &Principal) -> Option<Reach> {
        let same = |arn: &Arn, own: &Arn| (arn == own).then_some(Reach::Caller);
        match (principal, &self.kind) {
            (Principal::Anyone, _) => Some(Reach::Caller),
            (Principal::Account(account), _) => (self.account() == Some(*account)).then(|| self.as_account()).flatten(),
            (Principal::CanonicalUser(id), _) => {
                (self.canonical_id.as_ref() == Some(id)).then(|| self.as_account()).flatten()
            }
            (Principal::User(arn), Kind::User(own))
            | (Principal::Session(arn), Kind::RoleSession(own))
            | (Principal::FederatedUser(arn), Kind::FederatedUser(own)) => same(arn, own),
            (Principal::Role(arn), Kind::Role(own)) => (arn == own).then_some(Reach::Role),
            // A session's ARN has lost the role's path; names are unique in an account, so the name is enough.
            (Principal::Role(arn), Kind::RoleSession(own)) => {
                let role = own.role_session().map(|(role, _)| role);
                (arn.role_name() == role && same_account(arn, own)).then_some(Reach::Role)
            }
            (Principal::User(arn), Kind::FederatedUser(own)) => {
                let made_by = self.federated_by.as_deref();
                (made_by.is_some() && arn.user_name() == made_by && same_account(arn, own)).then_some(Reach::Role)
            }
            (Principal::UniqueId(id), _) if self.unique_id.as_ref() == Some(id) => match self.kind {
                Kind::Role(_) | Kind::RoleSession(_) => Some(Reach::Role),
                _ => Some(Reach::Caller),
            },
            (Principal::Service(name), Kind::Service(own)) | (Principal::Federated(name), Kind::Provider(own)) => {
                (name == own).then_some(Reach::Caller)
            }
            // No pair left names the caller.
            (
                Principal::User(_)
                | Principal::Role(_)
                | Principal::Session(_)
                | Principal::FederatedUser(_)
                | Principal::UniqueId(_)
                | Principal::Service(_)
                | Principal::Federated(_),
                _,
            ) => None,
        }
    }

    /// How closely the caller is named by the name of its account.
    fn as_account(&self) -> Option<Reach> {
        self.has_identity().then_some(if self.is_root() { Reach::Caller } else { Reach::Account })
    }
}

fn same_account(arn: &Arn, own: &Arn) -> bool {
    arn.account() == own.account() && arn.partition() == own.partition()
}
