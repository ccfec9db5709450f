//! What is the machine's, and so no tenant's: its files, its AWS identity, hosts in its network.

use identity::is_region;

use crate::config::Config;
use crate::faults::{ConfigFault, Findings};

/// What configurations of a tenant must do without (docs/adr/0004-tenants.md).
#[derive(Debug, Clone, Default)]
pub struct Restrictions {
    endpoints: Vec<String>,
}

/// What a value means to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A file of the machine.
    File,
    /// A URL that is called.
    Endpoint,
    /// Hosts and ports that are called.
    Hosts,
    /// Who the machine is to AWS, or a role that it takes on as itself.
    Identity,
    /// A provider class: the one that is nobody is anybody's.
    ProviderClass,
    /// A login module with its options.
    LoginModule,
    /// Config providers, which read files and the environment.
    Providers,
    /// Code that a Java client loads.
    Code,
    /// A way to log in to a cluster: one of them signs as somebody at AWS.
    Mechanism,
}

/// The keys by their full names.
const KEYS: &[(&str, Reach)] = &[
    ("aws.credentials.provider", Reach::ProviderClass),
    ("aws.s3.endpoint", Reach::Endpoint),
    ("aws_s3_endpoint", Reach::Endpoint),
    ("aws.sts.config.endpoint", Reach::Endpoint),
    ("aws.sts.role.arn", Reach::Identity),
    ("aws.sts.role.session.name", Reach::Identity),
    ("aws.sts.role.external.id", Reach::Identity),
    ("bootstrap.servers", Reach::Hosts),
    ("sasl.jaas.config", Reach::LoginModule),
    ("sasl.mechanism", Reach::Mechanism),
    ("config.providers", Reach::Providers),
];

/// The ends of keys that say what all keys of such an end are: of clients, converters and transforms, known or not.
const ENDS: &[(&str, Reach)] = &[
    ("callback.handler.class", Reach::Code),
    ("provider.class", Reach::Code),
    ("factory.class", Reach::Code),
    ("config.file", Reach::File),
    ("bootstrap.servers", Reach::Hosts),
    ("proxy.host", Reach::Hosts),
    ("location", Reach::File),
    ("file", Reach::File),
    ("filename", Reach::File),
    ("path", Reach::File),
    ("paths", Reach::File),
    ("dir", Reach::File),
    ("directory", Reach::File),
    ("keytab", Reach::File),
    ("profile", Reach::Identity),
    ("url", Reach::Endpoint),
    ("urls", Reach::Endpoint),
    ("uri", Reach::Endpoint),
    ("endpoint", Reach::Endpoint),
    ("endpoints", Reach::Endpoint),
];

/// Classes of Kafka's own that call nobody but whom the settings beside them name, and that we know.
const CODE: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
    "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
    "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler",
];

/// What says who Tidegate is to AWS without the machine.
const SAID_BY: [&str; 2] = ["tidegate.connection", "provider.integration.id"];

const WHOSE: &str = "belongs to the machine, and this environment is not the operator's own";
const INTEGRATION: &str =
    "name an integration (provider.integration.id) or a connection of this environment (tidegate.connection)";

/// What a key's value means to the machine; `None`: nothing.
pub(crate) fn reach_of(key: &str) -> Option<Reach> {
    let plain = ["consumer.override.", "producer.override.", "admin.override.", "consumer.", "producer.", "admin."]
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix))
        .unwrap_or(key);
    let lower = plain.to_ascii_lowercase();
    if let Some((_, reach)) = KEYS.iter().find(|(name, _)| *name == lower) {
        return Some(*reach);
    }
    if lower.starts_with("config.providers.") {
        return Some(Reach::Providers);
    }
    let is_end = |end: &str| lower == end || lower.strip_suffix(end).is_some_and(|start| start.ends_with(['.', '_']));
    ENDS.iter().find(|(end, _)| is_end(end)).map(|(_, reach)| *reach)
}

