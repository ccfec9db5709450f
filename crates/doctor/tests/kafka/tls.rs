//! A relay with TLS before the embedded broker, whose certificate is not as it should be.

use std::sync::Arc;
use std::time::Duration;

use doctor::{Check, Status};
use local::broker::{Broker, BrokerOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::{Connector, is_decided, outcome};

const DAY: Duration = Duration::from_hours(24);

/// How a broker's certificate is.
#[derive(Default)]
struct Paper {
    /// Whether it ended yesterday.
    ended: bool,
    /// The name that it carries; 127.0.0.1 if `None`.
    name: Option<&'static str>,
    /// Whether only TLS 1.3 is spoken.
    only_13: bool,
}

struct Stage {
    address: String,
    /// The authority's certificate, as PEM.
    authority: String,
    _broker: Broker,
    _relay: JoinSet<()>,
}

impl Stage {
    async fn start(paper: Paper) -> Self {
        let options = BrokerOptions { auto_create_topics: false, ..BrokerOptions::default() };
        let broker = Broker::start(options).await.expect("a free port");
        broker.create_topic("orders", 1, &[]).await.expect("a new topic");
        let now = world::Clock::system().now();
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority_pem = authority.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(authority, key);
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = vec![match paper.name {
            Some(name) => SanType::DnsName(name.try_into().expect("a name")),
            None => SanType::IpAddress([127, 0, 0, 1].into()),
        }];
        params.not_before = (now - 30 * DAY).into();
        params.not_after = (if paper.ended { now - DAY } else { now + 30 * DAY }).into();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let versions = if paper.only_13 { vec![&TLS13] } else { vec![&TLS12, &TLS13] };
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (acceptor, behind) = (TlsAcceptor::from(Arc::new(server)), broker.addr());
        let mut relay = JoinSet::new();
        relay.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut broker) = TcpStream::connect(behind).await else { return };
                    tokio::io::copy_bidirectional(&mut stream, &mut broker).await.ok();
                });
            }
        });
        Self { address, authority: authority_pem, _broker: broker, _relay: relay }
    }

    fn connector(&self) -> Connector {
        Connector::at(self.address.clone()).worker(&[
            ("security.protocol", "SSL"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &self.authority),
        ])
    }
}

#[tokio::test]
async fn k09_a_certificate_for_another_name() {
    let stage = Stage::start(Paper { name: Some("kafka.shop.example"), ..Paper::default() }).await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K09", "bootstrap.servers=kafka.shop.example:");
    let lenient = stage.connector().worker(&[("ssl.endpoint.identification.algorithm", "")]).examine().await;
    assert_eq!(outcome(&lenient, Check::KAFKA_TLS).0, Status::Passed);
}

#[tokio::test]
async fn k10_a_certificate_that_ended_yesterday() {
    let stage = Stage::start(Paper { ended: true, ..Paper::default() }).await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K10", "");
    assert_eq!(report.check(Check::KAFKA_AUTH).expect("it is told").because_of, Some("broker-tls-trusted"));
}

#[tokio::test]
async fn k11_a_certificate_of_an_authority_that_is_not_trusted() {
    let (stage, other) = (Stage::start(Paper::default()).await, Stage::start(Paper::default()).await);
    let report = stage.connector().worker(&[("ssl.truststore.certificates", &other.authority)]).examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K11", "openssl s_client -connect");
}

#[tokio::test]
async fn k14_no_version_of_tls_in_common() {
    let stage = Stage::start(Paper { only_13: true, ..Paper::default() }).await;
    let report = stage.connector().worker(&[("ssl.enabled.protocols", "TLSv1.2")]).examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K14", "");
}

#[tokio::test]
async fn a_trusted_certificate_gives_no_alarm() {
    let stage = Stage::start(Paper::default()).await;
    let report = stage.connector().examine().await;
    assert_eq!(outcome(&report, Check::KAFKA_TLS).0, Status::Passed);
    assert_eq!(outcome(&report, Check::KAFKA_AUTH).0, Status::Passed);
}
