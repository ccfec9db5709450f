use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value};
use world::{Clock, Secret};

use super::Properties;
use super::client::Tls;
use super::jaas::{self, LoginModule};
use super::stores::{self, STORE_TYPES, StoreError, StoreType};
use crate::net::tls::{self, Material};
use crate::net::{FileTokens, Sasl, ScramHash, TokenProvider, UnsecuredTokens};

pub(super) struct Security {
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

const JAAS: &str = "sasl.jaas.config";
const MECHANISM: &str = "sasl.mechanism";
/// Why some properties change nothing.
const JAVA: &str = "it chooses among Java's TLS implementations; here it is rustls";

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

/// Reads `security.protocol`, `ssl.*` and `sasl.*`.
pub(super) fn read(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Security {
    let (with_tls, with_sasl) = properties.choice(
        "security.protocol",
        (false, false),
        &[
            ("PLAINTEXT", (false, false)),
            ("SSL", (true, false)),
            ("SASL_PLAINTEXT", (false, true)),
            ("SASL_SSL", (true, true)),
        ],
    );
    let tls = if with_tls { read_tls(properties) } else { None };
    let sasl = if with_sasl { read_sasl(properties, tokens) } else { None };
    if !with_tls {
        properties.ignore_prefix("ssl.", "security.protocol is not SSL or SASL_SSL");
    }
    if !with_sasl {
        properties.ignore_prefix("sasl.", "security.protocol is not SASL_PLAINTEXT or SASL_SSL");
    }
    properties.ignore("security.providers", "there are no Java security providers here");
    Security { tls, sasl }
}

fn read_tls(properties: &mut Properties<'_>) -> Option<Tls> {
    let authorities = read_authorities(properties);
    let identity = read_identity(properties);
    let verify_name = properties.choice("ssl.endpoint.identification.algorithm", true, &[("https", true), ("", false)]);
    let versions = read_versions(properties);
    let suites = properties.list("ssl.cipher.suites").into_iter().map(str::to_owned).collect();
    if properties.text("ssl.engine.factory.class").is_some() {
        properties.problem("ssl.engine.factory.class", "is Java code, which cannot be run here");
    }
    for key in [
        "ssl.provider",
        "ssl.secure.random.implementation",
        "ssl.trustmanager.algorithm",
        "ssl.keymanager.algorithm",
        "ssl.protocol",
    ] {
        properties.ignore(key, JAVA);
    }
    // What failed has been noted; there is nothing to set up then.
    let (Ok(authorities), Ok(identity), Some(versions)) = (authorities, identity, versions) else { return None };
    match tls::client(Material { authorities, identity, verify_name, versions, suites }) {
        Ok(client) => Some(Tls(client)),
        Err(error) => {
            let key = match error {
                tls::MaterialError::NoPlatformRoots(_) | tls::MaterialError::Authority(_) => "ssl.truststore.location",
                tls::MaterialError::Identity(_) => "ssl.keystore.location",
                tls::MaterialError::NoSuite => "ssl.cipher.suites",
                tls::MaterialError::Other(_) => "security.protocol",
            };
            properties.problem(key, error);
            None
        }
    }
}

/// A fault that has been noted already.
struct Noted;

fn note<T>(properties: &mut Properties<'_>, key: &'static str, result: Result<T, StoreError>) -> Result<T, Noted> {
    result.map_err(|error| {
        properties.problem(key, error);
        Noted
    })
}

fn read_authorities(properties: &mut Properties<'_>) -> Result<Option<Vec<CertificateDer<'static>>>, Noted> {
    let kind = properties.choice("ssl.truststore.type", StoreType::Java, STORE_TYPES);
    let password = properties.secret("ssl.truststore.password");
    let inline = properties.text("ssl.truststore.certificates");
    let location = properties.text("ssl.truststore.location");
    match (inline, location) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            properties.problem("ssl.truststore.certificates", "is set beside ssl.truststore.location; one is enough");
            Err(Noted)
        }
        (Some(pem), None) => {
            let found = stores::authorities(unescape(pem).as_bytes(), StoreType::Pem, None);
            note(properties, "ssl.truststore.certificates", found).map(Some)
        }
        (None, Some(path)) => {
            let found = stores::read_file(path).and_then(|data| stores::authorities(&data, kind, password.as_ref()));
            note(properties, "ssl.truststore.location", found).map(Some)
        }
    }
}

fn read_identity(properties: &mut Properties<'_>) -> Result<Option<stores::Identity>, Noted> {
    let kind = properties.choice("ssl.keystore.type", StoreType::Java, STORE_TYPES);
    let password = properties.secret("ssl.keystore.password");
    let key_password = properties.secret("ssl.key.password");
    let inline_key = properties.secret("ssl.keystore.key").filter(|key| !key.is_empty());
    let inline_chain = properties.text("ssl.keystore.certificate.chain");
    let location = properties.text("ssl.keystore.location");
    match (inline_key, inline_chain, location) {
        (None, None, None) => Ok(None),
        (Some(key), Some(chain), None) => {
            let key = stores::private_key(unescape(key.expose()).as_bytes(), key_password.as_ref());
            let key = note(properties, "ssl.keystore.key", key)?;
            let chain = stores::certificates(unescape(chain).as_bytes());
            Ok(Some((note(properties, "ssl.keystore.certificate.chain", chain)?, key)))
        }
        (None, None, Some(path)) => {
            let found = stores::read_file(path)
                .and_then(|data| stores::identity(&data, kind, password.as_ref(), key_password.as_ref()));
            note(properties, "ssl.keystore.location", found).map(Some)
        }
        (Some(_), None, None) => {
            properties.problem("ssl.keystore.certificate.chain", "is missing beside ssl.keystore.key");
            Err(Noted)
        }
        (None, Some(_), None) => {
            properties.problem("ssl.keystore.key", "is missing beside ssl.keystore.certificate.chain");
            Err(Noted)
        }
        (_, _, Some(_)) => {
            let problem = "is set beside ssl.keystore.key or ssl.keystore.certificate.chain; one way is enough";
            properties.problem("ssl.keystore.location", problem);
            Err(Noted)
        }
    }
}

/// A PEM text that went through a JSON or properties file by hand often has `\n` for its line ends.
fn unescape(pem: &str) -> String {
    pem.replace("\\n", "\n")
}

fn read_versions(properties: &mut Properties<'_>) -> Option<Vec<&'static rustls::SupportedProtocolVersion>> {
    const KEY: &str = "ssl.enabled.protocols";
    let names = properties.list(KEY);
    if names.is_empty() {
        return Some(vec![&rustls::version::TLS13, &rustls::version::TLS12]);
    }
    let known = names.iter().filter_map(|name| match *name {
        "TLSv1.3" => Some(&rustls::version::TLS13),
        "TLSv1.2" => Some(&rustls::version::TLS12),
        // SSLv3 to TLSv1.1 are in many old files beside the good ones; they are not offered.
        _ => None,
    });
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        properties.problem_with(KEY, "has no version that is still safe", Some("TLSv1.3, TLSv1.2".to_owned()));
        return None;
    }
    Some(known)
}

/// What `sasl.mechanism` may be, and what it asks of `sasl.jaas.config`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Scram(ScramHash),
    OAuthBearer,
    MskIam,
    Kerberos,
}

fn read_sasl(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Option<Sasl> {
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
        Mechanism::MskIam => {
            // Credentials are the connector's, whatever profile the login module names.
            properties.secret(JAAS);
            external(properties, tokens)
        }
    };
    properties.ignore_prefix("sasl.kerberos.", "Kerberos is not supported");
    properties.ignore_prefix("sasl.login.", "a token is asked for whenever a connection authenticates");
    properties.ignore_prefix("sasl.oauthbearer.", "it has no meaning for this mechanism and login");
    sasl
}

fn external(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Option<Sasl> {
    properties.secret(JAAS);
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
        let problem = "fetching tokens over HTTP is not supported yet; let something else put the token into a file";
        properties.problem_with(TOKEN_URL, problem, Some("file:///path/of/token".to_owned()));
        return None;
    }
    unsecured(properties, &module)
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
