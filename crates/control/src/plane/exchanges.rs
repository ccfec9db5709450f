//! Each exchange for a session, in the audit log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fault::Chain;
use identity::{Exchanged, WatchExchanges};
use serde_json::json;
use tokio::sync::mpsc;

use super::gate::{Deed, line};
use super::{ControlPlane, Refusal};
use crate::store::{Store, Table};
use crate::{EnvironmentId, Error};

/// Exchanges that wait to be written down. An hour's sessions of a few thousand connectors are renewed in a minute.
const WAITING: usize = 4096;
/// As many lines in one transaction.
const TOGETHER: usize = 256;

/// Hears of exchanges. It never holds one up: what cannot be written down in time is counted.
#[derive(Debug)]
struct ExchangeLog {
    lines: mpsc::Sender<(i64, Exchanged)>,
    clock: world::Clock,
    lost: Arc<AtomicU64>,
}

impl WatchExchanges for ExchangeLog {
    fn exchanged(&self, exchanged: Exchanged) {
        if self.lines.try_send((self.clock.now_millis(), exchanged)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl ControlPlane {
    /// What hears of exchanges, and writes them down until the plane is gone.
    pub(crate) fn exchange_log(&self) -> Arc<dyn WatchExchanges> {
        let (lines, waiting) = mpsc::channel(WAITING);
        let lost = Arc::<AtomicU64>::default();
        tokio::spawn(write_all(waiting, self.0.store.clone(), self.0.own.clone(), Arc::clone(&lost)));
        Arc::new(ExchangeLog { lines, clock: self.0.settings.clock.clone(), lost })
    }
}

async fn write_all(
    mut waiting: mpsc::Receiver<(i64, Exchanged)>,
    store: Store,
    own: EnvironmentId,
    lost: Arc<AtomicU64>,
) {
    let mut lines = Vec::new();
    while waiting.recv_many(&mut lines, TOGETHER).await > 0 {
        let (batch, own) = (std::mem::take(&mut lines), own.clone());
        let missing = lost.swap(0, Ordering::Relaxed);
        let count = batch.len() as u64 + missing;
        let written = store.with(move |table| {
            let at = batch.last().map_or(0, |(at, _)| *at);
            for (at, exchanged) in batch {
                write(table, at, &exchanged, &own)?;
            }
            if missing > 0 {
                let deed = Deed::new("session.exchange", format!("{missing} exchanges that could not be written down"));
                line(table, at, "Tidegate", &deed, None, "aws", "", "lost")?;
            }
            Ok::<_, Refusal>(())
        });
        if let Err(error) = written.await {
            lost.fetch_add(count, Ordering::Relaxed);
            tracing::error!(count, "exchanges for sessions were not written into the audit log: {}", Chain(&error));
        }
    }
}

fn write(table: &Table<'_>, at: i64, exchanged: &Exchanged, own: &EnvironmentId) -> Result<(), Error> {
    // Whose integration it is, the external ID tells: roles may be named by many.
    let query = "SELECT i.id, i.environment FROM external_ids e JOIN integrations i ON i.id = e.integration
                 WHERE e.value = ?1";
    let found = match &exchanged.external_id {
        None => None,
        Some(external_id) => {
            table.first(query, [external_id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        }
    };
    let mut deed = Deed::new("session.exchange", exchanged.target.clone());
    if let Some((integration, environment)) = found {
        deed.environment = Some(environment.parse().unwrap_or_else(|_| own.clone()));
        deed.after = Some(json!({ "integration": integration }));
    }
    if let Ok(Some(expires_at)) = &exchanged.result {
        let until = jiff::Timestamp::try_from(*expires_at).ok();
        let mut after = deed.after.take().unwrap_or_else(|| json!({}));
        after["expires_at"] = json!(until);
        deed.after = Some(after);
    }
    let code = exchanged.result.as_ref().err().copied().unwrap_or("done");
    line(table, at, "Tidegate", &deed, None, "aws", "", code)
}
