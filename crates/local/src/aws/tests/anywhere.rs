//! CreateSession, asked for by a signer that can do what a proper one never does. Keys and certificates are those of
//! `dev/roles-anywhere-vectors`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Digest, SHA256, SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use iam::Arn;
use serde_json::{Value, json};
use world::Clock;

use super::client::{Answer, Client};
use super::{CUSTOMER, VENDOR, World, allow, bounded, service_trust};
use crate::aws::sigv4::sha256_hex;
use crate::aws::{AwsOptions, time};

const REGION: &str = "eu-central-1";
const ALL: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
const SERVICE: &str = "rolesanywhere.amazonaws.com";

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../identity/testdata/roles_anywhere.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn der(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

/// An AWS with a role, an anchor that holds `root`, and a profile, in the year of the vectors.
struct Place {
    world: World,
    vectors: Value,
    now: SystemTime,
    role: Arn,
    anchor: Arn,
    profile: Arn,
}

impl Place {
    async fn new() -> Self {
        Self::trusting(&ALL, &json!({})).await
    }

    async fn trusting(actions: &[&str], conditions: &Value) -> Self {
        let vectors = vectors();
        let now = UNIX_EPOCH + Duration::from_secs(vectors["now"].as_u64().unwrap());
        let world = World::with(AwsOptions { clock: Clock::manual(now), ..AwsOptions::default() }).await;
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let role = account.role("orders", &service_trust(SERVICE, actions, conditions)).path("/service/");
        let role = role.policy(&allow("s3:*")).create().await.unwrap();
        let anchor = account.trust_anchor(text(&vectors["authorities"]["root"]));
        let anchor = anchor.revocations(text(&vectors["crl"])).region(REGION).create().unwrap();
        let profile = account.anywhere_profile(&[&role]).region(REGION).create().unwrap();
        Self { world, vectors, now, role, anchor, profile }
    }

    fn client(&self) -> Client {
        Client { now: self.now, ..self.world.client() }
    }

    fn ask(&self, leaf: &str) -> X509Ask {
        let leaf = &self.vectors["leaves"][leaf];
        let key = STANDARD.decode(der(text(&leaf["private_key"]))).unwrap();
        X509Ask {
            key,
            kind: text(&leaf["facts"]["key"]).to_owned(),
            algorithm: None,
            serial: text(&leaf["facts"]["serial"]).to_owned(),
            scope: format!("{REGION}/rolesanywhere/aws4_request"),
            time: self.now,
            query: String::new(),
            body: json!({"profileArn": self.profile.as_str(), "roleArn": self.role.as_str(),
                "trustAnchorArn": self.anchor.as_str()}),
            headers: BTreeMap::from([
                ("host".to_owned(), self.world.aws.address().to_string()),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-amz-x509".to_owned(), der(text(&leaf["certificate"]))),
            ]),
            unsigned: Vec::new(),
        }
    }

    fn chain(&self, names: &[&str]) -> String {
        let ders: Vec<String> = names.iter().map(|name| der(text(&self.vectors["authorities"][*name]))).collect();
        ders.join(",")
    }

    async fn send(&self, ask: &X509Ask) -> Answer {
        let (head, body) = ask.sign();
        self.client().send(&head, body.as_bytes()).await.unwrap()
    }

    async fn refused(&self, what: &str, ask: &X509Ask, status: u16, said: &str) {
        let answer = self.send(ask).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
        assert!(answer.text().contains(said), "{what}: {}", answer.text());
        let code = match status {
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            _ => "ValidationException",
        };
        assert_eq!(answer.header("x-amzn-errortype"), code, "{what}");
    }
}

/// A request, every part of which can be wrong.
#[derive(Clone)]
struct X509Ask {
    key: Vec<u8>,
    kind: String,
    algorithm: Option<&'static str>,
    serial: String,
    scope: String,
    time: SystemTime,
    query: String,
    body: Value,
    headers: BTreeMap<String, String>,
    unsigned: Vec<&'static str>,
}

impl X509Ask {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    fn member(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }

    fn sign(&self) -> (String, String) {
        let date = time::compact(self.time);
        let mut headers = self.headers.clone();
        headers.insert("x-amz-date".to_owned(), date.clone());
        let signed: Vec<&str> =
            headers.keys().map(String::as_str).filter(|name| !self.unsigned.contains(name)).collect();
        let body = self.body.to_string();
        let mut canonical = format!("POST\n/sessions\n{}\n", self.query);
        for name in &signed {
            writeln!(canonical, "{name}:{}", headers[*name]).unwrap();
        }
        write!(canonical, "\n{}\n{}", signed.join(";"), sha256_hex(body.as_bytes())).unwrap();
        let usual = if self.kind.starts_with("RSA") { "AWS4-X509-RSA-SHA256" } else { "AWS4-X509-ECDSA-SHA256" };
        let algorithm = self.algorithm.unwrap_or(usual);
        let scope = format!("{}/{}", &date[..8], self.scope);
        let message = format!("{algorithm}\n{date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = hex::encode(self.signature(message.as_bytes()));
        let separator = if self.query.is_empty() { "" } else { "?" };
        let mut head = format!("POST /sessions{separator}{} HTTP/1.1\r\n", self.query);
        for (name, value) in &headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(
            head,
            "content-length: {}\r\nauthorization: {algorithm} Credential={}/{scope}, SignedHeaders={}, Signature={signature}\r\n\r\n",
            body.len(),
            self.serial,
            signed.join(";"),
        )
        .unwrap();
        (head, body)
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.kind {
            "RSA-2048" => {
                let key = RsaKeyPair::from_pkcs8(&self.key).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            "secp256r1" => {
                let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.key).unwrap();
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }
            "secp384r1" => {
                let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_ASN1_SIGNING, &self.key).unwrap();
                let mut wide = [0; 48];
                wide[16..].copy_from_slice(digest(&SHA256, message).as_ref());
                let digest = Digest::import_less_safe(&wide, &SHA384).unwrap();
                key.sign_digest(&digest).unwrap().as_ref().to_vec()
            }
            // Keys that are refused before anybody looks at a signature.
            _ => b"no signature".to_vec(),
        }
    }
}

/// The session in an answer, as a client.
fn session(place: &Place, answer: &Answer) -> (Client, Value) {
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let set = answer["credentialSet"][0].clone();
    let names = ["accessKeyId", "secretAccessKey", "sessionToken"];
    (place.client().with_keys(&set["credentials"], names), set)
}

#[tokio::test]
async fn a_certificate_is_exchanged_for_a_session_that_s3_takes() {
    bounded(async {
        let place = Place::new().await;
        for leaf in ["rsa", "p256", "p384"] {
            let (client, set) = session(&place, &place.send(&place.ask(leaf)).await);
            assert!(client.put("/lake/k", leaf).await.status.is_success());
            assert_eq!(set["sourceIdentity"], "tidegate-worker");
            // The serial number in hex is the name of who gave none.
            let serial = place.ask(leaf).serial.parse::<x509_parser::num_bigint::BigUint>().unwrap();
            let name = format!("{serial:x}");
            let arn = format!("arn:aws:sts::{CUSTOMER}:assumed-role/orders/{name}");
            assert_eq!(set["assumedRoleUser"]["arn"], arn);
            assert_eq!(client.sts(&[("Action", "GetCallerIdentity")]).await.element("Arn"), arn);
        }
        let (client, set) = session(&place, &place.send(&place.ask("no_common_name")).await);
        assert_eq!(set["sourceIdentity"], Value::Null);
        assert!(client.put("/lake/k", "x").await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn parameters_stand_in_the_query_or_in_the_body_and_further_headers_may_be_signed() {
    bounded(async {
        let place = Place::new().await;
        let ask = place.ask("p256").with("amz-sdk-invocation-id", "1").with("amz-sdk-request", "attempt=1;  max=3");
        let mut query = String::new();
        for name in ["profileArn", "roleArn", "trustAnchorArn"] {
            let value = crate::aws::uri::encode(text(&ask.body[name]), false);
            write!(query, "{}{name}={value}", if query.is_empty() { "" } else { "&" }).unwrap();
        }
        let ask = X509Ask { query, body: json!({"durationSeconds": 900}), ..ask.with("amz-sdk-request", "attempt=1") };
        let (_, set) = session(&place, &place.send(&ask).await);
        let end = place.now + Duration::from_mins(15);
        assert_eq!(set["credentials"]["expiration"], time::iso_seconds(end));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_not_fit_is_refused() {
    bounded(async {
        let place = Place::new().await;
        for (leaf, said) in [
            ("sha1", "signature algorithm of the certificate"),
            ("version1", "X.509v3"),
            ("ca", "certificate authority"),
            ("no_digital_signature", "digitalSignature"),
            ("no_key_usage", "digitalSignature"),
            ("weak", "key of the certificate"),
            ("p521", "key of the certificate"),
            ("ed25519", "key of the certificate"),
            ("expired", "Untrusted signing certificate"),
            ("not_yet", "Untrusted signing certificate"),
            ("by_stranger", "Untrusted signing certificate"),
            ("by_impostor", "Untrusted signing certificate"),
            ("chained", "Untrusted signing certificate"),
            ("revoked", "revoked"),
        ] {
            place.refused(leaf, &place.ask(leaf), 403, said).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_chain_leads_to_the_anchor_or_nowhere() {
    bounded(async {
        let place = Place::new().await;
        let chained = place.ask("chained");
        let with = |ask: &X509Ask, names: &[&str]| ask.clone().with("x-amz-x509-chain", &place.chain(names));
        session(&place, &place.send(&with(&chained, &["middle"])).await);
        session(&place, &place.send(&with(&chained, &["stranger", "middle", "root"])).await);
        for (leaf, chain, said) in [
            ("chained", &["stranger"][..], "Untrusted signing certificate"),
            ("by_stranger", &["stranger"], "Untrusted signing certificate"),
            ("by_no_authority", &["no_authority"], "Untrusted signing certificate"),
            ("by_no_cert_sign", &["no_cert_sign"], "Untrusted signing certificate"),
            ("by_expired_middle", &["expired_middle"], "Untrusted signing certificate"),
            ("by_impostor", &["impostor"], "Untrusted signing certificate"),
        ] {
            place.refused(leaf, &with(&place.ask(leaf), chain), 403, said).await;
        }
        place.refused("long", &with(&chained, &["middle"; 6]), 400, "too long").await;
        place.refused("damaged", &chained.clone().with("x-amz-x509-chain", "AAAA"), 400, "cannot be read").await;

        // An authority says how many may stand between it and an end entity.
        let account = place.world.aws.account(CUSTOMER.parse().unwrap());
        let short = account.trust_anchor(text(&place.vectors["authorities"]["short"])).region(REGION).create().unwrap();
        let at = |leaf| place.ask(leaf).member("trustAnchorArn", json!(short.as_str()));
        session(&place, &place.send(&at("by_short")).await);
        let below = with(&at("by_below_short"), &["below_short"]);
        place.refused("path length", &below, 403, "Untrusted signing certificate").await;
        let rsa =
            account.trust_anchor(text(&place.vectors["authorities"]["rsa_root"])).region(REGION).create().unwrap();
        session(&place, &place.send(&place.ask("by_rsa").member("trustAnchorArn", json!(rsa.as_str()))).await);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_not_as_it_was_signed_is_refused() {
    bounded(async {
        let place = Place::new().await;
        let ask = || place.ask("p256");
        let chain = ask().with("x-amz-x509-chain", &place.chain(&["middle"]));
        let hex = format!("{:x}", ask().serial.parse::<x509_parser::num_bigint::BigUint>().unwrap());
        for (what, ask, said) in [
            ("serial in hex", X509Ask { serial: hex, ..ask() }, "serial number"),
            ("another serial", X509Ask { serial: place.ask("rsa").serial, ..ask() }, "serial number"),
            ("x509 unsigned", X509Ask { unsigned: vec!["x-amz-x509"], ..ask() }, "x-amz-x509 is not signed"),
            (
                "chain unsigned",
                X509Ask { unsigned: vec!["x-amz-x509-chain"], ..chain },
                "x-amz-x509-chain is not signed",
            ),
            ("host unsigned", X509Ask { unsigned: vec!["host"], ..ask() }, "host is not signed"),
            ("date unsigned", X509Ask { unsigned: vec!["x-amz-date"], ..ask() }, "x-amz-date is not signed"),
            ("algorithm of RSA", X509Ask { algorithm: Some("AWS4-X509-RSA-SHA256"), ..ask() }, "does not match"),
            ("SHA-384", X509Ask { algorithm: Some("AWS4-X509-ECDSA-SHA384"), ..ask() }, "algorithm is not supported"),
            ("another key", X509Ask { key: place.ask("rsa").key, kind: "RSA-2048".into(), ..ask() }, "does not match"),
            ("another service", X509Ask { scope: format!("{REGION}/sts/aws4_request"), ..ask() }, "scope"),
            ("16 minutes ago", X509Ask { time: place.now - Duration::from_mins(16), ..ask() }, "Signature expired"),
            ("in 16 minutes", X509Ask { time: place.now + Duration::from_mins(16), ..ask() }, "not yet current"),
        ] {
            place.refused(what, &ask, 403, said).await;
        }
        let wrong_region = X509Ask { scope: "eu-west-1/rolesanywhere/aws4_request".into(), ..ask() };
        place.refused("another region", &wrong_region, 404, "trust anchor").await;

        // Changed on the way.
        let (head, body) = ask().sign();
        for (what, head, body) in [
            ("body", head.clone(), body.replace("orders", "others")),
            ("header", head.replace("application/json", "application/jsan"), body.clone()),
            ("query", head.replace("/sessions ", "/sessions?roleArn=x "), body.clone()),
            ("unsigned", head.replace("authorization: ", "x-authorization: "), body.clone()),
            ("twice", head.replace("x-amz-date: ", "x-amz-date: 20200101T000000Z\r\nx-amz-date: "), body.clone()),
        ] {
            let answer = place.client().send(&head, body.as_bytes()).await.unwrap();
            assert!(matches!(answer.status.as_u16(), 400 | 403), "{what}: {} {}", answer.status, answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn profile_and_anchor_say_what_may_be_had() {
    bounded(async {
        let place = Place::new().await;
        let account = place.world.aws.account(CUSTOMER.parse().unwrap());
        let vendor = place.world.aws.account(VENDOR.parse().unwrap());
        let other = account.role("other", &service_trust(SERVICE, &ALL, &json!({}))).create().await.unwrap();
        let ask = || place.ask("p256");
        place
            .refused("role not listed", &ask().member("roleArn", json!(other.as_str())), 403, "not in the profile")
            .await;
        let named = ask().member("roleSessionName", json!("worker-1"));
        place.refused("name not accepted", &named, 403, "Not authorized to set roleSessionName.").await;
        let open = account.anywhere_profile(&[&place.role]).region(REGION).accept_session_name();
        let open = open.duration(Duration::from_mins(30)).create().unwrap();
        let named = named.member("profileArn", json!(open.as_str())).member("durationSeconds", json!(43_200));
        let (_, set) = session(&place, &place.send(&named).await);
        assert!(text(&set["assumedRoleUser"]["arn"]).ends_with("/worker-1"));
        let end = time::iso_seconds(place.now + Duration::from_mins(30));
        assert_eq!(set["credentials"]["expiration"], end, "cut down to what the profile gives");

        let off = account.anywhere_profile(&[&place.role]).region(REGION).disabled().create().unwrap();
        place
            .refused("profile off", &ask().member("profileArn", json!(off.as_str())), 403, "profile is disabled")
            .await;
        let root = text(&place.vectors["authorities"]["root"]);
        let off = account.trust_anchor(root).region(REGION).disabled().create().unwrap();
        place
            .refused("anchor off", &ask().member("trustAnchorArn", json!(off.as_str())), 403, "anchor is disabled")
            .await;
        let far = account.trust_anchor(root).region("eu-west-1").create().unwrap();
        place.refused("anchor elsewhere", &ask().member("trustAnchorArn", json!(far.as_str())), 404, "anchor").await;
        let far = account.anywhere_profile(&[&place.role]).region("eu-west-1").create().unwrap();
        place.refused("profile elsewhere", &ask().member("profileArn", json!(far.as_str())), 404, "profile").await;
        let theirs = vendor.anywhere_profile(&[&place.role]).region(REGION).create().unwrap();
        place
            .refused("another account's profile", &ask().member("profileArn", json!(theirs.as_str())), 404, "profile")
            .await;
        let leaf_as_anchor = account.trust_anchor(text(&place.vectors["leaves"]["p256"]["certificate"]));
        assert!(leaf_as_anchor.create().is_err(), "an end entity is no anchor");

        let narrow = account.anywhere_profile(&[&place.role]).region(REGION).session_policy(&allow("s3:GetObject"));
        let narrow = narrow.create().unwrap();
        let (client, _) = session(&place, &place.send(&ask().member("profileArn", json!(narrow.as_str()))).await);
        assert_eq!(client.put("/lake/k", "x").await.code(), "AccessDenied");

        for (name, value) in [
            ("durationSeconds", json!(899)),
            ("durationSeconds", json!(43_201)),
            ("durationSeconds", json!("900")),
            ("roleSessionName", json!("a b")),
            ("roleArn", json!("orders")),
            ("profileArn", json!(1)),
            ("trustAnchorArn", Value::Null),
        ] {
            place.refused(name, &ask().member(name, value), 400, name).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_trust_policy_must_allow_all_three_and_its_conditions_see_the_certificate() {
    bounded(async {
        for left_out in ALL {
            let actions: Vec<&str> = ALL.into_iter().filter(|action| *action != left_out).collect();
            let place = Place::trusting(&actions, &json!({})).await;
            let said = format!("Unable to assume role for {}", place.role);
            place.refused(left_out, &place.ask("p256"), 403, &said).await;
        }
        let anchors = format!("arn:aws:rolesanywhere:{REGION}:{CUSTOMER}:trust-anchor/*");
        for (conditions, allowed) in [
            (json!({"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "tidegate-worker"}}), true),
            (json!({"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "somebody-else"}}), false),
            (json!({"StringEquals": {"aws:PrincipalTag/x509Subject/OU": "workers"}}), true),
            (json!({"StringEquals": {"aws:PrincipalTag/x509Issuer/CN": "Root A"}}), true),
            (json!({"StringEquals": {"aws:PrincipalTag/x509SAN/DNS": "worker-1.tidegate.test"}}), true),
            (json!({"StringEquals": {"aws:PrincipalTag/x509SAN/URI": "spiffe://tidegate.test/worker"}}), true),
            (json!({"StringEquals": {"aws:RequestTag/x509Subject/CN": "tidegate-worker"}}), true),
            (json!({"StringEquals": {"sts:SourceIdentity": "tidegate-worker"}}), true),
            (json!({"StringEquals": {"aws:SourceAccount": CUSTOMER}}), true),
            (json!({"StringEquals": {"aws:SourceAccount": VENDOR}}), false),
            (json!({"ArnLike": {"aws:SourceArn": anchors}}), true),
            (json!({"ArnEquals": {"aws:SourceArn": anchors.replace('*', "other")}}), false),
        ] {
            let place = Place::trusting(&ALL, &conditions).await;
            let answer = place.send(&place.ask("rsa")).await;
            assert_eq!(answer.status.as_u16(), if allowed { 201 } else { 403 }, "{conditions}: {}", answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_carries_the_certificate_in_its_tags() {
    bounded(async {
        let place = Place::new().await;
        let account = place.world.aws.account(CUSTOMER.parse().unwrap());
        let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::lake/${aws:PrincipalTag/x509Subject/CN}/*"}});
        let role = account.role("own", &service_trust(SERVICE, &ALL, &json!({}))).policy(&policy.to_string());
        let role = role.create().await.unwrap();
        let profile = account.anywhere_profile(&[&role]).region(REGION).create().unwrap();
        let ask =
            place.ask("rsa").member("roleArn", json!(role.as_str())).member("profileArn", json!(profile.as_str()));
        let (client, _) = session(&place, &place.send(&ask).await);
        assert!(client.put("/lake/tidegate-worker/k", "x").await.status.is_success());
        assert_eq!(client.put("/lake/somebody-else/k", "x").await.code(), "AccessDenied");
    })
    .await;
}
