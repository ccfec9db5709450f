//! How long a caller waits for a session that is live, with 1000 callers at once on all cores.
//!
//! ```text
//! cargo run --release -p identity --example cache_latency
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use identity::{AccessKeyId, AwsClock, Error, FetchSession, Session, SessionCache, Signer};
use tokio::time::Instant;
use world::{Clock, Secret};

const CALLERS: usize = 1000;
const CALLS: usize = 1000;

/// An STS that gives sessions of an hour.
#[derive(Debug, Default)]
struct Sts(Arc<AtomicUsize>);

impl FetchSession for Sts {
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let end = Clock::system().now() + Duration::from_hours(1);
        let session = Session::new(AccessKeyId::new("ASIA"), Secret::new("s"), Secret::new("t"), end);
        Box::pin(async move { Ok(session.into()) })
    }

    fn target(&self) -> String {
        "role example".to_owned()
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
#[tokio::main]
async fn main() -> Result<(), Error> {
    let exchanges = Arc::new(AtomicUsize::new(0));
    let cache = SessionCache::new(Box::new(Sts(Arc::clone(&exchanges))), AwsClock::new(Clock::system()));
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let mut waits = Vec::with_capacity(CALLS);
                for _ in 0..CALLS {
                    let asked = Instant::now();
                    cache.session().await?;
                    waits.push(asked.elapsed());
                    // As between two requests: others have their turn.
                    tokio::task::yield_now().await;
                }
                Ok::<_, Error>(waits)
            })
        })
        .collect();
    let mut waits = Vec::with_capacity(CALLERS * CALLS);
    for caller in callers {
        waits.extend(caller.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
    }
    let took = began.elapsed();
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!("{CALLERS} callers, {} calls in {took:?}, {} exchange", waits.len(), exchanges.load(Ordering::Relaxed));
    println!("p50 {:?}  p99 {:?}  p99.9 {:?}  longest {:?}", at(0.5), at(0.99), at(0.999), at(1.0));
    Ok(())
}
