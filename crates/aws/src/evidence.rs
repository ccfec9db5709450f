//! What a machine shows of who hands out credentials on it: for explaining, not for signing. No session is asked for.

use std::fmt;

use http::{Request, StatusCode};
use identity::Profile;
use identity::profile::{ProfileFiles, Source};
use world::Environment;

use crate::Clients;
use crate::chain::Chain;
use crate::instance::{PATIENCE, ROLES, authority, is_disabled, url};
use crate::plain::{Silence, ask_whole};

/// A place of the default chain, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Keys in the environment.
    Environment,
    /// A profile of the shared files.
    Profile,
    /// A token file that the environment names.
    WebIdentity,
    /// A container's credentials endpoint.
    Container,
    /// Instance metadata.
    Instance,
}

impl Provider {
    /// A word or two for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "the environment's keys",
            Self::Profile => "a profile",
            Self::WebIdentity => "the web identity",
            Self::Container => "the container's endpoint",
            Self::Instance => "the instance's role",
        }
    }
}

/// What a place of the chain has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Which place.
    pub provider: Provider,
    /// Whether there is something.
    pub providing: Providing,
}

/// Whether a place has something to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Providing {
    /// It is set up; the text says with what, without secrets.
    Something(String),
    /// It is not; the text says what is missing.
    Nothing(String),
}

/// What was seen of instance metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Who was asked: `host:port`; the text of the variable where it names none.
    pub authority: String,
    /// What came of it.
    pub state: MetadataState,
    /// What answered says of itself or of who stands in between (`Server`, `Via`).
    pub signs: Vec<String>,
    /// Whether what answered is a page for people.
    pub is_page: bool,
}

/// What came of asking for instance metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataState {
    /// The environment says that there is none.
    Disabled,
    /// The variable that says where it is is no URL of one.
    BadUrl,
    /// Nobody listens there, or nothing leads there.
    Refused,
    /// No connection in time.
    NoConnection,
    /// A connection, and no answer to the request for a token. `get` is what a request without one was answered with
    /// meanwhile: if it was answered, only the token's answer dies on its way, by its hop limit.
    TokenLost {
        /// HTTP status.
        get: Option<u16>,
    },
    /// The answer broke off, or was no HTTP.
    Broken,
    /// 403: it is switched off for this instance.
    SwitchedOff,
    /// 400, as to a request that came through a proxy (`X-Forwarded-For`).
    Proxied,
    /// It gives no tokens. `v1` says whether it answers without one: version 1.
    NoTokens {
        /// HTTP status.
        status: u16,
        /// Whether version 1 answers.
        v1: bool,
    },
    /// Another answer.
    Odd {
        /// HTTP status.
        status: u16,
    },
    /// It is there, and the instance has no role.
    NoRole,
    /// It is there, and the instance has this role.
    Role(String),
}

impl fmt::Display for MetadataState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("AWS_EC2_METADATA_DISABLED is true"),
            Self::BadUrl => f.write_str("AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL of a metadata service"),
            Self::Refused => f.write_str("nothing answers there"),
            Self::NoConnection => f.write_str("no connection in time"),
            Self::TokenLost { get: Some(status) } => {
                write!(
                    f,
                    "requests without a token are answered ({status}), and the answer with a token does not come back"
                )
            }
            Self::TokenLost { get: None } => f.write_str("connected, and no answer comes back"),
            Self::Broken => f.write_str("the answer broke off"),
            Self::SwitchedOff => f.write_str("it is switched off for this instance (403)"),
            Self::Proxied => f.write_str("it refused to give a token, as it does to what came through a proxy (400)"),
            Self::NoTokens { status, v1: true } => {
                write!(f, "it gives no tokens ({status}) and speaks version 1 alone")
            }
            Self::NoTokens { status, v1: false } => write!(f, "what answers gives no tokens ({status})"),
            Self::Odd { status } => write!(f, "it answered {status} to the request for a token"),
            Self::NoRole => f.write_str("no role is attached to this instance"),
            Self::Role(role) => write!(f, "role {role}"),
        }
    }
}

