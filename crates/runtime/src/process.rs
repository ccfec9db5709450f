use std::sync::Arc;

use rand::distr::{Alphanumeric, SampleString};
use transit::{Budget, Compute};
use world::{Clock, Environment};

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
    nonce: Arc<str>,
}

/// The part of the memory that is left to what the budget cannot see: an allocator rounds sizes up (jemalloc by 10 % on
/// average), and the compute threads hold one decompressed batch each. Measured with `bench/run outage`.
const SLACK: usize = 16;

impl Process {
    /// A process with `memory` bytes of budget and `threads` compute threads (0: one per core).
    pub fn start(memory: usize, threads: usize, clock: Clock, environment: Environment) -> std::io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism()?.get(),
            threads => threads,
        };
        Ok(Self(Arc::new(Inner {
            budget: Budget::new(memory - memory / SLACK),
            compute: Compute::start(threads)?,
            clients: aws::Clients::new(clock.clone(), environment.clone()),
            clock,
            environment,
            // 71 bits: two processes never mark their uploads alike.
            nonce: Alphanumeric.sample_string(&mut rand::rng(), 12).into(),
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

    /// Distinguishes the uploads of this process from those of all others.
    pub fn nonce(&self) -> &Arc<str> {
        &self.0.nonce
    }
}
