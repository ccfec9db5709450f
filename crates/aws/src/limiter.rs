use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How many requests may be under way against one bucket; shared by all connectors that write to it.
///
/// Additive increase, multiplicative decrease: `SlowDown` halves the limit, a success adds its share of one. S3 says
/// `SlowDown` while it splits a prefix's partition; what it wants is fewer requests, not the same ones later.
#[derive(Debug)]
pub(crate) struct Limiter {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    cut_at: Option<Instant>,
}

/// The most requests under way, each on a socket of its own. With parts of 5 MiB more than the default byte budget holds; with
/// small objects, and S3 answering in 50 ms, 1280 requests a second. What a socket and a request hold is outside the budget.
const MOST: f64 = 64.0;

/// A burst of `SlowDown` answers to requests that were already under way is one event.
const ONE_EVENT: Duration = Duration::from_secs(1);

impl Default for Limiter {
    fn default() -> Self {
        Self { state: Mutex::new(State { limit: MOST, under_way: 0, cut_at: None }), freed: Notify::new() }
    }
}

impl Limiter {
    /// Waits for a place. Cancel safe.
    pub(crate) async fn place(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut state = self.lock();
                if (state.under_way as f64) < state.limit.floor() {
                    state.under_way += 1;
                    return Place(self);
                }
            }
            freed.await;
        }
    }

    /// A request succeeded.
    pub(crate) fn succeeded(&self) {
        let mut state = self.lock();
        state.limit = (state.limit + 1.0 / state.limit).min(MOST);
    }

    /// The far side asked for fewer requests.
    pub(crate) fn throttled(&self) {
        let mut state = self.lock();
        if state.cut_at.is_none_or(|at| at.elapsed() >= ONE_EVENT) {
            // Half of what was really under way: with a limit never reached, halving the limit would slow down nothing.
            state.limit = (state.limit.min(state.under_way as f64) / 2.0).max(1.0);
            state.cut_at = Some(Instant::now());
        }
    }

    /// How many may be under way now.
    pub(crate) fn limit(&self) -> f64 {
        self.lock().limit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the requests under way, given back on drop.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Limiter);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_down_halves_what_is_under_way_once_for_a_burst() {
        let limiter = Limiter::default();
        let mut places = Vec::new();
        for _ in 0..16 {
            places.push(limiter.place().await);
        }
        for _ in 0..5 {
            limiter.throttled();
        }
        assert!((limiter.limit() - 8.0).abs() < 0.01, "{}", limiter.limit());
        tokio::time::advance(ONE_EVENT).await;
        places.truncate(8);
        limiter.throttled();
        assert!((limiter.limit() - 4.0).abs() < 0.01, "{}", limiter.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_starts_before_the_requests_under_way_have_sunk_below_the_limit() {
        let limiter = std::sync::Arc::new(Limiter::default());
        let mut places =
            vec![limiter.place().await, limiter.place().await, limiter.place().await, limiter.place().await];
        limiter.throttled();
        let waiting = tokio::spawn({
            let limiter = std::sync::Arc::clone(&limiter);
            async move { drop(limiter.place().await) }
        });
        for left in [3, 2] {
            places.truncate(left);
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(!waiting.is_finished(), "{left} are under way, 2 may be");
        }
        places.truncate(1);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn successes_bring_the_limit_back() {
        let limiter = Limiter::default();
        let place = limiter.place().await;
        limiter.throttled();
        drop(place);
        assert!((limiter.limit() - 1.0).abs() < 0.01);
        for _ in 0..60 {
            limiter.succeeded();
        }
        // One more per round of `limit` successes: after n successes it is about the root of 2n.
        assert!((10.0..12.0).contains(&limiter.limit()), "{}", limiter.limit());
        for _ in 0..20_000 {
            limiter.succeeded();
        }
        assert!((limiter.limit() - MOST).abs() < 0.01);
    }
}
