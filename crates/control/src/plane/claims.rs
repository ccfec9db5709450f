use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::Refusal;
use crate::ClusterId;

/// Who changes which connector. From before a change is planned until it is on its way to the supervisor, nobody else
/// changes the same one: what runs is what was written last.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>);

/// A connector that may not be there yet.
type Name = (ClusterId, String);

/// Ends with its holder.
pub(crate) type Claim = OwnedMutexGuard<()>;

/// Changes take milliseconds; those that take longer stop a connector first, which is worth telling.
const PATIENCE: Duration = Duration::from_secs(10);

impl Claims {
    /// Waits for a connector.
    pub(crate) async fn take(&self, cluster: &ClusterId, name: &str) -> Result<Claim, Refusal> {
        let lock = {
            let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody holds or waits for what only the map has.
            claims.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(claims.entry((cluster.clone(), name.to_owned())).or_default())
        };
        tokio::time::timeout(PATIENCE, lock.lock_owned()).await.map_err(|_| Refusal::Busy {
            kind: "connector",
            id: name.to_owned(),
            doing: "another change of it is on its way",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_the_next_when_that_one_is_done() {
        let claims = Claims::default();
        let cluster: ClusterId = "lkc-a".parse().unwrap();
        let first = claims.take(&cluster, "a").await.unwrap();
        assert!(matches!(claims.take(&cluster, "a").await, Err(Refusal::Busy { .. })));
        claims.take(&cluster, "b").await.unwrap();
        drop(first);
        claims.take(&cluster, "a").await.unwrap();
        assert!(claims.0.lock().unwrap().len() <= 2);
    }
}
