use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use tokio::sync::Semaphore;
use world::{Clock, Secret};

use super::*;
use crate::{AccessKeyId, Session, StaticKeys};

/// Hours of the sessions that [`Script`] gives.
const LIFE: Duration = Duration::from_hours(1);

/// An exchange that does as told: one line of the script each, sessions of an hour once it is read to the end.
#[derive(Debug)]
struct Script {
    clock: Clock,
    calls: AtomicUsize,
    lines: Mutex<VecDeque<Line>>,
    gate: Semaphore,
}

#[derive(Debug, Clone)]
enum Line {
    Fails,
    Panics,
    Hangs,
    Lives(Duration),
    Keys,
}

impl Script {
    fn of(clock: &Clock, lines: impl IntoIterator<Item = Line>) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            calls: AtomicUsize::new(0),
            lines: Mutex::new(lines.into_iter().collect()),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl FetchSession for Arc<Script> {
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>> {
        Box::pin(async move {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            drop(self.gate.acquire().await);
            let told = self.lines.lock().unwrap().pop_front().unwrap_or(Line::Lives(LIFE));
            let id = AccessKeyId::new(format!("ASIA{number}"));
            match told {
                Line::Fails => Err(Error::Malformed { operation: "test", target: self.target(), missing: "it all" }),
                Line::Panics => panic!("as told"),
                Line::Hangs => std::future::pending().await,
                Line::Lives(life) => {
                    Ok(Session::new(id, Secret::new("s"), Secret::new("t"), self.clock.now() + life).into())
                }
                Line::Keys => Ok(StaticKeys { access_key_id: id, secret: Secret::new("s"), token: None }.into()),
            }
        })
    }

    fn target(&self) -> String {
        "role test".into()
    }
}

fn cache(lines: impl IntoIterator<Item = Line>) -> (SessionCache, Arc<Script>, Clock) {
    let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
    let script = Script::of(&clock, lines);
    (SessionCache::new(Box::new(Arc::clone(&script)), AwsClock::new(clock.clone())), script, clock)
}

/// Lets what is ready run. Time is paused in these tests, so a moment passes only when nothing else can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn key(signer: &Signer) -> String {
    signer.access_key_id().to_string()
}

