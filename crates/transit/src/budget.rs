use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The part of the budget that fetched, not yet encoded records may fill. The other half is for what they become: with
/// half of it, one broker's responses still keep two cores busy, and what is encoded always finds room to be sent.
pub const FETCH_SHARE: f64 = 0.5;

/// The bytes that the process may hold at once: records fetched, objects under construction, parts in flight.
///
/// Memory that is already there is charged by [`Budget::charge`], which never waits (bytes do not go away because a
/// number says so); new work asks with [`Budget::room`] or [`Budget::take`] and waits until there is room. Cloning shares
/// the budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { limit, used: AtomicUsize::new(0), freed: Notify::new() }))
    }

    /// The bytes it was made with.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// The bytes charged now; may exceed the limit by what could not be refused.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Charges `bytes` at once, even above the limit.
    pub fn charge(&self, bytes: usize) -> Permit {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        Permit { budget: self.clone(), bytes }
    }

    /// Waits until less than `share` (a fraction of the limit) is used. Cancel safe.
    pub async fn room(&self, share: f64) {
        let limit = (self.0.limit as f64 * share) as usize;
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.used() < limit {
                return;
            }
            freed.await;
        }
    }

    /// Waits until `bytes` fit below `share` of the limit, or nothing else is charged, and charges them. Cancel safe.
    pub async fn take(&self, bytes: usize, share: f64) -> Permit {
        let limit = (self.0.limit as f64 * share) as usize;
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let fits = |used: usize| used == 0 || used + bytes <= limit;
            let charged = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                if fits(used) { Some(used + bytes) } else { None }
            });
            if charged.is_ok() {
                return Permit { budget: self.clone(), bytes };
            }
            freed.await;
        }
    }

    /// Charges `bytes` if they fit below `share` of the limit.
    pub fn try_take(&self, bytes: usize, share: f64) -> Option<Permit> {
        let limit = (self.0.limit as f64 * share) as usize;
        self.0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                if used + bytes <= limit { Some(used + bytes) } else { None }
            })
            .ok()
            .map(|_| Permit { budget: self.clone(), bytes })
    }
}

/// Bytes charged to a [`Budget`], given back on drop.
#[derive(Debug)]
#[must_use = "dropping a permit gives its bytes back"]
pub struct Permit {
    budget: Budget,
    bytes: usize,
}

impl Permit {
    /// How many bytes it stands for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it stand for `bytes`, above the limit if need be.
    pub fn resize(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.budget.0.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.0.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.budget.0.freed.notify_waiters();
        }
        self.bytes = bytes;
    }

    /// Takes `bytes` of it into a permit of their own.
    pub fn split(&mut self, bytes: usize) -> Permit {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Permit { budget: self.budget.clone(), bytes }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn taking_waits_until_bytes_come_back() {
        let budget = Budget::new(100);
        let first = budget.take(80, 1.0).await;
        assert!(budget.try_take(30, 1.0).is_none());
        let second = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(30, 1.0).await.bytes() }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap(), 30);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn one_thing_larger_than_the_budget_still_passes_alone() {
        let budget = Budget::new(10);
        assert_eq!(budget.take(50, 1.0).await.bytes(), 50);
    }

    #[test]
    fn charges_above_the_limit_are_counted() {
        let budget = Budget::new(10);
        let mut permit = budget.charge(25);
        assert_eq!(budget.used(), 25);
        let part = permit.split(20);
        drop(permit);
        assert_eq!(budget.used(), 20);
        drop(part);
        assert_eq!(budget.used(), 0);
    }
}
