use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::client::{Ask, Client, Signed};
use super::{World, bounded};
use crate::aws::sigv4::{chunk_signature, sha256_hex};

const CHUNK: usize = 70_000;

fn crc32(body: &[u8]) -> String {
    STANDARD.encode((crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body) as u32).to_be_bytes())
}

/// A body in `aws-chunked` encoding with signed chunks, and signed trailers if there are any.
fn signed_chunks(client: &Client, signed: &Signed, body: &[u8], trailer: Option<(&str, &str)>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous = signed.claim.signature.clone();
    for chunk in body.chunks(CHUNK).chain([&[][..]]) {
        let tail = format!("{}\n{}", sha256_hex(b""), sha256_hex(chunk));
        previous = chunk_signature(&client.secret, &signed.claim, "PAYLOAD", &previous, &tail);
        out.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        if !chunk.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
    }
    if let Some((name, value)) = trailer {
        let hash = sha256_hex(format!("{name}:{value}\n").as_bytes());
        let signature = chunk_signature(&client.secret, &signed.claim, "TRAILER", &previous, &hash);
        out.extend_from_slice(format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// How a chunked upload is to go wrong after it was signed.
type Damage = fn(Vec<u8>) -> Vec<u8>;

async fn put_chunked(
    world: &World,
    key: &str,
    body: &[u8],
    trailer: Option<&str>,
    damage: Damage,
) -> (String, Vec<u8>) {
    let client = world.client();
    let suffix = if trailer.is_some() { "-TRAILER" } else { "" };
    let mut ask = Ask::new("PUT", &format!("/lake/{key}"), "")
        .hash(&format!("STREAMING-AWS4-HMAC-SHA256-PAYLOAD{suffix}"))
        .header("content-encoding", "aws-chunked,gzip")
        .header("x-amz-decoded-content-length", body.len());
    if trailer.is_some() {
        ask = ask.header("x-amz-trailer", "x-amz-checksum-crc32");
    }
    // The length of the encoded body is signed too: measure it first.
    let trailer = trailer.map(|value| ("x-amz-checksum-crc32", value));
    let length = signed_chunks(&client, &client.sign(ask.clone()), body, trailer).len();
    let signed = client.sign(ask.header("content-length", length));
    let encoded = damage(signed_chunks(&client, &signed, body, trailer));
    assert_eq!(encoded.len(), length, "the damage keeps the length");
    let put = client.send(&signed.head, &encoded).await.unwrap();
    let code = if put.status.is_success() { "200".to_owned() } else { put.code() };
    let got = client.get(&format!("/lake/{key}")).await;
    if got.status.is_success() {
        assert_eq!(got.header("content-encoding"), "gzip", "the transfer's own encoding is not kept");
    }
    (code, if got.status.is_success() { got.body } else { Vec::new() })
}

fn body() -> Vec<u8> {
    (0..200_000u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn signed_chunks_are_stored_without_their_frames() {
    bounded(async {
        let (world, body) = (World::new().await, body());
        assert_eq!(put_chunked(&world, "plain", &body, None, |b| b).await, ("200".to_owned(), body.clone()));
        let sum = crc32(&body);
        let stored = put_chunked(&world, "trailer", &body, Some(&sum), |b| b).await;
        assert_eq!(stored, ("200".to_owned(), body));
        assert_eq!(put_chunked(&world, "empty", b"", None, |b| b).await, ("200".to_owned(), Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_changed_chunk_is_refused_and_nothing_of_it_is_stored() {
    fn change(mut body: Vec<u8>, at: usize) -> Vec<u8> {
        body[at] = if body[at] == b'0' { b'1' } else { b'0' };
        body
    }
    bounded(async {
        let (world, body) = (World::new().await, body());
        let sum = crc32(&body);
        let cases: [(&str, Option<&str>, Damage); 5] = [
            ("data of a middle chunk", None, |b| change(b, 200_000)),
            ("signature of the first chunk", None, |b| change(b, 40)),
            ("signature of the last chunk", None, |b| {
                let end = b.len();
                change(b, end - 10)
            }),
            ("data, with a trailer", Some(&sum), |b| change(b, 500)),
            ("signature of the trailer", Some(&sum), |b| {
                let end = b.len();
                change(b, end - 10)
            }),
        ];
        for (what, trailer, damage) in cases {
            let (code, stored) = put_chunked(&world, "changed", &body, trailer, damage).await;
            assert_eq!((&*code, stored.len()), ("SignatureDoesNotMatch", 0), "{what}");
        }
        let wrong = crc32(b"something else");
        let (code, stored) = put_chunked(&world, "changed", &body, Some(&wrong), |b| b).await;
        assert_eq!((&*code, stored.len()), ("BadDigest", 0));
    })
    .await;
}

#[tokio::test]
async fn unsigned_chunks_are_held_to_their_trailer_and_length() {
    bounded(async {
        let world = World::new().await;
        let client = world.client();
        let put = async |encoded: &str, length: usize| {
            let ask = Ask::new("PUT", "/lake/unsigned", encoded.to_owned())
                .hash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
                .header("x-amz-trailer", "x-amz-checksum-crc32")
                .header("x-amz-decoded-content-length", length);
            client.ask(ask).await.unwrap()
        };
        let sum = crc32(b"123456789");
        for (encoded, length, expected) in [
            (format!("5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n"), 9, ""),
            (format!("9\r\n123456780\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n"), 9, "BadDigest"),
            ("9\r\n123456789\r\n0\r\n\r\n".to_owned(), 9, "InvalidRequest"),
            (format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n"), 10, "IncompleteBody"),
            (format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n"), 8, "IncompleteBody"),
            ("9\r\n123456789\r\n".to_owned(), 9, "IncompleteBody"),
            ("nine\r\n123456789\r\n0\r\n\r\n".to_owned(), 9, "InvalidRequest"),
            ("9\r\n1234567890\r\n0\r\n\r\n".to_owned(), 9, "InvalidRequest"),
            (format!("{}\r\n", "1".repeat(5000)), 9, "InvalidRequest"),
        ] {
            let answer = put(&encoded, length).await;
            assert_eq!(answer.code(), expected, "{encoded:?}: {}", answer.text());
        }
        let got = client.get("/lake/unsigned").await;
        assert_eq!(got.body, b"123456789");
    })
    .await;
}
