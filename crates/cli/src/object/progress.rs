use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws::objects::{Error, Transfer};
use tokio::time::{Instant, MissedTickBehavior};

use crate::args::Output;
use crate::object::opening::Opening;
use crate::object::print::bytes;
use crate::run::Signals;

/// How often a terminal is told.
const LOOK: Duration = Duration::from_millis(200);

/// How often a pipe is.
const SELDOM: Duration = Duration::from_secs(10);

/// The width of the bar.
const WIDTH: usize = 24;

/// Watches over a transfer: shows how far it is, and ends it cleanly on SIGINT or SIGTERM. A second signal ends it as it is.
pub(crate) async fn watch<T>(
    opening: &Opening<'_>,
    what: &str,
    transfer: &Transfer,
    mut work: Pin<Box<dyn Future<Output = Result<T, Error>> + '_>>,
) -> Result<T, Error> {
    let stopped = || Error::Stopped { left: "what was begun could not be taken back" };
    let mut signals = Signals::new().map_err(|_| stopped())?;
    let terminal = opening.screen.is_terminal();
    let every = if terminal { LOOK } else { SELDOM };
    let begun = Instant::now();
    let mut look = tokio::time::interval_at(begun + every, every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = false;
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = signals.next() => {
                if asked {
                    break Err(stopped());
                }
                asked = true;
                transfer.interrupt.set();
            }
            _ = look.tick(), if opening.output == Output::Text => {
                opening.screen.status(&line(what, transfer, begun.elapsed(), terminal));
            }
        }
    };
    if terminal {
        opening.screen.status("");
    }
    done
}

fn line(what: &str, transfer: &Transfer, elapsed: Duration, terminal: bool) -> String {
    let done = transfer.meter.done();
    let rate = bytes((done as f64 / elapsed.as_secs_f64().max(0.001)) as u64);
    match transfer.meter.total() {
        None => format!("{what}  {}, {rate}/s", bytes(done)),
        Some(total) => {
            let share = done as f64 / total as f64;
            let percent = (share * 100.0) as u64;
            let filled = ((share * WIDTH as f64) as usize).min(WIDTH);
            let bar = if terminal {
                format!("[{}{}] ", "#".repeat(filled), "-".repeat(WIDTH - filled))
            } else {
                String::new()
            };
            format!("{what}  {bar}{percent}%, {} of {}, {rate}/s", bytes(done), bytes(total))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_known_total_shows_what_has_gone() {
        let text = line("put", &Transfer::new(), Duration::from_secs(1), true);
        assert_eq!(text, "put  0 B, 0 B/s");
    }
}
