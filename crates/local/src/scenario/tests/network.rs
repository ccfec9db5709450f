use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::Stage;
use super::{bounded, caller, connection, play, usual_with};
use crate::aws::tests::client::Ask;

/// What a plain client meets.
async fn met(stage: &Stage, service: &str) -> String {
    let url = connection(stage)["endpoints"][service].as_str().unwrap().to_owned();
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = match tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        Err(_) => return "no connection".to_owned(),
        Ok(Err(error)) => return error.kind().to_string(),
        Ok(Ok(stream)) => stream,
    };
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    match tokio::time::timeout(Duration::from_millis(300), stream.read_to_string(&mut text)).await {
        Err(_) => "no answer".to_owned(),
        Ok(Err(error)) => error.kind().to_string(),
        Ok(Ok(_)) => text,
    }
}

#[tokio::test]
async fn each_obstacle_is_met_as_it_is_called() {
    bounded(async {
        for (obstacle, expected) in [
            ("refused", "connection refused"),
            ("silent", "no answer"),
            ("unroutable", "no connection"),
            ("reset", "connection reset"),
            ("foreign", "HTTP/1.1 404 Not Found"),
            ("proxy-html", "HTTP/1.1 403 Forbidden"),
        ] {
            let stage = play(&usual_with(&format!("network.sts = '{obstacle}'"))).await;
            let told = met(&stage, "sts").await;
            assert!(told.starts_with(expected), "{obstacle}: {told}");
            assert!(met(&stage, "s3").await.contains("AccessDenied"), "S3 is not in its way");
        }
        let stage = play(&usual_with("network.s3 = 'unknown-host'")).await;
        assert_eq!(connection(&stage)["endpoints"]["s3"], "http://s3.scenario.invalid");
        let stage = play(&usual_with("network.imds = 'refused'\nconnections.lake.kind = 'keys'\n[instance]")).await;
        assert_ne!(stage.environment().get("AWS_EC2_METADATA_SERVICE_ENDPOINT"), Some(stage.aws().endpoint()));
    })
    .await;
}

/// What a client of TLS that trusts the scenario's authority says of a server.
async fn handshake(stage: &Stage) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let url = connection(stage)["endpoints"]["s3"].as_str().unwrap().to_owned();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(stage.dir().join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(url.strip_prefix("https://").unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_server_s_certificate_is_good_or_has_the_one_fault_that_is_said() {
    bounded(async {
        for (obstacle, expected) in [
            ("self-signed-tls", "UnknownIssuer"),
            ("other-name-tls", "certificate not valid for name"),
            ("expired-tls", "certificate expired"),
        ] {
            let stage = play(&usual_with(&format!("network.s3 = '{obstacle}'"))).await;
            let told = handshake(&stage).await.unwrap_err();
            assert!(told.contains(expected), "{obstacle}: {told}");
        }
        // Behind a good one is AWS.
        let stage = play(&usual_with("network.s3 = 'tls'")).await;
        let mut stream = handshake(&stage).await.unwrap();
        let signed = caller(&stage).sign(Ask::new("HEAD", "/lake", "").header("connection", "close"));
        stream.write_all(signed.head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end of the plain connection behind it is not told as TLS would.
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("x-amz-bucket-region: us-east-1"), "{answer}");
    })
    .await;
}
