use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use data::Arena;
use format::Scratch;
use tokio::sync::oneshot;

/// The threads that decode, convert, encode and compress, so that the threads of the async runtime never do.
///
/// Each has one [`Workspace`] that it uses again and again. The queue needs no bound of its own: a lane has at most one
/// job in it. Cloning shares the threads; they end when the last clone is dropped.
#[derive(Clone)]
pub struct Compute(Arc<Threads>);

/// What a thread keeps between jobs.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The records of the batch at hand.
    pub arena: Arena,
    /// Compressors and buffers.
    pub scratch: Scratch,
}

/// Arenas above this are given back after a job: 4 MiB holds any batch of a broker's default limit (1 MiB), and keeps
/// one unusual batch from staying resident for ever.
const ARENA_KEEP: usize = 4 << 20;

type Job = Box<dyn FnOnce(&mut Workspace) + Send>;

struct Threads {
    queue: Arc<Queue>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    ready: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Compute {
    /// Starts `threads` threads (at least one).
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let mut handles = Vec::new();
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            handles.push(
                std::thread::Builder::new().name(format!("compute-{number}")).spawn(move || work_through(&queue))?,
            );
        }
        Ok(Self(Arc::new(Threads { queue, handles: Mutex::new(handles) })))
    }

    /// Runs `job` on one of the threads. `None` if it panicked; the thread lives on.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut Workspace) -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |workspace| {
            // The caller may be gone; then nobody wants the result.
            drop(sender.send(job(workspace)));
        });
        {
            let mut state = self.0.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.jobs.push_back(job);
        }
        self.0.queue.ready.notify_one();
        receiver.await.ok()
    }
}

fn work_through(queue: &Queue) {
    let mut workspace = Workspace::default();
    loop {
        let job = {
            let mut state = queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                if state.closed {
                    return;
                }
                state = queue.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // A panic in a job is a bug of ours, to be told by the lane that sees its sender dropped. The workspace may be
        // half changed: it is replaced.
        if catch_unwind(AssertUnwindSafe(|| job(&mut workspace))).is_err() {
            workspace = Workspace::default();
        }
        workspace.arena.shrink(ARENA_KEEP);
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.queue.ready.notify_all();
        // Not joined: the last clone may be dropped by one of these threads, at the end of a job.
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compute").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_told_and_the_thread_goes_on() {
        let compute = Compute::start(1).unwrap();
        assert_eq!(compute.run(|_| 1).await, Some(1));
        assert_eq!(compute.run(|_| -> i32 { panic!("meant: part of a test") }).await, None);
        assert_eq!(compute.run(|_| 2).await, Some(2));
    }
}
