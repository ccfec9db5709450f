//! A connection against a peer that follows a script.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::{Connection, Error, Options, Settings};

/// The far side of a connection.
struct Peer(DuplexStream);

impl Peer {
    async fn read(&mut self) -> (RequestHeader, Bytes) {
        let length = self.0.read_u32().await.expect("a request");
        let mut frame = vec![0; length as usize];
        self.0.read_exact(&mut frame).await.expect("a whole request");
        let mut frame = Bytes::from(frame);
        let header = decode_request_header_from_buffer(&mut frame).expect("a header");
        (header, frame)
    }

    async fn answer(&mut self, correlation: i32, header_version: i16, body: &impl Encodable, version: i16) {
        let mut frame = BytesMut::new();
        let header = ResponseHeader::default().with_correlation_id(correlation);
        header.encode(&mut frame, header_version).unwrap();
        body.encode(&mut frame, version).unwrap();
        self.send(&frame).await;
    }

    async fn send(&mut self, frame: &[u8]) {
        self.0.write_u32(frame.len() as u32).await.unwrap();
        self.0.write_all(frame).await.unwrap();
    }

    /// Answers a Metadata request in version 12, throttled by so many milliseconds.
    async fn metadata(&mut self, correlation: i32, throttle: i32) {
        let body = MetadataResponse::default().with_throttle_time_ms(throttle);
        self.answer(correlation, 1, &body, 12).await;
    }
}

fn versions() -> ApiVersionsResponse {
    let metadata = ApiVersion::default().with_api_key(ApiKey::Metadata as i16).with_min_version(0).with_max_version(12);
    ApiVersionsResponse::default().with_api_keys(vec![metadata])
}

/// A connection that has learnt the peer's versions.
async fn connected(settings: Settings) -> (Connection, Peer) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut peer = Peer(theirs);
    let (connection, ()) = tokio::join!(Connection::over(ours, "peer:1", settings), async {
        let (header, _) = peer.read().await;
        assert_eq!((header.request_api_key, header.request_api_version), (18, 3));
        peer.answer(header.correlation_id, 0, &versions(), 3).await;
    });
    (connection.unwrap(), peer)
}

fn request() -> MetadataRequest {
    MetadataRequest::default().with_topics(None)
}

