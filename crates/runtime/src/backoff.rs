use std::time::Duration;

use rand::RngExt;

/// Full jitter over a doubling ceiling: a random time below `first * 2^attempt`, at most `longest`, so that many that
/// failed together do not come back together (Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
pub(crate) fn full_jitter(attempt: u32, first: Duration, longest: Duration) -> Duration {
    let ceiling = first.saturating_mul(1_u32.checked_shl(attempt.min(20)).unwrap_or(u32::MAX)).min(longest);
    ceiling.mul_f64(rand::rng().random_range(0.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_stays_below_its_ceiling_however_many_attempts_there_were() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_mins(1));
        for attempt in [0, 1, 5, 40, u32::MAX] {
            assert!(full_jitter(attempt, first, longest) <= longest);
        }
        assert!(full_jitter(0, first, longest) <= first);
    }
}
