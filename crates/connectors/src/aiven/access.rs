use std::time::Duration;

use identity::{AccessKeyId, AssumeRole, Base, Connection, KeyRule, Profile, StaticKeys, StsEndpoint};

use crate::config::Config;
use crate::define::Values;
use crate::faults::{ConfigFault, Findings};

const GLOBAL_STS: &str = "https://sts.amazonaws.com";

/// Who Tidegate is to AWS. Upstream's order: a role with its session name, the pair of keys, the old pair, the provider
/// class, the default chain. The base of a role is the default chain, even if keys are given.
pub(super) fn connection(
    values: &Values,
    config: &Config,
    region: &str,
    static_keys: KeyRule,
    found: &mut Findings,
) -> Connection {
    let endpoint = values.text("aws.sts.config.endpoint").filter(|endpoint| *endpoint != GLOBAL_STS);
    let sts = StsEndpoint { endpoint: endpoint.map(str::to_owned), ..StsEndpoint::new(region) };
    let pair = pair(values, "aws.access.key.id", "aws.secret.access.key")
        .or_else(|| pair(values, "aws_access_key_id", "aws_secret_access_key"));
    let half = ["aws.access.key.id", "aws.secret.access.key", "aws_access_key_id", "aws_secret_access_key"]
        .into_iter()
        .find(|key| values.is_set(key));
    let role = values.text("aws.sts.role.arn");
    let session = values.text("aws.sts.role.session.name");
    if let (Some(arn), Some(session)) = (role, session) {
        if endpoint.is_some() && !values.is_set("aws.s3.region") {
            let text = "aws.s3.region should be specified together with aws.sts.config.endpoint";
            for key in ["aws.sts.config.endpoint", "aws.s3.region"] {
                found.fault(ConfigFault::new(key, config.get(key).map(str::to_owned), text));
            }
        }
        if let Some(key) = half {
            found.warn(key, "has no effect: a role is given, whose base is the default chain");
        }
        let duration = values.number("aws.sts.role.session.duration").and_then(|seconds| u64::try_from(seconds).ok());
        let role = AssumeRole {
            external_id: values.text("aws.sts.role.external.id").map(str::to_owned),
            duration: duration.map(Duration::from_secs).into(),
            ..AssumeRole::new(arn, session)
        };
        let connection = Connection { base: Base::DefaultChain, hops: vec![role], sts };
        for flaw in connection.flaws() {
            let key = match flaw.field {
                "role ARN" => "aws.sts.role.arn",
                "session name" => "aws.sts.role.session.name",
                "external ID" => "aws.sts.role.external.id",
                _ => "aws.sts.role.session.duration",
            };
            let text = format!("Invalid value {} for configuration {key}: {}", flaw.value, flaw.rule);
            found.fault(ConfigFault::new(key, Some(flaw.value), text));
        }
        return connection;
    }
    match (role, session) {
        (Some(_), None) => found.warn(
            "aws.sts.role.arn",
            "has no effect without aws.sts.role.session.name: the role is NOT taken on, as in Aiven's connector",
        ),
        (None, Some(_)) => {
            found.warn("aws.sts.role.session.name", "has no effect without aws.sts.role.arn: no role is taken on");
        }
        _ => {}
    }
    if pair.is_none()
        && let Some(key) = half
    {
        found.warn(key, "has no effect without the other half of the pair, as in Aiven's connector");
    }
    if let (Some(_), Some(key), false) = (&pair, half, static_keys.allows()) {
        let text = "keys that never end are switched off here (--no-static-keys, or a build without them)";
        found.fault(ConfigFault::new(key, None, text).hint("name a role, or a connection (tidegate.connection)"));
    }
    let base = pair.map_or_else(|| provider(values), Base::Keys);
    Connection { base, hops: Vec::new(), sts }
}

fn pair(values: &Values, id: &str, secret: &str) -> Option<StaticKeys> {
    let (id, secret) = (values.secret(id)?, values.secret(secret)?);
    Some(StaticKeys { access_key_id: AccessKeyId::new(id.expose()), secret: secret.clone(), token: None })
}

/// What the providers of the AWS SDK for Java (1 and 2) stand for.
fn provider(values: &Values) -> Base {
    let class = values.text("aws.credentials.provider").unwrap_or_default();
    match class.rsplit('.').next().unwrap_or_default() {
        "EC2ContainerCredentialsProviderWrapper" | "ContainerCredentialsProvider" => Base::Container,
        "InstanceProfileCredentialsProvider" => Base::Instance,
        "ProfileCredentialsProvider" => Base::Profile(Profile::default()),
        "EnvironmentVariableCredentialsProvider" => Base::Environment,
        "WebIdentityTokenCredentialsProvider" | "WebIdentityTokenFileCredentialsProvider" => Base::AmbientWebIdentity,
        "AnonymousCredentialsProvider" => Base::Anonymous,
        _ => Base::DefaultChain,
    }
}

/// Who Tidegate is to AWS is said once: by the connection, or by these keys.
pub(super) fn refuse_beside(values: &Values, config: &Config, found: &mut Findings) {
    for key in [
        "aws.access.key.id",
        "aws.secret.access.key",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws.credentials.provider",
        "aws.sts.role.arn",
        "aws.sts.role.session.name",
        "aws.sts.role.session.duration",
        "aws.sts.role.external.id",
        "aws.sts.config.endpoint",
    ] {
        if values.is_set(key) {
            let which =
                if config.has("tidegate.connection") { "tidegate.connection" } else { "provider.integration.id" };
            let text = format!("stands beside {which}, which says already who Tidegate is to AWS");
            found.fault(ConfigFault::new(key, None, text).hint(format!("leave {key} or {which} out")));
        }
    }
}
