use std::collections::BTreeMap;
use std::sync::RwLock;
use std::time::Duration;

use iam::Arn;

/// The trust anchors and profiles of all accounts, by ARN.
#[derive(Debug, Default)]
pub(in crate::aws) struct Registry(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    anchors: BTreeMap<String, TrustAnchor>,
    profiles: BTreeMap<String, Profile>,
}

/// Whose certificates are taken.
#[derive(Debug, Clone)]
pub(super) struct TrustAnchor {
    pub(super) arn: Arn,
    /// DER.
    pub(super) authorities: Vec<Vec<u8>>,
    /// Revocation lists, DER.
    pub(super) revocations: Vec<Vec<u8>>,
    pub(super) enabled: bool,
}

/// What may be had for a certificate.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) arn: Arn,
    pub(super) roles: Vec<String>,
    pub(super) duration: Duration,
    pub(super) accepts_session_name: bool,
    pub(super) session_policy: Option<String>,
    pub(super) enabled: bool,
}

impl Registry {
    pub(super) fn anchor(&self, arn: &str) -> Option<TrustAnchor> {
        self.0.read().expect("no thread panics while it holds this lock").anchors.get(arn).cloned()
    }

    pub(super) fn profile(&self, arn: &str) -> Option<Profile> {
        self.0.read().expect("no thread panics while it holds this lock").profiles.get(arn).cloned()
    }

    pub(super) fn put_anchor(&self, anchor: TrustAnchor) {
        let mut held = self.0.write().expect("no thread panics while it holds this lock");
        held.anchors.insert(anchor.arn.to_string(), anchor);
    }

    pub(super) fn put_profile(&self, profile: Profile) {
        let mut held = self.0.write().expect("no thread panics while it holds this lock");
        held.profiles.insert(profile.arn.to_string(), profile);
    }
}
