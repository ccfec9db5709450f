use std::time::Duration;

/// Pauses between attempts: evenly drawn from nothing to a ceiling that doubles from `base` to `cap` ("full jitter": of
/// the usual schemes it ends a crowd's collisions with the fewest calls).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first ceiling. Aiven's `aws.s3.backoff.delay.ms`, by default 100 ms.
    pub base: Duration,
    /// The last ceiling. Aiven's `aws.s3.backoff.max.delay.ms`, by default 20 s.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(20) }
    }
}

impl Backoff {
    /// The pause after the `failures`th failure in a row, counted from 1.
    pub fn pause(&self, failures: u32) -> Duration {
        self.ceiling(failures).mul_f64(rand::random_range(0.0..=1.0))
    }

    fn ceiling(&self, failures: u32) -> Duration {
        self.base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_cap_and_stay_there() {
        let backoff = Backoff::default();
        let ceilings: Vec<_> = [1, 2, 3, 8, 9, 1_000_000].iter().map(|n| backoff.ceiling(*n).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 12_800, 20_000, 20_000]);
    }

    #[test]
    fn pauses_are_spread_over_the_whole_range() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(1) };
        let pauses: Vec<_> = (0..200).map(|_| backoff.pause(1)).collect();
        assert!(pauses.iter().any(|pause| pause.as_millis() < 250));
        assert!(pauses.iter().any(|pause| pause.as_millis() > 750));
        assert!(pauses.iter().all(|pause| *pause <= backoff.cap));
    }
}
