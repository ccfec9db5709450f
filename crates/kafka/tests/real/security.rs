use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fault::{Chain, Diagnose};
use kafka::config::Problems;
use kafka::net::Connection;
use kafka::{ClientConfig, Cluster};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};

use crate::support::{Kafka, eventually, kafka, wanted};

const TLS: u16 = 2;
const SASL: u16 = 3;
const SASL_TLS: u16 = 4;
const MUTUAL: u16 = 5;

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";

fn configured(address: &str, pairs: &[(&str, &str)]) -> Result<ClientConfig, Problems> {
    let mut properties: BTreeMap<_, _> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    properties.insert("bootstrap.servers".into(), address.into());
    // So that a wrong setting fails soon.
    properties.insert("request.timeout.ms".into(), "5000".into());
    ClientConfig::from_properties(&properties, None).map(|checked| checked.config)
}

/// Connects and looks around; what it says otherwise, with all causes.
async fn visit(address: &str, pairs: &[(&str, &str)]) -> Result<(), String> {
    let config = configured(address, pairs).map_err(|problems| problems.to_string())?;
    match Cluster::connect(config).await {
        Err(error) => Err(format!("{} [{}]", Chain(&error), error.hint().unwrap_or_default())),
        Ok(cluster) => {
            // Through the advertised address, "localhost".
            cluster.node(1, kafka::cluster::Purpose::Fetch).await.map_err(|error| Chain(&error).to_string())?;
            Ok(())
        }
    }
}

/// The key and chain of a PKCS#12 store as PEM.
fn pem_of(path: &str) -> (String, String) {
    let store = KeyStore::from_pkcs12(&std::fs::read(path).unwrap(), "changeit", Pkcs12ImportPolicy::Relaxed).unwrap();
    let (_, chain) = store.private_key_chain().unwrap();
    let pem = |what: &str, der: &[u8]| {
        let mut text = format!("-----BEGIN {what}-----\n");
        for line in BASE64_STANDARD.encode(der).as_bytes().chunks(64) {
            writeln!(text, "{}", std::str::from_utf8(line).unwrap()).unwrap();
        }
        text + &format!("-----END {what}-----\n")
    };
    let certificates = chain.certs().iter().map(|cert| pem("CERTIFICATE", cert.as_der())).collect();
    (pem("PRIVATE KEY", chain.key().as_der()), certificates)
}

#[tokio::test]
async fn a_broker_is_trusted_by_every_kind_of_truststore() {
    let Some(kafka) = kafka("a_broker_is_trusted_by_every_kind_of_truststore") else { return };
    let pem = std::fs::read_to_string(kafka.file("tls/ca.pem")).unwrap();
    let stores: [&[(&str, &str)]; 4] = [
        &[("ssl.truststore.location", &kafka.file("tls/trust.jks")), ("ssl.truststore.password", "changeit")],
        &[
            ("ssl.truststore.location", &kafka.file("tls/trust.p12")),
            ("ssl.truststore.password", "changeit"),
            ("ssl.truststore.type", "PKCS12"),
        ],
        &[("ssl.truststore.location", &kafka.file("tls/ca.pem")), ("ssl.truststore.type", "PEM")],
        &[("ssl.truststore.certificates", &pem), ("ssl.truststore.type", "PEM")],
    ];
    for store in stores {
        let pairs = [&[("security.protocol", "SSL")], store].concat();
        visit(&kafka.address(TLS), &pairs).await.unwrap_or_else(|error| panic!("{store:?}: {error}"));
    }
}

#[tokio::test]
async fn a_broker_of_an_unknown_authority_is_refused() {
    let Some(kafka) = kafka("a_broker_of_an_unknown_authority_is_refused") else { return };
    let (_, stranger) = pem_of(&kafka.file("tls/client.p12"));
    let leaf = stranger.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    let pairs = [("security.protocol", "SSL"), ("ssl.truststore.certificates", leaf), ("ssl.truststore.type", "PEM")];
    let error = visit(&kafka.address(TLS), &pairs).await.unwrap_err();
    assert!(error.contains("TLS handshake"), "{error}");
}

