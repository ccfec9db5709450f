use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Remembers counters from one scrape to the next, for the rates that Kafka's metrics have: means over some thirty
/// seconds, whoever asks how often.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<String, VecDeque<Sample>>>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    counters: Counters,
}

/// Records read, and offsets committed.
pub(super) type Counters = [u64; 2];

/// How far back a rate looks, where there is something to look at: Kafka's `metrics.sample.window.ms`.
const WINDOW: Duration = Duration::from_secs(30);
/// Nobody needs to remember more often.
const EVERY: Duration = Duration::from_secs(1);

impl Rates {
    /// Rates per second of `counters`, each counter under its connector's key. Connectors that are not among them any more
    /// are forgotten.
    pub(super) fn of(&self, counters: &[(String, Counters)], now: Instant) -> HashMap<String, [f64; 2]> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|key, _| counters.iter().any(|(other, _)| other == key));
        counters
            .iter()
            .map(|(key, counters)| {
                let samples = known.entry(key.clone()).or_default();
                let now = Sample { at: now, counters: *counters };
                // A counter that went back is of another run.
                if samples.back().is_some_and(|last| last.counters[0] > counters[0]) {
                    samples.clear();
                }
                // One that is older than the window stays: the next younger one may be too young to say much.
                while samples.get(1).is_some_and(|second| now.at - second.at >= WINDOW) {
                    samples.pop_front();
                }
                let rates = samples.front().map_or([0.0; 2], |first| now.since(first));
                if samples.back().is_none_or(|last| now.at - last.at >= EVERY) {
                    samples.push_back(now);
                }
                (key.clone(), rates)
            })
            .collect()
    }
}

impl Sample {
    fn since(&self, first: &Self) -> [f64; 2] {
        let seconds = (self.at - first.at).as_secs_f64();
        let rate = |at: usize| self.counters[at].saturating_sub(first.counters[at]) as f64 / seconds.max(1e-3);
        if seconds > 0.0 { [rate(0), rate(1)] } else { [0.0; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_over_the_last_half_minute_and_begins_anew_with_a_new_run() {
        let (rates, begin) = (Rates::default(), Instant::now());
        let ask = |seconds: u64, records: u64| {
            let counters = [("orders".to_owned(), [records, records / 10])];
            rates.of(&counters, begin + Duration::from_secs(seconds))["orders"]
        };
        // In thousandths: these are no exact numbers.
        let is = |seconds, records, expected: [f64; 2]| {
            let found = ask(seconds, records).map(|rate| (rate * 1e3).round() as u64);
            assert_eq!(found, expected.map(|rate| (rate * 1e3).round() as u64), "after {seconds} s");
        };
        is(0, 0, [0.0, 0.0]);
        is(10, 1000, [100.0, 10.0]);
        is(20, 1000, [50.0, 5.0]);
        is(30, 1000, [1000.0 / 30.0, 100.0 / 30.0]);
        // What was before the window does not count any more.
        is(40, 1000, [0.0, 0.0]);
        is(50, 10, [0.0, 0.0]);
        is(60, 20, [1.0, 0.1]);
    }
}
