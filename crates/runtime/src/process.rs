use std::fmt;
use std::sync::{Arc, OnceLock};

use connectors::{ClientProperties, ConnectorPlan};
use fault::Fault;
use identity::KeyRule;
use rand::distr::{Alphanumeric, SampleString};
use transit::{Budget, Compute};
use world::{Clock, Environment};

use crate::gate::Gate;
use crate::msk::{self, Tokens};
use crate::starts::Starts;

/// What all connectors of a process share. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: Budget,
    compute: Compute,
    clock: Clock,
    environment: Environment,
    clients: aws::Clients,
    explain: OnceLock<Explain>,
    opening: Gate,
    starts: Starts,
}

/// Tells from the text of a failure what may have caused it, the likeliest first.
struct Explain(Box<Explaining>);

type Explaining = dyn Fn(&str) -> Vec<String> + Send + Sync;

impl fmt::Debug for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Explain")
    }
}

/// The part of the memory that is left to what the budget cannot see: an allocator rounds sizes up (jemalloc by 10 % on
/// average), and the compute threads hold one decompressed batch each. Measured with `bench/run outage`.
const SLACK: usize = 8;

/// How many connectors are opened at once: each asks Kafka for its brokers, its topics and its coordinator, and AWS for a
/// session. With 16 a broker that answers within 10 ms has 500 of them behind it in two seconds.
const OPENING: usize = 16;

impl Process {
    /// A process with `memory` bytes of budget and `threads` compute threads (0: one per core).
    pub fn start(memory: usize, threads: usize, clock: Clock, environment: Environment) -> std::io::Result<Self> {
        Self::start_with_keys(memory, threads, clock, environment, KeyRule::default())
    }

    /// The same, which takes keys that never end only as `keys` says.
    pub fn start_with_keys(
        memory: usize,
        threads: usize,
        clock: Clock,
        environment: Environment,
        keys: KeyRule,
    ) -> std::io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism()?.get(),
            threads => threads,
        };
        Ok(Self(Arc::new(Inner {
            budget: Budget::new(memory - memory / SLACK),
            compute: Compute::start(threads)?,
            clients: aws::Clients::with_keys(clock.clone(), environment.clone(), keys),
            clock,
            environment,
            explain: OnceLock::new(),
            opening: Gate::new(OPENING),
            starts: Starts::default(),
        })))
    }

    /// The byte budget.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The compute threads.
    pub fn compute(&self) -> &Compute {
        &self.0.compute
    }

    /// The time of day.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The AWS clients, and the sessions that they share.
    pub fn clients(&self) -> &aws::Clients {
        &self.0.clients
    }

    /// Where connectors stand in line to be opened.
    pub(crate) fn opening(&self) -> &Gate {
        &self.0.opening
    }

    /// What became of the starts of connectors so far.
    pub fn starts(&self) -> &Starts {
        &self.0.starts
    }

    /// From now on, failures that a person must mend are shown with what `explain` makes of their texts. Only the first one
    /// that is given counts. It must not wait for anything.
    pub fn explain_with(&self, explain: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) {
        self.0.explain.get_or_init(|| Explain(Box::new(explain)));
    }

    /// What may have caused a failure of this text, the likeliest first.
    pub(crate) fn explained(&self, text: &str) -> Vec<String> {
        self.0.explain.get().map(|explain| (explain.0)(text)).unwrap_or_default()
    }

    /// What signs for a Kafka client of `plan`.
    pub(crate) fn tokens(&self, plan: &ConnectorPlan, properties: &ClientProperties) -> Result<Tokens, Fault> {
        msk::tokens(self.clients(), self.environment(), plan, properties)
    }

    /// Distinguishes the uploads and manifests of one run of a connector from those of all others. Of a run, not of the
    /// process: a run counts its objects from 1, and what the one before it has left behind is still to be resolved.
    pub(crate) fn new_nonce() -> Arc<str> {
        // 71 bits: no two runs mark their uploads alike.
        Alphanumeric.sample_string(&mut rand::rng(), 12).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_one_process_mark_their_objects_differently() {
        let nonces = [Process::new_nonce(), Process::new_nonce()];
        assert_ne!(nonces[0], nonces[1]);
        // A mark is taken apart at its `-`.
        assert!(nonces.iter().all(|nonce| nonce.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
