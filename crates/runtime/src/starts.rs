use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the starts of connectors, and of the tasks that came with them: a start is good once source and sink
/// are open.
#[derive(Debug, Default)]
pub struct Starts {
    connectors: Outcomes,
    tasks: Outcomes,
}

/// Starts of one kind.
#[derive(Debug, Default)]
struct Outcomes {
    good: AtomicU64,
    bad: AtomicU64,
}

impl Starts {
    pub(crate) fn note(&self, tasks: u32, is_good: bool) {
        for (outcomes, by) in [(&self.connectors, 1), (&self.tasks, u64::from(tasks))] {
            let counter = if is_good { &outcomes.good } else { &outcomes.bad };
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Good and bad starts of connectors.
    pub fn of_connectors(&self) -> (u64, u64) {
        self.connectors.read()
    }

    /// Good and bad starts of tasks.
    pub fn of_tasks(&self) -> (u64, u64) {
        self.tasks.read()
    }
}

impl Outcomes {
    fn read(&self) -> (u64, u64) {
        (self.good.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed))
    }
}
