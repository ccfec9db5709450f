use std::path::Path;
use std::time::{Duration, SystemTime};

use iam::{AccountId, Arn, PolicyKind};

use super::base::Base;
use super::certificates::{Authority, Leaf, Validity, other_key, sealed};
use super::fault::ScenarioFault;
use super::reader::Reader;
use crate::aws::{Aws, AwsError};

const AUTHORITY: &str = "Scenario Root";

/// The files in the scenario's directory.
const FILES: [&str; 3] = ["certificate.pem", "private-key.pem", "intermediates.pem"];

/// A certificate on the machine, and what its account has made of it in Roles Anywhere.
#[derive(Debug)]
pub(super) struct AnywhereScript {
    account: Option<AccountId>,
    role: String,
    subject: String,
    certificate: Certificate,
    anchor: Anchor,
    profile: Profile,
}

#[derive(Debug)]
struct Anchor {
    region: String,
    enabled: bool,
    /// Whether the authority's certificate, as it was registered, has run out. The authority itself has a newer one.
    expired: bool,
}

#[derive(Debug)]
struct Profile {
    region: String,
    enabled: bool,
    roles: Option<Vec<String>>,
    accepts_session_name: bool,
    seconds: Option<u64>,
    session_policy: Option<String>,
}

/// What may be wrong with a certificate, its chain or its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certificate {
    Good,
    Expired,
    NotYetValid,
    /// It says that it is an authority's.
    Authority,
    NoDigitalSignature,
    /// The private key is another's.
    OtherKey,
    /// Issued by an authority that the anchor does not hold.
    OtherAuthority,
    /// Issued by an intermediate, which is not sent.
    NoIntermediate,
    /// The key's file is under a password that the connection does not say.
    EncryptedKey,
    /// The certificate's file is cut off.
    Damaged,
    /// Its authority has taken it back.
    Revoked,
}

const CERTIFICATES: [(&str, Certificate); 11] = [
    ("good", Certificate::Good),
    ("expired", Certificate::Expired),
    ("not-yet-valid", Certificate::NotYetValid),
    ("authority", Certificate::Authority),
    ("no-digital-signature", Certificate::NoDigitalSignature),
    ("other-key", Certificate::OtherKey),
    ("other-authority", Certificate::OtherAuthority),
    ("no-intermediate", Certificate::NoIntermediate),
    ("encrypted-key", Certificate::EncryptedKey),
    ("damaged", Certificate::Damaged),
    ("revoked", Certificate::Revoked),
];

pub(super) fn read(scenario: &mut Reader<'_>) -> Option<AnywhereScript> {
    let mut anywhere = scenario.child("roles_anywhere")?;
    anywhere.only(&["account", "certificate", "profile", "region", "role", "subject", "trust_anchor"]);
    anywhere.required("account");
    let account = anywhere.parsed("account");
    let role = anywhere.required("role").unwrap_or_default().to_owned();
    let region = anywhere.text("region").unwrap_or("us-east-1").to_owned();
    let subject = anywhere.text("subject").unwrap_or("tidegate").to_owned();
    let certificate = anywhere.word("certificate", &CERTIFICATES).unwrap_or(Certificate::Good);
    let mut anchor = Anchor { region: region.clone(), enabled: true, expired: false };
    if let Some(mut said) = anywhere.child("trust_anchor") {
        said.only(&["enabled", "expired", "region"]);
        said.text("region").unwrap_or(&region).clone_into(&mut anchor.region);
        anchor.enabled = said.flag("enabled").unwrap_or(true);
        anchor.expired = said.flag("expired").unwrap_or(false);
    }
    let mut profile = Profile {
        region: region.clone(),
        enabled: true,
        roles: None,
        accepts_session_name: false,
        seconds: None,
        session_policy: None,
    };
    if let Some(mut said) = anywhere.child("profile") {
        said.only(&["accept_session_name", "enabled", "region", "roles", "seconds", "session_policy"]);
        said.text("region").unwrap_or(&region).clone_into(&mut profile.region);
        profile.enabled = said.flag("enabled").unwrap_or(true);
        profile.roles = said.has("roles").then(|| said.texts("roles").into_iter().map(str::to_owned).collect());
        profile.accepts_session_name = said.flag("accept_session_name").unwrap_or(false);
        profile.seconds = said.number("seconds");
        profile.session_policy = said.policy("session_policy", PolicyKind::Session);
    }
    Some(AnywhereScript { account, role, subject, certificate, anchor, profile })
}

