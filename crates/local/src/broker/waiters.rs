use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Fetches that wait for a partition to grow. There are at most as many as connections.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Vec<Arc<Wait>>>);

/// One fetch that waits until its partitions have grown by so many bytes together.
#[derive(Debug)]
pub(crate) struct Wait {
    missing: AtomicI64,
    enough: Notify,
}

impl Wait {
    pub(crate) fn new(bytes: i64) -> Arc<Self> {
        Arc::new(Self { missing: AtomicI64::new(bytes), enough: Notify::new() })
    }

    /// Returns once there is enough, at once if there already is.
    pub(crate) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// So many bytes more are there.
    pub(crate) fn grown(&self, bytes: i64) {
        if self.missing.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.enough.notify_one();
        }
    }
}

impl Waiters {
    pub(crate) fn enter(&self, wait: &Arc<Wait>) {
        self.lock().push(Arc::clone(wait));
    }

    pub(crate) fn leave(&self, wait: &Arc<Wait>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, wait));
    }

    /// The partition has grown by so many bytes.
    pub(crate) fn grown(&self, bytes: usize) {
        for wait in self.lock().iter() {
            wait.grown(bytes as i64);
        }
    }

    /// Whoever waits should look again, whatever is missing: the partition was deleted, or shortened.
    pub(crate) fn wake(&self) {
        for wait in self.lock().iter() {
            wait.grown(i64::from(i32::MAX));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Wait>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
