//! A broker that follows a script: what a real one says to a login that it does not take.

use bytes::{BufMut as _, Bytes, BytesMut};
use doctor::{Certainty, Check, Report, Status};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, ResponseHeader, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable as _, Encodable, StrBytes, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{Connector, is_decided};

/// Has these mechanisms, and refuses every login with this text. It ends with the set.
async fn broker(mechanisms: &'static [&'static str], says: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, mechanisms, says));
        }
    });
    (address, tasks)
}

async fn serve(mut stream: TcpStream, mechanisms: &[&'static str], says: &'static str) -> std::io::Result<()> {
    loop {
        let mut frame = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut frame).await?;
        let mut frame = Bytes::from(frame);
        let header = decode_request_header_from_buffer(&mut frame).expect("a header");
        let key = ApiKey::try_from(header.request_api_key).expect("a known request");
        let version = header.request_api_version;
        let mut answer = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(header.correlation_id)
            .encode(&mut answer, key.response_header_version(version))
            .expect("a header");
        match key {
            ApiKey::ApiVersions => put(&mut answer, &versions(), version),
            ApiKey::SaslHandshake => {
                let asked = SaslHandshakeRequest::decode(&mut frame, version).expect("a request");
                let is_there = mechanisms.contains(&&*asked.mechanism);
                let offered = mechanisms.iter().map(|name| StrBytes::from_static_str(name)).collect();
                let response = SaslHandshakeResponse::default().with_mechanisms(offered);
                put(&mut answer, &response.with_error_code(if is_there { 0 } else { 33 }), version);
            }
            ApiKey::SaslAuthenticate => {
                let response = SaslAuthenticateResponse::default().with_error_code(58);
                put(&mut answer, &response.with_error_message(Some(StrBytes::from_static_str(says))), version);
            }
            // As a broker does with whoever has not logged in.
            _ => return Ok(()),
        }
        let mut framed = BytesMut::with_capacity(4 + answer.len());
        framed.put_u32(answer.len() as u32);
        framed.extend_from_slice(&answer);
        stream.write_all(&framed).await?;
    }
}

fn put(answer: &mut BytesMut, body: &impl Encodable, version: i16) {
    body.encode(answer, version).expect("it fits the version");
}

fn versions() -> ApiVersionsResponse {
    let apis =
        [(ApiKey::ApiVersions, 3), (ApiKey::Metadata, 12), (ApiKey::SaslHandshake, 1), (ApiKey::SaslAuthenticate, 2)];
    let entry = |(key, most)| ApiVersion::default().with_api_key(key as i16).with_max_version(most);
    ApiVersionsResponse::default().with_api_keys(apis.map(entry).to_vec())
}

fn login(address: String, mechanism: &str, module: &str) -> Connector {
    Connector::at(address).worker(&[
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", mechanism),
        ("sasl.jaas.config", module),
    ])
}

const SCRAM: &str =
    "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"bob\" password=\"hunter2\";";
const PLAIN: &str =
    "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"bob\" password=\"hunter2\";";
const IAM: &str = "software.amazon.msk.auth.iam.IAMLoginModule required;";

/// The rows of a check with how sure each is.
fn rows(report: &Report) -> Vec<(&'static str, Certainty)> {
    let result = report.check(Check::KAFKA_AUTH).expect("it was made");
    assert_eq!(result.status, Status::Failed, "{}", result.reason);
    result.diagnoses.iter().map(|diagnosis| (diagnosis.cause.row, diagnosis.certainty)).collect()
}

#[tokio::test]
async fn k07_a_broker_that_wants_a_login_is_asked_which() {
    let (address, _broker) = broker(&["SCRAM-SHA-512"], "").await;
    let report = Connector::at(address).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K07", "sasl.mechanism=SCRAM-SHA-512");
}

#[tokio::test]
async fn k08_a_listener_without_any_mechanism() {
    let (address, _broker) = broker(&[], "").await;
    let report = login(address, "SCRAM-SHA-512", SCRAM).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K08", "security.protocol=PLAINTEXT");
}

#[tokio::test]
async fn k15_a_mechanism_that_the_listener_lacks() {
    let (address, _broker) = broker(&["SCRAM-SHA-512", "OAUTHBEARER"], "").await;
    let report = login(address, "PLAIN", PLAIN).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K15", "sasl.mechanism=SCRAM-SHA-512");
    let told = serde_json::to_string(&report).expect("JSON");
    assert!(told.contains("PLAIN is set") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn k16_a_wrong_password_is_in_no_report() {
    let (address, _broker) = broker(&["PLAIN"], "Authentication failed: Invalid username or password").await;
    let report = login(address, "PLAIN", PLAIN).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K16", "");
    assert!(!serde_json::to_string(&report).expect("JSON").contains("hunter2"));
}

#[tokio::test]
async fn k20_what_msk_says_to_an_identity_without_kafka_cluster_connect() {
    let (address, _broker) = broker(&["OAUTHBEARER"], "[5f0c6c1e-3d2a-4c64-9f0e-0d3c8e5c8a11]: Access denied").await;
    let report = login(address, "AWS_MSK_IAM", IAM).examine().await;
    assert_eq!(rows(&report), [("K20", Certainty::Likely), ("K18", Certainty::Possible)]);
    let result = report.check(Check::KAFKA_AUTH).expect("it was made");
    assert!(result.diagnoses[0].remedies[0].action.contains("--msk-cluster"), "{:?}", result.diagnoses[0].remedies);
}
