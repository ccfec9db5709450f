use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fault::{Chain, Diagnose as _};
use jiff::Timestamp;
use rand::RngExt;
use tokio::task::JoinHandle;

use crate::integration::signed;
use crate::{Error, Integration, IntegrationId, Integrations, Proof, Prover, State, Verdict};

/// Proves integrations again, one after the other, for as long as it lives.
///
/// A role that has become open turns its integration unsafe: it is said in the log once a proof, and seen in
/// [`Guard::watched`]. Nothing is stopped: that is for whoever runs the connectors to decide.
#[derive(Debug)]
pub struct Guard {
    watched: Arc<Mutex<BTreeMap<IntegrationId, Watched>>>,
    task: JoinHandle<()>,
}

/// When a guard acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardOptions {
    /// How old a proof becomes before the next one is made; each time from 90 to 110 % of it, so that a thousand roles
    /// are not tried together.
    pub every: Duration,
    /// How soon a proof that was inconclusive is made again; with the same jitter.
    pub again: Duration,
    /// How often it looks whether something is due.
    pub look: Duration,
}

impl Default for GuardOptions {
    fn default() -> Self {
        let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
        Self { every: hour * 24, again: hour, look: minute }
    }
}

/// What a guard knows of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// Its state.
    pub state: State,
    /// When it was last proven.
    pub proven_at: Option<Timestamp>,
    /// When it is proven again.
    pub due_at: Timestamp,
}

impl Guard {
    /// Watches `ids` from now on. One that is overdue is proven at once.
    pub fn start(integrations: Integrations, prover: Prover, ids: Vec<IntegrationId>, options: GuardOptions) -> Self {
        Self::over(integrations, prover, Which::These(ids), options)
    }

    /// Watches whatever connectors of the store name, from now on.
    pub(crate) fn start_of_used(integrations: Integrations, prover: Prover, options: GuardOptions) -> Self {
        Self::over(integrations, prover, Which::Used, options)
    }

    fn over(integrations: Integrations, prover: Prover, which: Which, options: GuardOptions) -> Self {
        let watched = Arc::<Mutex<BTreeMap<IntegrationId, Watched>>>::default();
        let round = Round { integrations, prover, options, watched: Arc::clone(&watched) };
        Self { watched, task: tokio::spawn(round.run(which)) }
    }

    /// What it knows now.
    pub fn watched(&self) -> BTreeMap<IntegrationId, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A handle that reads what it knows, for metrics.
    pub fn reader(&self) -> impl Fn() -> BTreeMap<IntegrationId, Watched> + Send + Sync + 'static {
        let watched = Arc::clone(&self.watched);
        move || watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is watched.
enum Which {
    These(Vec<IntegrationId>),
    /// Those that connectors name by then.
    Used,
}

struct Round {
    integrations: Integrations,
    prover: Prover,
    options: GuardOptions,
    watched: Arc<Mutex<BTreeMap<IntegrationId, Watched>>>,
}

impl Round {
    async fn run(self, which: Which) {
        // What fails is said once, until it is well again.
        let mut failing = BTreeSet::new();
        loop {
            let ids = match &which {
                Which::These(ids) => ids.clone(),
                Which::Used => match self.integrations.used().await {
                    Ok(ids) => ids,
                    Err(error) => {
                        tracing::warn!(
                            code = error.code(),
                            "which integrations are used is not known: {}",
                            Chain(&error)
                        );
                        Vec::new()
                    }
                },
            };
            for id in &ids {
                match self.look_after(id).await {
                    Ok(()) => drop(failing.remove(id)),
                    Err(error) if failing.insert(id.clone()) => {
                        tracing::warn!(integration = %id, code = error.code(), "not proven again: {}", Chain(&error));
                    }
                    Err(_) => {}
                }
            }
            failing.retain(|id| ids.contains(id));
            tokio::time::sleep(self.options.look).await;
        }
    }

    async fn look_after(&self, id: &IntegrationId) -> Result<(), Error> {
        let now = self.integrations.now();
        let known = self.lock().get(id).copied();
        // Another process with the same store may have proven it meanwhile; its proof is as good.
        let integration = self.integrations.get(id).await.inspect_err(|error| {
            // Taken away: what was known of it is no more. A store that fails for now changes nothing.
            if matches!(error, Error::Unknown { .. }) {
                self.lock().remove(id);
            }
        })?;
        let due_at = match known {
            Some(known) if known.proven_at == integration.proven_at => known.due_at,
            _ => self.due_at(&integration),
        };
        self.note(&integration, due_at);
        // Further ahead than any proof is ever put off: the clock has gone back since.
        let too_far = now + signed(self.options.every.max(self.options.again) * 2);
        if now < due_at && due_at < too_far {
            return Ok(());
        }
        let before = integration.state;
        // Noted first: whatever goes wrong, the next attempt is not at once.
        self.note(&integration, now + spread(self.options.again));
        let (integration, proof) = self.integrations.verify(id, &self.prover).await?;
        let wait = if proof.verdict == Verdict::Inconclusive { self.options.again } else { self.options.every };
        self.note(&integration, proof.ended_at + spread(wait));
        say(before, &integration, &proof);
        Ok(())
    }

    fn due_at(&self, integration: &Integration) -> Timestamp {
        match integration.proven_at {
            Some(at) => at + spread(self.options.every),
            None => self.integrations.now(),
        }
    }

    fn note(&self, integration: &Integration, due_at: Timestamp) {
        let watched = Watched { state: integration.state, proven_at: integration.proven_at, due_at };
        self.lock().insert(integration.id.clone(), watched);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<IntegrationId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From 90 to 110 % of it.
fn spread(wait: Duration) -> jiff::SignedDuration {
    signed(wait.mul_f64(rand::rng().random_range(0.9..1.1)))
}

fn say(before: State, integration: &Integration, proof: &Proof) {
    let id = &integration.id;
    match proof.verdict {
        Verdict::Open => tracing::warn!(
            integration = %id,
            role = proof.role,
            state = integration.state.name(),
            hint = format!("set the role's trust policy to what this prints: tidegate integration policy {id}"),
            "{}",
            proof.reason
        ),
        Verdict::Denied | Verdict::Inconclusive => tracing::warn!(
            integration = %id,
            role = proof.role,
            state = integration.state.name(),
            "not proven again: {}",
            proof.reason
        ),
        Verdict::Proven if before == State::Proven => {
            tracing::debug!(integration = %id, role = proof.role, "proven again");
        }
        Verdict::Proven => {
            tracing::info!(integration = %id, role = proof.role, was = before.name(), "proven again");
        }
    }
}
