use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use world::{Clock, Secret};

use super::Properties;
use super::iam;
use super::jaas::{self, LoginModule};
use super::stores::{self, STORE_TYPES};
use crate::net::tls::{self, Material};
use crate::net::{EndpointTokens, FileTokens, Sasl, ScramHash, TokenProvider, UnsecuredTokens};

const JAAS: &str = "sasl.jaas.config";
const MECHANISM: &str = "sasl.mechanism";

const NO_KERBEROS: &str = "Kerberos is not supported: it needs the system's GSSAPI library and its configuration; give \
                           this client a listener with another mechanism";

/// Callback handlers that Kafka and MSK bring along; what they do happens here by the mechanism alone.
const KNOWN_HANDLERS: [&str; 5] = [
    "OAuthBearerLoginCallbackHandler",
    "OAuthBearerUnsecuredLoginCallbackHandler",
    "OAuthBearerSaslClientCallbackHandler",
    "IAMClientCallbackHandler",
    "IAMOAuthBearerLoginCallbackHandler",
];

const TOKEN_URL: &str = "sasl.oauthbearer.token.endpoint.url";

/// What `sasl.mechanism` may be, and what it asks of `sasl.jaas.config`.
#[derive(Clone, Copy)]
enum Mechanism {
    Plain,
    Scram(ScramHash),
    OAuthBearer,
    MskIam,
    Kerberos,
}

