use std::collections::BTreeMap;

use super::reader::Reader;

/// The services that the network may keep away, as the `endpoints` of a connection call them; and instance metadata.
pub(super) const SERVICES: [&str; 5] = ["s3", "sts", "kms", "rolesanywhere", "imds"];

/// What is met on the way to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Nobody listens.
    Refused,
    /// A connection comes about, and nothing is ever answered.
    Silent,
    /// No connection comes about.
    Unroutable,
    /// A connection breaks once something is asked.
    Reset,
    /// The name is nobody's.
    UnknownHost,
    /// AWS behind TLS, by the scenario's own authority.
    Tls,
    /// The same with a certificate that vouches for itself.
    SelfSignedTls,
    /// The same with a certificate for another name.
    OtherNameTls,
    /// The same with a certificate whose time is over.
    ExpiredTls,
    /// Another object store, which knows nothing of what is asked.
    Foreign,
    /// A proxy that answers itself, with a page for people.
    ProxyHtml,
}

const OBSTACLES: [(&str, Obstacle); 11] = [
    ("refused", Obstacle::Refused),
    ("silent", Obstacle::Silent),
    ("unroutable", Obstacle::Unroutable),
    ("reset", Obstacle::Reset),
    ("unknown-host", Obstacle::UnknownHost),
    ("tls", Obstacle::Tls),
    ("self-signed-tls", Obstacle::SelfSignedTls),
    ("other-name-tls", Obstacle::OtherNameTls),
    ("expired-tls", Obstacle::ExpiredTls),
    ("foreign", Obstacle::Foreign),
    ("proxy-html", Obstacle::ProxyHtml),
];

/// Whether requests count as encrypted: AWS's own endpoints are, and a scenario's stand for them.
pub(super) fn is_secure(scenario: &mut Reader<'_>) -> bool {
    scenario.child("network").and_then(|mut network| network.flag("secure")).unwrap_or(true)
}

/// What the network is like, by service.
pub(super) fn read(scenario: &mut Reader<'_>) -> BTreeMap<&'static str, Obstacle> {
    let Some(mut network) = scenario.child("network") else { return BTreeMap::new() };
    network.only(&["imds", "kms", "rolesanywhere", "s3", "secure", "sts"]);
    network.flag("secure");
    SERVICES.into_iter().filter_map(|service| Some((service, network.word(service, &OBSTACLES)?))).collect()
}
