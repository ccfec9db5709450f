use std::sync::atomic::{AtomicBool, Ordering};

use ::doctor::{Check, Depth, Report, Surroundings, Target, examine_until};
use aws::Clients;
use identity::KeyRule;
use world::{Clock, Environment};

use crate::doctor::progress::Progress;
use crate::doctor::usage::Usage;
use crate::run::Signals;
use crate::screen::Screen;

/// With what examinations are made.
pub(super) struct Examiner<'a> {
    pub(super) clock: &'a Clock,
    pub(super) environment: &'a Environment,
    pub(super) keys: KeyRule,
}

/// How an examination ended.
pub(super) enum Outcome {
    /// By itself, or by a signal after it had begun to write: what was written is gone again.
    Ended(Box<Report>),
    /// By a signal, before anything was written.
    Stopped,
}

/// The system refuses it only to who has too many of something.
pub(super) fn no_signals(error: impl std::fmt::Display) -> Usage {
    Usage::new(format!("could not listen for signals: {error}"), "look at the limits of this process (ulimit -a)")
}

impl Examiner<'_> {
    /// Examines `target` until it is done or a signal comes. A second signal ends it at once.
    pub(super) async fn examine(&self, target: &Target, depth: Depth, screen: &Screen) -> Result<Outcome, Usage> {
        let mut signals = Signals::new().map_err(no_signals)?;
        let around = self.surroundings();
        let (writing, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let progress = Progress::default();
        let begins = |check: &'static Check| {
            if check.depth == Depth::Write {
                writing.store(true, Ordering::Relaxed);
            }
            progress.begins(check, screen);
        };
        let is_over = || over.load(Ordering::Relaxed);
        let mut examining = std::pin::pin!(examine_until(target, depth, &around, &begins, &is_over));
        let report = loop {
            tokio::select! {
                report = &mut examining => break report,
                () = signals.next() => {
                    let is_first = !over.swap(true, Ordering::Relaxed);
                    if !(is_first && writing.load(Ordering::Relaxed)) {
                        screen.status("");
                        screen.print(b"stopped\n");
                        return Ok(Outcome::Stopped);
                    }
                    screen.print(b"stopping: what was written is deleted first; a second signal ends this at once\n");
                }
            }
        };
        screen.status("");
        Ok(Outcome::Ended(Box::new(report)))
    }

    /// Clients of its own: what a refusal teaches (AWS's hour) must not help the next examination.
    fn surroundings(&self) -> Surroundings {
        let clients = Clients::with_keys(self.clock.clone(), self.environment.clone(), self.keys);
        Surroundings { clients, environment: self.environment.clone(), clock: self.clock.clone() }
    }
}
