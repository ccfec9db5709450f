use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was asked of AWS and what came of it, for the runtime's metrics. Counts only ever go up.
#[derive(Debug, Default)]
pub struct Counters {
    requests: Mutex<BTreeMap<(&'static str, String), u64>>,
    permissions: Mutex<BTreeMap<(String, String, &'static str), bool>>,
    bytes_sent: AtomicU64,
    retries: AtomicU64,
}

/// How often an operation had an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCount {
    /// `UploadPart`.
    pub operation: &'static str,
    /// `OK`, AWS's code (`SlowDown`), or what kept the answer away (`stalled`).
    pub code: String,
    /// How often.
    pub count: u64,
}

/// What the last answer to an identity about an operation in a bucket showed that is about permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Who asked, as messages name it: `role arn:aws:iam::111111111111:role/orders`.
    pub identity: String,
    /// The bucket.
    pub bucket: String,
    /// `UploadPart`.
    pub operation: &'static str,
    /// Whether it was done; otherwise it was denied.
    pub is_allowed: bool,
}

/// How many pairs of operation and code are told apart; a store that makes up codes must not fill our memory. And how many
/// of identity, bucket and operation: what comes after them is not told.
const PAIRS: usize = 512;

impl Counters {
    /// Requests by operation and outcome, in that order.
    pub fn requests(&self) -> Vec<RequestCount> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests
            .iter()
            .map(|((operation, code), count)| RequestCount { operation, code: code.clone(), count: *count })
            .collect()
    }

    /// Bytes of object bodies that went out, those of attempts that failed included.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// Attempts after the first one.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// What traffic has shown last of what may be done, by identity, bucket and operation. An answer that says nothing of permission
    /// (no such key, slow down, none at all) changes nothing.
    pub fn permissions(&self) -> Vec<Permission> {
        let permissions = self.permissions.lock().unwrap_or_else(PoisonError::into_inner);
        permissions
            .iter()
            .map(|((identity, bucket, operation), is_allowed)| Permission {
                identity: identity.clone(),
                bucket: bucket.clone(),
                operation,
                is_allowed: *is_allowed,
            })
            .collect()
    }

    /// A request of `identity` about a bucket.
    pub(crate) fn request_of(&self, identity: String, bucket: &str, operation: &'static str, code: &str) {
        self.request(operation, code);
        let is_allowed = match code {
            "OK" => true,
            // A HEAD has no body to say a code in: then its status is one.
            "AccessDenied" | "AllAccessDisabled" | "403" => false,
            _ => return,
        };
        let mut permissions = self.permissions.lock().unwrap_or_else(PoisonError::into_inner);
        let room = permissions.len() < PAIRS;
        let key = (identity, bucket.to_owned(), operation);
        if let Some(held) = permissions.get_mut(&key) {
            *held = is_allowed;
        } else if room {
            permissions.insert(key, is_allowed);
        }
    }

    pub(crate) fn request(&self, operation: &'static str, code: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let room = requests.len() < PAIRS;
        let key = (operation, code.to_owned());
        match requests.get_mut(&key) {
            Some(count) => *count += 1,
            None if room => {
                requests.insert(key, 1);
            }
            None => *requests.entry((operation, "other".into())).or_default() += 1,
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_about_permission_counts_and_others_do_not() {
        let counters = Counters::default();
        let shown = || {
            let told = |p: Permission| format!("{} {} {} {}", p.identity, p.bucket, p.operation, p.is_allowed);
            counters.permissions().into_iter().map(told).collect::<Vec<_>>()
        };
        counters.request_of("orders".to_owned(), "lake", "PutObject", "SlowDown");
        assert!(shown().is_empty());
        counters.request_of("orders".to_owned(), "lake", "PutObject", "OK");
        counters.request_of("orders".to_owned(), "lake", "PutObject", "InternalError");
        counters.request_of("orders".to_owned(), "other", "PutObject", "AccessDenied");
        assert_eq!(shown(), ["orders lake PutObject true", "orders other PutObject false"]);
        counters.request_of("orders".to_owned(), "lake", "PutObject", "403");
        assert_eq!(shown(), ["orders lake PutObject false", "orders other PutObject false"]);
        assert_eq!(counters.requests().iter().map(|request| request.count).sum::<u64>(), 5);
        // What one may do says nothing of another.
        counters.request_of("bills".to_owned(), "lake", "PutObject", "OK");
        assert_eq!(
            shown(),
            ["bills lake PutObject true", "orders lake PutObject false", "orders other PutObject false"]
        );
    }

    #[test]
    fn identities_without_end_fill_no_memory() {
        let counters = Counters::default();
        for i in 0..10_000 {
            counters.request_of(format!("role {i}"), "lake", "PutObject", "OK");
        }
        assert_eq!(counters.permissions().len(), PAIRS);
    }

    #[test]
    fn a_store_that_makes_up_codes_fills_no_memory() {
        let counters = Counters::default();
        counters.request("UploadPart", "OK");
        for i in 0..10_000 {
            counters.request("UploadPart", &format!("Code{i}"));
        }
        counters.request("UploadPart", "OK");
        let requests = counters.requests();
        assert!(requests.len() <= PAIRS + 1);
        assert_eq!(requests.iter().map(|request| request.count).sum::<u64>(), 10_002);
        assert_eq!(requests.iter().find(|request| request.code == "OK").unwrap().count, 2);
    }
}
