use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use connectors::ConnectorPlan;
use fault::Retry;
use identity::KeyRule;
use runtime::{Connector, Drain, Metrics, Process, Server, State};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};
use world::{Clock, Environment};

use crate::args::{Exit, LimitArguments, RunArguments};
use crate::integrated::Known;
use crate::load::load;
use crate::screen::Screen;
use crate::status::Status;

/// `tidegate run`: connectors in the foreground until a signal, or until drained.
pub(crate) async fn run(arguments: &RunArguments, environment: &Environment, screen: &Screen) -> Exit {
    let integrations = Known::read(&arguments.store, &arguments.worker, environment).await;
    let named = integrations.clone().map(|known| known as _);
    let loaded = match load(&arguments.connectors, &arguments.worker, named, environment) {
        Ok(loaded) => loaded,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            return Exit::Usage;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if !loaded.is_ok() {
        for report in loaded.reports.iter().filter(|report| !report.is_ok()) {
            screen.print(report.to_string().as_bytes());
        }
        return Exit::Refused;
    }
    let plans: Vec<Arc<ConnectorPlan>> =
        loaded.reports.iter().filter_map(|report| report.plan().cloned().map(Arc::new)).collect();
    for plan in &plans {
        for warning in plan.warnings() {
            tracing::warn!(connector = plan.name(), "{warning}");
        }
    }
    let rules = Rules {
        drain: arguments.drain.then_some(arguments.drain_timeout),
        exit_on_failure: arguments.exit_on_failure,
        keys: arguments.worker.keys(),
    };
    run_plans(plans, integrations, &arguments.limits, rules, environment, screen).await
}

/// When a run ends by itself, and what it may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Once everything that was there at the start is committed; and if nothing moves for this long.
    pub(crate) drain: Option<Duration>,
    /// When all connectors have failed.
    pub(crate) exit_on_failure: bool,
    /// Whether AWS keys that never end may be used.
    pub(crate) keys: KeyRule,
}

/// How often states are looked at and the status line is drawn.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) async fn run_plans(
    plans: Vec<Arc<ConnectorPlan>>,
    integrations: Option<Arc<Known>>,
    limits: &LimitArguments,
    rules: Rules,
    environment: &Environment,
    screen: &Screen,
) -> Exit {
    let started =
        Process::start_with_keys(limits.memory, limits.threads, Clock::system(), environment.clone(), rules.keys);
    let process = match started {
        Ok(process) => process,
        Err(error) => {
            tracing::error!(%error, "could not start threads");
            return Exit::Failed;
        }
    };
    process.explain_with(crate::doctor::causes_of);
    let metrics = Metrics::new(process.clone());
    let guard = integrations.as_ref().map_or(Ok(None), |known| known.guard(&plans, &process, &metrics));
    let Ok(_guard) = guard else { return Exit::Refused };
    let _server = match limits.metrics_addr {
        None => None,
        Some(address) => match Server::start(address, metrics.clone()).await {
            Ok(server) => {
                tracing::info!(address = %server.address(), "serving metrics");
                Some(server)
            }
            Err(error) => {
                tracing::error!(error = %fault::Chain(&error), "could not serve metrics");
                return Exit::Failed;
            }
        },
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "could not listen for signals");
            return Exit::Failed;
        }
    };

    // The ends are asked for before anything is read, so that "what was there at the start" is just that.
    let mut drains = Vec::new();
    if let Some(patience) = rules.drain {
        for plan in &plans {
            let seeing = tokio::time::timeout(patience, Drain::begin(&process, Arc::clone(plan)));
            let drain = tokio::select! {
                drain = seeing => drain,
                () = signals.next() => return Exit::NoProgress,
            };
            match drain {
                Ok(Ok(drain)) => drains.push(drain),
                Ok(Err(fault)) => {
                    tracing::error!(
                        connector = plan.name(),
                        hint = fault.hint().as_deref(),
                        "could not see where its topics end: {}",
                        fault::Chain(fault.as_error())
                    );
                    return Exit::Failed;
                }
                Err(_) => {
                    tracing::error!(connector = plan.name(), "could not see where its topics end in the time given");
                    return Exit::NoProgress;
                }
            }
        }
    }
    let connectors: Vec<Arc<Connector>> = plans
        .into_iter()
        .enumerate()
        .map(|(at, plan)| {
            let drain_to = drains.get(at).map_or_else(HashMap::new, |drain| drain.ends().clone());
            Arc::new(Connector::start(&process, plan, drain_to))
        })
        .collect();
    for connector in &connectors {
        metrics.add(Arc::clone(connector));
    }
    let began = Instant::now();
    let exit = watch(&connectors, &mut drains, rules, &process, screen, &mut signals).await;
    screen.status("");
    tracing::info!("stopping: what was read is published and committed; a second signal ends this at once");
    for connector in &connectors {
        connector.stop();
    }
    for connector in &connectors {
        tokio::select! {
            () = connector.stopped() => {}
            // A second signal means now.
            () = signals.next() => return exit,
        }
    }
    let moved = Moved::by(&connectors);
    tracing::info!(
        records = moved.committed,
        objects = moved.objects,
        skipped = (moved.skipped > 0).then_some(moved.skipped),
        seconds = began.elapsed().as_secs(),
        why = moved.why_less(exit == Exit::Done && rules.drain.is_some()),
        "ended"
    );
    exit
}

