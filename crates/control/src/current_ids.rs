use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fault::Chain;
use futures_util::future::BoxFuture;

use crate::{IntegrationId, Integrations};

/// The external IDs that connections were opened with, and those that are to be sent in their place once they have been
/// rotated: each exchange of a process that runs for months asks for it.
#[derive(Debug)]
pub struct CurrentIds {
    integrations: Integrations,
    /// By the external ID that a connection was opened with: whose it is, and what was last sent.
    opened: Mutex<BTreeMap<String, (IntegrationId, String)>>,
}

impl CurrentIds {
    /// For connections that were opened with these external IDs.
    pub fn new(integrations: Integrations, opened: impl IntoIterator<Item = (IntegrationId, String)>) -> Self {
        let opened = opened.into_iter().map(|(id, opened_with)| (opened_with.clone(), (id, opened_with)));
        Self { integrations, opened: Mutex::new(opened.collect()) }
    }

    /// Connections were opened with these, too.
    pub fn note(&self, opened: impl IntoIterator<Item = (IntegrationId, String)>) {
        let mut known = self.lock();
        for (id, opened_with) in opened {
            known.entry(opened_with.clone()).or_insert((id, opened_with));
        }
    }

    async fn look(&self, opened_with: &str) -> Option<String> {
        let (id, last) = self.lock().get(opened_with).cloned()?;
        let current = match self.integrations.get(&id).await {
            Ok(integration) => integration.used_id(self.integrations.now()).map(|used| used.as_str().to_owned()),
            Err(error) => {
                // The older one is accepted for a week after the newer one is proven.
                tracing::warn!(integration = %id, "its external ID is sent as it was last known: {}", Chain(&error));
                None
            }
        };
        let Some(current) = current.filter(|current| *current != last) else { return Some(last) };
        tracing::info!(integration = %id, "its external ID was rotated: the new one is sent from now on");
        self.lock().insert(opened_with.to_owned(), (id, current.clone()));
        Some(current)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (IntegrationId, String)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl identity::ExternalIds for CurrentIds {
    fn current<'a>(&'a self, opened_with: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(self.look(opened_with))
    }
}
