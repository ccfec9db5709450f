use super::*;
use crate::catalogue::classes;
use crate::worker::WORKER_KEYS;

fn faults(pairs: &[(&str, &str)], worker: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut found = Findings::default();
    let (config, worker): (Config, Config) = (pairs.iter().copied().collect(), worker.iter().copied().collect());
    Restrictions::new(["minio.example.com", ".kafka.example.com"]).check(&config, &worker, &mut found);
    found.faults.into_iter().map(|fault| (fault.key, fault.text)).collect()
}

fn keys_of(pairs: &[(&str, &str)]) -> Vec<String> {
    faults(pairs, &[]).into_iter().map(|(key, _)| key).collect()
}

/// A key that is added to any table and sounds like a file, a host or an identity has to be put into ours, or here.
#[test]
fn every_key_that_sounds_like_the_machines_is_in_the_table() {
    const HARMLESS: &[&str] = &[
        // Names of objects, and what is in them.
        "file.name.template",
        "file.prefix.template",
        "file.compression.type",
        "file.max.records",
        "file.name.timestamp.timezone",
        "file.name.timestamp.source",
        // Settings of sessions of a role that is refused by itself.
        "aws.sts.role.session.duration",
        // Of the environment alone, looked up in what the plane gives.
        "tidegate.connection",
        "tidegate.kafka.connection",
        "provider.integration.id",
        // Keys that somebody has written down.
        "aws.access.key.id",
        "aws.secret.access.key",
        "aws_access_key_id",
        "aws_secret_access_key",
        "tidegate.s3.bucket.owner",
    ];
    let sounds = |key: &str| {
        let words = [
            "file",
            "path",
            "location",
            "dir",
            "endpoint",
            "url",
            "uri",
            "host",
            "server",
            "sts",
            "role",
            "credential",
            "profile",
            "provider",
            "identity",
            "connection",
            "integration",
            "keystore",
            "truststore",
            "jaas",
            "owner",
            "access.key",
            "access_key",
            "secret",
            "proxy",
            "callback",
        ];
        words.iter().any(|word| key.contains(word))
    };
    let ours = classes().iter().flat_map(crate::ConnectorClass::keys).chain(WORKER_KEYS).map(|def| def.name);
    let unknown: Vec<&str> =
        ours.filter(|key| sounds(key) && !HARMLESS.contains(key) && reach_of(key).is_none()).collect();
    assert_eq!(unknown, Vec::<&str>::new());
    // Those of Kafka's clients, whose tables are elsewhere.
    for key in [
        "ssl.truststore.location",
        "consumer.override.ssl.keystore.location",
        "admin.override.bootstrap.servers",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.oauthbearer.jwks.endpoint.url",
        "sasl.oauthbearer.assertion.private.key.file",
        "sasl.oauthbearer.assertion.file",
        "producer.override.sasl.jaas.config",
        "consumer.override.sasl.login.callback.handler.class",
        "ssl.engine.factory.class",
        "security.provider.class",
        "value.converter.schema.registry.url",
        "value.converter.schema.registry.ssl.truststore.location",
        "config.providers.file.class",
    ] {
        assert!(reach_of(key).is_some(), "{key}");
    }
    assert_eq!(reach_of("profile"), Some(Reach::Identity));
    assert_eq!(reach_of("name"), None);
}

#[test]
fn everything_that_is_the_machines_is_refused_at_once() {
    let keys = keys_of(&[
        ("connector.class", "X"),
        ("aws.credentials.provider", "com.amazonaws.auth.InstanceProfileCredentialsProvider"),
        ("aws.s3.endpoint", "http://169.254.169.254"),
        ("aws.sts.config.endpoint", "https://user@sts.amazonaws.com"),
        ("aws.sts.role.arn", "arn:aws:iam::111111111111:role/operators"),
        ("consumer.override.bootstrap.servers", "kafka.internal:9092"),
        ("consumer.override.ssl.truststore.location", "/etc/ssl/x"),
        ("consumer.override.sasl.jaas.config", "com.sun.security.auth.module.JndiLoginModule required;"),
        ("value.converter.schema.registry.url", "http://localhost:8081"),
    ]);
    assert_eq!(
        keys,
        [
            "aws.credentials.provider",
            "aws.s3.endpoint",
            "aws.sts.config.endpoint",
            "aws.sts.role.arn",
            "consumer.override.bootstrap.servers",
            "consumer.override.sasl.jaas.config",
            "consumer.override.ssl.truststore.location",
            "value.converter.schema.registry.url",
        ]
    );
    let machine = faults(&[("connector.class", "X")], &[]);
    assert_eq!(machine[0].0, "provider.integration.id", "who says nothing would be the machine");
}