impl Restrictions {
    /// What a tenant must do without, whose configurations may call `endpoints` beside AWS's own: host names, or suffixes
    /// with a leading full stop.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let plain = |host: String| host.trim().trim_end_matches('.').to_ascii_lowercase();
        Self { endpoints: endpoints.into_iter().map(Into::into).map(plain).filter(|host| !host.is_empty()).collect() }
    }

    /// Everything in a connector's settings that is the machine's.
    ///
    /// `worker` are the settings that the connector's Kafka clients begin with.
    pub(crate) fn check(&self, config: &Config, worker: &Config, found: &mut Findings) {
        for (key, value) in config.iter() {
            if let Some(reach) = reach_of(key)
                && let Some((text, hint)) = self.fault(reach, value, worker)
            {
                // A login module's options hold passwords, and a URL may.
                let shown = match reach {
                    Reach::LoginModule | Reach::Endpoint => None,
                    _ => Some(value.to_owned()),
                };
                found.fault(ConfigFault::new(key, shown, text).hint(hint));
            }
        }
        check_identity(config, found);
    }

    /// Everything in a worker's settings that is the machine's: `None` if nothing is.
    pub fn worker_faults(&self, name: &str, config: &Config) -> Option<crate::ConfigFaults> {
        let mut found = Findings::default();
        for (key, value) in config.iter() {
            if let Some(reach) = reach_of(key)
                && let Some((text, hint)) = self.fault(reach, value, config)
            {
                found.fault(ConfigFault::new(key, None, text).hint(hint));
            }
        }
        if !config.has("bootstrap.servers") {
            let text = "Missing required configuration \"bootstrap.servers\" which has no default value.";
            found.fault(ConfigFault::new("bootstrap.servers", None, text).hint("name the cluster's brokers"));
        }
        (!found.faults.is_empty()).then(|| crate::ConfigFaults::new(name, found.faults, found.warnings))
    }

    fn fault(&self, reach: Reach, value: &str, worker: &Config) -> Option<(String, String)> {
        let refused = |what: &str, hint: &str| Some((format!("{what} {WHOSE}"), hint.to_owned()));
        let value = value.trim();
        match reach {
            Reach::File | Reach::Identity if value.is_empty() => None,
            Reach::File => refused(
                "a file",
                "write the certificate or key itself (ssl.truststore.certificates, ssl.keystore.key), or leave it out",
            ),
            Reach::Endpoint | Reach::Hosts => self.unreachable(value.split(',')),
            Reach::Identity => refused("a role that is taken on as the machine", INTEGRATION),
            Reach::ProviderClass if value.rsplit('.').next() == Some("AnonymousCredentialsProvider") => None,
            Reach::ProviderClass => refused("what a provider finds", INTEGRATION),
            Reach::LoginModule => login_module_fault(value, worker),
            Reach::Providers => {
                refused("what a config provider reads", "write the value itself: secrets are sealed and never shown")
            }
            Reach::Mechanism if value == "AWS_MSK_IAM" => signs_as_machine(worker),
            Reach::Mechanism if value == "GSSAPI" => refused("a ticket of Kerberos", "use another sasl.mechanism"),
            Reach::Mechanism => None,
            Reach::Code if value.starts_with("software.amazon.msk.") && CODE.contains(&value) => {
                signs_as_machine(worker)
            }
            Reach::Code if CODE.contains(&value) || value.is_empty() => None,
            Reach::Code => refused("a class that is loaded", "leave it out"),
        }
    }

    fn unreachable<'a>(&self, endpoints: impl Iterator<Item = &'a str>) -> Option<(String, String)> {
        let refused: Vec<&str> =
            endpoints.map(str::trim).filter(|endpoint| !endpoint.is_empty() && !self.allows(endpoint)).collect();
        if refused.is_empty() {
            return None;
        }
        // Of what is no host, nothing is told: it may hold a password.
        let hosts: Vec<String> =
            refused.iter().map(|endpoint| host_of(endpoint).unwrap_or_else(|| "it".to_owned())).collect();
        let text = format!("{} may not be called from this environment", hosts.join(", "));
        Some((text, "ask the operator to allow the host: --allow-endpoint HOST".to_owned()))
    }

    /// Whether a tenant may have an endpoint called: a URL, or a host with or without a port.
    pub fn allows(&self, endpoint: &str) -> bool {
        let Some(host) = host_of(endpoint) else { return false };
        let listed = |allowed: &String| match allowed.strip_prefix('.') {
            Some(domain) => host.strip_suffix(domain).is_some_and(|start| start.len() > 1 && start.ends_with('.')),
            None => host == *allowed,
        };
        is_aws(&host) || self.endpoints.iter().any(listed)
    }
}