impl AnywhereScript {
    pub(super) fn play(
        &self,
        aws: &Aws,
        dir: &Path,
        now: SystemTime,
        faults: &mut Vec<ScenarioFault>,
    ) -> Result<Option<Base>, AwsError> {
        let Some(account) = self.account else { return Ok(None) };
        let mut role_arn = |name: &str, key: &str| {
            let arn = aws.role_arn(account, name);
            if arn.is_none() {
                faults.push(ScenarioFault::new(key, format!("is no role: {account}/{name}")));
            }
            arn
        };
        let Some(role) = role_arn(&self.role, "roles_anywhere.role") else { return Ok(None) };
        let listed: Option<Vec<Arn>> = match &self.profile.roles {
            None => Some(vec![role.clone()]),
            Some(roles) => roles.iter().map(|name| role_arn(name, "roles_anywhere.profile.roles")).collect(),
        };
        let Some(listed) = listed else { return Ok(None) };

        let papers = self
            .papers(now)
            .map_err(|error| AwsError::Unmade { what: "a certificate".to_owned(), reason: error.to_string() })?;
        let place = aws.account(account);
        let mut anchor = place.trust_anchor(&papers.registered).region(&self.anchor.region);
        if let Some(list) = &papers.revocations {
            anchor = anchor.revocations(list);
        }
        if !self.anchor.enabled {
            anchor = anchor.disabled();
        }
        let anchor = anchor.create()?;
        let roles: Vec<&Arn> = listed.iter().collect();
        let mut profile = place.anywhere_profile(&roles).region(&self.profile.region);
        if self.profile.accepts_session_name {
            profile = profile.accept_session_name();
        }
        if let Some(seconds) = self.profile.seconds {
            profile = profile.duration(Duration::from_secs(seconds));
        }
        if let Some(policy) = &self.profile.session_policy {
            profile = profile.session_policy(policy);
        }
        if !self.profile.enabled {
            profile = profile.disabled();
        }
        let profile = profile.create()?;

        let path = |file: &str| dir.join(file).display().to_string();
        let mut base = Base::of("roles-anywhere");
        base.keys = vec![
            ("trust_anchor_arn", anchor.to_string()),
            ("profile_arn", profile.to_string()),
            ("role_arn", role.to_string()),
            ("certificate", path(FILES[0])),
            ("private_key", path(FILES[1])),
        ];
        base.files = vec![(FILES[0], papers.certificate), (FILES[1], papers.key)];
        if let Some(intermediates) = papers.intermediates {
            base.keys.push(("intermediates", path(FILES[2])));
            base.files.push((FILES[2], intermediates));
        }
        Ok(Some(base))
    }

    fn papers(&self, now: SystemTime) -> Result<Papers, Box<dyn std::error::Error>> {
        let root = Authority::root(AUTHORITY, Validity::Now, now)?;
        let middle = root.intermediate("Scenario Issuing", now)?;
        let validity = match self.certificate {
            Certificate::Expired => Validity::Past,
            Certificate::NotYetValid => Validity::Future,
            _ => Validity::Now,
        };
        let leaf = Leaf {
            common_name: &self.subject,
            validity,
            is_authority: self.certificate == Certificate::Authority,
            may_sign: self.certificate != Certificate::NoDigitalSignature,
            server: None,
        };
        // The other authority has the same name: it is told apart by its key alone.
        let other = Authority::root(AUTHORITY, Validity::Now, now)?;
        let (issuer, intermediates) = match self.certificate {
            Certificate::OtherAuthority => (&other, None),
            Certificate::NoIntermediate => (&middle, None),
            Certificate::Revoked => (&root, None),
            _ => (&middle, Some(middle.pem.clone())),
        };
        let paper = issuer.issue(&leaf, now)?;
        let revocations = match self.certificate {
            Certificate::Revoked => Some(issuer.revoke(&paper, now)?),
            _ => None,
        };
        let key = match self.certificate {
            Certificate::OtherKey => other_key()?,
            Certificate::EncryptedKey => sealed(&paper)?,
            _ => paper.key.clone(),
        };
        let certificate = match self.certificate {
            Certificate::Damaged => paper.certificate[..paper.certificate.len() / 2].to_owned(),
            _ => paper.certificate.clone(),
        };
        let registered =
            if self.anchor.expired { root.dated(AUTHORITY, Validity::Past, now)? } else { root.pem.clone() };
        Ok(Papers { certificate, key, intermediates, registered, revocations })
    }
}

/// What is in files, and what the trust anchor holds.
struct Papers {
    certificate: String,
    key: String,
    intermediates: Option<String>,
    registered: String,
    revocations: Option<String>,
}