#[tokio::test(start_paused = true)]
async fn session_is_fetched_once_for_a_thousand_callers() {
    let (cache, script, _) = cache([]);
    script.gate.forget_permits(Semaphore::MAX_PERMITS);
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.session().await })
        })
        .collect();
    settle().await;
    assert!(callers.iter().all(|caller| !caller.is_finished()));
    script.gate.add_permits(1);
    for caller in callers {
        assert_eq!(key(&caller.await.unwrap().unwrap()), "ASIA1");
    }
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_session_is_fetched_once_for_many_callers() {
    let (cache, script, clock) = cache([]);
    cache.session().await.unwrap();
    clock.advance(LIFE);
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.session().await })
        })
        .collect();
    for caller in callers {
        assert_eq!(key(&caller.await.unwrap().unwrap()), "ASIA2");
    }
    assert_eq!(script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn session_is_refreshed_ahead_of_its_end_while_the_live_one_is_served() {
    let (cache, script, clock) = cache([]);
    cache.session().await.unwrap();
    clock.advance(LIFE.mul_f64(0.69));
    cache.session().await.unwrap();
    settle().await;
    assert_eq!(script.calls(), 1, "too early to refresh");

    clock.advance(LIFE.mul_f64(0.12));
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1", "the caller does not wait for the refresh");
    settle().await;
    assert_eq!(script.calls(), 2);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA2");
    assert_eq!(cache.stats().renewals, 2);
}

#[tokio::test(start_paused = true)]
async fn refreshes_of_many_processes_are_spread_over_a_tenth_of_life() {
    let mut due = Vec::new();
    for _ in 0..100 {
        let (cache, _, clock) = cache([]);
        cache.session().await.unwrap();
        let state = cache.0.lock();
        due.push(state.live.as_ref().unwrap().refresh_at.duration_since(clock.now()).unwrap());
    }
    let (first, last) = (due.iter().min().unwrap(), due.iter().max().unwrap());
    assert!(*first >= LIFE.mul_f64(0.7) && *last <= LIFE.mul_f64(0.8), "{first:?} to {last:?}");
    assert!(*last > *first + LIFE.mul_f64(0.05), "{first:?} to {last:?}");
}

#[tokio::test(start_paused = true)]
async fn live_session_is_served_while_aws_is_down_until_the_hard_stop() {
    let (cache, script, clock) = cache([Line::Lives(LIFE), Line::Fails, Line::Fails, Line::Fails]);
    cache.session().await.unwrap();

    // One second before the hard stop, which comes 60 s before the end of the hour.
    clock.advance(Duration::from_secs(3600 - 60 - 1));
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1");
    settle().await;
    assert_eq!((script.calls(), cache.stats().failures), (2, 1));
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1", "a failed refresh takes nothing away");

    clock.advance(Duration::from_secs(1));
    let error = cache.session().await.unwrap_err();
    assert_eq!(error.code(), "identity.malformed-answer", "60 s before its end it is served no more");
    assert_eq!(cache.stats().left, None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_and_not_asked_again_before_its_pause_is_over() {
    let (cache, script, _) = cache([Line::Fails, Line::Fails]);
    for _ in 0..100 {
        cache.session().await.unwrap_err();
    }
    assert_eq!(script.calls(), 1);
    tokio::time::sleep(PAUSE.0).await;
    cache.session().await.unwrap_err();
    assert_eq!(script.calls(), 2);
    tokio::time::sleep(PAUSE.0 * 2).await;
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA3");
    assert_eq!(cache.stats().failures, 2);
}

#[tokio::test(start_paused = true)]
async fn dropped_session_is_asked_for_again_once_however_many_drop_it() {
    let (cache, script, _) = cache([]);
    let first = cache.session().await.unwrap();
    for _ in 0..10 {
        cache.drop_session(&first);
    }
    let second = cache.session().await.unwrap();
    assert_eq!(key(&second), "ASIA2");
    // Late news of the first one's death does not touch the second.
    cache.drop_session(&first);
    assert!(cache.session().await.unwrap().is_same(&second));
    assert_eq!((script.calls(), cache.stats().drops), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_never_accepted_are_few_however_many_ask() {
    let (cache, script, _) = cache([]);
    let end = Instant::now() + Duration::from_mins(1);
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                while Instant::now() < end {
                    match cache.session().await {
                        Ok(signer) => cache.drop_session(&signer),
                        Err(error) => assert_eq!(error.retry(), fault::Retry::Backoff),
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!((5..=12).contains(&script.calls()), "{} exchanges in a minute", script.calls());

    // One that has lived is another matter.
    tokio::time::sleep(PAUSE.1).await;
    let lived = cache.session().await.unwrap();
    tokio::time::sleep(ACCEPTED_FOR).await;
    cache.drop_session(&lived);
    assert!(!cache.session().await.unwrap().is_same(&lived));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_comes_too_old_is_an_error_and_not_a_loop() {
    let (cache, script, _) = cache([Line::Lives(HARD_STOP)]);
    assert_eq!(cache.session().await.unwrap_err().code(), "identity.session-too-short");
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_ends_nobody_elses_exchange() {
    let (cache, script, _) = cache([]);
    script.gate.forget_permits(Semaphore::MAX_PERMITS);
    let gone = tokio::spawn({
        let cache = cache.clone();
        async move { cache.session().await }
    });
    settle().await;
    gone.abort();
    script.gate.add_permits(1);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1");
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_panics_or_hangs_is_an_error_and_the_next_one_works() {
    let (cache, _, _) = cache([Line::Panics, Line::Hangs]);
    assert_eq!(cache.session().await.unwrap_err().code(), "identity.abandoned");
    tokio::time::sleep(PAUSE.1).await;
    assert_eq!(cache.session().await.unwrap_err().code(), "identity.timed-out");
    tokio::time::sleep(PAUSE.1).await;
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA3");
}

#[tokio::test(start_paused = true)]
async fn keys_found_by_a_chain_are_asked_for_again_and_never_run_out() {
    let (cache, script, clock) = cache([Line::Keys, Line::Fails, Line::Keys]);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1");
    clock.advance(RECHECK_KEYS);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1");
    settle().await;
    clock.advance(Duration::from_hours(24));
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA1", "a failed look leaves the keys that are there");
    tokio::time::sleep(PAUSE.1).await;
    cache.session().await.unwrap();
    settle().await;
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA3");
    assert_eq!(script.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_an_hour_ahead_costs_one_exchange_and_not_a_request() {
    let (cache, script, clock) = cache([]);
    cache.session().await.unwrap();
    clock.advance(LIFE * 10);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA2");
    clock.set(clock.now() - LIFE * 20);
    assert_eq!(key(&cache.session().await.unwrap()), "ASIA2");
    assert_eq!(script.calls(), 2);
}