/// Reads `sasl.*` for a client that authenticates. `None` if anything in it is at fault.
pub(super) fn read(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Option<Sasl> {
    let choices = [
        ("PLAIN", Mechanism::Plain),
        ("SCRAM-SHA-256", Mechanism::Scram(ScramHash::Sha256)),
        ("SCRAM-SHA-512", Mechanism::Scram(ScramHash::Sha512)),
        ("OAUTHBEARER", Mechanism::OAuthBearer),
        ("AWS_MSK_IAM", Mechanism::MskIam),
        ("GSSAPI", Mechanism::Kerberos),
    ];
    // Java's default is GSSAPI.
    let mechanism = properties.choice(MECHANISM, Mechanism::Kerberos, &choices);
    for key in ["sasl.client.callback.handler.class", "sasl.login.callback.handler.class", "sasl.login.class"] {
        let handler = properties.text(key);
        if handler.is_some_and(|class| !KNOWN_HANDLERS.contains(&class.rsplit('.').next().unwrap_or_default())) {
            properties.problem(key, "is Java code, which cannot be run here");
        }
    }
    let iam_handler = properties
        .text("sasl.login.callback.handler.class")
        .is_some_and(|class| class.ends_with(".IAMOAuthBearerLoginCallbackHandler"));
    let sasl = match mechanism {
        Mechanism::Kerberos => {
            let allowed = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM".to_owned();
            properties.problem_with(MECHANISM, NO_KERBEROS, Some(allowed));
            None
        }
        Mechanism::Plain => {
            let (user, password, _) = user_and_password(properties, "PlainLoginModule")?;
            Some(Sasl::Plain { user, password })
        }
        Mechanism::Scram(hash) => {
            let (user, password, delegation_token) = user_and_password(properties, "ScramLoginModule")?;
            Some(Sasl::Scram { hash, user, password, delegation_token })
        }
        Mechanism::OAuthBearer if iam_handler => external(properties, tokens),
        Mechanism::OAuthBearer => read_oauth(properties),
        // MSK's own mechanism carries the same signature in another form, and its listeners have both.
        Mechanism::MskIam => external(properties, tokens),
    };
    properties.ignore_prefix("sasl.kerberos.", "Kerberos is not supported");
    properties.ignore_prefix("sasl.login.", "a token is asked for whenever a connection authenticates");
    properties.ignore_prefix("sasl.oauthbearer.", "it has no meaning for this mechanism and login");
    sasl
}

fn external(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Option<Sasl> {
    iam::check(properties);
    if tokens.is_none() {
        properties.problem(MECHANISM, "needs AWS credentials, and there are none in this place");
    }
    tokens.map(Sasl::OAuthBearer)
}

fn login_module(properties: &mut Properties<'_>, expected: &str) -> Option<LoginModule> {
    let allowed = || Some(format!("org.apache.kafka.common.security...{expected} required ...;"));
    let Some(text) = properties.secret(JAAS) else {
        properties.problem_with(JAAS, "is missing", allowed());
        return None;
    };
    match jaas::parse(text.expose()) {
        Ok(module) if module.name() == expected => Some(module),
        Ok(module) => {
            properties.problem_with(JAAS, format!("has the login module {}", module.class), allowed());
            None
        }
        Err(error) => {
            properties.problem_with(JAAS, error, allowed());
            None
        }
    }
}

fn user_and_password(properties: &mut Properties<'_>, expected: &str) -> Option<(Arc<str>, Secret, bool)> {
    let module = login_module(properties, expected)?;
    let mut option = |name| {
        let value = module.option(name).filter(|value| !value.is_empty()).cloned();
        if value.is_none() {
            properties.problem(JAAS, format!("has no {name}"));
        }
        value
    };
    let (user, password) = (option("username"), option("password"));
    let delegation_token = module.option("tokenauth").is_some_and(|value| value.expose() == "true");
    Some((user?.expose().into(), password?, delegation_token))
}

fn read_oauth(properties: &mut Properties<'_>) -> Option<Sasl> {
    let module = login_module(properties, "OAuthBearerLoginModule")?;
    if let Some(url) = properties.text(TOKEN_URL) {
        if let Some(path) = url.strip_prefix("file:") {
            // file:/a, file:///a
            let path = format!("/{}", path.trim_start_matches('/'));
            let extensions = extensions(&module, "extension_");
            return Some(Sasl::OAuthBearer(Arc::new(FileTokens { path: path.into(), extensions })));
        }
        return from_endpoint(properties, &module, url);
    }
    unsecured(properties, &module)
}

/// The login of `OAuthBearerLoginCallbackHandler` with a token endpoint.
fn from_endpoint(properties: &mut Properties<'_>, module: &LoginModule, url: &str) -> Option<Sasl> {
    let url = url.parse::<hyper::Uri>().ok().filter(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    if url.is_none() {
        let allowed = Some("https://host/path, http://host/path, file:///path".to_owned());
        properties.problem_with(TOKEN_URL, "is not the address of a token endpoint", allowed);
    }
    let mut option = |name| {
        let value = module.option(name).filter(|value| !value.is_empty()).cloned();
        if value.is_none() {
            properties.problem(JAAS, format!("has no {name}"));
        }
        value
    };
    let (client_id, client_secret) = (option("clientId"), option("clientSecret"));
    let url = url?;
    let tls = if url.scheme_str() == Some("https") { Some(endpoint_tls(properties, module)?) } else { None };
    Some(Sasl::OAuthBearer(Arc::new(EndpointTokens {
        url,
        tls,
        client_id: client_id?.expose().to_owned(),
        client_secret: client_secret?,
        scope: module.option("scope").map(|scope| scope.expose().to_owned()),
        extensions: extensions(module, "extension_"),
        last: tokio::sync::Mutex::default(),
    })))
}

/// As Java does: the endpoint's truststore is named in the login module's options, not beside the broker's.
fn endpoint_tls(properties: &mut Properties<'_>, module: &LoginModule) -> Option<Arc<rustls::ClientConfig>> {
    let text = |name| module.option(name).map(Secret::expose);
    let kind = text("ssl.truststore.type").unwrap_or("JKS");
    let kind = STORE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, kind)| *kind);
    let Some(kind) = kind else {
        properties.problem(JAAS, "has an ssl.truststore.type that is not known");
        return None;
    };
    let authorities = text("ssl.truststore.location").map(|path| {
        let password = module.option("ssl.truststore.password");
        stores::read_file(path).and_then(|data| stores::authorities(&data, kind, password))
    });
    let authorities = match authorities.transpose() {
        Ok(authorities) => authorities,
        Err(error) => {
            properties.problem(JAAS, format!("has an ssl.truststore.location that {error}"));
            return None;
        }
    };
    let versions = vec![&rustls::version::TLS13, &rustls::version::TLS12];
    match tls::client(Material { authorities, identity: None, verify_name: true, versions, suites: Vec::new() }) {
        Ok(client) => Some(client),
        Err(error) => {
            properties.problem(TOKEN_URL, error);
            None
        }
    }
}

fn extensions(module: &LoginModule, prefix: &str) -> Vec<(String, String)> {
    module.options_under(prefix).map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect()
}

/// The login that Kafka's `OAuthBearerUnsecuredLoginCallbackHandler` does, by its options.
fn unsecured(properties: &mut Properties<'_>, module: &LoginModule) -> Option<Sasl> {
    let mut claims = Map::new();
    for (name, value) in module.options_under("unsecuredLoginStringClaim_") {
        claims.insert(name.to_owned(), value.expose().into());
    }
    for (name, value) in module.options_under("unsecuredLoginNumberClaim_") {
        match value.expose().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => {
                claims.insert(name.to_owned(), number.into());
            }
            None => properties.problem(JAAS, format!("has a number claim {name} that is not a number")),
        }
    }
    for (name, value) in module.options_under("unsecuredLoginListClaim_") {
        // The first character is what the values are parted by.
        let mut letters = value.expose().chars();
        let values: Vec<Value> = match letters.next() {
            Some(separator) => letters.as_str().split(separator).map(Into::into).collect(),
            None => Vec::new(),
        };
        claims.insert(name.to_owned(), values.into());
    }
    let principal = module.option("unsecuredLoginPrincipalClaimName").map_or("sub", Secret::expose);
    if !claims.contains_key(principal) {
        let problem = format!("names no principal: it has no unsecuredLoginStringClaim_{principal}");
        properties.problem_with(JAAS, problem, Some(format!("or set {TOKEN_URL}")));
        return None;
    }
    let lifetime = module.option("unsecuredLoginLifetimeSeconds").map_or("3600", Secret::expose);
    let Ok(lifetime) = lifetime.parse().map(Duration::from_secs) else {
        properties.problem(JAAS, "has an unsecuredLoginLifetimeSeconds that is not a whole number");
        return None;
    };
    let extensions = extensions(module, "unsecuredLoginExtension_");
    Some(Sasl::OAuthBearer(Arc::new(UnsecuredTokens { claims, lifetime, extensions, clock: Clock::system() })))
}
