use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes of batches all partitions of an in-memory broker may hold. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    used: Arc<AtomicU64>,
    /// The most, in bytes.
    pub(crate) limit: u64,
}

impl Memory {
    pub(crate) fn new(limit: u64) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// Takes `bytes`; false if they do not fit.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}
