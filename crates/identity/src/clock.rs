use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use world::Clock;

/// The time of day as AWS sees it: the machine's clock, corrected by what AWS's answers have shown.
///
/// AWS refuses a signature whose hour is more than 5 to 15 minutes off (`RequestTimeTooSkewed`), and it writes a
/// session's end in its own time. Cloning shares the correction: what one client learns helps all.
#[derive(Debug, Clone, Default)]
pub struct AwsClock {
    clock: Clock,
    ahead_millis: Arc<AtomicI64>,
}

impl AwsClock {
    /// A clock that trusts `clock` until AWS contradicts it.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ahead_millis: Arc::default() }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        let ahead = self.ahead_millis.load(Ordering::Relaxed);
        let by = Duration::from_millis(ahead.unsigned_abs());
        if ahead >= 0 { self.clock.now() + by } else { self.clock.now() - by }
    }

    /// Takes over the hour that AWS wrote in an answer. Only for answers that complain about ours: a `Date` header has
    /// whole seconds, and the answer has been under way.
    pub fn learn(&self, aws_now: SystemTime) {
        let local = self.clock.now();
        let ahead = match aws_now.duration_since(local) {
            Ok(ahead) => i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX),
            Err(behind) => -i64::try_from(behind.duration().as_millis()).unwrap_or(i64::MAX),
        };
        self.ahead_millis.store(ahead, Ordering::Relaxed);
    }

    /// How far AWS's time is ahead of the machine's, in milliseconds; negative if it is behind.
    pub fn ahead_millis(&self) -> i64 {
        self.ahead_millis.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn an_hour_learnt_from_aws_is_kept_while_the_machine_goes_on() {
        let machine = Clock::manual(UNIX_EPOCH + Duration::from_hours(100));
        let clock = AwsClock::new(machine.clone());
        let other = clock.clone();
        other.learn(UNIX_EPOCH + Duration::from_hours(98));
        assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_hours(98));
        machine.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_hours(98) + Duration::from_secs(5));
        assert_eq!(clock.ahead_millis(), -7_200_000);
    }
}
