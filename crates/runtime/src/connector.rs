use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connectors::ConnectorPlan;
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;
use transit::{Offset, TaskError, TaskStats, TopicPartition};

use crate::backoff::full_jitter;
use crate::gate::Ticket;
use crate::open;
use crate::process::Process;
use crate::state::{Failure, Slot, State, StateCell};

/// A connector that runs under supervision: opened, run, and after a failure opened again.
///
/// What waiting can mend is tried again soon and for ever; what a person must mend is tried again slowly, so that mending
/// it is enough. A record that is not tolerated is not tried again: it would only fail (and be reported) once more.
#[derive(Debug)]
pub struct Connector {
    plan: Arc<ConnectorPlan>,
    state: StateCell,
    stats: Arc<TaskStats>,
    live: Arc<Slot<open::Live>>,
    failure: Arc<Slot<Failure>>,
    retries: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
}

/// The first wait after a failure that waiting may mend.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait after a failure that waiting may mend.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The wait after a failure that a person must mend: long enough to cost nothing, short enough not to be waited for.
const OPERATOR_WAIT: Duration = Duration::from_mins(1);
/// A task that ran this long was healthy: the next failure is the first of a new row.
const HEALTHY: Duration = Duration::from_mins(1);
/// How long one whose cluster does not answer keeps those behind it from being opened.
const TURN: Duration = Duration::from_secs(5);
/// What leaving the group and closing connections may take after the last cut.
const LEAVING: Duration = Duration::from_secs(30);

/// The code that runs a connector panicked. That is a bug, and not the end of the other connectors.
#[derive(Debug, thiserror::Error)]
#[error("the connector panicked: {0}")]
struct Panicked(String);

impl Diagnose for Panicked {
    fn code(&self) -> Code {
        "connector.panicked"
    }
    fn blame(&self) -> Blame {
        Blame::Bug
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some("restart the connector; if it comes back, report it with the log's lines before this one".into())
    }
}

