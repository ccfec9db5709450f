use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use world::Clock;

/// The levels of the log, which can be changed while we run. Cloning shares them.
#[derive(Clone)]
pub struct LogLevels(Arc<Inner>);

struct Inner {
    set: Mutex<BTreeMap<String, LogLevel>>,
    /// Parts of the filter that are about spans and fields: kept as they are.
    kept: Vec<String>,
    apply: Box<Apply>,
    clock: Clock,
}

type Apply = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// The level of one logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLevel {
    /// Log4j's name of it.
    pub(crate) level: &'static str,
    /// Milliseconds since 1970; `None`: as the process was started.
    pub(crate) modified: Option<i64>,
}

/// What a level is called there and here.
const LEVELS: &[(&str, &str)] = &[
    ("OFF", "off"),
    ("FATAL", "error"),
    ("ERROR", "error"),
    ("WARN", "warn"),
    ("INFO", "info"),
    ("DEBUG", "debug"),
    ("TRACE", "trace"),
    ("ALL", "trace"),
];

/// Which of our targets do what the loggers of Kafka's and AWS's packages do: people and scripts know those names.
const ALIASES: &[(&str, &[&str])] = &[
    ("com.amazonaws", &["aws", "identity"]),
    ("io.aiven.kafka.connect", &["aws", "connectors", "format"]),
    ("org.apache.kafka.clients", &["kafka"]),
    ("org.apache.kafka.connect", &["connectors", "control", "data", "rest", "runtime", "tidegate", "transit"]),
    ("org.apache.kafka.connect.json", &["data"]),
    ("org.apache.kafka.connect.runtime", &["runtime", "transit"]),
    ("org.apache.kafka.connect.runtime.distributed", &["control"]),
    ("org.apache.kafka.connect.runtime.rest", &["rest"]),
    ("org.apache.kafka.connect.storage", &["control"]),
    ("software.amazon.awssdk", &["aws", "identity"]),
];

/// The logger above all others.
pub(crate) const ROOT: &str = "root";
/// Names are kept for ever: so many are enough.
const MOST: usize = 500;

/// Why a level was not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotSet {
    /// There is no such level.
    NoLevel,
    /// The name is no logger's.
    NoName,
    /// There are as many as there may be.
    TooMany,
    /// The filter was refused.
    Refused(String),
}

impl LogLevels {
    /// Levels that are now as `directives` say (`info,kafka=debug`), and change by `apply`, which gets all directives anew.
    pub fn new(
        directives: &str,
        clock: Clock,
        apply: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let mut set = BTreeMap::new();
        let mut kept = Vec::new();
        for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let (name, level) = directive.split_once('=').unwrap_or((ROOT, directive));
            match ours(level) {
                Some(level) if !directive.contains('[') => {
                    set.insert(name.replace("::", "."), LogLevel { level, modified: None });
                }
                _ => kept.push(directive.to_owned()),
            }
        }
        // What the filter does without a word about it.
        set.entry(ROOT.to_owned()).or_insert(LogLevel { level: "ERROR", modified: None });
        Self(Arc::new(Inner { set: Mutex::new(set), kept, apply: Box::new(apply), clock }))
    }

    fn levels(&self) -> MutexGuard<'_, BTreeMap<String, LogLevel>> {
        self.0.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All levels that were set, by name.
    pub(crate) fn all(&self) -> BTreeMap<String, LogLevel> {
        self.levels().clone()
    }

    /// Sets the level of a logger and of those below it; their names.
    pub(crate) fn set(&self, name: &str, level: &str) -> Result<Vec<String>, NotSet> {
        let level = level.to_ascii_uppercase();
        let level = LEVELS.iter().find(|(known, _)| *known == level).ok_or(NotSet::NoLevel)?.0;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._$-".contains(c);
        let name = name.replace("::", ".");
        if name.is_empty() || name.len() > 249 || !name.chars().all(fits) {
            return Err(NotSet::NoName);
        }
        let mut levels = self.levels();
        if levels.len() >= MOST && !levels.contains_key(&name) {
            return Err(NotSet::TooMany);
        }
        let mut next = levels.clone();
        let modified = Some(self.0.clock.now_millis());
        next.insert(name.clone(), LogLevel { level, modified });
        let mut changed = Vec::new();
        for (known, setting) in &mut next {
            // Connect's root is above all others, and takes them along.
            if name == ROOT || is_below(known, &name) {
                *setting = LogLevel { level, modified };
                changed.push(known.clone());
            }
        }
        (self.0.apply)(&self.directives(&next)).map_err(NotSet::Refused)?;
        *levels = next;
        Ok(changed)
    }

    /// All levels as a filter of `tracing` reads them.
    fn directives(&self, levels: &BTreeMap<String, LogLevel>) -> String {
        let mut targets: BTreeMap<String, &str> = BTreeMap::new();
        // The shorter name first: it is the wider one, and what is said of the narrower one counts.
        let mut names: Vec<_> = levels.iter().filter(|(name, _)| *name != ROOT).collect();
        names.sort_by_key(|(name, _)| name.len());
        for (name, setting) in names {
            for target in targets_of(name) {
                targets.insert(target, setting.level);
            }
        }
        let root = levels.get(ROOT).map_or("error", |setting| theirs(setting.level));
        let mut directives = vec![root.to_owned()];
        directives.extend(targets.iter().map(|(target, level)| format!("{target}={}", theirs(level))));
        directives.extend(self.0.kept.iter().cloned());
        directives.join(",")
    }
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevels").field(&self.all()).finish()
    }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Our targets that a logger's name stands for.
