use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use iam::{AccountId, Arn, PolicyKind};
use sha2::{Digest, Sha256};

use super::registry::{Profile, TrustAnchor};
use super::x509;
use crate::aws::Account;
use crate::aws::account::parse;
use crate::aws::error::AwsError;

/// The largest bundle that a trust anchor takes (Roles Anywhere API reference).
const MAX_BUNDLE: usize = 204_800;

/// How long sessions live unless the profile says otherwise, and the bounds of that (API reference, `durationSeconds`).
const DURATION: Duration = Duration::from_hours(1);
const SHORTEST: Duration = Duration::from_mins(15);
const LONGEST: Duration = Duration::from_hours(12);

/// The region of what is made without saying where.
const REGION: &str = "us-east-1";

impl Account {
    /// Begins a Roles Anywhere trust anchor that holds these authorities (PEM).
    pub fn trust_anchor(&self, authorities: &str) -> TrustAnchorBuilder {
        TrustAnchorBuilder {
            account: self.clone(),
            region: REGION.to_owned(),
            authorities: authorities.to_owned(),
            revocations: String::new(),
            enabled: true,
        }
    }

    /// Begins a Roles Anywhere profile through which these roles may be had.
    pub fn anywhere_profile(&self, roles: &[&Arn]) -> ProfileBuilder {
        ProfileBuilder {
            account: self.clone(),
            region: REGION.to_owned(),
            roles: roles.iter().map(ToString::to_string).collect(),
            duration: DURATION,
            accepts_session_name: false,
            session_policy: None,
            enabled: true,
        }
    }
}

/// A trust anchor to be made.
#[derive(Debug, Clone)]
pub struct TrustAnchorBuilder {
    account: Account,
    region: String,
    authorities: String,
    revocations: String,
    enabled: bool,
}

impl TrustAnchorBuilder {
    /// Puts it into a region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Imports revocation lists (PEM).
    #[must_use]
    pub fn revocations(mut self, lists: &str) -> Self {
        self.revocations.push_str(lists);
        self
    }

    /// Makes it switched off.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Makes it. Each of its certificates must be an authority's.
    pub fn create(self) -> Result<Arn, AwsError> {
        let what = "trust anchor".to_owned();
        let refuse = || AwsError::Name { what: what.clone() };
        let authorities = sections(&self.authorities, "CERTIFICATE");
        if authorities.is_empty()
            || self.authorities.len() > MAX_BUNDLE
            || !authorities.iter().all(|der| x509::is_authority(der))
        {
            return Err(refuse());
        }
        let what_it_is = format!("{} {} {}", self.authorities, self.revocations, self.enabled);
        let arn = arn(&self.region, self.account.id(), "trust-anchor", &what_it_is).ok_or_else(refuse)?;
        let revocations = sections(&self.revocations, "X509 CRL");
        let anchor = TrustAnchor { arn: arn.clone(), authorities, revocations, enabled: self.enabled };
        self.account.shared.ambient.anywhere.put_anchor(anchor);
        Ok(arn)
    }
}

/// A profile to be made.
#[derive(Debug, Clone)]
pub struct ProfileBuilder {
    account: Account,
    region: String,
    roles: Vec<String>,
    duration: Duration,
    accepts_session_name: bool,
    session_policy: Option<String>,
    enabled: bool,
}

impl ProfileBuilder {
    /// Puts it into a region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// How long its sessions live at most: 15 minutes to 12 hours.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration.clamp(SHORTEST, LONGEST);
        self
    }

    /// Lets a caller name his session.
    #[must_use]
    pub fn accept_session_name(mut self) -> Self {
        self.accepts_session_name = true;
        self
    }

    /// Cuts its sessions down to a policy (JSON).
    #[must_use]
    pub fn session_policy(mut self, json: &str) -> Self {
        self.session_policy = Some(json.to_owned());
        self
    }

    /// Makes it switched off.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Makes it.
    pub fn create(self) -> Result<Arn, AwsError> {
        let what = "profile";
        if let Some(policy) = &self.session_policy {
            parse(PolicyKind::Session, what, policy)?;
        }
        let Self { account, region, roles, duration, accepts_session_name, session_policy, enabled } = self;
        let what_it_is = format!("{roles:?} {duration:?} {accepts_session_name} {session_policy:?} {enabled}");
        let arn = arn(&region, account.id(), "profile", &what_it_is);
        let arn = arn.ok_or_else(|| AwsError::Name { what: what.into() })?;
        let profile = Profile { arn: arn.clone(), roles, duration, accepts_session_name, session_policy, enabled };
        account.shared.ambient.anywhere.put_profile(profile);
        Ok(arn)
    }
}

/// Its id follows from what it is, so that an AWS that is started anew and set up alike names it alike.
fn arn(region: &str, account: AccountId, kind: &str, what: &str) -> Option<Arn> {
    let digest: [u8; 32] = Sha256::digest(format!("{region} {account} {kind} {what}")).into();
    let id = uuid::Builder::from_random_bytes(digest[..16].try_into().ok()?).into_uuid();
    format!("arn:{}:rolesanywhere:{region}:{account}:{kind}/{id}", iam::Partition::of_region(region).name())
        .parse()
        .ok()
}

/// The sections of a PEM text that bear this label; none where one of them is damaged.
fn sections(pem: &str, label: &str) -> Vec<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let bodies = pem.split(&*begin).skip(1).map(|rest| rest.split_once(&*end).map(|(body, _)| body));
    let decode = |body: Option<&str>| STANDARD.decode(body?.split_whitespace().collect::<String>()).ok();
    bodies.map(decode).collect::<Option<_>>().unwrap_or_default()
}
