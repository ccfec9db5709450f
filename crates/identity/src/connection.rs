use std::fmt;
use std::path::PathBuf;

use crate::roles_anywhere::RolesAnywhere;
use crate::{AssumeRole, Flaw, StaticKeys};

/// How to reach one AWS account: who we are at first, and which roles we take on from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Who we are before any role.
    pub base: Base,
    /// The roles taken on, in order; each is asked for with the session of the one before.
    pub hops: Vec<AssumeRole>,
    /// Where STS is asked.
    pub sts: StsEndpoint,
}

/// Who we are before any role is taken on. Explicit: [`Base::DefaultChain`] is a kind that one must name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Base {
    /// Keys that a user wrote down.
    Keys(StaticKeys),
    /// The first that is configured of: environment, profile, web identity, container, instance; as the AWS SDKs do.
    DefaultChain,
    /// A token file that STS exchanges for a role's session (EKS service accounts, OIDC).
    WebIdentity(WebIdentity),
    /// The container's credentials endpoint (ECS, EKS Pod Identity).
    Container,
    /// The instance's role, by IMDSv2.
    Instance,
    /// A certificate that IAM Roles Anywhere exchanges for a role's session.
    RolesAnywhere(RolesAnywhere),
    /// A profile of the shared config and credentials files; `None` is the one that `AWS_PROFILE` names.
    Profile(Option<String>),
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => write!(f, "access key {}", keys.access_key_id),
            Self::DefaultChain => f.write_str("the default chain"),
            Self::WebIdentity(web) => write!(f, "web identity of role {}", web.role_arn),
            Self::Container => f.write_str("the container's credentials endpoint"),
            Self::Instance => f.write_str("the instance's role"),
            Self::RolesAnywhere(anywhere) => anywhere.fmt(f),
            Self::Profile(Some(name)) => write!(f, "profile {name}"),
            Self::Profile(None) => f.write_str("the default profile"),
        }
    }
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
}

/// Where STS is asked. A region's own endpoint unless `endpoint` says otherwise: sessions of the global one are not
/// accepted in regions that an account has to opt in to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StsEndpoint {
    /// The region that signs, and whose endpoint is asked.
    pub region: String,
    /// An URL in place of AWS's own.
    pub endpoint: Option<String>,
}

impl Connection {
    /// Everything about it that can be refused before a call is made; empty if there is nothing.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Base::RolesAnywhere(anywhere) = &self.base {
            flaws.extend(anywhere.flaws());
        }
        // A web identity, a certificate and an instance are role sessions themselves, so their first hop is chained already. Of a
        // default chain or a profile it is not known before AWS says it.
        let mut chained =
            matches!(self.base, Base::WebIdentity(_) | Base::RolesAnywhere(_) | Base::Container | Base::Instance);
        for hop in &self.hops {
            flaws.extend(hop.flaws(chained));
            chained = true;
        }
        flaws
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        for hop in &self.hops {
            write!(f, " -> role {}", hop.role_arn)?;
        }
        Ok(())
    }
}
