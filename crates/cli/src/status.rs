use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime::{Connector, Process, State};
use tokio::time::Instant;

use crate::screen::Screen;

/// The one calm line that says how a run goes.
pub(crate) struct Status {
    process: Process,
    screen: Screen,
    last: Option<(Instant, u64, u64)>,
    drawn: Option<Instant>,
    rates: (f64, f64),
}

/// On a terminal the line is drawn this often; rates are means over the same time.
const ON_TERMINAL: Duration = Duration::from_millis(500);
/// Elsewhere a line is printed this often.
const ELSEWHERE: Duration = Duration::from_secs(10);

impl Status {
    pub(crate) fn new(process: Process, screen: Screen) -> Self {
        Self { process, screen, last: None, drawn: None, rates: (0.0, 0.0) }
    }

    /// Draws the line if it is time to.
    pub(crate) fn draw(&mut self, connectors: &[Arc<Connector>]) {
        let every = if self.screen.is_terminal() { ON_TERMINAL } else { ELSEWHERE };
        let now = Instant::now();
        match self.drawn {
            // The first line elsewhere would only say zero.
            None if !self.screen.is_terminal() => {
                self.drawn = Some(now);
                return;
            }
            Some(drawn) if now - drawn < every => return,
            _ => self.drawn = Some(now),
        }
        let line = self.line(connectors, now);
        self.screen.status(&line);
    }

    fn line(&mut self, connectors: &[Arc<Connector>], now: Instant) -> String {
        let sum = |read: fn(&Connector) -> u64| connectors.iter().map(|connector| read(connector)).sum::<u64>();
        let records = sum(|connector| connector.stats().records.load(Ordering::Relaxed));
        let bytes = sum(|connector| connector.stats().encoded_bytes.load(Ordering::Relaxed));
        let objects = sum(|connector| connector.stats().objects.load(Ordering::Relaxed));
        if let Some((then, records_then, bytes_then)) = self.last {
            let seconds = (now - then).as_secs_f64().max(1e-3);
            self.rates = ((records - records_then) as f64 / seconds, (bytes - bytes_then) as f64 / seconds);
        }
        self.last = Some((now, records, bytes));
        let mut parts = vec![
            format!("{} records/s", count(self.rates.0)),
            format!("{}/s", size(self.rates.1)),
            format!("{} objects", count(objects as f64)),
            format!("{} buffered", size(self.process.budget().used() as f64)),
        ];
        if let Some(lag) = lag(connectors) {
            parts.push(format!("lag {}", count(lag as f64)));
        }
        let session = self.process.clients().sessions().stats().into_iter().filter_map(|session| session.left).min();
        if let Some(left) = session {
            parts.push(format!("session {} min", left.as_secs() / 60));
        }
        let failed: Vec<String> = connectors
            .iter()
            .filter_map(|connector| match connector.state() {
                State::Failed(failure) => Some(format!("{} ({})", connector.name(), failure.code)),
                State::Starting | State::Running | State::Stopped => None,
            })
            .collect();
        if !failed.is_empty() {
            parts.push(format!("failed: {}", failed.join(", ")));
        }
        parts.join(", ")
    }
}

/// Offsets between what is committed and the ends that are known; `None` if no end is known yet.
fn lag(connectors: &[Arc<Connector>]) -> Option<i64> {
    let mut lag = None;
    for connector in connectors {
        for (partition, progress) in connector.stats().partitions() {
            if let Some(end) = connector.end_offset(&partition) {
                *lag.get_or_insert(0) += (end.0 - progress.committed.0).max(0);
            }
        }
    }
    lag
}

fn count(number: f64) -> String {
    scaled(number, &["", "k", "M", "G"])
}

fn size(bytes: f64) -> String {
    scaled(bytes, &[" B", " KB", " MB", " GB", " TB"])
}

/// Three digits that matter: `999`, `1.2k`, `340k`.
fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && number < 10.0);
    format!("{number:.digits$}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_enough_to_read_at_a_glance() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(999.0), "999");
        assert_eq!(count(1_234.0), "1.2k");
        assert_eq!(count(340_000.0), "340k");
        assert_eq!(size(12.0), "12 B");
        assert_eq!(size(5_300_000.0), "5.3 MB");
    }
}
