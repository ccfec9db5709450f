use bytes::{BufMut as _, BytesMut};
use kafka_protocol::ResponseError::InvalidRequest;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest};
use local::broker::{Broker, BrokerOptions};
use tokio::net::TcpStream;

use super::wire::{Wire, api_versions, is_closed, key, subject};

fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i32(8 + 2 + body.len() as i32);
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(1);
    // No client id.
    frame.put_i16(-1);
    frame.put_slice(body);
    frame.to_vec()
}

#[tokio::test]
async fn a_malformed_request_ends_its_connection_and_no_other() {
    let subject = subject().await;
    let mut bystander = Wire::connect(subject.addr).await;
    bystander.call(3, &api_versions()).await;
    let cases = [
        ("a negative size", vec![0xff; 4]),
        ("a size above the limit", vec![0x7f, 0xff, 0xff, 0xff]),
        ("no header", vec![0, 0, 0, 2, 0, 3]),
        ("an unknown API", frame(9999, 0, &[])),
        ("an API that only controllers have", frame(key(ApiKey::Vote), 0, &[])),
        ("an unknown version", frame(key(ApiKey::Metadata), 99, &[])),
        ("a version that is no more", frame(key(ApiKey::Fetch), 0, &[])),
        ("a body cut off", frame(key(ApiKey::Metadata), 4, &[0, 0, 0, 2])),
        ("an array that lies", frame(key(ApiKey::Metadata), 4, &[0x7f, 0xff, 0xff, 0xff])),
        ("a string that lies", frame(key(ApiKey::Heartbeat), 0, &[0x7f, 0xff, 0])),
    ];
    for (case, bytes) in cases {
        let mut wire = Wire::connect(subject.addr).await;
        wire.send_raw(&bytes).await;
        assert!(is_closed(&mut wire).await, "{case}");
    }
    bystander.call(3, &api_versions()).await;
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    wire.send_raw(&frame(key(ApiKey::ApiVersions), 99, &[0, 1, 1, 0])).await;
    let answer = wire.frame().await.expect("an answer");
    // Correlation id, error 35, one entry: ApiVersions itself.
    assert_eq!(answer[..4], [0, 0, 0, 1]);
    assert_eq!(answer[4..6], 35_i16.to_be_bytes());
    assert_eq!(answer[6..10], 1_i32.to_be_bytes());
    assert_eq!(answer[10..12], key(ApiKey::ApiVersions).to_be_bytes());
}

#[tokio::test]
async fn a_client_that_gives_no_proper_name_is_refused() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    for name in ["", "-x", "a b", "x."] {
        let nameless = api_versions().with_client_software_name(name.into());
        let response = wire.call(3, &nameless).await;
        assert_eq!(response.error_code, InvalidRequest.code(), "{name}");
        assert!(response.api_keys.is_empty());
    }
    // Before version 3 there is no name.
    assert_eq!(wire.call(2, &ApiVersionsRequest::default()).await.error_code, 0);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let broker = Broker::start(BrokerOptions { max_connections: 2, ..BrokerOptions::default() }).await.expect("starts");
    let mut first = Wire::connect(broker.addr()).await;
    let mut second = Wire::connect(broker.addr()).await;
    first.call(9, &MetadataRequest::default()).await;
    second.call(9, &MetadataRequest::default()).await;
    let mut third = Wire::connect(broker.addr()).await;
    assert!(is_closed(&mut third).await);
    drop(second);
    // The place is free once the broker has noticed.
    loop {
        let mut next = Wire::connect(broker.addr()).await;
        next.send(9, &MetadataRequest::default()).await;
        if next.frame().await.is_some() {
            break;
        }
    }
    first.call(9, &MetadataRequest::default()).await;
}

#[tokio::test]
async fn a_broker_that_is_stopped_or_dropped_closes_its_connections_and_its_port() {
    for cleanly in [true, false] {
        let broker = Broker::start(BrokerOptions::default()).await.expect("the broker starts");
        let addr = broker.addr();
        let mut wire = Wire::connect(addr).await;
        wire.call(9, &MetadataRequest::default()).await;
        if cleanly {
            broker.shutdown().await.expect("the broker stops");
        } else {
            drop(broker);
        }
        assert!(is_closed(&mut wire).await);
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
