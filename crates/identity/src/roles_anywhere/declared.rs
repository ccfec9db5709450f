use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use iam::{Arn, Partition};
use world::Secret;

use crate::Flaw;

/// A session by certificate: what the user declares. The fields are those of `rolesanywhere:CreateSession`, and where the
/// certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RolesAnywhere {
    /// The certificate; intermediates may stand behind it, and in PKCS#12 the key beside it.
    pub certificate: Material,
    /// Its key; `None` if it is with the certificate.
    pub private_key: Option<Material>,
    /// What opens the key or the PKCS#12 file.
    pub key_password: Option<Password>,
    /// Further intermediates, for a certificate that the trust anchor's authority has not issued itself.
    pub chain: Option<Material>,
    /// `arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID`.
    pub trust_anchor_arn: String,
    /// `arn:aws:rolesanywhere:REGION:ACCOUNT:profile/ID`.
    pub profile_arn: String,
    /// `arn:aws:iam::ACCOUNT:role/NAME`.
    pub role_arn: String,
    /// The region, where it is said beside the ARNs; it must be theirs.
    pub region: Option<String>,
    /// The session's name; `None` is the certificate's serial number. A profile must allow it.
    pub session_name: Option<String>,
    /// How long the session shall live; `None` is what the profile says.
    pub duration: Option<Duration>,
    /// A URL in place of the region's own endpoint.
    pub endpoint: Option<String>,
}

/// Where a certificate or key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A file, read anew for every exchange.
    File(PathBuf),
    /// The PEM text itself.
    Text(Secret),
}

/// A password, which enters no hasher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password(pub Secret);

// Equal texts hash alike; a secret is fed to no hasher.
impl Hash for Material {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::File(path) => path.hash(state),
            Self::Text(_) => {}
        }
    }
}

impl Hash for Password {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Material {
    /// How messages call it: `private key file /etc/worker.key`.
    pub(super) fn place(&self, what: &str) -> String {
        match self {
            Self::File(path) => format!("{what} file {}", path.display()),
            Self::Text(_) => format!("the {what} text"),
        }
    }
}

/// What CreateSession takes (Roles Anywhere API reference, `durationSeconds`).
const DURATIONS: std::ops::RangeInclusive<Duration> = Duration::from_mins(15)..=Duration::from_hours(12);

impl RolesAnywhere {
    /// Everything that AWS would refuse about it whatever the certificate is. Opens no file.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |field, value: &str, rule: String| flaws.push(Flaw { field, value: value.to_owned(), rule });
        let mut read = |field, text: &str, service: &str, prefix: &str| {
            let shape =
                if service == "iam" { "arn:aws:iam::ACCOUNT:" } else { "arn:aws:rolesanywhere:REGION:ACCOUNT:" };
            let rule = match text.parse::<Arn>() {
                Ok(arn) => {
                    let named = arn.resource().strip_prefix(prefix).is_some_and(|name| !name.is_empty());
                    let placed = arn.account().is_some() && arn.region().is_empty() == (service == "iam");
                    if arn.service() == service && named && placed {
                        return Some(arn);
                    }
                    format!("must have the form {shape}{prefix}NAME")
                }
                Err(error) => format!("must have the form {shape}{prefix}NAME, but {error}"),
            };
            flaw(field, text, rule);
            None
        };
        let anchor = read("trust anchor ARN", &self.trust_anchor_arn, "rolesanywhere", "trust-anchor/");
        let profile = read("profile ARN", &self.profile_arn, "rolesanywhere", "profile/");
        let role = read("role ARN", &self.role_arn, "iam", "role/");

        if let Some(anchor) = &anchor {
            let region = anchor.region();
            if let Some(profile) = profile.as_ref().filter(|profile| profile.region() != region) {
                flaw("profile ARN", profile.as_str(), format!("must be in {region}, where the trust anchor is"));
            }
            if let Some(own) = self.region.as_deref().filter(|own| *own != region) {
                flaw("region", own, format!("must be {region}, where the trust anchor is"));
            }
            for (field, other) in [("profile ARN", &profile), ("role ARN", &role)] {
                let Some(other) = other else { continue };
                if other.account() != anchor.account() {
                    let account = anchor.account().map(|account| account.to_string()).unwrap_or_default();
                    flaw(field, other.as_str(), format!("must be of account {account}, as the trust anchor is"));
                } else if other.partition() != anchor.partition() {
                    let partition = anchor.partition().name();
                    flaw(field, other.as_str(), format!("must be of partition {partition}, as the trust anchor is"));
                }
            }
        }
        if let Some(name) = &self.session_name {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            if !(2..=64).contains(&name.len()) || !name.chars().all(allowed) {
                flaw("session name", name, "must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -".into());
            }
        }
        if let Some(duration) = self.duration.filter(|duration| !DURATIONS.contains(duration)) {
            flaw("session duration", &duration.as_secs().to_string(), "must be 900 to 43200 seconds".into());
        }
        flaws
    }

