use std::sync::{Mutex, PoisonError};

use ::doctor::Check;
use tokio::time::Instant;

use crate::screen::Screen;

/// Shows which check is being made. One that begins anew is waiting for something, and says for how long already.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<(&'static Check, Instant)>>);

impl Progress {
    /// A check begins. Where nobody watches only what takes long is told.
    pub(super) fn begins(&self, check: &'static Check, screen: &Screen) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((same, since)) if same == check => {
                screen.status(&format!("{}: not yet, after {} s", check.claim, since.elapsed().as_secs()));
            }
            _ => {
                *last = Some((check, Instant::now()));
                if screen.is_terminal() {
                    screen.status(check.claim);
                }
            }
        }
    }
}
