//! What stands at an address in place of Kafka.

use std::sync::Arc;

use doctor::{Certainty, Check, Status, Verdict};
use local::broker::{Broker, BrokerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Connector, is_decided, is_well, outcome};

/// A server that sends `answer` to whoever has said something, and hangs up. It ends with the set.
async fn server(answer: &'static [u8]) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 1024];
            if stream.read(&mut heard).await.is_ok_and(|length| length > 0) {
                stream.write_all(answer).await.ok();
            }
        }
    });
    (address, tasks)
}

/// An address at which nothing listens: of a listener that is gone.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn k01_a_name_without_an_address() {
    let report = Connector::at("kafka.tidegate.invalid:9092").examine().await;
    let (status, reason) = outcome(&report, Check::KAFKA);
    // A machine without a resolver cannot say that there is no such name.
    if status == Status::Failed {
        is_decided(&report, Check::KAFKA, Status::Failed, "K01", "");
    } else {
        assert_eq!(status, Status::Unproven, "{reason}");
    }
}

#[tokio::test]
async fn k02_a_closed_port() {
    let report = Connector::at(nobody().await).examine().await;
    is_decided(&report, Check::KAFKA, Status::Failed, "K02", "");
    assert_eq!(report.check(Check::TOPICS).unwrap().because_of, Some("broker-login-accepted"));
    assert_eq!(report.check(Check::KAFKA_AUTH).unwrap().because_of, Some("brokers-reachable"));
}

#[tokio::test]
async fn one_of_two_addresses_that_is_closed_is_warned_of() {
    let broker = Broker::start(BrokerOptions { auto_create_topics: false, ..BrokerOptions::default() }).await.unwrap();
    broker.create_topic("orders", 1, &[]).await.unwrap();
    let report = Connector::at(format!("{},{}", nobody().await, broker.bootstrap())).examine().await;
    is_decided(&report, Check::KAFKA, Status::Warning, "K02", "");
    assert_eq!(report.verdict, Verdict::Passed);
}

#[tokio::test]
async fn k03_silence_proves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let report = Connector::at(address).examine().await;
    let result = report.check(Check::KAFKA).unwrap();
    assert_eq!(result.status, Status::Unproven, "{}", result.reason);
    let rows: Vec<_> = result.diagnoses.iter().map(|diagnosis| (diagnosis.cause.row, diagnosis.certainty)).collect();
    assert_eq!(rows, [("K03", Certainty::Possible), ("K22", Certainty::Possible)]);
    assert_eq!(report.verdict, Verdict::Unproven);
    held.abort();
}

#[tokio::test]
async fn k04_an_http_server() {
    let (address, _server) = server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let report = Connector::at(address).examine().await;
    is_decided(&report, Check::KAFKA, Status::Failed, "K04", "");
}

#[tokio::test]
async fn k05_a_port_that_speaks_tls() {
    // A fatal alert: unexpected_message.
    let (address, _server) = server(&[0x15, 3, 3, 0, 2, 2, 10]).await;
    let report = Connector::at(address).examine().await;
    is_decided(&report, Check::KAFKA, Status::Failed, "K05", "security.protocol=SSL");
}

#[tokio::test]
async fn k06_tls_to_a_plain_port() {
    let broker = Broker::start(BrokerOptions::default()).await.unwrap();
    let report = Connector::at(broker.bootstrap()).worker(&[("security.protocol", "SSL")]).examine().await;
    let result = report.check(Check::KAFKA_TLS).unwrap();
    assert_eq!(result.diagnoses[0].cause.row, "K06", "{}", result.reason);
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K06", "security.protocol=PLAINTEXT");
}

#[tokio::test]
async fn k23_an_advertised_address_that_is_not_reached() {
    let away = nobody().await;
    let (host, port) = away.rsplit_once(':').unwrap();
    let advertised = Some((host.to_owned(), port.parse().unwrap()));
    let options = BrokerOptions { auto_create_topics: false, advertised, ..BrokerOptions::default() };
    let broker = Arc::new(Broker::start(options).await.unwrap());
    broker.create_topic("orders", 1, &[]).await.unwrap();
    let report = Connector::at(broker.addr().to_string()).examine().await;
    let result = report.check(Check::ADVERTISED).unwrap();
    assert_eq!(result.status, Status::Failed, "{}", result.reason);
    let first = &result.diagnoses[0];
    assert_eq!((first.cause.row, first.certainty), ("K23", Certainty::Decided), "{}", first.because);
    assert!(first.because.contains(&away), "{}", first.because);
    // What needs that broker says why it could not be decided.
    assert_eq!(report.check(Check::TOPICS).unwrap().status, Status::Passed);
    let reading = report.check(Check::TOPICS_READ).unwrap();
    assert_eq!(reading.because_of, Some("advertised-listeners-reachable"), "{}", reading.reason);
}

#[tokio::test]
async fn an_embedded_broker_that_advertises_itself_is_well() {
    let broker = Broker::start(BrokerOptions { auto_create_topics: false, ..BrokerOptions::default() }).await.unwrap();
    broker.create_topic("orders", 1, &[]).await.unwrap();
    is_well(&Connector::at(broker.bootstrap()).examine().await);
}

#[tokio::test]
async fn k22_what_hangs_up_without_a_word_proves_nothing() {
    let (address, _server) = server(b"").await;
    let report = Connector::at(address).examine().await;
    let result = report.check(Check::KAFKA).unwrap();
    assert_eq!(result.status, Status::Unproven, "{}", result.reason);
    let rows: Vec<_> = result.diagnoses.iter().map(|diagnosis| (diagnosis.cause.row, diagnosis.certainty)).collect();
    assert_eq!(rows, [("K07", Certainty::Possible), ("K22", Certainty::Possible)]);
}
