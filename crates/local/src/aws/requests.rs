use std::collections::BTreeMap;
use std::sync::Mutex;

/// How often each operation was asked for, and how it ended.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<(String, String), u64>>);

impl Requests {
    /// Counts by operation (`PutObject`) and outcome: the status (`200`), AWS's code (`SlowDown`), or `reset`.
    pub fn counts(&self) -> BTreeMap<(String, String), u64> {
        self.0.lock().expect("no thread panics while it holds this lock").clone()
    }

    /// How often `operation` was asked for, whatever came of it.
    pub fn of(&self, operation: &str) -> u64 {
        let counts = self.0.lock().expect("no thread panics while it holds this lock");
        counts.iter().filter(|((name, _), _)| name == operation).map(|(_, count)| count).sum()
    }

    /// Starts counting at zero again.
    pub fn reset(&self) {
        self.0.lock().expect("no thread panics while it holds this lock").clear();
    }

    pub(super) fn count(&self, operation: &str, outcome: &str) {
        let mut counts = self.0.lock().expect("no thread panics while it holds this lock");
        *counts.entry((operation.to_owned(), outcome.to_owned())).or_default() += 1;
    }
}
