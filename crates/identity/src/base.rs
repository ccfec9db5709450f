use std::fmt;
use std::path::PathBuf;

use crate::assume_role::{is_word, policy_rule, role_arn_rule};
use crate::lifetime::{LONGEST, SHORTEST};
use crate::region::partition_rule;
use crate::roles_anywhere::RolesAnywhere;
use crate::{Flaw, Lifetime, StaticKeys};

/// Who we are before any role is taken on. Explicit: [`Base::DefaultChain`] is a kind that one must name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Base {
    /// Nobody: requests are not signed. For public buckets.
    Anonymous,
    /// Keys that a user wrote down.
    Keys(StaticKeys),
    /// Keys in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for a session's, `AWS_SESSION_TOKEN`.
    Environment,
    /// The first that is configured of: environment, profile, web identity, container, instance; as the AWS SDKs do.
    DefaultChain,
    /// A token file that STS exchanges for a role's session (EKS service accounts, OIDC).
    WebIdentity(WebIdentity),
    /// The same as `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_SESSION_NAME` say, which EKS sets.
    AmbientWebIdentity,
    /// The container's credentials endpoint (ECS, EKS Pod Identity).
    Container,
    /// The instance's role, by IMDSv2.
    Instance,
    /// A certificate that IAM Roles Anywhere exchanges for a role's session.
    RolesAnywhere(RolesAnywhere),
    /// A profile of the shared config and credentials files.
    Profile(Profile),
}

/// A token that STS takes in place of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebIdentity {
    /// The role that trusts the token's issuer.
    pub role_arn: String,
    /// The file that holds the token; read again for every exchange, because it is rotated in place.
    pub token_file: PathBuf,
    /// The session's name.
    pub session_name: String,
    /// How long the session shall live. No role is chained here: up to 12 h.
    pub duration: Lifetime,
    /// A policy that the session is cut down to.
    pub policy: Option<String>,
}

impl WebIdentity {
    /// Takes `role_arn` on as `session_name` with the token in `token_file`, for AWS's default of an hour.
    pub fn new(role_arn: impl Into<String>, token_file: impl Into<PathBuf>, session_name: impl Into<String>) -> Self {
        let (role_arn, token_file, session_name) = (role_arn.into(), token_file.into(), session_name.into());
        Self { role_arn, token_file, session_name, duration: Lifetime::Usual, policy: None }
    }
}

/// A profile, and the files that it is looked for in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Profile {
    /// Its name; `None` is the one that `AWS_PROFILE` names, or `default`.
    pub name: Option<String>,
    /// The config file; `None` is `AWS_CONFIG_FILE`, or `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// The credentials file; `None` is `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
}

impl Profile {
    /// The profile of this name in the usual files.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }
}

impl Base {
    /// Whether it is a role's session for certain, so that roles are chained from it.
    pub(crate) fn is_role(&self) -> bool {
        match self {
            Self::WebIdentity(_)
            | Self::AmbientWebIdentity
            | Self::Container
            | Self::Instance
            | Self::RolesAnywhere(_) => true,
            // Of these it is not known before AWS says it.
            Self::Anonymous | Self::Keys(_) | Self::Environment | Self::DefaultChain | Self::Profile(_) => false,
        }
    }

    /// What AWS would refuse about it.
    pub(crate) fn flaws(&self, region: &str) -> Vec<Flaw> {
        match self {
            Self::WebIdentity(web) => web.flaws(region),
            Self::RolesAnywhere(anywhere) => {
                let mut flaws = anywhere.flaws();
                // The ARNs agree among themselves; whether with the buckets' region is seen at one of them.
                if let Some(rule) = partition_rule(&anywhere.role_arn, region).filter(|_| flaws.is_empty()) {
                    flaws.push(Flaw { field: "role ARN", value: anywhere.role_arn.clone(), rule });
                }
                flaws
            }
            Self::Anonymous
            | Self::Keys(_)
            | Self::Environment
            | Self::DefaultChain
            | Self::AmbientWebIdentity
            | Self::Container
            | Self::Instance
            | Self::Profile(_) => Vec::new(),
        }
    }
}

const SESSION_NAME: &str = "must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -";

impl WebIdentity {
    fn flaws(&self, region: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |field, value: &str, rule: String| flaws.push(Flaw { field, value: value.to_owned(), rule });
        if let Some(rule) = role_arn_rule(&self.role_arn).or_else(|| partition_rule(&self.role_arn, region)) {
            flaw("role ARN", &self.role_arn, rule);
        }
        if !is_word(&self.session_name, 2..=64, "+=,.@-") {
            flaw("session name", &self.session_name, SESSION_NAME.into());
        }
        if let Some(duration) = self.duration.asked().filter(|duration| !(SHORTEST..=LONGEST).contains(duration)) {
            flaw("session duration", &duration.as_secs().to_string(), "must be 900 to 43200 seconds".into());
        }
        if let Some((value, rule)) = self.policy.as_deref().and_then(policy_rule) {
            flaw("session policy of", &value, rule);
        }
        flaws
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("nobody"),
            Self::Keys(keys) => write!(f, "access key {}", keys.access_key_id),
            Self::Environment => f.write_str("the keys in the environment"),
            Self::DefaultChain => f.write_str("the default chain"),
            Self::WebIdentity(web) => write!(f, "web identity of role {}", web.role_arn),
            Self::AmbientWebIdentity => f.write_str("the web identity that the environment names"),
            Self::Container => f.write_str("the container's credentials endpoint"),
            Self::Instance => f.write_str("the instance's role"),
            Self::RolesAnywhere(anywhere) => anywhere.fmt(f),
            Self::Profile(Profile { name: Some(name), .. }) => write!(f, "profile {name}"),
            Self::Profile(Profile { name: None, .. }) => f.write_str("the default profile"),
        }
    }
}
