use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of day. Cloning shares it.
///
/// For durations use `tokio::time::Instant`, which a test can pause.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `start` until it is moved by [`Clock::set`] or [`Clock::advance`].
    pub fn manual(start: SystemTime) -> Self {
        let clock = Self(Some(Arc::default()));
        clock.set(start);
        clock
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(millis) => UNIX_EPOCH + Duration::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Milliseconds since 1970 in UTC, Kafka's unit of time.
    pub fn now_millis(&self) -> i64 {
        match self.now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Moves a manual clock to `time` (whole milliseconds). Does nothing to the machine's clock.
    pub fn set(&self, time: SystemTime) {
        if let Some(millis) = &self.0 {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            millis.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock forward. Does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}
