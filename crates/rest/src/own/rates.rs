//! How fast connectors move records: two looks at their counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use control::ConnectorId;
use runtime::Connector;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Rates over less are noise.
const SHORTEST: Duration = Duration::from_secs(1);

/// Rates over more say nothing of now.
const LONGEST: Duration = Duration::from_mins(1);

/// The counters as they were, by connector. No task of its own: nobody pays for rates that nobody asks for.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<ConnectorId, Looks>>);

#[derive(Debug, Clone, Copy)]
struct Looks {
    /// What rates are taken against.
    base: Look,
    /// What they will be taken against once it is old enough.
    last: Look,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    counters: Counters,
}

/// Records, committed records, fetched bytes, stored bytes.
type Counters = [u64; 4];

impl Rates {
    /// Counters, rates, partitions and lag of a connector that runs; nulls for one that does not.
    pub(super) fn show(&self, id: &ConnectorId, running: Option<&Connector>) -> Value {
        let Some(connector) = running else {
            self.lock().remove(id);
            return json!({ "moved": null, "rates": null, "partitions": [], "lag": null });
        };
        let stats = connector.stats();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = [
            count(&stats.records),
            count(&stats.committed_records),
            count(&stats.fetched_bytes),
            count(&stats.stored_bytes),
        ];
        let mut partitions = stats.partitions();
        partitions.sort_by(|(a, _), (b, _)| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let rows: Vec<_> = partitions
            .iter()
            .map(|(partition, progress)| {
                let end = connector.end_offset(partition).map(|end| end.0);
                json!({
                    "topic": &*partition.topic,
                    "partition": partition.partition,
                    "position": progress.position.0,
                    "committed": progress.committed.0,
                    "end": end,
                    "lag": end.map(|end| (end - progress.committed.0).max(0)),
                })
            })
            .collect();
        let lag: Option<i64> = rows.iter().map(|row| row["lag"].as_i64()).sum();
        json!({
            "moved": {
                "records": counters[0],
                "committed_records": counters[1],
                "skipped_records": count(&stats.skipped_records),
                "dead_letters": count(&stats.dead_letters),
                "fetched_bytes": counters[2],
                "encoded_bytes": count(&stats.encoded_bytes),
                "stored_bytes": counters[3],
                "objects": count(&stats.objects),
                "cuts": count(&stats.cuts),
            },
            "rates": self.rates(id, counters),
            "partitions": rows,
            "lag": lag.filter(|_| !rows.is_empty()),
        })
    }

    fn rates(&self, id: &ConnectorId, counters: Counters) -> Option<Value> {
        let now = Look { at: Instant::now(), counters };
        let mut all = self.lock();
        all.retain(|_, looks| now.at.duration_since(looks.last.at) <= LONGEST);
        let Some(looks) = all.get_mut(id) else {
            all.insert(id.clone(), Looks { base: now, last: now });
            return None;
        };
        let age = |look: Look| now.at.duration_since(look.at);
        // Counters begin anew with the connector.
        let is_anew = |look: Look| look.counters.iter().zip(counters).any(|(then, now)| now < *then);
        if is_anew(looks.last) {
            *looks = Looks { base: now, last: now };
            return None;
        }
        if age(looks.last) >= SHORTEST {
            *looks = Looks { base: looks.last, last: now };
        }
        let (over, base) = (age(looks.base), looks.base.counters);
        if over < SHORTEST {
            return None;
        }
        let seconds = over.as_secs_f64();
        let rate = |at: usize| (counters[at] - base[at]) as f64 / seconds;
        Some(json!({
            "over_seconds": seconds,
            "records": rate(0),
            "committed_records": rate(1),
            "fetched_bytes": rate(2),
            "stored_bytes": rate(3),
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectorId, Looks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rates_are_taken_between_two_looks_and_not_over_a_restart() {
        let (rates, id): (_, ConnectorId) = (Rates::default(), "lcc-abc123".parse().unwrap());
        assert_eq!(rates.rates(&id, [0, 0, 0, 0]), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        let shown = rates.rates(&id, [100, 50, 2000, 10]).expect("two looks");
        assert_eq!((shown["records"].as_f64(), shown["over_seconds"].as_f64()), (Some(50.0), Some(2.0)));
        // Somebody else asks right afterwards.
        tokio::time::advance(Duration::from_millis(500)).await;
        let shown = rates.rates(&id, [150, 50, 2000, 10]).expect("against the look before");
        assert_eq!(shown["records"].as_f64(), Some(60.0));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(rates.rates(&id, [5, 0, 0, 0]), None, "it was started anew");
        tokio::time::advance(LONGEST * 2).await;
        assert_eq!(rates.rates(&id, [500, 0, 0, 0]), None, "nobody asked for long");
    }
}
