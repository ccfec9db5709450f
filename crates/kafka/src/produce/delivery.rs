use std::sync::{Arc, OnceLock};

use data::{Offset, TopicPartition};
use tokio::sync::Notify;

use super::Error;

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// Its partition.
    pub partition: TopicPartition,
    /// Its offset; `None` where the broker only says that it had the record already.
    pub offset: Option<Offset>,
}

/// The promise of an acknowledgement for one record. Dropping it changes nothing for the record.
#[derive(Debug)]
#[must_use = "without the acknowledgement nobody knows whether the record was written"]
pub struct Delivery {
    pub(super) fate: Arc<Fate>,
    /// The record's number in its batch.
    pub(super) index: i32,
}

impl Delivery {
    /// Waits until the record is written, or given up. Cancel safe.
    pub async fn acked(&self) -> Result<Acked, Error> {
        let base = self.fate.settled().await?;
        let offset = base.map(|base| Offset(base.0 + i64::from(self.index)));
        Ok(Acked { partition: self.fate.partition.clone(), offset })
    }
}

/// What becomes of a batch; shared by the deliveries of its records.
#[derive(Debug)]
pub(super) struct Fate {
    partition: TopicPartition,
    /// The batch's first offset.
    result: OnceLock<Result<Option<Offset>, Error>>,
    changed: Notify,
}

impl Fate {
    pub(super) fn new(partition: TopicPartition) -> Self {
        Self { partition, result: OnceLock::new(), changed: Notify::new() }
    }

    /// The first result stays.
    pub(super) fn settle(&self, result: Result<Option<Offset>, Error>) {
        self.result.set(result).ok();
        self.changed.notify_waiters();
    }

    pub(super) async fn settled(&self) -> Result<Option<Offset>, Error> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(result) = self.result.get() {
                return result.clone();
            }
            changed.await;
        }
    }
}
