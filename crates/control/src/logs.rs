use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use world::Clock;

use crate::ConnectorId;

/// What is kept of one connector: a thousand lines or so. What it says while it is well is far less in a day.
const OF_ONE: usize = 256 << 10;
/// What is kept of all: it is memory of the process, whatever their number.
const OF_ALL: usize = 16 << 20;
/// The longest line; the rest of it is in the process's own log.
const LONGEST: usize = 8 << 10;
/// What a line costs beside its text.
const FRAME: usize = size_of::<LogLine>();

/// The name of the span in which everything of a connector runs, and of its field that says which one it is.
pub(crate) const SPAN: &str = "connector";
const FIELD: &str = "id";

/// A line of a connector's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Counts the lines of all connectors since the process began.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// The text and its fields, as in the process's log.
    pub text: String,
}

/// The last log lines of each connector, in memory: a ring each, with a bound in bytes for one and for all. Cloning shares
/// it.
///
/// As a layer of the process's log ([`Logs::layer`]) it hears what is said inside a span named `connector` whose field `id`
/// is a connector's id. It keeps what the log's filter lets through, and so no secret that the log has not.
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<Mutex<Rings>>);

#[derive(Debug, Default)]
struct Rings {
    of: HashMap<ConnectorId, Ring>,
    bytes: usize,
    lines: u64,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Ring {
    fn drop_oldest(&mut self) -> usize {
        let freed = self.lines.pop_front().map_or(0, |line| cost(&line));
        self.bytes -= freed;
        freed
    }
}

fn cost(line: &LogLine) -> usize {
    FRAME + line.text.len()
}

impl Logs {
    /// What hears the log; `clock` says when.
    pub fn layer(&self, clock: Clock) -> LogLayer {
        LogLayer { logs: self.clone(), clock }
    }

    /// What is known of a connector, the oldest first.
    pub fn of(&self, id: &ConnectorId) -> Vec<LogLine> {
        self.rings().of.get(id).map(|ring| ring.lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets a connector that is gone.
    pub(crate) fn forget(&self, id: &ConnectorId) {
        let mut rings = self.rings();
        let freed = rings.of.remove(id).map_or(0, |ring| ring.bytes);
        rings.bytes -= freed;
    }

    fn push(&self, id: &ConnectorId, at: Timestamp, level: &'static str, text: String) {
        let mut rings = self.rings();
        rings.lines += 1;
        let line = LogLine { number: rings.lines, at, level, text };
        let cost = cost(&line);
        let ring = rings.of.entry(id.clone()).or_default();
        ring.lines.push_back(line);
        ring.bytes += cost;
        let mut freed = 0;
        while ring.bytes > OF_ONE {
            freed += ring.drop_oldest();
        }
        rings.bytes = rings.bytes + cost - freed;
        while rings.bytes > OF_ALL {
            // Who says most is cut first.
            let Some(most) = rings.of.values_mut().max_by_key(|ring| ring.bytes) else { break };
            let freed = most.drop_oldest();
            rings.bytes -= freed;
        }
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        // Whoever panicked while holding it left whole lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Logs::layer`].
#[derive(Debug, Clone)]
pub struct LogLayer {
    logs: Logs,
    clock: Clock,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != SPAN {
            return;
        }
        let mut found = ReadId(None);
        attributes.record(&mut found);
        if let (Some(connector), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().insert(connector);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(scope) = context.event_scope(event) else { return };
        let Some(id) = scope.into_iter().find_map(|span| span.extensions().get::<ConnectorId>().cloned()) else {
            return;
        };
        let mut text = Text::default();
        event.record(&mut text);
        let at = Timestamp::from_millisecond(self.clock.now_millis()).unwrap_or(Timestamp::MAX);
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        self.logs.push(&id, at, level, text.finish());
    }
}

struct ReadId(Option<ConnectorId>);

impl Visit for ReadId {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == FIELD {
            self.0 = format!("{value:?}").trim_matches('"').parse().ok();
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn add(&mut self, name: &str, value: &dyn fmt::Debug) {
        // Writing to a text does not fail; what a field's own `Debug` says when it fails is not worth losing the line.
        write!(self.fields, " {name}={value:?}").unwrap_or_default();
    }

    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        if self.message.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| self.message.is_char_boundary(*end)).unwrap_or(0);
            self.message.truncate(end);
            self.message.push_str(" ..");
        }
        self.message
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => self.add(name, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}").unwrap_or_default(),
            name => self.add(name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn listening() -> (Logs, impl Subscriber) {
        let logs = Logs::default();
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        (logs.clone(), tracing_subscriber::registry().with(logs.layer(clock)))
    }

    fn id(text: &str) -> ConnectorId {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_said_within_a_connectors_span_is_kept_as_its_log() {
        let (logs, subscriber) = listening();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("of nobody");
            let span = tracing::info_span!("connector", id = %id("lcc-one"));
            let work = async {
                tracing::warn!(object = "a/b", tries = 3, "tried {}", "on");
                tracing::info_span!("deeper").in_scope(|| tracing::error!(error = %"why", "gave up"));
            };
            futures_util::FutureExt::now_or_never(work.instrument(span)).unwrap();
            tracing::info_span!("connector", id = "lcc-two").in_scope(|| tracing::info!("another"));
        });
        let lines = logs.of(&id("lcc-one"));
        let shown: Vec<_> = lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        assert_eq!(shown, [("WARN", "tried on object=\"a/b\" tries=3"), ("ERROR", "gave up error=why")]);
        assert_eq!(lines[0].at, Timestamp::from_second(1).unwrap());
        assert_eq!(logs.of(&id("lcc-two")).len(), 1);
        logs.forget(&id("lcc-one"));
        assert_eq!(logs.of(&id("lcc-one")), []);
        let rings = logs.rings();
        assert_eq!(rings.bytes, rings.of.values().map(|ring| ring.bytes).sum::<usize>());
    }

    #[test]
    fn one_connector_and_all_together_have_a_bound_in_bytes() {
        let logs = Logs::default();
        let push = |connector: &str, n: usize| {
            logs.push(&id(connector), Timestamp::UNIX_EPOCH, "INFO", format!("{n:06}{}", "x".repeat(1000)));
        };
        for n in 0..1000 {
            push("lcc-noisy", n);
        }
        push("lcc-quiet", 7);
        assert!(logs.rings().of[&id("lcc-noisy")].bytes <= OF_ONE);
        assert!(logs.of(&id("lcc-noisy")).last().unwrap().text.starts_with("000999"));
        for connector in 0..100 {
            for n in 0..300 {
                push(&format!("lcc-{connector}"), n);
            }
        }
        let rings = logs.rings();
        assert!(rings.bytes <= OF_ALL);
        assert_eq!(rings.bytes, rings.of.values().map(|ring| ring.bytes).sum::<usize>());
        assert_eq!(rings.of[&id("lcc-quiet")].lines.len(), 1, "who says little is not cut for those who say much");
    }

    #[test]
    fn a_line_without_end_is_cut_between_characters() {
        let text = Text { message: "\u{e9}".repeat(LONGEST), ..Text::default() }.finish();
        assert!(text.len() <= LONGEST + 3 && text.ends_with("\u{e9} .."), "{}", text.len());
    }
}