impl Clients {
    /// What instance metadata shows: whether it is there, gives tokens, and which role the instance has. Asks for no session.
    pub async fn instance_metadata(&self) -> Metadata {
        let environment = &self.sts().environment;
        let url = url(environment);
        let seen = |authority: String, state| Metadata { authority, state, signs: Vec::new(), is_page: false };
        let Some(authority) = authority(&url) else { return seen(url, MetadataState::BadUrl) };
        if is_disabled(environment) {
            return seen(authority, MetadataState::Disabled);
        }
        let mut metadata = seen(authority, MetadataState::NoConnection);
        metadata.state = look(&mut metadata).await;
        metadata
    }

    /// What each place of the default chain has, in its order, also behind the first that has something.
    pub async fn default_chain(&self, metadata: &Metadata) -> Vec<Offered> {
        let environment = &self.sts().environment;
        let set = |name: &str| environment.get(name).is_some();
        let keys = if set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY") {
            let token = if set("AWS_SESSION_TOKEN") { ", with a session token" } else { "" };
            Providing::Something(format!(
                "AWS_ACCESS_KEY_ID {}{token}",
                environment.get("AWS_ACCESS_KEY_ID").unwrap_or_default()
            ))
        } else {
            Providing::Nothing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set".to_owned())
        };
        let web = match (environment.get("AWS_ROLE_ARN"), environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")) {
            (Some(role), Some(file)) => Providing::Something(format!("{role} by {file}")),
            _ => Providing::Nothing("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set".to_owned()),
        };
        let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        let container = match container.into_iter().find(|name| set(name)) {
            Some(name) => Providing::Something(format!("{name} is set")),
            None => Providing::Nothing(format!("neither {} nor {} is set", container[0], container[1])),
        };
        let instance = match &metadata.state {
            MetadataState::Role(role) => Providing::Something(format!("role {role} of this instance")),
            state => Providing::Nothing(state.to_string()),
        };
        let profile = self.profile_of(environment).await;
        [
            (Provider::Environment, keys),
            (Provider::Profile, profile),
            (Provider::WebIdentity, web),
            (Provider::Container, container),
            (Provider::Instance, instance),
        ]
        .into_iter()
        .map(|(provider, providing)| Offered { provider, providing })
        .collect()
    }

    async fn profile_of(&self, environment: &Environment) -> Providing {
        let profile = Profile::default();
        let name = environment.get("AWS_PROFILE");
        let shown = name.clone().unwrap_or_else(|| "default".to_owned());
        let chain = Chain { sts: self.sts(), endpoint: &identity::StsEndpoint::default() };
        match chain.files(&profile).await {
            Ok(files) if files.get(&shown).is_some_and(|section| !section.says_who()) => {
                Providing::Nothing(format!("profile {shown} says nothing of who we are"))
            }
            Ok(files) if files.get(&shown).is_some() => {
                Providing::Something(format!("profile {shown}{}", kind_of(&files, &shown)))
            }
            Ok(_) if name.is_some() => Providing::Something(format!("AWS_PROFILE names {shown}, which there is not")),
            Ok(_) => Providing::Nothing(format!("there is no profile {shown}")),
            Err(error) => Providing::Nothing(error.to_string()),
        }
    }
}

fn kind_of(files: &ProfileFiles, name: &str) -> &'static str {
    match files.follow(name).map(|followed| followed.source) {
        Ok(Source::Keys(keys)) if keys.token.is_some() => ", which holds a session's keys and token",
        Ok(Source::Keys(_)) => ", which holds keys",
        Ok(_) | Err(_) => "",
    }
}

