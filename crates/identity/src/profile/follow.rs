use std::time::Duration;

use world::Secret;

use super::files::{ProfileFiles, Section};
use crate::{AccessKeyId, AssumeRole, Lifetime, StaticKeys, WebIdentity};

/// What a profile comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Who we are before any role.
    pub source: Source,
    /// The roles to take on from there, in order.
    pub hops: Vec<AssumeRole>,
}

/// What stands at the beginning of a chain of profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Keys in the profile.
    Keys(StaticKeys),
    /// `credential_source = Environment`.
    Environment,
    /// `credential_source = Ec2InstanceMetadata`.
    Instance,
    /// `credential_source = EcsContainer`.
    Container,
    /// `web_identity_token_file`.
    WebIdentity(WebIdentity),
    /// `credential_process`: a command that prints credentials.
    Process(String),
}

/// Why a profile comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    /// What is wrong, naming profile and key; no value that may be a secret.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl ProfileProblem {
    fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// How sessions are called where a profile does not say.
const SESSION_NAME: &str = "tidegate";

impl ProfileFiles {
    /// Follows a profile to its end.
    pub fn follow(&self, name: &str) -> Result<Followed, ProfileProblem> {
        let mut hops = Vec::new();
        let mut seen = vec![name];
        let mut at = name;
        let source = loop {
            let section = self.section(at, seen.len().checked_sub(2).map(|before| seen[before]))?;
            // A profile that others begin from and that holds keys is those keys, whatever role it names beside them.
            let is_end =
                section.get("role_arn").is_none() || (at != name && section.get("aws_access_key_id").is_some());
            if is_end {
                break end(at, section)?;
            }
            let role = role(at, section)?;
            if let Some(file) = section.get("web_identity_token_file") {
                let web = WebIdentity::new(role.role_arn.as_str(), file, role.session_name.as_str());
                break Source::WebIdentity(WebIdentity { duration: role.duration, ..web });
            }
            hops.push(role);
            match (section.get("source_profile"), section.get("credential_source")) {
                (Some(_), Some(_)) => {
                    return Err(ProfileProblem::new(
                        format!("profile {at} has both source_profile and credential_source"),
                        "leave one of them out",
                    ));
                }
                (None, None) => {
                    return Err(ProfileProblem::new(
                        format!("profile {at} has a role_arn and nobody to take it on"),
                        "add source_profile, credential_source or web_identity_token_file to it",
                    ));
                }
                (None, Some(source)) => break credential_source(at, source)?,
                // Itself: the keys that stand beside the role.
                (Some(source), None) if source == at => break own_keys(at, section)?,
                (Some(source), None) => {
                    if seen.contains(&source) {
                        return Err(ProfileProblem::new(
                            format!("profile {at} leads back to profile {source}: {} -> {source}", seen.join(" -> ")),
                            "let the last source_profile name one that holds credentials",
                        ));
                    }
                    seen.push(source);
                    at = source;
                }
            }
        };
        hops.reverse();
        Ok(Followed { source, hops })
    }

    fn section(&self, name: &str, asked_by: Option<&str>) -> Result<&Section, ProfileProblem> {
        self.get(name).ok_or_else(|| {
            let by = asked_by.map_or_else(String::new, |by| format!(", which profile {by} names as source_profile"));
            let hint = match fault::suggest(name, self.names()) {
                Some(close) => format!("did you mean {close}?"),
                None if self.names().next().is_none() => {
                    "there is no profile at all: check AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE and HOME".to_owned()
                }
                None => format!("there are {}", self.names().collect::<Vec<_>>().join(", ")),
            };
            ProfileProblem::new(format!("there is no profile {name}{by}"), hint)
        })
    }
}

fn role(name: &str, section: &Section) -> Result<AssumeRole, ProfileProblem> {
    if section.get("mfa_serial").is_some() {
        return Err(ProfileProblem::new(
            format!("profile {name} has an mfa_serial, and nobody is here to type a code"),
            "use a role whose trust policy asks for no MFA",
        ));
    }
    let duration = match section.get("duration_seconds").map(str::parse) {
        None => Lifetime::Usual,
        Some(Ok(seconds)) => Lifetime::Exactly(Duration::from_secs(seconds)),
        Some(Err(_)) => {
            return Err(ProfileProblem::new(
                format!("profile {name} has a duration_seconds that is no number"),
                "write 900 to 43200",
            ));
        }
    };
    let session_name = section.get("role_session_name").unwrap_or(SESSION_NAME);
    let role = AssumeRole {
        external_id: section.get("external_id").map(str::to_owned),
        duration,
        ..AssumeRole::new(section.get("role_arn").unwrap_or_default(), session_name)
    };
    match role.flaws(false).first() {
        None => Ok(role),
        Some(flaw) => Err(ProfileProblem::new(format!("profile {name}: {flaw}"), "mend it in the profile")),
    }
}

fn end(name: &str, section: &Section) -> Result<Source, ProfileProblem> {
    if section.get("aws_access_key_id").is_some() || section.get("aws_secret_access_key").is_some() {
        return own_keys(name, section);
    }
    if let Some(command) = section.get("credential_process") {
        return Ok(Source::Process(command.to_owned()));
    }
    if let Some(key) = section.first_of(&["sso_session", "sso_start_url", "sso_account_id", "login_session"]) {
        return Err(ProfileProblem::new(
            format!("profile {name} signs on by a person's browser ({key}), which ends when that person's day does"),
            "use a role that a machine can take on: instance-role, container, web-identity or roles-anywhere; to try \
             something out, export the person's session as environment variables (aws configure export-credentials)",
        ));
    }
    Err(ProfileProblem::new(
        format!("profile {name} holds no credentials and names no role"),
        "add role_arn with source_profile or credential_source, or credential_process",
    ))
}

