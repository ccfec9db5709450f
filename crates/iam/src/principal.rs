use crate::{AccountId, Arn};

/// Whom a statement of a trust or resource policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// `*`: everybody, in any account.
    Anyone,
    /// A whole account, by its number or its root's ARN: it hands the decision to that account's own policies.
    Account(AccountId),
    /// An IAM user.
    User(Arn),
    /// An IAM role: each of its sessions.
    Role(Arn),
    /// One session of a role, by its name.
    Session(Arn),
    /// One federated user session.
    FederatedUser(Arn),
    /// The unique id of a user or role (`AIDA..`, `AROA..`), as which AWS stores them: whoever is made anew under the
    /// same name has another one.
    UniqueId(Box<str>),
    /// An AWS service, as in `rolesanywhere.amazonaws.com`.
    Service(Box<str>),
    /// An identity provider.
    Federated(Box<str>),
    /// The canonical id of an S3 account.
    CanonicalUser(Box<str>),
}

impl Principal {
    pub(crate) fn read(kind: &str, text: &str) -> Result<Self, String> {
        match kind {
            "AWS" => Self::aws(text),
            "Service" if text.contains('.') && !text.contains(['*', '?']) => Ok(Self::Service(text.into())),
            "Federated" if !text.is_empty() && !text.contains(['*', '?']) => Ok(Self::Federated(text.into())),
            "CanonicalUser" if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Self::CanonicalUser(text.into()))
            }
            _ => Err(format!("principal {kind} {text:?} is none")),
        }
    }

    fn aws(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Anyone);
        }
        if let Ok(account) = text.parse() {
            return Ok(Self::Account(account));
        }
        if is_unique_id(text) {
            return Ok(Self::UniqueId(text.into()));
        }
        if text.contains(['*', '?']) {
            return Err(format!("principal {text:?} has a wildcard; only \"*\" alone may stand here"));
        }
        let arn: Arn = text.parse().map_err(|error| format!("principal {text:?} is none: {error}"))?;
        let resource = arn.resource();
        let named = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
        match (arn.service(), arn.account()) {
            ("iam", Some(account)) if resource == "root" => Ok(Self::Account(account)),
            ("iam", Some(_)) if named("user/") => Ok(Self::User(arn)),
            ("iam", Some(_)) if named("role/") => Ok(Self::Role(arn)),
            ("sts", Some(_)) if arn.role_session().is_some_and(|(r, s)| !r.is_empty() && !s.is_empty()) => {
                Ok(Self::Session(arn))
            }
            ("sts", Some(_)) if named("federated-user/") => Ok(Self::FederatedUser(arn)),
            _ => Err(format!("principal {text:?} is neither account, user, role nor session")),
        }
    }

    /// The key under which it is written, and its text.
    pub(crate) fn written(&self) -> (&'static str, &str) {
        match self {
            Self::Anyone => ("AWS", "*"),
            Self::Account(account) => ("AWS", account.as_str()),
            Self::User(arn) | Self::Role(arn) | Self::Session(arn) | Self::FederatedUser(arn) => ("AWS", arn.as_str()),
            Self::UniqueId(id) => ("AWS", id),
            Self::Service(name) => ("Service", name),
            Self::Federated(name) => ("Federated", name),
            Self::CanonicalUser(id) => ("CanonicalUser", id),
        }
    }
}

/// `AIDA` for users, `AROA` for roles, then capital letters and digits.
fn is_unique_id(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && (text.starts_with("AIDA") || text.starts_with("AROA"))
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, Eq)]
pub struct Principals {
    pub(crate) except: bool,
    pub(crate) list: Vec<Principal>,
    /// Whether it is written `"*"` and not `{"AWS": "*"}`. It means the same, but not everywhere may it be written.
    pub(crate) is_bare: bool,
}

impl PartialEq for Principals {
    /// By meaning: how everybody is written does not count.
    fn eq(&self, other: &Self) -> bool {
        (self.except, &self.list) == (other.except, &other.list)
    }
}

impl Principals {
    /// Whether it is `NotPrincipal`: all but the listed.
    pub fn is_except(&self) -> bool {
        self.except
    }

    /// Whom it lists.
    pub fn list(&self) -> &[Principal] {
        &self.list
    }
}