#[tokio::test]
async fn the_name_in_the_certificate_counts_unless_switched_off() {
    let Some(kafka) = kafka("the_name_in_the_certificate_counts_unless_switched_off") else { return };
    let location = kafka.file("tls/ca.pem");
    let mut pairs = vec![
        ("security.protocol", "SSL"),
        ("ssl.truststore.location", location.as_str()),
        ("ssl.truststore.type", "PEM"),
    ];
    // The certificate has localhost and 127.0.0.1, but not this other name of loopback.
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap().to_string();
    let broker = kafka.address(TLS);
    let relay = tokio::spawn(async move {
        while let Ok((mut client, _)) = elsewhere.accept().await {
            let mut broker = tokio::net::TcpStream::connect(&broker).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut broker).await });
        }
    });
    let patience = Duration::from_secs(10);
    let strict = configured(&address, &pairs).unwrap();
    let error = Connection::open(&strict, &*address, patience).await.unwrap_err();
    assert!(Chain(&error).to_string().contains("not valid for name"), "{}", Chain(&error));
    pairs.push(("ssl.endpoint.identification.algorithm", ""));
    let lenient = configured(&address, &pairs).unwrap();
    Connection::open(&lenient, &*address, patience).await.unwrap();
    relay.abort();
}

#[tokio::test]
async fn a_client_certificate_is_shown_from_every_kind_of_keystore() {
    let Some(kafka) = kafka("a_client_certificate_is_shown_from_every_kind_of_keystore") else { return };
    let (key, chain) = pem_of(&kafka.file("tls/client.p12"));
    let combined = kafka.file("client.pem");
    std::fs::write(&combined, format!("{key}{chain}")).unwrap();
    let stores: [&[(&str, &str)]; 4] = [
        &[("ssl.keystore.location", &kafka.file("tls/client.jks")), ("ssl.keystore.password", "changeit")],
        &[
            ("ssl.keystore.location", &kafka.file("tls/client.p12")),
            ("ssl.keystore.password", "changeit"),
            ("ssl.keystore.type", "PKCS12"),
        ],
        &[("ssl.keystore.location", &combined), ("ssl.keystore.type", "PEM")],
        &[("ssl.keystore.key", &key), ("ssl.keystore.certificate.chain", &chain), ("ssl.keystore.type", "PEM")],
    ];
    let location = kafka.file("tls/ca.pem");
    let common =
        [("security.protocol", "SSL"), ("ssl.truststore.location", &*location), ("ssl.truststore.type", "PEM")];
    for store in stores {
        let pairs = [&common[..], store].concat();
        visit(&kafka.address(MUTUAL), &pairs).await.unwrap_or_else(|error| panic!("{store:?}: {error}"));
    }
    assert!(visit(&kafka.address(MUTUAL), &common).await.is_err(), "no certificate was shown");
}

#[tokio::test]
async fn a_wrong_store_password_is_named_with_its_key() {
    let Some(kafka) = kafka("a_wrong_store_password_is_named_with_its_key") else { return };
    for store in ["tls/trust.jks", "tls/trust.p12"] {
        let location = kafka.file(store);
        let pairs = [
            ("security.protocol", "SSL"),
            ("ssl.truststore.location", location.as_str()),
            ("ssl.truststore.password", "wrong-one"),
        ];
        let problems = configured("localhost:1", &pairs).unwrap_err();
        assert_eq!(problems.0[0].key, "ssl.truststore.location");
        assert!(problems.0[0].problem.contains("cannot be opened"), "{problems}");
        assert!(!problems.to_string().contains("wrong-one"));
    }
}

fn jaas(module: &str, user: &str, password: &str) -> String {
    format!("org.apache.kafka.common.security.x.{module} required username=\"{user}\" password=\"{password}\";")
}

#[tokio::test]
async fn every_mechanism_opens_the_door_to_who_knows_the_password_only() {
    let Some(kafka) = kafka("every_mechanism_opens_the_door_to_who_knows_the_password_only") else { return };
    for (mechanism, module, user) in [
        ("PLAIN", "PlainLoginModule", "alice"),
        ("SCRAM-SHA-256", "ScramLoginModule", "bob"),
        ("SCRAM-SHA-512", "ScramLoginModule", "bob"),
    ] {
        let common = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", mechanism)];
        let good = jaas(module, user, &format!("{user}-secret"));
        let pairs = [&common[..], &[("sasl.jaas.config", &*good)]].concat();
        visit(&kafka.address(SASL), &pairs).await.unwrap_or_else(|error| panic!("{mechanism}: {error}"));
        let bad = jaas(module, user, "wrong-one");
        let pairs = [&common[..], &[("sasl.jaas.config", &*bad)]].concat();
        let error = visit(&kafka.address(SASL), &pairs).await.unwrap_err();
        assert!(error.contains(&format!("refused {mechanism}: SASL_AUTHENTICATION_FAILED")), "{error}");
        assert!(!error.contains("wrong-one"));
    }
}

