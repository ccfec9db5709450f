//! Worker properties that lead to secured brokers.

use std::fmt::Write;

use serde_json::json;

use crate::support::{Place, Run, SOON, Shared, shared};
use crate::witness::numbered;

const TLS_CLIENT: u16 = 5;
const SASL: u16 = 3;
const SASL_TLS: u16 = 4;

fn jaas(module: &str, user: &str, password: &str) -> String {
    format!("org.apache.kafka.common.security.x.{module} required username=\"{user}\" password=\"{password}\";")
}

/// Starts a drain by these worker properties and string converters of the worker's, not of the connector's.
fn drain(shared: &Shared, place: &Place, name: &str, listener: u16, properties: &[(&str, &str)]) -> Run {
    let converter = "org.apache.kafka.connect.storage.StringConverter";
    let mut text = format!(
        "bootstrap.servers={}\nkey.converter={converter}\nvalue.converter={converter}\nrequest.timeout.ms=10000\n",
        shared.kafka.address(listener)
    );
    for (key, value) in properties {
        writeln!(text, "{key}={value}").expect("a string");
    }
    let worker = place.write(&format!("{name}.properties"), &text);
    let template = format!("{name}/{{{{topic}}}}/{{{{partition}}}}/{{{{start_offset}}}}");
    let config = json!({"key.converter": null, "value.converter": null, "file.name.template": template});
    let connector = place.connector(&format!("{}-{name}", place.name), &config);
    let worker = worker.to_str().expect("plain").to_owned();
    place.run(&[&connector], &["--worker", &worker, "--drain", "--drain-timeout", "30"])
}

#[test]
fn every_way_to_a_secured_broker_is_found_in_worker_properties() {
    let Some(shared) = shared("every_way_to_a_secured_broker_is_found_in_worker_properties") else { return };
    let place = shared.place("secured");
    let topic = place.topic(2);
    place.witness.produce(&numbered(&topic, 2, 0..50));
    let pem = shared.kafka.file("tls/ca.pem");
    let p12 = shared.kafka.file("tls/trust.p12");
    let client = shared.kafka.file("tls/client.p12");
    let plain = jaas("PlainLoginModule", "alice", "alice-secret");
    let scram = jaas("ScramLoginModule", "bob", "bob-secret");
    let pem_trust = [("ssl.truststore.type", "PEM"), ("ssl.truststore.location", &*pem)];
    let p12_trust = [
        ("ssl.truststore.type", "PKCS12"),
        ("ssl.truststore.location", &*p12),
        ("ssl.truststore.password", "changeit"),
    ];
    let sasl = |protocol: &'static str, mechanism: &'static str, jaas| {
        vec![("security.protocol", protocol), ("sasl.mechanism", mechanism), ("sasl.jaas.config", jaas)]
    };
    let ways = [
        ("plain-pem", SASL_TLS, [sasl("SASL_SSL", "PLAIN", &*plain), pem_trust.to_vec()].concat()),
        ("scram-256-p12", SASL_TLS, [sasl("SASL_SSL", "SCRAM-SHA-256", &*scram), p12_trust.to_vec()].concat()),
        ("scram-512-pem", SASL_TLS, [sasl("SASL_SSL", "SCRAM-SHA-512", &*scram), pem_trust.to_vec()].concat()),
        ("scram-512-open", SASL, sasl("SASL_PLAINTEXT", "SCRAM-SHA-512", &*scram)),
        (
            "certificate-p12",
            TLS_CLIENT,
            [
                vec![
                    ("security.protocol", "SSL"),
                    ("ssl.keystore.type", "PKCS12"),
                    ("ssl.keystore.location", &*client),
                    ("ssl.keystore.password", "changeit"),
                ],
                p12_trust.to_vec(),
            ]
            .concat(),
        ),
    ];
    let mut runs: Vec<_> = ways
        .iter()
        .map(|(name, listener, properties)| (name, drain(shared, &place, name, *listener, properties)))
        .collect();
    for (name, run) in &mut runs {
        assert_eq!(run.exit(SOON).code(), Some(0), "{name}: {}", run.log());
        place.each_record_is_in_one_object(&format!("{name}/"));
        assert!(!run.log().contains("-secret") && !run.log().contains("changeit"), "{name}: a password is in the log");
    }
    place.no_upload_is_left();
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let Some(shared) = shared("a_wrong_password_is_told_without_it") else { return };
    let place = shared.place("wrong-password");
    place.topic(1);
    let wrong = jaas("ScramLoginModule", "bob", "not-what-bob-chose");
    let properties =
        [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.jaas.config", &*wrong)];
    let mut run = drain(shared, &place, "wrong", SASL, &properties);
    assert_eq!(run.exit(SOON).code(), Some(3), "{}", run.log());
    run.says(&["SCRAM-SHA-512", "SASL_AUTHENTICATION_FAILED"]);
    assert!(!run.log().contains("not-what-bob-chose"), "{}", run.log());
}
