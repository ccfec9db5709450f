use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use world::Secret;

/// The public half of a key: `AKIA...` for a user's, `ASIA...` for a session's. Not a secret; AWS prints it in its logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessKeyId(Arc<str>);

impl AccessKeyId {
    /// Takes `id` as AWS wrote it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A temporary AWS credential. It always expires: there is no constructor without `expires_at`.
#[derive(Debug, Clone)]
pub struct Session {
    access_key_id: AccessKeyId,
    secret: Secret,
    token: Secret,
    expires_at: SystemTime,
    principal: Option<Arc<str>>,
    packed: Option<u32>,
}

impl Session {
    /// A session that ends at `expires_at`, in AWS's time and as AWS returned it.
    pub fn new(access_key_id: AccessKeyId, secret: Secret, token: Secret, expires_at: SystemTime) -> Self {
        Self { access_key_id, secret, token, expires_at, principal: None, packed: None }
    }

    /// The same session, known to act as `arn` (the assumed-role ARN of `AssumeRole`'s answer).
    #[must_use]
    pub fn acting_as(mut self, arn: impl Into<Arc<str>>) -> Self {
        self.principal = Some(arn.into());
        self
    }

    /// The same session, whose policies and tags take up this many percent of the room that STS has for them
    /// (`PackedPolicySize` of the answer).
    #[must_use]
    pub fn packed(self, percent: Option<u32>) -> Self {
        Self { packed: percent, ..self }
    }

    /// How many percent of the room for them its policies and tags take up, where the answer said so.
    pub fn packed_percent(&self) -> Option<u32> {
        self.packed
    }

    /// The public half of its key.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.access_key_id
    }

    /// The private half of its key.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What shows that the key belongs to a session.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// When AWS stops accepting it.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// The ARN it acts as, where the exchange named it.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// What is left of its life at `now`; zero once it is over.
    pub fn life_left(&self, now: SystemTime) -> Duration {
        self.expires_at.duration_since(now).unwrap_or_default()
    }
}

/// A key that lasts until somebody revokes it: a user's, or a session's whose end nobody told us (environment variables
/// carry none). Not a [`Session`]: nothing may be planned on its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticKeys {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The private half.
    pub secret: Secret,
    /// Present if these are in truth a session's keys.
    pub token: Option<Secret>,
}

// By the id alone: equal keys have equal ids, and a secret is fed to no hasher.
impl Hash for StaticKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.access_key_id.hash(state);
    }
}

/// What signs a request. Cloning is cheap and shares the secrets.
#[derive(Debug, Clone)]
pub enum Signer {
    /// A session, which expires.
    Session(Arc<Session>),
    /// Keys, which do not.
    Keys(Arc<StaticKeys>),
    /// Nothing: the request goes unsigned.
    Anonymous,
}

/// What stands for a key where there is none.
static NO_KEY: LazyLock<(AccessKeyId, Secret)> = LazyLock::new(|| (AccessKeyId::new("anonymous"), Secret::default()));

impl Signer {
    /// The public half of the key; `anonymous` where there is none.
    pub fn access_key_id(&self) -> &AccessKeyId {
        match self {
            Self::Session(session) => session.access_key_id(),
            Self::Keys(keys) => &keys.access_key_id,
            Self::Anonymous => &NO_KEY.0,
        }
    }

    /// The private half of the key.
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Session(session) => session.secret(),
            Self::Keys(keys) => &keys.secret,
            Self::Anonymous => &NO_KEY.1,
        }
    }

    /// The session token, if there is one.
    pub fn token(&self) -> Option<&Secret> {
        match self {
            Self::Session(session) => Some(session.token()),
            Self::Keys(keys) => keys.token.as_ref(),
            Self::Anonymous => None,
        }
    }

    /// When it ends, if it is known to.
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self {
            Self::Session(session) => Some(session.expires_at()),
            Self::Keys(_) | Self::Anonymous => None,
        }
    }

    /// The ARN it acts as, where an exchange named it.
    pub fn principal(&self) -> Option<&str> {
        match self {
            Self::Session(session) => session.principal(),
            Self::Keys(_) | Self::Anonymous => None,
        }
    }

    /// Whether both are the very same exchange's answer (not: whether their secrets are equal).
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(a), Self::Session(b)) => Arc::ptr_eq(a, b),
            (Self::Keys(a), Self::Keys(b)) => Arc::ptr_eq(a, b),
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::Session(_) | Self::Keys(_) | Self::Anonymous, _) => false,
        }
    }
}

impl From<Session> for Signer {
    fn from(session: Session) -> Self {
        Self::Session(Arc::new(session))
    }
}

impl From<StaticKeys> for Signer {
    fn from(keys: StaticKeys) -> Self {
        Self::Keys(Arc::new(keys))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn debug_shows_the_key_id_and_no_secret() {
        let session = Session::new(
            AccessKeyId::new("ASIA123"),
            Secret::new("private-half"),
            Secret::new("session-token"),
            UNIX_EPOCH + Duration::from_secs(1_000),
        );
        let shown = format!("{:?}", Signer::from(session));
        assert!(shown.contains("ASIA123"), "{shown}");
        assert!(!shown.contains("private-half") && !shown.contains("session-token"), "{shown}");
    }

    #[test]
    fn a_session_that_is_over_has_no_life_left() {
        let end = UNIX_EPOCH + Duration::from_secs(1_000);
        let session = Session::new(AccessKeyId::new("ASIA"), Secret::default(), Secret::default(), end);
        assert_eq!(session.life_left(end - Duration::from_secs(7)), Duration::from_secs(7));
        assert_eq!(session.life_left(end + Duration::from_secs(7)), Duration::ZERO);
    }
}
