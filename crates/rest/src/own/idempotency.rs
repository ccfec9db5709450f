//! `Idempotency-Key`: a creation that is sent twice happens once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use control::ControlPlane;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::trouble::Trouble;

/// How long an answer is kept.
const KEPT: Duration = ControlPlane::ANSWERS_KEPT;

/// How many answers are kept: with a page each, 16 MiB.
const MOST: usize = 4096;

/// The longest key, as others have it.
pub(super) const LONGEST: usize = 255;

/// Answers by key, and who is at it. The store keeps them beyond a restart, too ([`Answer::written`]), but those that hold a
/// secret, which are in memory alone.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<HashMap<Name, Entry>>);

/// Whose key: others' keys are other keys.
type Name = (String, String);

#[derive(Debug)]
struct Entry {
    since: Instant,
    slot: Slot,
}

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What was answered to what.
#[derive(Debug, Clone)]
struct Kept {
    request: [u8; 32],
    answer: Answer,
}

/// An answer that can be given again.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Without the body, which may hold a secret.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    /// As the store keeps it.
    pub(super) fn written(&self) -> Option<String> {
        let text = |value: &HeaderValue| value.to_str().ok().map(ToOwned::to_owned);
        let headers: Option<Vec<_>> =
            self.headers.iter().map(|(name, value)| Some((name.as_str(), text(value)?))).collect();
        let body = std::str::from_utf8(&self.body).ok()?;
        Some(json!({ "status": self.status.as_u16(), "headers": headers?, "body": body }).to_string())
    }

    /// From what [`Self::written`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let written: Value = serde_json::from_str(text).ok()?;
        let status = StatusCode::from_u16(written["status"].as_u64()?.try_into().ok()?).ok()?;
        let header = |pair: &Value| {
            let name: HeaderName = pair[0].as_str()?.parse().ok()?;
            Some((name, HeaderValue::from_str(pair[1].as_str()?).ok()?))
        };
        let headers = written["headers"].as_array()?.iter().map(header).collect::<Option<HeaderMap>>()?;
        Some(Self { status, headers, body: written["body"].as_str()?.to_owned().into() })
    }
}

impl Keys {
    /// The answer to the first request with this key, or that of `make`, which is kept if it is a success: what was refused
    /// has changed nothing, and may be tried again. Requests with one key wait for each other.
    pub(super) async fn once(
        &self,
        principal: String,
        key: &str,
        request: [u8; 32],
        make: impl Future<Output = Result<Answer, Trouble>>,
    ) -> Result<Answer, Trouble> {
        let slot = self.slot((principal, key.to_owned()));
        let mut kept = slot.lock().await;
        if let Some(kept) = &*kept {
            if kept.request == request {
                return Ok(kept.answer.clone());
            }
            return Err(Trouble::KeyReused { key: key.to_owned() });
        }
        let answer = make.await?;
        if answer.status.is_success() {
            *kept = Some(Kept { request, answer: answer.clone() });
        }
        Ok(answer)
    }

    fn slot(&self, name: Name) -> Slot {
        let now = Instant::now();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now.duration_since(entry.since) < KEPT);
        if entries.len() >= MOST && !entries.contains_key(&name) {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.since).map(|(name, _)| name.clone());
            entries.remove(&oldest.expect("it is full"));
        }
        let entry = entries.entry(name).or_insert_with(|| Entry { since: now, slot: Slot::default() });
        entry.slot.clone()
    }
}

/// Parts with their lengths, so that no two requests are one.
pub(super) fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn ask(
        keys: &Keys,
        who: &str,
        key: &str,
        body: &str,
        status: u16,
        count: &AtomicU32,
    ) -> Result<Bytes, Trouble> {
        let make = async {
            tokio::task::yield_now().await;
            let body = Bytes::from(count.fetch_add(1, Ordering::Relaxed).to_string());
            Ok(Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body })
        };
        keys.once(who.to_owned(), key, fingerprint(&[body.as_bytes()]), make).await.map(|answer| answer.body)
    }

    #[tokio::test]
    async fn a_creation_that_is_sent_twice_happens_once_even_at_the_same_time() {
        let (keys, count) = (Keys::default(), AtomicU32::new(0));
        let ask = |who, key, body| ask(&keys, who, key, body, 201, &count);
        let (one, two) = tokio::join!(ask("ana", "k", "x"), ask("ana", "k", "x"));
        assert_eq!((one.unwrap(), two.unwrap()), (Bytes::from("0"), Bytes::from("0")));
        assert!(matches!(ask("ana", "k", "y").await, Err(Trouble::KeyReused { .. })));
        assert_eq!(ask("ben", "k", "y").await.unwrap(), "1", "another's key is another key");
        assert_eq!(ask("ana", "l", "x").await.unwrap(), "2");
    }

    #[tokio::test]
    async fn what_was_refused_may_be_tried_again() {
        let (keys, count) = (Keys::default(), AtomicU32::new(0));
        assert_eq!(ask(&keys, "ana", "k", "x", 409, &count).await.unwrap(), "0");
        assert_eq!(ask(&keys, "ana", "k", "x", 201, &count).await.unwrap(), "1");
        assert_eq!(ask(&keys, "ana", "k", "x", 201, &count).await.unwrap(), "1");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_an_hour_and_are_bounded() {
        let (keys, count) = (Keys::default(), AtomicU32::new(0));
        assert_eq!(ask(&keys, "ana", "k", "x", 201, &count).await.unwrap(), "0");
        tokio::time::advance(KEPT).await;
        assert_eq!(ask(&keys, "ana", "k", "x", 201, &count).await.unwrap(), "1");
        for n in 0..MOST + 10 {
            keys.slot(("ana".to_owned(), n.to_string()));
        }
        assert_eq!(keys.0.lock().unwrap().len(), MOST);
    }
}