async fn look(metadata: &mut Metadata) -> MetadataState {
    let authority = metadata.authority.clone();
    let get = || ask_whole(&authority, Request::get(ROLES), PATIENCE);
    let token = Request::put("/latest/api/token").header("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let answer = match ask_whole(&authority, token, PATIENCE).await {
        Ok(answer) => answer,
        Err(Silence::Refused(_)) => return MetadataState::Refused,
        Err(Silence::NoConnection) => return MetadataState::NoConnection,
        Err(Silence::Broken(_)) => return MetadataState::Broken,
        Err(Silence::NoAnswer) => {
            return MetadataState::TokenLost { get: get().await.ok().map(|answer| answer.status().as_u16()) };
        }
    };
    let signs = ["server", "via"].iter().filter_map(|name| {
        let text: String = answer.headers().get(*name)?.to_str().ok()?.chars().take(100).collect();
        Some(format!("{name}: {text}"))
    });
    metadata.signs = signs.collect();
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    metadata.is_page = kind.to_ascii_lowercase().starts_with("text/html");
    let status = answer.status();
    match status {
        StatusCode::OK if !metadata.is_page => {
            let token = String::from_utf8_lossy(answer.body()).trim().to_owned();
            let request = Request::get(ROLES).header("x-aws-ec2-metadata-token", token);
            match ask_whole(&authority, request, PATIENCE).await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    let listed = String::from_utf8_lossy(answer.body()).into_owned();
                    let role = listed.lines().map(str::trim).find(|line| !line.is_empty());
                    role.map_or(MetadataState::NoRole, |role| MetadataState::Role(role.to_owned()))
                }
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => MetadataState::NoRole,
                Ok(answer) => MetadataState::Odd { status: answer.status().as_u16() },
                Err(_) => MetadataState::Broken,
            }
        }
        StatusCode::BAD_REQUEST => MetadataState::Proxied,
        StatusCode::FORBIDDEN if !metadata.is_page => MetadataState::SwitchedOff,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let v1 = get().await.is_ok_and(|answer| answer.status() == StatusCode::OK);
            MetadataState::NoTokens { status: status.as_u16(), v1 }
        }
        status => MetadataState::Odd { status: status.as_u16() },
    }
}

#[cfg(test)]
mod tests {
    use world::Clock;

    use super::*;
    use crate::plain::{says, serve};

    async fn seen(answer: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Metadata {
        let url = serve(answer).await;
        let environment = Environment::of([("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)]);
        Clients::new(Clock::system(), environment).instance_metadata().await
    }

    #[tokio::test]
    async fn each_state_of_instance_metadata_is_told_from_the_others() {
        let there = seen(|line, request| match line {
            "PUT /latest/api/token" => says("200 OK", "tok"),
            _ if !request.contains("x-aws-ec2-metadata-token: tok\r\n") => says("401 Unauthorized", ""),
            _ => says("200 OK", "app"),
        });
        assert_eq!(there.await.state, MetadataState::Role("app".into()));
        let roleless = seen(|line, _| says(if line.starts_with("PUT") { "200 OK" } else { "404 Not Found" }, ""));
        assert_eq!(roleless.await.state, MetadataState::NoRole);
        let far = seen(|line, _| if line.starts_with("PUT") { None } else { says("401 Unauthorized", "") });
        assert_eq!(far.await.state, MetadataState::TokenLost { get: Some(401) });
        let old = seen(|line, _| says(if line.starts_with("PUT") { "405 Method Not Allowed" } else { "200 OK" }, ""));
        assert_eq!(old.await.state, MetadataState::NoTokens { status: 405, v1: true });
        let off = seen(|_, _| says("403 Forbidden", ""));
        assert_eq!(off.await.state, MetadataState::SwitchedOff);
        let proxy = seen(|_, _| {
            Some("HTTP/1.1 403 Forbidden\r\nserver: squid\r\nvia: 1.1 gate\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n".into())
        });
        let proxy = proxy.await;
        assert_eq!((proxy.state, proxy.is_page), (MetadataState::Odd { status: 403 }, true));
        assert_eq!(proxy.signs, ["server: squid", "via: 1.1 gate"]);
    }

    #[tokio::test]
    async fn all_that_the_chain_would_find_is_told_also_behind_the_first() {
        let url = serve(|line, _| says("200 OK", if line.starts_with("PUT") { "tok" } else { "app" })).await;
        let environment = Environment::of([
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAOLD"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ]);
        let clients = Clients::new(Clock::system(), environment);
        let chain = clients.default_chain(&clients.instance_metadata().await).await;
        let has = chain.iter().filter(|one| matches!(one.providing, Providing::Something(_))).map(|one| one.provider);
        assert_eq!(has.collect::<Vec<_>>(), [Provider::Environment, Provider::Instance]);
        assert!(format!("{chain:?}").contains("AKIAOLD") && !format!("{chain:?}").contains("hidden"));
    }
}