    /// The region, from the trust anchor's ARN: what else names one must agree.
    pub fn region(&self) -> String {
        let anchor = self.trust_anchor_arn.parse::<Arn>();
        anchor.map(|arn| arn.region().to_owned()).unwrap_or_default()
    }

    /// Who is asked: the endpoint that was declared, or the region's own.
    pub fn endpoint(&self) -> String {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.trim_end_matches('/').to_owned();
        }
        let partition = self.trust_anchor_arn.parse::<Arn>().map_or(Partition::Aws, |arn| arn.partition());
        // The suffixes of AWS's own endpoint rules.
        let domain = match partition {
            Partition::Aws | Partition::GovCloud => "amazonaws.com",
            Partition::China => "amazonaws.com.cn",
            Partition::EuropeanSovereign => "amazonaws.eu",
            Partition::Iso => "c2s.ic.gov",
            Partition::IsoB => "sc2s.sgov.gov",
            Partition::IsoE => "cloud.adc-e.uk",
            Partition::IsoF => "csp.hci.ic.gov",
        };
        format!("https://rolesanywhere.{}.{domain}", self.region())
    }
}

impl fmt::Display for RolesAnywhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role {} by certificate", self.role_arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> RolesAnywhere {
        RolesAnywhere {
            certificate: Material::File("worker.pem".into()),
            private_key: None,
            key_password: None,
            chain: None,
            trust_anchor_arn: "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/a".into(),
            profile_arn: "arn:aws:rolesanywhere:eu-central-1:111111111111:profile/p".into(),
            role_arn: "arn:aws:iam::111111111111:role/orders".into(),
            region: None,
            session_name: None,
            duration: None,
            endpoint: None,
        }
    }

    #[test]
    fn regions_and_accounts_of_the_arns_must_agree() {
        assert_eq!(declared().flaws(), []);
        for (change, expected) in [
            (
                RolesAnywhere {
                    profile_arn: "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/p".into(),
                    ..declared()
                },
                "must be in eu-central-1, where the trust anchor is",
            ),
            (
                RolesAnywhere {
                    profile_arn: "arn:aws:rolesanywhere:eu-central-1:222222222222:profile/p".into(),
                    ..declared()
                },
                "must be of account 111111111111, as the trust anchor is",
            ),
            (
                RolesAnywhere { role_arn: "arn:aws:iam::222222222222:role/orders".into(), ..declared() },
                "must be of account 111111111111, as the trust anchor is",
            ),
            (
                RolesAnywhere { role_arn: "arn:aws-cn:iam::111111111111:role/orders".into(), ..declared() },
                "must be of partition aws, as the trust anchor is",
            ),
            (RolesAnywhere { region: Some("eu-west-1".into()), ..declared() }, "\"eu-west-1\" must be eu-central-1"),
            (RolesAnywhere { duration: Some(Duration::from_mins(14)), ..declared() }, "900 to 43200"),
            (RolesAnywhere { session_name: Some("a b".into()), ..declared() }, "2 to 64 characters"),
            (
                RolesAnywhere { trust_anchor_arn: declared().profile_arn, ..declared() },
                "must have the form arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/NAME",
            ),
            (RolesAnywhere { role_arn: "orders".into(), ..declared() }, "arn:aws:iam::ACCOUNT:role/NAME, but "),
        ] {
            let flaws = change.flaws();
            assert_eq!(flaws.len(), 1, "{flaws:?}");
            assert!(flaws[0].to_string().contains(expected), "{}", flaws[0]);
        }
    }

    #[test]
    fn the_endpoint_follows_the_region_and_its_partition() {
        assert_eq!(declared().endpoint(), "https://rolesanywhere.eu-central-1.amazonaws.com");
        let china = "arn:aws-cn:rolesanywhere:cn-north-1:111111111111:trust-anchor/a";
        let china = RolesAnywhere { trust_anchor_arn: china.into(), ..declared() };
        assert_eq!(china.endpoint(), "https://rolesanywhere.cn-north-1.amazonaws.com.cn");
        let own = RolesAnywhere { endpoint: Some("http://127.0.0.1:4566/".into()), ..declared() };
        assert_eq!(own.endpoint(), "http://127.0.0.1:4566");
    }

    #[test]
    fn debug_shows_neither_key_nor_password() {
        let secret = RolesAnywhere {
            private_key: Some(Material::Text(Secret::new("-----BEGIN hunter2"))),
            key_password: Some(Password(Secret::new("hunter2"))),
            ..declared()
        };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