/// What a run has done, all connectors together.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    read: u64,
    committed: u64,
    objects: u64,
    skipped: u64,
    recovered_cuts: u64,
    fenced_cuts: u64,
}

impl Moved {
    fn by(connectors: &[Arc<Connector>]) -> Self {
        let mut moved = Self::default();
        for stats in connectors.iter().map(|connector| connector.stats()) {
            moved.read += stats.records.load(Ordering::Relaxed);
            moved.committed += stats.committed_records.load(Ordering::Relaxed);
            moved.objects += stats.objects.load(Ordering::Relaxed);
            moved.skipped += stats.skipped_records.load(Ordering::Relaxed);
            moved.recovered_cuts += stats.recovered_cuts.load(Ordering::Relaxed);
            moved.fenced_cuts += stats.fenced_cuts.load(Ordering::Relaxed);
        }
        moved
    }

    /// Why it is less than one might expect: no object at all, or fewer records than were read.
    fn why_less(self, is_drained: bool) -> Option<&'static str> {
        Some(match self {
            Self { read, committed, fenced_cuts: 1.., .. } if committed < read => {
                "what was not published is of partitions that the group gave to others meanwhile"
            }
            Self { read, committed, .. } if committed < read => {
                "not all that was read was published; the rest is read again by the next run"
            }
            Self { objects: 1.., .. } => return None,
            Self { committed: 1.., .. } => {
                "the objects were published by an earlier run, which did not live to commit them"
            }
            Self { recovered_cuts: 1.., .. } => "what an earlier run had uploaded was published and committed",
            Self { skipped: 1.., .. } => "no record could be used: all were skipped, as errors.tolerance says",
            _ if is_drained => "nothing was left to write: it is committed already, or holds no records",
            _ => return None,
        })
    }
}

async fn watch(
    connectors: &[Arc<Connector>],
    drains: &mut [Drain],
    rules: Rules,
    process: &Process,
    screen: &Screen,
    signals: &mut Signals,
) -> Exit {
    let mut status = Status::new(process.clone(), screen.clone());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = (0, Instant::now());
    loop {
        tokio::select! {
            // A drain that is stopped has not come to its end: whoever waits for that must not take it for done.
            () = signals.next() => return if rules.drain.is_some() { Exit::NoProgress } else { Exit::Done },
            _ = look.tick() => {}
        }
        status.draw(connectors);
        let failed: Vec<_> =
            connectors.iter().filter(|connector| matches!(connector.state(), State::Failed(_))).collect();
        if rules.exit_on_failure && failed.len() == connectors.len() {
            return Exit::Failed;
        }
        let Some(patience) = rules.drain else { continue };
        // What a person must mend does not mend itself during a drain: cron and CI want to hear of it. But not before the
        // others are through, which have done nothing wrong.
        let (mut done, mut given_up) = (true, false);
        for (drain, connector) in drains.iter_mut().zip(connectors) {
            if matches!(connector.state(), State::Failed(failure) if failure.retry == Retry::Never) {
                given_up = true;
            } else {
                done &= tokio::select! {
                    yes = drain.is_done() => yes,
                    // It asks Kafka, which may take its time.
                    () = signals.next() => return Exit::NoProgress,
                };
            }
        }
        if done {
            return if given_up { Exit::Failed } else { Exit::Done };
        }
        let committed = drains.iter().map(Drain::committed).sum();
        if committed != progress.0 {
            progress = (committed, Instant::now());
        } else if progress.1.elapsed() >= patience {
            tracing::error!(seconds = patience.as_secs(), "no offset was committed for too long; giving up");
            return Exit::NoProgress;
        }
    }
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
