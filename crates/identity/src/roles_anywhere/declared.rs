use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use iam::{Arn, Partition};
use world::Secret;

use crate::Flaw;
use crate::region::domain_of;

/// A certificate, and what IAM Roles Anywhere shall give for it (`CreateSession`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolesAnywhere {
    /// The trust anchor, which holds the authority that issued the certificate:
    /// `arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID`.
    pub trust_anchor_arn: String,
    /// The profile, which lists the roles that may be had: `arn:aws:rolesanywhere:REGION:ACCOUNT:profile/ID`.
    pub profile_arn: String,
    /// The role: `arn:aws:iam::ACCOUNT:role/NAME`.
    pub role_arn: String,
    /// The certificate: PEM (intermediates, and even the key, may stand in it too), DER, or PKCS#12.
    pub certificate: PathBuf,
    /// Its key: PEM or DER, PKCS#1, SEC1 or PKCS#8, also encrypted. `None` if it is in the certificate's file.
    pub private_key: Option<PathBuf>,
    /// Authorities between the certificate and the anchor, if they are in a file of their own.
    pub intermediates: Option<PathBuf>,
    /// What the key or the PKCS#12 file is encrypted with.
    pub passphrase: Option<Secret>,
    /// Where the service is asked: the region of the trust anchor and the profile.
    pub region: String,
    /// An URL in place of AWS's own.
    pub endpoint: Option<String>,
    /// The session's name, which a profile must accept; `None` is the certificate's serial number.
    pub session_name: Option<String>,
    /// How long the session shall live; `None` leaves it to the profile.
    pub duration: Option<Duration>,
    /// Whether AWS's own endpoint is the one with FIPS 140 cryptography.
    pub fips: bool,
    /// Whether AWS's own endpoint is the one that has IPv6 too.
    pub dual_stack: bool,
}

// Without the passphrase: no secret is fed to a hasher, and what is equal has equal hashes all the same.
impl Hash for RolesAnywhere {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { trust_anchor_arn, profile_arn, role_arn, certificate, private_key, session_name, .. } = self;
        (trust_anchor_arn, profile_arn, role_arn, certificate, private_key, session_name).hash(state);
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
            if self.region != region {
                flaw("region", &self.region, format!("must be {region}, where the trust anchor is"));
            }
        }
        // Where the first of the three that can be read is, the others must be too.
        let mut read = [("trust anchor", &anchor), ("profile", &profile), ("role", &role)]
            .into_iter()
            .filter_map(|(what, arn)| Some((what, arn.as_ref()?)));
        if let Some((first, there)) = read.next() {
            for (what, other) in read {
                let field = if what == "profile" { "profile ARN" } else { "role ARN" };
                if other.account() != there.account() {
                    let account = there.account().map(|account| account.to_string()).unwrap_or_default();
                    flaw(field, other.as_str(), format!("must be of account {account}, as the {first} is"));
                }
                if other.partition() != there.partition() {
                    let partition = there.partition().name();
                    flaw(field, other.as_str(), format!("must be of partition {partition}, as the {first} is"));
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

    /// Who is asked: the endpoint that was declared, or the region's own.
    pub fn endpoint(&self) -> String {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.trim_end_matches('/').to_owned();
        }
        let partition = self.trust_anchor_arn.parse::<Arn>().map_or(Partition::Aws, |arn| arn.partition());
        // Dual stack has domains of its own (AWS's own endpoint rules).
        let domain = match (partition, self.dual_stack) {
            (Partition::China, true) => "api.amazonwebservices.com.cn",
            (_, true) => "api.aws",
            (partition, false) => domain_of(partition),
        };
        let fips = if self.fips { "-fips" } else { "" };
        format!("https://rolesanywhere{fips}.{}.{domain}", self.region)
    }
}

impl fmt::Display for RolesAnywhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} as role {}", self.certificate.display(), self.role_arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> RolesAnywhere {
        RolesAnywhere {
            certificate: "worker.pem".into(),
            private_key: None,
            intermediates: None,
            passphrase: None,
            trust_anchor_arn: "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/a".into(),
            profile_arn: "arn:aws:rolesanywhere:eu-central-1:111111111111:profile/p".into(),
            role_arn: "arn:aws:iam::111111111111:role/orders".into(),
            region: "eu-central-1".into(),
            endpoint: None,
            session_name: None,
            duration: None,
            fips: false,
            dual_stack: false,
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
            (RolesAnywhere { region: "eu-west-1".into(), ..declared() }, "\"eu-west-1\" must be eu-central-1"),
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
    fn what_is_wrong_with_one_arn_hides_nothing_about_the_others() {
        let cn = || "arn:aws-cn:rolesanywhere:eu-central-1:222222222222:profile/p".to_owned();
        let said = |declared: RolesAnywhere| {
            let flaws = declared.flaws();
            flaws.iter().map(|flaw| format!("{} {}", flaw.field, flaw.rule)).collect::<Vec<_>>()
        };
        let both = said(RolesAnywhere { profile_arn: cn(), role_arn: "orders".into(), ..declared() });
        assert!(both[0].starts_with("role ARN must have the form"), "{both:?}");
        let rest = [
            "profile ARN must be of account 111111111111, as the trust anchor is",
            "profile ARN must be of partition aws, as the trust anchor is",
        ];
        assert_eq!(both[1..], rest);
        let unread = said(RolesAnywhere { trust_anchor_arn: "anchor".into(), profile_arn: cn(), ..declared() });
        assert!(unread.contains(&"role ARN must be of partition aws-cn, as the profile is".to_owned()), "{unread:?}");
    }

    #[test]
    fn the_endpoint_follows_the_region_and_its_partition() {
        assert_eq!(declared().endpoint(), "https://rolesanywhere.eu-central-1.amazonaws.com");
        let china = "arn:aws-cn:rolesanywhere:cn-north-1:111111111111:trust-anchor/a";
        let china = RolesAnywhere { trust_anchor_arn: china.into(), region: "cn-north-1".into(), ..declared() };
        assert_eq!(china.endpoint(), "https://rolesanywhere.cn-north-1.amazonaws.com.cn");
        let both = RolesAnywhere { fips: true, dual_stack: true, ..declared() };
        assert_eq!(both.endpoint(), "https://rolesanywhere-fips.eu-central-1.api.aws");
        let own = RolesAnywhere { endpoint: Some("http://127.0.0.1:4566/".into()), ..declared() };
        assert_eq!(own.endpoint(), "http://127.0.0.1:4566");
    }

    #[test]
    fn debug_shows_no_passphrase() {
        let secret = RolesAnywhere { passphrase: Some(Secret::new("hunter2")), ..declared() };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
