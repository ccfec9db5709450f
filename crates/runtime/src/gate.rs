use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Lets a bounded number in at once, in the order in which they asked: several hundred connectors that are started
/// together come to Kafka and AWS one after the other, the first that was asked for first.
///
/// Not a semaphore: there one stands in line only once one is polled, and tasks are polled in no particular order.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    free: usize,
    waiting: VecDeque<oneshot::Sender<Pass>>,
}

/// A place in the line.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<Pass>);

/// Being inside. Leaves when dropped.
#[derive(Debug)]
pub(crate) struct Pass(Option<Gate>);

impl Gate {
    /// One through which `width` go at once.
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Mutex::new(Line { free: width, waiting: VecDeque::new() })))
    }

    /// Stands in line now.
    pub(crate) fn queue(&self) -> Ticket {
        let (caller, ticket) = oneshot::channel();
        let mut line = self.line();
        line.waiting.push_back(caller);
        self.let_in(line);
        Ticket(ticket)
    }

    fn let_in(&self, mut line: MutexGuard<'_, Line>) {
        while line.free > 0 {
            let Some(next) = line.waiting.pop_front() else { break };
            if let Err(mut unwanted) = next.send(Pass(Some(self.clone()))) {
                // Whoever stood there is gone. Nobody was inside, and dropping it would ask for the lock that is held.
                unwanted.0 = None;
            } else {
                line.free -= 1;
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Waits for its turn.
    pub(crate) async fn turn(self) -> Pass {
        // The gate sends before it forgets a place; an error cannot come while the process lives.
        self.0.await.unwrap_or(Pass(None))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            let mut line = gate.line();
            line.free += 1;
            gate.let_in(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_called(ticket: &mut Ticket) -> Option<Pass> {
        ticket.0.try_recv().ok()
    }

    #[test]
    fn those_who_asked_first_go_first_and_no_more_than_fit() {
        let gate = Gate::new(2);
        let mut tickets: Vec<Ticket> = (0..5).map(|_| gate.queue()).collect();
        let mut inside: VecDeque<Pass> = tickets[..2].iter_mut().map(|ticket| is_called(ticket).unwrap()).collect();
        for next in 2..5 {
            assert!(tickets[next..].iter_mut().all(|ticket| is_called(ticket).is_none()));
            drop(inside.pop_front());
            inside.push_back(is_called(&mut tickets[next]).unwrap());
        }
    }

    #[test]
    fn a_place_that_was_given_up_is_passed_over_whether_it_was_called_or_not() {
        let gate = Gate::new(1);
        let mut first = gate.queue();
        let given_up = gate.queue();
        let mut last = gate.queue();
        drop(given_up);
        let inside = is_called(&mut first).unwrap();
        assert!(is_called(&mut last).is_none());
        drop(inside);
        // Called, and dropped without having looked.
        drop(last);
        assert!(is_called(&mut gate.queue()).is_some());
    }
}