#[test]
fn what_a_tenant_has_of_its_own_passes() {
    for said in [
        &[("provider.integration.id", "cspi-1")][..],
        &[("tidegate.connection", "orders")],
        &[("aws.access.key.id", "AKIA"), ("aws.secret.access.key", "s")],
        &[("aws.credentials.provider", "software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider")],
    ] {
        let mut config = vec![
            ("connector.class", "X"),
            ("aws.s3.endpoint", "https://minio.example.com:9000/x"),
            ("aws.sts.config.endpoint", "https://sts.eu-central-1.amazonaws.com"),
            ("consumer.override.bootstrap.servers", "b1.kafka.example.com:9092,b2.kafka.example.com:9092"),
            ("consumer.override.sasl.mechanism", "SCRAM-SHA-512"),
            (
                "consumer.override.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\" password=\"b\";",
            ),
            ("consumer.override.ssl.truststore.certificates", "-----BEGIN"),
        ];
        config.extend(said);
        assert_eq!(faults(&config, &[]), [], "{said:?}");
    }
}

#[test]
fn half_a_pair_of_keys_is_the_machines_identity() {
    assert_eq!(keys_of(&[("connector.class", "X"), ("aws.access.key.id", "AKIA")]), ["provider.integration.id"]);
}

#[test]
fn signing_for_msk_takes_a_connection_of_the_cluster() {
    let module = "software.amazon.msk.auth.iam.IAMLoginModule required;";
    let config = [
        ("provider.integration.id", "cspi-1"),
        ("consumer.override.sasl.mechanism", "AWS_MSK_IAM"),
        ("consumer.override.sasl.jaas.config", module),
        (
            "consumer.override.sasl.client.callback.handler.class",
            "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
        ),
        // Of a connector it would have no effect, and must not be taken for the cluster's.
        ("tidegate.kafka.connection", "mine"),
    ];
    assert_eq!(faults(&config, &[]).len(), 3);
    assert_eq!(faults(&config, &[("tidegate.kafka.connection", "msk")]), []);
    let profile = format!("{} awsProfileName=\"operator\";", module.trim_end_matches(';'));
    let config = [("provider.integration.id", "cspi-1"), ("sasl.jaas.config", profile.as_str())];
    assert_eq!(faults(&config, &[("tidegate.kafka.connection", "msk")]).len(), 1);
}

#[test]
fn options_of_a_login_module_are_known_however_they_are_written() {
    let oauth = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
    for option in [
        "ssl.truststore.location=\"/etc/ssl/x\"",
        "SSL.truststore.location = /etc/ssl/x",
        r#""ssl.truststore\.location"="/etc/ssl/x""#,
        r#""\awsRole\Arn"="arn:aws:iam::111111111111:role/operators""#,
    ] {
        let module = format!("{oauth} required clientId=\"a\" clientSecret=\"b\" {option};");
        let config = [("provider.integration.id", "cspi-1"), ("consumer.override.sasl.jaas.config", module.as_str())];
        assert_eq!(faults(&config, &[]).len(), 1, "{option}");
    }
}

#[test]
fn only_hosts_that_everybody_reads_alike_and_that_are_listed_or_awss_own_are_called() {
    let restrictions = Restrictions::new(["minio.example.com", ".kafka.example.com", "[::1]"]);
    for allowed in [
        "https://minio.example.com",
        "MINIO.example.com.:9000",
        "b1.kafka.example.com:9092",
        "http://[::1]:80/x",
        "https://s3.amazonaws.com",
        "https://s3.dualstack.eu-central-1.amazonaws.com",
        "https://s3-fips.us-gov-west-1.amazonaws.com",
        "sts.eu-central-1.amazonaws.com",
        "https://s3.cn-north-1.amazonaws.com.cn",
    ] {
        assert!(restrictions.allows(allowed), "{allowed}");
    }
    for refused in [
        "",
        "http://",
        "http://169.254.169.254/latest",
        "http://localhost",
        "https://minio.example.com@evil.example",
        "https://evil.example\\@minio.example.com",
        "https://evil.example/minio.example.com",
        "https://evil.example?.kafka.example.com",
        "https://minio.example.com%2eevil.example",
        "kafka.example.com",
        ".kafka.example.com",
        "xkafka.example.com",
        "minio.example.com.evil.example",
        "minio.example.com:9000:1",
        "file:///etc/passwd",
        "gopher://minio.example.com",
        "https://internal-a.eu-central-1.elb.amazonaws.com",
        "https://ec2-10-0-0-1.compute-1.amazonaws.com",
        "https://s3.evil.amazonaws.com",
        "https://vpce-1.s3.eu-central-1.vpce.amazonaws.com",
        "https://s3.amazonaws.com.evil.example",
    ] {
        assert!(!restrictions.allows(refused), "{refused}");
    }
}

#[test]
fn a_tenants_cluster_names_brokers_that_are_allowed_and_no_provider() {
    let of = |pairs: &[(&str, &str)]| {
        let config: Config = pairs.iter().copied().collect();
        let faults = Restrictions::new(["kafka.example.com"]).worker_faults("lkc-1", &config);
        faults
            .map(|faults| faults.faults().iter().map(|fault| fault.key.clone()).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    assert_eq!(of(&[("bootstrap.servers", "kafka.example.com:9092")]), Vec::<String>::new());
    assert_eq!(of(&[]), ["bootstrap.servers"], "the default is this machine");
    assert_eq!(
        of(&[
            ("bootstrap.servers", "localhost:9092"),
            ("config.providers", "env"),
            ("config.providers.env.class", "E")
        ]),
        ["bootstrap.servers", "config.providers", "config.providers.env.class"]
    );
}