fn own_keys(name: &str, section: &Section) -> Result<Source, ProfileProblem> {
    let key = |key: &str| {
        section.get(key).ok_or_else(|| {
            ProfileProblem::new(format!("profile {name} lacks {key}"), "keys come in pairs: add the other half")
        })
    };
    let (id, secret) = (key("aws_access_key_id")?, key("aws_secret_access_key")?);
    let token = section.get("aws_session_token").map(Secret::new);
    Ok(Source::Keys(StaticKeys { access_key_id: AccessKeyId::new(id), secret: Secret::new(secret), token }))
}

fn credential_source(name: &str, source: &str) -> Result<Source, ProfileProblem> {
    match source {
        "Environment" => Ok(Source::Environment),
        "Ec2InstanceMetadata" => Ok(Source::Instance),
        "EcsContainer" => Ok(Source::Container),
        other => Err(ProfileProblem::new(
            format!("profile {name} has the credential_source {other}, which is none"),
            "write Environment, Ec2InstanceMetadata or EcsContainer",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(config: &str, name: &str) -> Result<Followed, ProfileProblem> {
        ProfileFiles::parse(config, "[vendor]\naws_access_key_id = AKIA1\naws_secret_access_key=hunter2 # old\n")
            .follow(name)
    }

    const ROLE: &str = "arn:aws:iam::111111111111:role/orders";

    #[test]
    fn a_chain_of_profiles_is_followed_to_its_keys() {
        let config = format!(
            "[profile orders]\nrole_arn = {ROLE}\nsource_profile = jump\nexternal_id = c-7f3\nduration_seconds = 900\n\
             role_session_name=me\n; a comment\ns3 =\n  max_concurrent_requests = 20\n\
             [profile jump]\nrole_arn = arn:aws:iam::222222222222:role/jump\nsource_profile=vendor\n"
        );
        let followed = follow(&config, "orders").unwrap();
        assert!(matches!(&followed.source, Source::Keys(keys) if keys.secret.expose() == "hunter2"));
        let arns: Vec<_> = followed.hops.iter().map(|hop| hop.role_arn.as_str()).collect();
        assert_eq!(arns, ["arn:aws:iam::222222222222:role/jump", ROLE]);
        let last = &followed.hops[1];
        assert_eq!((last.external_id.as_deref(), last.session_name.as_str()), (Some("c-7f3"), "me"));
        assert_eq!(last.duration, Lifetime::Exactly(Duration::from_mins(15)), "the Rust SDK's own would forget it");
    }

    #[test]
    fn each_beginning_is_known() {
        let source = |more: &str| follow(&format!("[default]\nrole_arn={ROLE}\n{more}\n"), "default").unwrap().source;
        assert_eq!(source("credential_source = Ec2InstanceMetadata"), Source::Instance);
        assert_eq!(source("credential_source = EcsContainer"), Source::Container);
        assert_eq!(source("credential_source = Environment"), Source::Environment);
        assert_eq!(
            source("web_identity_token_file = /token\nduration_seconds=7200"),
            Source::WebIdentity(WebIdentity {
                duration: Lifetime::Exactly(Duration::from_hours(2)),
                ..WebIdentity::new(ROLE, "/token", SESSION_NAME)
            })
        );
        let process = follow("[default]\ncredential_process = /opt/give me\n", "default").unwrap();
        assert_eq!((process.source, process.hops), (Source::Process("/opt/give me".into()), vec![]));
        let own = "source_profile = default\naws_access_key_id=A\naws_secret_access_key=s";
        assert!(matches!(source(own), Source::Keys(_)));
    }

    #[test]
    fn what_comes_to_nothing_is_refused_with_the_profile_and_a_way_out() {
        let loops =
            format!("[profile a]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\nrole_arn={ROLE}\nsource_profile=a\n");
        let problem = |config: &str, name: &str| follow(config, name).unwrap_err();
        assert!(problem(&loops, "a").problem.ends_with("a -> b -> a"), "{:?}", problem(&loops, "a"));
        assert_eq!(problem("[profile orders]\n", "ordres").hint, "did you mean orders?");
        let mfa = format!("[profile a]\nrole_arn={ROLE}\nmfa_serial=x\nsource_profile=vendor\n");
        assert!(problem(&mfa, "a").problem.contains("nobody is here to type a code"));
        assert!(problem("[profile a]\nsso_session=corp\n", "a").problem.contains("a person's browser"));
        let both = format!("[profile a]\nrole_arn={ROLE}\nsource_profile=b\ncredential_source=Environment\n");
        assert!(problem(&both, "a").problem.contains("both"));
        assert!(problem(&format!("[profile a]\nrole_arn={ROLE}\n"), "a").problem.contains("nobody to take it on"));
        assert!(problem("[profile a]\naws_access_key_id=A\n", "a").problem.contains("lacks aws_secret_access_key"));
        let gone = format!("[profile a]\nrole_arn={ROLE}\nsource_profile=gone\n");
        assert!(problem(&gone, "a").problem.contains("which profile a names as source_profile"));
        let odd = format!("[profile a]\nrole_arn={ROLE}\nsource_profile=vendor\nduration_seconds=60\n");
        assert!(problem(&odd, "a").problem.contains("must be 900 to 43200 seconds"));
    }

    #[test]
    fn debug_shows_no_setting() {
        let files = ProfileFiles::parse("", "[a]\naws_secret_access_key = hunter2\n");
        assert!(!format!("{files:?}").contains("hunter2"));
    }
}
