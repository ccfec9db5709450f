use std::time::Duration;

use rand::RngExt;

/// Pauses that double from a first to a longest one, each varied by a fifth so that clients which failed together do not
/// come back together. The doubling and the fifth are Kafka's (KIP-144, KIP-580).
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// A sequence that has not begun.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), failures: 0 }
    }

    /// Begins again from the first pause.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many pauses were taken since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.longest).mul_f64(rand::rng().random_range(0.8..1.2))
    }

    /// Takes the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        for expected in [50_u64, 100, 200, 400, 800, 1000, 1000] {
            let pause = backoff.next_pause().as_millis() as u64;
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&pause), "{pause} is not near {expected}");
        }
        for _ in 0..100 {
            backoff.next_pause();
        }
        backoff.reset();
        assert!(backoff.next_pause() <= Duration::from_millis(60));
    }
}