#[tokio::test]
async fn sasl_goes_over_tls() {
    let Some(kafka) = kafka("sasl_goes_over_tls") else { return };
    let location = kafka.file("tls/ca.pem");
    let login = jaas("ScramLoginModule", "bob", "bob-secret");
    let pairs = [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.jaas.config", &login),
        ("ssl.truststore.location", &location),
        ("ssl.truststore.type", "PEM"),
    ];
    visit(&kafka.address(SASL_TLS), &pairs).await.unwrap();
}

#[tokio::test]
async fn a_bearer_token_is_taken_or_refused_with_a_reason() {
    let Some(kafka) = kafka("a_bearer_token_is_taken_or_refused_with_a_reason") else { return };
    let login = format!("{MODULE} unsecuredLoginStringClaim_sub=\"carol\";");
    let common = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "OAUTHBEARER")];
    let pairs = [&common[..], &[("sasl.jaas.config", &*login)]].concat();
    visit(&kafka.address(SASL), &pairs).await.unwrap();

    // A token from a file, and one that no broker believes.
    let path = kafka.file("token");
    std::fs::write(&path, "bm90.YQ.dG9rZW4").unwrap();
    let url = format!("file://{path}");
    let login = format!("{MODULE};");
    let pairs =
        [&common[..], &[("sasl.jaas.config", &*login), ("sasl.oauthbearer.token.endpoint.url", &*url)]].concat();
    let error = visit(&kafka.address(SASL), &pairs).await.unwrap_err();
    assert!(error.contains("refused OAUTHBEARER: SASL_AUTHENTICATION_FAILED"), "{error}");
}

#[tokio::test]
async fn a_mechanism_that_the_broker_lacks_is_answered_with_those_it_has() {
    let Some(kafka) = kafka("the_wrong_port") else { return };
    let login = jaas("PlainLoginModule", "alice", "alice-secret");
    let pairs = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", &login)];
    // The plaintext listener takes no SASL at all.
    let error = visit(&kafka.address(0), &pairs).await.unwrap_err();
    assert!(error.contains("ILLEGAL_SASL_STATE") || error.contains("hung up"), "{error}");
}

#[tokio::test]
async fn the_wrong_security_protocol_is_told_by_what_comes_back() {
    let Some(kafka) = kafka("the_wrong_security_protocol_is_told_by_what_comes_back") else { return };
    let error = visit(&kafka.address(TLS), &[]).await.unwrap_err();
    assert!(error.contains("it speaks TLS") && error.contains("set security.protocol to SSL"), "{error}");
    let error = visit(&kafka.address(SASL), &[]).await.unwrap_err();
    assert!(error.contains("hung up on our first request") && error.contains("security.protocol"), "{error}");
    let location = kafka.file("tls/ca.pem");
    let pairs = [("security.protocol", "SSL"), ("ssl.truststore.location", &*location), ("ssl.truststore.type", "PEM")];
    let error = visit(&kafka.address(0), &pairs).await.unwrap_err();
    assert!(error.contains("TLS handshake"), "{error}");
}

#[tokio::test]
async fn a_connection_outlives_its_session_by_authenticating_again() {
    if !wanted("a_connection_outlives_its_session_by_authenticating_again") {
        return;
    }
    let lifetime = Duration::from_secs(4);
    let properties = format!("connections.max.reauth.ms={}", lifetime.as_millis());
    let kafka = Kafka::start(&[("KAFKA_SECURE", "1"), ("KAFKA_PROPS", &properties)]);
    for (mechanism, module, user) in
        [("SCRAM-SHA-256", "ScramLoginModule", "bob"), ("PLAIN", "PlainLoginModule", "alice")]
    {
        let login = jaas(module, user, &format!("{user}-secret"));
        let pairs =
            [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", mechanism), ("sasl.jaas.config", &login)];
        let config = configured(&kafka.address(SASL), &pairs).unwrap();
        let connection = Connection::open(&config, kafka.address(SASL), Duration::from_secs(10)).await.unwrap();
        let started = tokio::time::Instant::now();
        // The broker ends a connection at the first request after its session; so this one has had two more of them.
        eventually("three sessions passed", Duration::from_secs(30), async || {
            let request = kafka_protocol::messages::MetadataRequest::default().with_topics(Some(vec![]));
            connection.call(&request).await.expect("the connection is still good");
            (started.elapsed() > lifetime * 3).then_some(())
        })
        .await;
    }
}