/// Without keys of its own, or nobody's, whoever asks AWS is the machine.
fn check_identity(config: &Config, found: &mut Findings) {
    let has = |key: &str| config.get(key).is_some_and(|value| !value.trim().is_empty());
    let has_pair = |id: &str, secret: &str| has(id) && has(secret);
    let is_said = SAID_BY.iter().any(|key| has(key))
        || has_pair("aws.access.key.id", "aws.secret.access.key")
        || has_pair("aws_access_key_id", "aws_secret_access_key")
        || has("aws.credentials.provider");
    // A role is said to be taken on: that is refused already, with the same advice.
    if !is_said && !has("aws.sts.role.arn") && config.has("connector.class") {
        let text = format!("who Tidegate is to AWS is not said, and the machine's own identity {WHOSE}");
        found.fault(ConfigFault::new("provider.integration.id", None, text).hint(INTEGRATION));
    }
}

/// The host of a URL or of `host:port`, in lower case; `None` if there is none that everybody reads alike.
fn host_of(endpoint: &str) -> Option<String> {
    let endpoint = endpoint.trim();
    let rest = match endpoint.split_once("://") {
        Some((scheme, rest)) if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") => rest,
        // `file:`, and the listeners of Kafka, which no client takes.
        Some(_) => return None,
        None => endpoint,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    // One reader takes what is before an `@` or a `\` for the host, and another what is behind it.
    if authority.is_empty() || authority.contains(['@', '\\', '%']) || authority.chars().any(char::is_whitespace) {
        return None;
    }
    let host = if let Some(rest) = authority.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        if !(after.is_empty() || after.starts_with(':')) {
            return None;
        }
        format!("[{inner}]")
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
        port.parse::<u16>().ok()?;
        host.to_owned()
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// Whether a host is a service's own at AWS. Not all that ends like it: load balancers and machines of customers are called
/// so, too, and some have private addresses.
fn is_aws(host: &str) -> bool {
    let Some(start) = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().find_map(|end| host.strip_suffix(end))
    else {
        return false;
    };
    let mut labels = start.split('.');
    let is_service = labels.next().is_some_and(|label| ["s3", "s3-fips", "sts", "sts-fips"].contains(&label));
    let rest: Vec<&str> = labels.filter(|label| *label != "dualstack").collect();
    is_service && (rest.is_empty() || (rest.len() == 1 && is_region(rest[0])))
}

/// A module that knows nothing but what its options say, or that has a connection to be somebody by.
fn login_module_fault(value: &str, worker: &Config) -> Option<(String, String)> {
    const KNOWN: &[&str] = &[
        "org.apache.kafka.common.security.plain.PlainLoginModule",
        "org.apache.kafka.common.security.scram.ScramLoginModule",
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
        "software.amazon.msk.auth.iam.IAMLoginModule",
    ];
    let module = value.split_whitespace().next().unwrap_or_default();
    if module.is_empty() {
        return None;
    }
    if !KNOWN.contains(&module) {
        let text = format!("login module {module} {WHOSE}");
        return Some((text, format!("use one of: {}", KNOWN.join(", "))));
    }
    // Whoever reads the options takes backslashes in quotation marks out of their names.
    let options = value.replace('\\', "").to_ascii_lowercase();
    // A profile of the machine's files, a role that is taken on as the machine, a file.
    let named = ["awsprofilename", "awsrolearn", "keytab", "ssl.truststore.location", "ssl.keystore.location", "file:"];
    if let Some(option) = named.into_iter().find(|option| options.contains(option)) {
        return Some((format!("{option} in it {WHOSE}"), "leave it out".to_owned()));
    }
    if module.starts_with("software.amazon.msk.") { signs_as_machine(worker) } else { None }
}

/// Whoever signs for MSK is a connection that the cluster names, or the machine.
fn signs_as_machine(worker: &Config) -> Option<(String, String)> {
    if worker.get("tidegate.kafka.connection").is_some_and(|name| !name.trim().is_empty()) {
        return None;
    }
    let text = format!("it signs as the machine, whose identity {WHOSE}");
    Some((text, "name a connection in the cluster's settings: tidegate.kafka.connection".to_owned()))
}

#[cfg(test)]
mod tests;