impl Connector {
    /// Starts `plan`, within the span of the caller. With `drain_to`, partitions are cut as soon as they reach those offsets.
    pub fn start(process: &Process, plan: Arc<ConnectorPlan>, drain_to: HashMap<TopicPartition, Offset>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (state, counters, live) = (StateCell::default(), Arc::<TaskStats>::default(), Arc::default());
        let (failure, retries) = (Arc::<Slot<Failure>>::default(), Arc::<AtomicU64>::default());
        let run = Supervision {
            process: process.clone(),
            plan: Arc::clone(&plan),
            state: state.clone(),
            stats: Arc::clone(&counters),
            live: Arc::clone(&live),
            failure: Arc::clone(&failure),
            retries: Arc::clone(&retries),
            stopped,
            drain_to,
        };
        let ticket = process.opening().queue();
        Self {
            plan,
            state,
            stats: counters,
            live,
            failure,
            retries,
            stop,
            supervisor: tokio::spawn(run.run(ticket).in_current_span()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.plan.name()
    }

    /// What it was told to do.
    pub fn plan(&self) -> &ConnectorPlan {
        &self.plan
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// How it has failed last, until it runs again: also while it is being tried again.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    /// How often it was opened again by itself after a failure.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Sees every later state.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Its counters.
    pub fn stats(&self) -> &TaskStats {
        &self.stats
    }

    /// The end of a partition as its leader last said, if it is fetched here.
    pub fn end_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.live.get()?.end_offset(partition)
    }

    /// Asks it to end: what was read is cut and committed first, within its patience.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Has it end, and waits until it has. One that does not come to its end within its patience and the time that
    /// leaving takes is broken off: what it has not committed is for its next run.
    pub async fn end(&self) {
        self.stop();
        if tokio::time::timeout(self.plan.patience() + LEAVING, self.stopped()).await.is_err() {
            tracing::warn!(connector = self.name(), "did not end in time, and was broken off");
            self.supervisor.abort();
            self.live.set(None);
            self.state.set(State::Stopped);
        }
    }

    /// Waits until it has ended after [`Connector::stop`].
    pub async fn stopped(&self) {
        let mut state = self.watch();
        // An error means that the supervisor is gone, which is as stopped as it gets.
        state.wait_for(|state| *state == State::Stopped).await.map(drop).unwrap_or_default();
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

struct Supervision {
    process: Process,
    plan: Arc<ConnectorPlan>,
    state: StateCell,
    stats: Arc<TaskStats>,
    live: Arc<Slot<open::Live>>,
    failure: Arc<Slot<Failure>>,
    retries: Arc<AtomicU64>,
    stopped: watch::Receiver<bool>,
    drain_to: HashMap<TopicPartition, Offset>,
}

/// How one run ended, if not by a stop.
enum Ended {
    Fault(Arc<Fault>),
    Record(transit::RecordFailure),
}

impl Supervision {
    async fn run(mut self, ticket: Ticket) {
        let mut attempts = 0;
        let mut since = None;
        let mut ticket = Some(ticket);
        loop {
            self.set(State::Starting);
            let begun = Instant::now();
            let ticket = ticket.take().unwrap_or_else(|| {
                self.retries.fetch_add(1, Ordering::Relaxed);
                self.process.opening().queue()
            });
            let ended = AssertUnwindSafe(self.run_once(ticket)).catch_unwind().await;
            let ended = ended.unwrap_or_else(|panic| Some(Ended::Fault(Arc::new(Fault::new(told(&*panic))))));
            // A panic may have come before the task could tell.
            self.stats.ended();
            self.live.set(None);
            let Some(ended) = ended else { break };
            if begun.elapsed() >= HEALTHY {
                (attempts, since) = (0, None);
            }
            attempts += 1;
            let since = *since.get_or_insert_with(|| self.process.clock().now());
            let wait = match &ended {
                Ended::Record(failure) => {
                    self.set(State::Failed(Failure::of_error(failure, since, attempts, None)));
                    None
                }
                Ended::Fault(fault) => {
                    let wait = wait_after(fault.retry(), attempts);
                    let mut failure = Failure::of(fault, since, attempts, Some(wait));
                    if failure.blame == Blame::Operator {
                        failure.causes = self.process.explained(&failure.text);
                    }
                    self.set(State::Failed(failure));
                    Some(wait)
                }
            };
            let Some(wait) = wait else {
                // An error means that nobody is left who could stop it, or wants it.
                self.stopped.wait_for(|stop| *stop).await.map(drop).unwrap_or_default();
                break;
            };
            if tokio::time::timeout(wait, self.stopped.wait_for(|stop| *stop)).await.is_ok() {
                break;
            }
        }
        self.set(State::Stopped);
    }

    /// `None`: it was stopped.
    async fn run_once(&mut self, ticket: Ticket) -> Option<Ended> {
        let mut stopped = self.stopped.clone();
        let opened = tokio::select! {
            opened = self.open(ticket) => opened,
            _ = stopped.wait_for(|stop| *stop) => return None,
        };
        self.process.starts().note(self.plan.tasks_max(), opened.is_ok());
        let opened = match opened {
            Ok(opened) => opened,
            Err(fault) => return Some(Ended::Fault(Arc::new(fault))),
        };
        self.live.set(Some(opened.live));
        self.set(State::Running);
        match transit::run(opened.source, opened.parts, self.stopped.clone()).await {
            Ok(()) => None,
            Err(TaskError::Record(failure)) => Some(Ended::Record(failure)),
            Err(TaskError::Fault(fault)) => Some(Ended::Fault(fault)),
        }
    }

    /// Opens source and sink when it is its turn.
    async fn open(&self, ticket: Ticket) -> Result<open::Opened, Fault> {
        let pass = ticket.turn().await;
        let opening = open::open(&self.process, &self.plan, Arc::clone(&self.stats), self.drain_to.clone());
        let mut opening = std::pin::pin!(opening);
        if let Ok(opened) = tokio::time::timeout(TURN, &mut opening).await {
            return opened;
        }
        drop(pass);
        opening.await
    }

    /// Changes the state, and says so once per change.
    fn set(&self, state: State) {
        match &state {
            State::Starting => {}
            State::Failed(failure) => self.failure.set(Some(failure.clone())),
            State::Running | State::Stopped => self.failure.set(None),
        }
        if !self.state.set(state.clone()) {
            return;
        }
        let connector = self.plan.name();
        match state {
            State::Failed(failure) => tracing::error!(
                connector,
                code = failure.code,
                hint = failure.hint.as_deref(),
                may_be = (!failure.causes.is_empty()).then(|| failure.causes.join("; or: ")),
                retry_in = failure.retry_in.map(|wait| format!("{:.1}s", wait.as_secs_f64())),
                "{}",
                failure.text
            ),
            State::Starting | State::Running | State::Stopped => {
                tracing::info!(connector, state = state.name(), "connector state");
            }
        }
    }
}

fn told(panic: &(dyn std::any::Any + Send)) -> Panicked {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Panicked(text.unwrap_or_else(|| "without a word".to_owned()))
}

fn wait_after(retry: Retry, attempts: u32) -> Duration {
    match retry {
        Retry::Never => OPERATOR_WAIT,
        Retry::After(wait) => wait.max(full_jitter(attempts, FIRST_WAIT, LONGEST_WAIT)),
        Retry::Backoff | Retry::Throttled => full_jitter(attempts, FIRST_WAIT, LONGEST_WAIT),
    }
}