#[tokio::test]
async fn the_highest_common_version_is_spoken_unless_capped() {
    let (connection, mut peer) = connected(Settings::default()).await;
    for (cap, expected, header_version) in [(None, 12, 1), (Some(9), 9, 1), (Some(8), 8, 0)] {
        let options = Options { max_version: cap, ..Options::default() };
        let request = request();
        let (answer, ()) = tokio::join!(connection.call_with(&request, options), async {
            let (header, mut body) = peer.read().await;
            assert_eq!(header.request_api_version, expected);
            assert_eq!(header.client_id.as_deref(), Some("tidegate"));
            MetadataRequest::decode(&mut body, expected).unwrap();
            peer.answer(header.correlation_id, header_version, &MetadataResponse::default(), expected).await;
        });
        answer.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_does_not_know_our_version_request_is_asked_in_the_oldest() {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut peer = Peer(theirs);
    let (connection, ()) = tokio::join!(Connection::over(ours, "peer:1", Settings::default()), async {
        let (header, _) = peer.read().await;
        peer.answer(header.correlation_id, 0, &ApiVersionsResponse::default().with_error_code(35), 0).await;
        let (header, _) = peer.read().await;
        assert_eq!(header.request_api_version, 0);
        peer.answer(header.correlation_id, 0, &versions(), 0).await;
    });
    assert_eq!(connection.unwrap().version::<MetadataRequest>(None).unwrap(), 12);
}

#[tokio::test]
async fn an_api_that_the_broker_lacks_is_named() {
    let (connection, _peer) = connected(Settings::default()).await;
    let error = connection.call(&kafka_protocol::messages::HeartbeatRequest::default()).await.unwrap_err();
    let text = "peer:1 has no version of Heartbeat in common with us (it has none, we have 0..=4)";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn requests_are_pipelined_up_to_the_bound() {
    let (connection, mut peer) = connected(Settings { max_in_flight: 2, ..Settings::default() }).await;
    let connection = std::sync::Arc::new(connection);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.call(&request()).await })
        })
        .collect();
    let (first, _) = peer.read().await;
    let (second, _) = peer.read().await;
    assert_eq!(second.correlation_id, first.correlation_id + 1);
    let third = tokio::time::timeout(Duration::from_millis(50), peer.0.read_u8()).await;
    assert!(third.is_err(), "a third request is sent before any answer");
    peer.metadata(first.correlation_id, 0).await;
    let (third, _) = peer.read().await;
    peer.metadata(second.correlation_id, 0).await;
    peer.metadata(third.correlation_id, 0).await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_the_connection_usable() {
    let (connection, mut peer) = connected(Settings { max_in_flight: 1, ..Settings::default() }).await;
    let request = request();
    let dropped = {
        let call = connection.call(&request);
        tokio::pin!(call);
        tokio::select! {
            _ = &mut call => unreachable!("nobody answers"),
            (header, _) = peer.read() => header.correlation_id,
        }
    };
    let (answer, ()) = tokio::join!(connection.call(&request), async {
        // The bound counts what the broker works on, wanted or not.
        let early = tokio::time::timeout(Duration::from_millis(50), peer.0.read_u8()).await;
        assert!(early.is_err(), "a second request is sent before the answer to the dropped one");
        peer.metadata(dropped, 0).await;
        let (header, _) = peer.read().await;
        peer.metadata(header.correlation_id, 0).await;
    });
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_call_times_out_and_ends_the_connection() {
    let (connection, mut peer) = connected(Settings::default()).await;
    let request = request();
    let options = Options { timeout: Some(Duration::from_mins(1)), ..Options::default() };
    let started = Instant::now();
    let (slow, behind, ()) = tokio::join!(connection.call(&request), connection.call_with(&request, options), async {
        peer.read().await;
        peer.read().await;
    });
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(slow.unwrap_err().to_string(), "peer:1 did not answer Metadata within 30s");
    assert!(matches!(behind.unwrap_err(), Error::TimedOut { .. }));
    assert!(matches!(connection.call(&request).await.unwrap_err(), Error::TimedOut { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_connection_sends_nothing_until_it_may() {
    let (connection, mut peer) = connected(Settings::default()).await;
    let request = request();
    let (answer, ()) = tokio::join!(connection.call(&request), async {
        let (header, _) = peer.read().await;
        peer.metadata(header.correlation_id, 5000).await;
    });
    assert_eq!(answer.unwrap().throttle_time_ms, 5000);
    let started = Instant::now();
    let (answer, ()) = tokio::join!(connection.call(&request), async {
        let (header, _) = peer.read().await;
        assert_eq!(started.elapsed().as_secs(), 5);
        // A throttle of 24 days is taken for a minute.
        peer.metadata(header.correlation_id, i32::MAX).await;
    });
    answer.unwrap();
    let started = Instant::now();
    let (answer, ()) = tokio::join!(connection.call(&request), async {
        let (header, _) = peer.read().await;
        assert_eq!(started.elapsed().as_secs(), 60);
        peer.metadata(header.correlation_id, 0).await;
    });
    answer.unwrap();
}

async fn failed_by(script: impl AsyncFnOnce(&mut Peer, i32)) -> Error {
    let (connection, mut peer) = connected(Settings { max_response: 1000, ..Settings::default() }).await;
    let request = request();
    let (answer, ()) = tokio::join!(connection.call(&request), async {
        let (header, _) = peer.read().await;
        script(&mut peer, header.correlation_id).await;
    });
    answer.unwrap_err()
}

#[tokio::test]
async fn a_lying_length_is_refused_before_anything_is_read() {
    for length in [1001, 0x8000_0000, u32::MAX] {
        let error = failed_by(async |peer, _| peer.0.write_u32(length).await.unwrap()).await;
        assert!(matches!(error, Error::TooLarge { size, .. } if size == length), "{error}");
    }
}

#[tokio::test]
async fn another_protocol_is_recognized() {
    let error = failed_by(async |peer, _| peer.0.write_all(&[0x15, 3, 3, 0, 2]).await.unwrap()).await;
    assert!(error.to_string().ends_with("it speaks TLS"), "{error}");
    let error = failed_by(async |peer, _| peer.0.write_all(b"HTTP/1.1 400").await.unwrap()).await;
    assert!(error.to_string().ends_with("it speaks HTTP"), "{error}");
}

#[tokio::test]
async fn answers_out_of_step_end_the_connection() {
    let error = failed_by(async |peer, correlation| peer.metadata(correlation + 1, 0).await).await;
    assert!(matches!(error, Error::OutOfStep { expected: 1, got: 2, .. }), "{error}");
    let error = failed_by(async |peer, _| peer.send(&[0, 0]).await).await;
    assert!(matches!(error, Error::OutOfStep { .. }), "{error}");
}

#[tokio::test]
async fn a_truncated_answer_is_malformed() {
    let error = failed_by(async |peer, correlation| {
        let mut frame = BytesMut::new();
        frame.put_i32(correlation);
        // An empty set of header tags, and two bytes of a throttle time.
        frame.put_slice(&[0, 0, 0]);
        peer.send(&frame).await;
    })
    .await;
    assert!(matches!(error, Error::Malformed { api: 3, version: 12, .. }), "{error}");
}

#[tokio::test]
async fn a_frame_cut_short_is_a_disconnection() {
    let error = failed_by(async |peer, _| {
        peer.0.write_all(&[0, 0, 0, 100, 1, 2, 3]).await.unwrap();
        peer.0.shutdown().await.unwrap();
    })
    .await;
    assert!(matches!(error, Error::HungUp { .. }), "{error}");
}

#[tokio::test]
async fn dropping_the_connection_ends_it_for_the_peer() {
    let (connection, mut peer) = connected(Settings::default()).await;
    drop(connection);
    let read = tokio::time::timeout(Duration::from_secs(5), peer.0.read_u8()).await.expect("an end");
    assert!(read.is_err());
}
