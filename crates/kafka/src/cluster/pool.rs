use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::{Backoff, Error};
use crate::config::ClientConfig;
use crate::net::Connection;

/// What a connection is for. Each purpose has a connection of its own to each broker, because a broker answers one
/// request of a connection at a time: behind a JoinGroup everything waits as long as the rebalance takes, and behind a
/// Fetch until there are records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Metadata, coordinator lookups, administration: short questions.
    Control,
    /// Fetching records.
    Fetch,
    /// Membership of a group, and its commits.
    Group,
    /// Writing records.
    Produce,
}

/// How soon a connection can be had, the soonest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prospect {
    /// It is there.
    Open,
    /// It can be made.
    Free,
    /// Somebody is making it.
    Busy,
    /// The last try failed, and the next has to wait.
    Resting,
}

/// One connection per broker and purpose, made when first asked for.
#[derive(Debug)]
pub(super) struct Pool {
    config: Arc<ClientConfig>,
    places: Mutex<HashMap<(Arc<str>, Purpose), SharedPlace>>,
}

type SharedPlace = Arc<tokio::sync::Mutex<Place>>;

#[derive(Debug)]
struct Place {
    connection: Option<Arc<Connection>>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

impl Pool {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self { config, places: Mutex::default() }
    }

    /// The connection to `address`; made anew if there is none, it has ended, or it idled so long that the broker may be
    /// about to close it. After a failure the next try waits for the reconnect back-off.
    pub(super) async fn connection(&self, address: &Arc<str>, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        let place = self.place(address, purpose);
        // Held across the connecting: callers that come meanwhile share the result.
        let mut place = place.lock().await;
        if let Some(connection) = &place.connection {
            let most = self.config.connections_max_idle;
            if connection.ended().is_none() && (most.is_zero() || connection.idle() < most) {
                return Ok(connection.clone());
            }
            place.connection = None;
        }
        if let Some(not_before) = place.not_before {
            tokio::time::sleep_until(not_before).await;
        }
        // Longer with each failure, so that a broker which is only slow is reached in the end (KIP-601).
        let patience = self.config.connection_setup_timeout.saturating_mul(1 << place.backoff.failures().min(16));
        let patience = patience.min(self.config.connection_setup_timeout_max.max(self.config.connection_setup_timeout));
        match Connection::open(&self.config, address.clone(), patience).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                place.connection = Some(connection.clone());
                place.backoff.reset();
                place.not_before = None;
                Ok(connection)
            }
            Err(error) => {
                place.not_before = Some(Instant::now() + place.backoff.next_pause());
                tracing::debug!(broker = %address, ?purpose, error = %fault::Chain(&error), "cannot connect");
                Err(error.into())
            }
        }
    }

    /// How soon a connection to `address` can be had.
    pub(super) fn prospect(&self, address: &Arc<str>, purpose: Purpose) -> Prospect {
        let place = self.place(address, purpose);
        // Somebody who connects holds the lock.
        let Ok(place) = place.try_lock() else { return Prospect::Busy };
        match (&place.connection, place.not_before) {
            (Some(connection), _) if connection.ended().is_none() => Prospect::Open,
            (_, Some(not_before)) if not_before > Instant::now() => Prospect::Resting,
            _ => Prospect::Free,
        }
    }

    fn place(&self, address: &Arc<str>, purpose: Purpose) -> SharedPlace {
        let mut places = self.places.lock().expect("no code panics while it holds this lock");
        let new = || Place {
            connection: None,
            backoff: Backoff::new(self.config.reconnect_backoff, self.config.reconnect_backoff_max),
            not_before: None,
        };
        places.entry((address.clone(), purpose)).or_insert_with(|| Arc::new(tokio::sync::Mutex::new(new()))).clone()
    }

    /// Forgets connections to brokers that are not among `known`. Calls under way keep theirs until they are done.
    pub(super) fn keep(&self, known: impl Fn(&str) -> bool) {
        let mut places = self.places.lock().expect("no code panics while it holds this lock");
        places.retain(|(address, _), _| known(address));
    }
}
