use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fault::{Blame, Chain, Code, Diagnose, Fault, Retry};
use tokio::sync::watch;

/// What a connector is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its source and sink are being opened.
    Starting,
    /// Records move.
    Running,
    /// It has failed.
    Failed(Failure),
    /// It was stopped, or drained to its end.
    Stopped,
}

impl State {
    /// One word of it, as in Connect's status.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Failed(_) => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a connector does not move records, and what is being done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub code: Code,
    /// Who can mend it.
    pub blame: Blame,
    /// Whether trying again can help: never, where a person must mend something.
    pub retry: Retry,
    /// What was tried, as whom, and what came back: the whole chain of causes.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    /// What may have caused it, the likeliest first: of failures that a person must mend, as far as their texts tell.
    pub causes: Vec<String>,
    /// When it failed first, without a success since.
    pub since: SystemTime,
    /// How many times in a row it has been tried.
    pub attempts: u32,
    /// When it is tried again by itself; `None`: not until it is restarted.
    pub retry_in: Option<Duration>,
}

impl Failure {
    /// Describes `fault`.
    pub fn of(fault: &Fault, since: SystemTime, attempts: u32, retry_in: Option<Duration>) -> Self {
        Self {
            code: fault.code(),
            blame: fault.blame(),
            retry: fault.retry(),
            text: Chain(fault.as_error()).to_string(),
            hint: fault.hint().map(std::borrow::Cow::into_owned),
            causes: Vec::new(),
            since,
            attempts,
            retry_in,
        }
    }

    /// Describes an error that has not been boxed.
    pub fn of_error<E: Diagnose>(error: &E, since: SystemTime, attempts: u32, retry_in: Option<Duration>) -> Self {
        Self {
            code: error.code(),
            blame: error.blame(),
            retry: error.retry(),
            text: Chain(error).to_string(),
            hint: error.hint().map(std::borrow::Cow::into_owned),
            causes: Vec::new(),
            since,
            attempts,
            retry_in,
        }
    }
}

/// The state of one connector, watched by whoever shows or waits for it. Cloning shares it.
#[derive(Debug, Clone)]
pub struct StateCell(Arc<watch::Sender<State>>);

impl Default for StateCell {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Starting)))
    }
}

impl StateCell {
    /// The state now.
    pub fn get(&self) -> State {
        self.0.borrow().clone()
    }

    /// Sees every later state.
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// Changes it; tells whether it is another kind of state, or another failure, than before.
    pub(crate) fn set(&self, state: State) -> bool {
        let mut news = false;
        self.0.send_modify(|held| {
            news = match (&*held, &state) {
                (State::Failed(before), State::Failed(now)) => before.text != now.text,
                (before, now) => before.name() != now.name(),
            };
            *held = state;
        });
        news
    }
}

/// A value that is replaced now and then and read by others.
#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<Option<T>>);

// Not derived: that would ask for `T: Default`.
impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Slot<T> {
    pub(crate) fn set(&self, value: Option<T>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
