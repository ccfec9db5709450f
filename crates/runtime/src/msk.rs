//! Who we are to a Kafka cluster of Amazon MSK: a token, signed with a session from the cache that S3's requests use too.

use std::borrow::Cow;
use std::sync::Arc;

use aws::{Clients, MskTokenError};
use connectors::{ClientProperties, ConnectorPlan};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::future::BoxFuture;
use identity::{AssumeRole, AwsClock, Base, Connection, ConnectionSpec, Identity, Profile, Purpose, StsEndpoint};
use kafka::config::IamLogin;
use kafka::net::{Token, TokenProvider};

use world::Environment;

/// Where a client's tokens come from; `None` if it needs none.
pub(crate) type Tokens = Option<Arc<dyn TokenProvider>>;

/// What signs for `properties`: the worker's connection for Kafka, or what the login module's options say.
pub(crate) fn tokens(
    clients: &Clients,
    environment: &Environment,
    plan: &ConnectorPlan,
    properties: &ClientProperties,
) -> Result<Tokens, Fault> {
    tokens_for(plan.name(), plan.kafka_connection(), clients, environment, properties)
}

/// The same for a client that is called `name` and that signs as `connection`, if there is one.
pub(crate) fn tokens_for(
    name: &str,
    connection: Option<&Arc<ConnectionSpec>>,
    clients: &Clients,
    environment: &Environment,
    properties: &ClientProperties,
) -> Result<Tokens, Fault> {
    let Some(login) = IamLogin::of(properties.as_map()) else { return Ok(None) };
    let servers = properties.get("bootstrap.servers").unwrap_or_default();
    let by_server = servers.split(',').find_map(region_of).map(str::to_owned);
    let by_environment = || environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION"));
    let (connection, home) = if let Some(spec) = connection {
        (spec.bind(name, Purpose::Kafka), spec.region.clone())
    } else {
        let region = login.sts_region.clone().or_else(|| by_server.clone()).or_else(by_environment);
        let region = region.ok_or_else(|| MskError::Region { address: servers.to_owned() })?;
        (of_login(&login, name, region.clone()), region)
    };
    let identity = clients.sessions().open(&connection)?;
    let fallback = by_server.unwrap_or(home);
    Ok(Some(Arc::new(MskTokens { identity, clock: clients.clock().clone(), fallback })))
}

/// What stands for the tokens where settings are only looked at.
pub(crate) fn unasked(properties: &ClientProperties) -> Tokens {
    #[derive(Debug)]
    struct Unasked;
    impl TokenProvider for Unasked {
        fn token<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Token, Fault>> {
            Box::pin(async move { Err(MskError::Region { address: address.to_owned() }.into()) })
        }
    }
    IamLogin::of(properties.as_map()).map(|_| Arc::new(Unasked) as Arc<dyn TokenProvider>)
}

fn of_login(login: &IamLogin, connector: &str, region: String) -> Connection {
    let base = login.profile.as_ref().map_or(Base::DefaultChain, |name| Base::Profile(Profile::named(name.as_str())));
    let role = |arn: &String| {
        let fitted =
            || connector.chars().map(|c| if c.is_ascii_alphanumeric() || "_=,.@-".contains(c) { c } else { '-' });
        let name =
            login.session_name.clone().unwrap_or_else(|| format!("tidegate-{}", fitted().take(50).collect::<String>()));
        AssumeRole { external_id: login.external_id.clone(), ..AssumeRole::new(arn.as_str(), name) }
    };
    Connection { base, hops: login.role_arn.iter().map(role).collect(), sts: StsEndpoint::new(region) }
}

/// The region in the name of a broker of MSK: `b-1.orders.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098`,
/// `boot-a1b2c3.c1.kafka-serverless.eu-central-1.amazonaws.com:9098`.
fn region_of(address: &str) -> Option<&str> {
    let host = address.trim().rsplit_once(':').map_or(address.trim(), |(host, _)| host);
    let mut labels = host.split('.');
    labels.by_ref().find(|label| ["kafka", "kafka-serverless"].contains(label))?;
    let region = labels.next()?;
    host.contains(".amazonaws.").then_some(region)
}

#[derive(Debug)]
struct MskTokens {
    identity: Identity,
    clock: AwsClock,
    /// The region of brokers whose names do not say it (a private endpoint has a name of its own).
    fallback: String,
}

impl TokenProvider for MskTokens {
    fn token<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Token, Fault>> {
        Box::pin(async move {
            let region = region_of(address).unwrap_or(&self.fallback);
            let signer = self.identity.signer().await?;
            let value = aws::msk_token(&signer, region, self.clock.now()).map_err(MskError::Sign)?;
            Ok(Token { value, extensions: Vec::new() })
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum MskError {
    /// The broker's name does not say its region, and nothing else does.
    #[error("the region of MSK broker {address} is not known")]
    Region { address: String },
    /// A token could not be signed.
    #[error("no token for MSK")]
    Sign(#[source] MskTokenError),
}

impl Diagnose for MskError {
    fn code(&self) -> Code {
        match self {
            Self::Region { .. } => "msk.unknown-region",
            Self::Sign(_) => "msk.no-token",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Region { .. } => Blame::Operator,
            Self::Sign(_) => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Region { .. } => {
                Some("name a connection with its region (tidegate.kafka.connection), or set AWS_REGION".into())
            }
            Self::Sign(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_name_says_its_region() {
        for (address, region) in [
            ("b-1.orders.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098", Some("eu-central-1")),
            ("boot-a1.c1.kafka-serverless.us-east-1.amazonaws.com:9098", Some("us-east-1")),
            ("b-1.x.c2.kafka.cn-north-1.amazonaws.com.cn:9098", Some("cn-north-1")),
            ("kafka.example.com:9098", None),
            ("127.0.0.1:9092", None),
        ] {
            assert_eq!(region_of(address), region, "{address}");
        }
    }

    #[test]
    fn a_login_modules_role_becomes_a_hop() {
        let login = IamLogin {
            role_arn: Some("arn:aws:iam::111111111111:role/msk".into()),
            external_id: Some("c-7f3".into()),
            ..IamLogin::default()
        };
        let connection = of_login(&login, "orders to s3", "eu-central-1".into());
        assert_eq!(connection.base, Base::DefaultChain);
        assert_eq!(connection.hops[0].session_name, "tidegate-orders-to-s3");
        assert_eq!(connection.hops[0].external_id.as_deref(), Some("c-7f3"));
        assert_eq!(connection.flaws(), []);
    }
}
