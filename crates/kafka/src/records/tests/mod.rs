mod damage;
pub(crate) mod encode;
mod legacy;
mod round_trip;
mod transactions;

use std::sync::Arc;

use bytes::Bytes;
use transit::{Arena, Assignment, Fetched, Offset, PoisonBatch, TopicPartition};

use super::{AbortedTransaction, FetchedRecords, Response};
use crate::admin::Isolation;

/// A record as it came out: offset, timestamp, key, value, headers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn seen(arena: &Arena) -> Vec<Seen> {
    arena
        .records()
        .map(|record| Seen {
            offset: record.offset.0,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
        })
        .collect()
}

fn response(records: impl Into<Bytes>, from: i64) -> Response {
    Response {
        partition: TopicPartition::new("t", 0),
        assignment: Assignment(1),
        from: Offset(from),
        records: records.into(),
        aborted: Vec::new(),
        isolation: Isolation::ReadUncommitted,
        high_watermark: Offset(i64::MAX),
        batch_limit: 1 << 24,
        held: Arc::new(()),
    }
}

fn committed(records: impl Into<Bytes>, from: i64, aborted: Vec<AbortedTransaction>) -> Response {
    Response { aborted, isolation: Isolation::ReadCommitted, ..response(records, from) }
}

/// Reads all of it: records and poison batches in the order in which they came, and the offset after them.
fn drain(response: Response) -> (Vec<Result<Vec<Seen>, PoisonBatch>>, i64) {
    let mut fetched = FetchedRecords::new(response);
    let mut arena = Arena::new();
    let mut all = Vec::new();
    loop {
        match fetched.decode(&mut arena) {
            Ok(true) => all.push(Ok(seen(&arena))),
            Ok(false) => return (all, fetched.next_offset().0),
            Err(poison) => all.push(Err(poison)),
        }
        assert!(all.len() < 100_000, "decoding does not end");
    }
}

/// The same, in pieces of about `size` bytes.
fn drain_in_pieces(response: Response, size: usize) -> (Vec<Result<Vec<Seen>, String>>, i64) {
    let mut rest = FetchedRecords::new(response);
    let mut all = Vec::new();
    let mut arena = Arena::new();
    let mut next = rest.position().0;
    loop {
        let (mut piece, last) = match rest.split_front(size) {
            Some(front) => (front, false),
            None => (std::mem::replace(&mut rest, FetchedRecords::new(response_of_nothing())), true),
        };
        assert_eq!(piece.position().0, next, "pieces join");
        loop {
            match piece.decode(&mut arena) {
                Ok(true) => all.push(Ok(seen(&arena))),
                Ok(false) => break,
                Err(poison) => all.push(Err(poison.to_string())),
            }
        }
        next = piece.next_offset().0;
        if last {
            return (all, next);
        }
    }
}

fn response_of_nothing() -> Response {
    response(Bytes::new(), 0)
}

/// Reads all of it, where nothing may be poison.
fn read(response: Response) -> (Vec<Seen>, i64) {
    let (all, next) = drain(response);
    (all.into_iter().flat_map(|batch| batch.expect("a good batch")).collect(), next)
}

fn offsets(response: Response) -> (Vec<i64>, i64) {
    let (records, next) = read(response);
    (records.into_iter().map(|record| record.offset).collect(), next)
}

/// The reason of the only thing that comes out.
fn reason(response: Response) -> String {
    let (all, _) = drain(response);
    match <[_; 1]>::try_from(all) {
        Ok([Err(poison)]) => poison.reason,
        other => panic!("expected one poison batch, not {other:?}"),
    }
}
