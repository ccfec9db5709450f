//! What is done by and by: plans that failed are made again, and what is old goes.

use std::sync::{Arc, Weak};
use std::time::Duration;

use fault::Chain;
use rusqlite::params;

use super::idempotency::KEPT;
use super::{ControlPlane, Inner, Refusal};
use crate::ConnectorId;

const EVERY: Duration = Duration::from_mins(1);
/// As many lines at once: nobody waits for a write longer than a moment.
const AT_ONCE: u64 = 10_000;

/// Begins, and ends with the plane.
pub(crate) fn begin(plane: &ControlPlane) {
    let plane: Weak<Inner> = Arc::downgrade(&plane.0);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(inner) = plane.upgrade() else { return };
            let plane = ControlPlane(inner);
            if let Err(refusal) = plane.keep_up().await {
                tracing::warn!("what is done every minute failed: {}", Chain(&refusal));
            }
        }
    });
}

impl ControlPlane {
    /// Once.
    pub(crate) async fn keep_up(&self) -> Result<(), Refusal> {
        self.prune().await?;
        self.keep_topics().await?;
        let failed: Vec<ConnectorId> =
            self.plans().iter().filter(|(_, (_, plan))| plan.is_err()).map(|(id, _)| id.clone()).collect();
        for id in failed {
            self.replan(&id).await?;
        }
        Ok(())
    }

    /// Takes away what is old.
    async fn prune(&self) -> Result<(), Refusal> {
        let (now, keep) = (self.now(), self.0.settings.audit);
        let oldest = now.saturating_sub(i64::try_from(keep.age.as_millis()).unwrap_or(i64::MAX));
        self.0
            .store
            .with(move |table| {
                table.write("DELETE FROM idempotency WHERE at <= ?1", [now - KEPT])?;
                table.write("DELETE FROM logins WHERE ends_at <= ?1", [now])?;
                // From the oldest on, so that the numbers of what stays have no gap.
                let query = "DELETE FROM audit WHERE number < (SELECT max(number) FROM audit)
                    AND number < (SELECT min(number) FROM audit) + ?3
                    AND (number <= (SELECT max(number) FROM audit) - ?2
                         OR number < coalesce((SELECT min(number) FROM audit WHERE at >= ?1), 9223372036854775807))";
                let lines = i64::try_from(keep.lines).unwrap_or(i64::MAX);
                Ok(table.write(query, params![oldest, lines, AT_ONCE]).map(drop)?)
            })
            .await
    }

    /// Writes down which topics records came from.
    pub(crate) async fn keep_topics(&self) -> Result<(), Refusal> {
        let ids: Vec<ConnectorId> = self.plans().keys().cloned().collect();
        let of = |id: ConnectorId| {
            let topics = self.0.supervisor.active_topics(&id);
            (!topics.is_empty()).then_some((id, topics))
        };
        let active: Vec<_> = ids.into_iter().filter_map(of).collect();
        if active.is_empty() {
            return Ok(());
        }
        self.0
            .store
            .with(move |table| {
                for (id, topics) in active {
                    for topic in topics {
                        let query = "INSERT OR IGNORE INTO active_topics (connector, topic)
                                     SELECT id, ?2 FROM connectors WHERE id = ?1";
                        table.write(query, params![id.as_str(), &*topic])?;
                    }
                }
                Ok(())
            })
            .await
    }
}
