use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use runtime::{Connector, Failure, State};

use super::Wanted;
use crate::plane::{Doing, Explanation, Status, Target};

/// What is shown of a connector: told by the keeper, read by everyone, and nobody waits.
#[derive(Debug)]
pub(super) struct Face(Mutex<Features>);

#[derive(Debug)]
struct Features {
    target: Target,
    tasks: u32,
    running: Option<Arc<Connector>>,
    /// Why nothing runs although it should, or why what runs has not become what is wanted.
    trouble: Option<Explanation>,
    restart: Anew,
    restarts: u64,
    /// What runs before this one have left: their topics, and how often they were opened again.
    topics: BTreeSet<Arc<str>>,
    retries: u64,
}

/// How far a restart is that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    /// It is over, or there was none.
    Done,
    /// What runs, if anything does, is from before it.
    Asked,
    /// What runs is what came of it, but has not come to anything yet.
    Begun,
}

impl Face {
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self(Mutex::new(Features {
            target: wanted.target,
            tasks: wanted.tasks,
            running: None,
            trouble: None,
            restart: Anew::Done,
            restarts: 0,
            topics: BTreeSet::new(),
            retries: 0,
        }))
    }

    fn features(&self) -> MutexGuard<'_, Features> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, wanted: &Wanted) {
        let mut features = self.features();
        features.target = wanted.target;
        features.tasks = wanted.tasks;
    }

    /// Shows that it is about to be started anew. False if there is nothing to restart.
    pub(super) fn restart(&self, only_failed: bool) -> bool {
        let mut features = self.features();
        if features.target != Target::Running || (only_failed && features.doing().0 != Doing::Failed) {
            return false;
        }
        features.restart = Anew::Asked;
        features.restarts += 1;
        true
    }

    /// A run has begun.
    pub(super) fn begun(&self, connector: Arc<Connector>) {
        let mut features = self.features();
        features.trouble = None;
        features.running = Some(connector);
        if features.restart == Anew::Asked {
            features.restart = Anew::Begun;
        }
    }

    /// No run goes on any more.
    pub(super) fn ended(&self) {
        let mut features = self.features();
        if let Some(connector) = features.running.take() {
            features.topics.extend(connector.stats().topics());
            features.retries += connector.retries();
        }
    }

    /// Nothing runs although it should. What is shown already stays, with the time at which it began.
    pub(super) fn troubled(&self, trouble: Explanation) {
        let mut features = self.features();
        features.restart = Anew::Done;
        if features.trouble.as_ref().is_none_or(|known| known.text != trouble.text) {
            features.trouble = Some(trouble);
        }
    }

    /// Nothing runs, and nothing shall.
    pub(super) fn resting(&self) {
        let mut features = self.features();
        features.restart = Anew::Done;
        features.trouble = None;
    }

    pub(super) fn running(&self) -> Option<Arc<Connector>> {
        self.features().running.clone()
    }

    pub(super) fn topics(&self) -> BTreeSet<Arc<str>> {
        let features = self.features();
        let mut topics = features.topics.clone();
        if let Some(connector) = &features.running {
            topics.extend(connector.stats().topics());
        }
        topics
    }

    pub(super) fn forget_topics(&self) {
        let mut features = self.features();
        features.topics.clear();
        if let Some(connector) = &features.running {
            connector.stats().forget_topics();
        }
    }

    /// How often it was started anew: because somebody asked, and by itself after failures.
    pub(super) fn restarts(&self) -> u64 {
        let features = self.features();
        features.restarts + features.retries + features.running.as_ref().map_or(0, |connector| connector.retries())
    }

    pub(super) fn status(&self, worker_id: &Arc<str>) -> Status {
        let mut features = self.features();
        let (doing, explanation) = features.doing();
        let tasks = if features.target == Target::Stopped { 0 } else { features.tasks };
        Status { connector: doing, tasks: vec![doing; tasks as usize], worker_id: worker_id.to_string(), explanation }
    }
}

impl Features {
    fn doing(&mut self) -> (Doing, Option<Explanation>) {
        let Some(connector) = &self.running else {
            if let (Some(trouble), Anew::Done) = (&self.trouble, self.restart) {
                return (Doing::Failed, Some(trouble.clone()));
            }
            let doing = match self.target {
                Target::Running if self.restart == Anew::Done => Doing::Unassigned,
                Target::Running => Doing::Restarting,
                Target::Paused => Doing::Paused,
                Target::Stopped => Doing::Stopped,
            };
            return (doing, None);
        };
        let (state, failure) = (connector.state(), connector.failure());
        if self.restart == Anew::Begun && (state == State::Running || failure.is_some()) {
            self.restart = Anew::Done;
        }
        if self.restart != Anew::Done {
            return (Doing::Restarting, None);
        }
        // What is being tried again has still failed.
        match (failure, state) {
            (Some(failure), _) => (Doing::Failed, Some(explain(failure))),
            (None, State::Running) => (Doing::Running, None),
            (None, State::Starting | State::Failed(_) | State::Stopped) => (Doing::Unassigned, None),
        }
    }
}

pub(super) fn explain(failure: Failure) -> Explanation {
    Explanation {
        code: failure.code,
        text: failure.text,
        hint: failure.hint,
        causes: failure.causes,
        since: timestamp(failure.since),
        attempts: failure.attempts,
        retry_in: failure.retry_in,
    }
}

pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