fn targets_of(name: &str) -> Vec<String> {
    let alias = ALIASES.iter().filter(|(alias, _)| is_below(name, alias)).max_by_key(|(alias, _)| alias.len());
    match alias {
        Some((_, targets)) => targets.iter().map(|&target| target.to_owned()).collect(),
        None => vec![name.replace('.', "::")],
    }
}

fn theirs(level: &str) -> &'static str {
    LEVELS.iter().find(|(known, _)| *known == level).map_or("info", |(_, ours)| ours)
}

fn ours(level: &str) -> Option<&'static str> {
    let level = level.to_ascii_lowercase();
    match level.as_str() {
        "off" => Some("OFF"),
        "error" => Some("ERROR"),
        "warn" => Some("WARN"),
        "info" => Some("INFO"),
        "debug" => Some("DEBUG"),
        "trace" => Some("TRACE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(directives: &str) -> (LogLevels, Arc<Mutex<Vec<String>>>) {
        let applied = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&applied);
        let clock = Clock::manual(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1));
        let levels = LogLevels::new(directives, clock, move |directives| {
            seen.lock().unwrap().push(directives.to_owned());
            Ok(())
        });
        (levels, applied)
    }

    #[test]
    fn connects_names_reach_our_targets_and_the_narrower_name_counts() {
        let (levels, applied) = levels("info,kafka::group=debug,aws[span]=trace");
        assert_eq!(levels.all()["root"], LogLevel { level: "INFO", modified: None });
        assert_eq!(
            levels.set("org.apache.kafka.connect.runtime.rest", "trace").unwrap(),
            ["org.apache.kafka.connect.runtime.rest"]
        );
        assert_eq!(applied.lock().unwrap().last().unwrap(), "info,kafka::group=debug,rest=trace,aws[span]=trace");
        let changed = levels.set("org.apache.kafka.connect", "error").unwrap();
        assert_eq!(changed, ["org.apache.kafka.connect", "org.apache.kafka.connect.runtime.rest"]);
        assert_eq!(levels.all()["org.apache.kafka.connect.runtime.rest"].level, "ERROR");
        assert_eq!(levels.all()["org.apache.kafka.connect"].modified, Some(1000));
        let last = applied.lock().unwrap().last().unwrap().clone();
        assert!(last.contains("rest=error") && last.contains("transit=error"), "{last}");
        assert_eq!(levels.set("root", "WARN").unwrap().len(), 4);
        assert!(levels.all().values().all(|level| level.level == "WARN"));
    }

    #[test]
    fn what_is_no_level_or_name_changes_nothing() {
        let (levels, applied) = levels("info");
        assert_eq!(levels.set("kafka", "LOUD"), Err(NotSet::NoLevel));
        assert_eq!(levels.set("kafka=trace,rest", "INFO"), Err(NotSet::NoName));
        assert_eq!(levels.set("", "INFO"), Err(NotSet::NoName));
        assert!(applied.lock().unwrap().is_empty());
    }
}
