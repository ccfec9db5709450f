//! `tidegate serve`: the control plane, its REST surfaces and a worker in one process.

mod args;
mod demo;
mod init;
mod notify;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use connectors::{ConfigWarning, WorkerConfig};
use control::{ControlPlane, Openness, Refusal, Settings, Supervisor};
use fault::Diagnose;
use identity::KeyRule;
use rest::{Cors, ServerOptions, TlsFiles};
use runtime::{Dialect, Metrics, Process};
use world::{Clock, Environment};

use self::args::{Auth, DataArguments, Names};
pub(crate) use self::args::{BackupArguments, ServeArguments};
pub(crate) use self::demo::demo;
use self::init::Password;
use self::notify::Notify;
use crate::args::Exit;
use crate::integration::{StoreArguments, ours};
use crate::load;
use crate::logging::Logging;
use crate::run::Signals;
use crate::screen::Screen;

/// Where Kafka Connect listens, for this machine alone.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);

/// How a command ends that does not come to its end, and what is said of it.
pub(crate) struct Ending {
    exit: Exit,
    text: String,
    hint: Option<String>,
}

impl Ending {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn of<E: Diagnose>(exit: Exit, error: &E) -> Self {
        let hint = error.hint().map(std::borrow::Cow::into_owned);
        Self { exit, text: fault::Chain(error).to_string(), hint }
    }

    fn say(self, screen: &Screen) -> Exit {
        let hint = self.hint.map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
        screen.print(format!("error: {}\n{hint}", self.text.trim_end()).as_bytes());
        self.exit
    }
}

fn refused(refusal: &Refusal) -> Ending {
    let exit = match refusal {
        Refusal::Store(_) | Refusal::Remote { .. } | Refusal::Busy { .. } => Exit::Failed,
        _ => Exit::Refused,
    };
    Ending::of(exit, refusal)
}

/// `tidegate serve`, until stopped.
pub(crate) async fn serve(
    arguments: &ServeArguments,
    environment: &Environment,
    screen: &Screen,
    logging: &Logging,
) -> Exit {
    match start(arguments, environment, logging).await {
        Ok(exit) => exit,
        Err(ending) => ending.say(screen),
    }
}

async fn start(arguments: &ServeArguments, environment: &Environment, logging: &Logging) -> Result<Exit, Ending> {
    let failed = |what: &str, error: std::io::Error| Ending::new(Exit::Failed, format!("could not {what}: {error}"));
    let mut signals = Signals::new().map_err(|error| failed("listen for signals", error))?;
    let notify = Notify::of(environment);
    let password = arguments.init.init.then(|| Password::of(&arguments.init)).transpose()?;
    // Who only wants a user does not say where to listen.
    let address = match arguments.listen {
        None if arguments.init.init => None,
        asked => Some(asked.unwrap_or(DEFAULT)),
    };
    let worker = load::worker(&arguments.worker, environment)?;
    for warning in worker.warnings().iter().filter_map(told) {
        tracing::warn!("{warning}");
    }
    let setup = Setup {
        address,
        data_dir: data_dir(&arguments.data, environment),
        openness: openness(arguments.auth, address),
        keys: arguments.worker.keys(),
        tls: tls(arguments),
        dialect: dialect(arguments.metrics_dialect, &worker)?,
        worker,
    };
    let process = Process::start_with_keys(
        arguments.limits.memory,
        arguments.limits.threads,
        Clock::system(),
        environment.clone(),
        setup.keys,
    )
    .map_err(|error| failed("start threads", error))?;
    process.explain_with(crate::doctor::causes_of);

    // A port that somebody else has is found before anything runs.
    let bound = address.map(rest::Server::bind).transpose().map_err(|error| Ending::of(Exit::Failed, &error))?;
    let worker_id = worker_id(bound.as_ref().map_or(DEFAULT, rest::Bound::address), &setup.worker);
    let metrics = Metrics::new(process.clone()).with_dialect(setup.dialect);
    let supervisor = Supervisor::new(process, &metrics, worker_id.as_str());
    if bound.is_none() {
        // For the sake of a user nothing is started.
        supervisor.close().await;
    }
    let settings = Settings {
        open: setup.openness,
        integrations_per_organization: arguments.integration_quota,
        allowed_endpoints: arguments.allowed_endpoints.clone(),
        ours: as_whom(arguments, environment),
        principal: arguments.principal.clone(),
        keys: setup.keys,
        logs: logging.logs.clone(),
        ..Settings::new(&setup.data_dir, setup.worker.clone(), worker_id, Clock::system(), environment.clone())
    };
    let opening = ControlPlane::open(settings, supervisor);
    let plane = tokio::select! {
        plane = opening => plane.map_err(|refusal| refused(&refusal))?,
        () = signals.next() => return Ok(Exit::Done),
    };
    let served =
        serve_plane(arguments, &setup, password, bound, &plane, &metrics, &mut signals, &notify, logging).await;
    // Whatever came of it: what was read is published and committed.
    tokio::select! {
        () = plane.close() => {}
        () = signals.next() => tracing::warn!("ended at once: what was not committed is read again"),
    }
    served.map(|()| Exit::Done)
}

/// What the command line and the worker's settings come to.
struct Setup {
    address: Option<SocketAddr>,
    data_dir: PathBuf,
    openness: Openness,
    keys: KeyRule,
    tls: Option<TlsFiles>,
    dialect: Dialect,
    worker: WorkerConfig,
}

#[expect(clippy::too_many_arguments, reason = "all that was started, once")]
async fn serve_plane(
    arguments: &ServeArguments,
    setup: &Setup,
    password: Option<Password>,
    bound: Option<rest::Bound>,
    plane: &ControlPlane,
    metrics: &Metrics,
    signals: &mut Signals,
    notify: &Notify,
    logging: &Logging,
) -> Result<(), Ending> {
    if let Some(password) = password {
        init::init(plane, &arguments.init, password).await?;
    }
    let (Some(bound), Some(asked)) = (bound, setup.address) else { return Ok(()) };
    may_be_reached(arguments.auth, asked, plane).await?;
    if !asked.ip().is_loopback() && setup.tls.is_none() {
        tracing::warn!("passwords and keys come over the network as they are: give --tls-cert and --tls-key");
    }
    let _metrics = match arguments.limits.metrics_addr {
        None => None,
        Some(address) => {
            let server = runtime::Server::start(address, metrics.clone()).await;
            let server = server.map_err(|error| Ending::of(Exit::Failed, &error))?;
            tracing::info!(address = %server.address(), "serving metrics");
            Some(server)
        }
    };
    let config = setup.worker.config();
    let cors = config
        .get("access.control.allow.origin")
        .and_then(|origins| Cors::new(origins, config.get("access.control.allow.methods")));
    let options =
        ServerOptions { tls: setup.tls.clone(), cors, log_levels: Some(logging.levels()), ..ServerOptions::new(asked) };
    let server = rest::Server::start_on(bound, options, plane.clone()).await;
    let server = server.map_err(|error| Ending::of(Exit::Failed, &error))?;
    plane.show_trust(metrics);
    plane.supervisor().learn_cluster_id(setup.worker.clone());
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    tracing::info!(url = format!("{scheme}://{}", server.address()), data_dir = %setup.data_dir.display(), "serving");
    notify.say("READY=1");
    signals.next().await;
    notify.say("STOPPING=1");
    tracing::info!("stopping: what was read is published and committed; a second signal ends this at once");
    tokio::select! {
        () = server.close() => {}
        () = signals.next() => {}
    }
    Ok(())
}

/// Nobody is let in over the network without credentials, unless somebody has said so; and where credentials are needed,
/// somebody must have some.
async fn may_be_reached(auth: Auth, address: SocketAddr, plane: &ControlPlane) -> Result<(), Ending> {
    if auth == Auth::None || (auth == Auth::Auto && address.ip().is_loopback()) {
        return Ok(());
    }
    let users = plane.users(&init::operator()).await.map_err(|refusal| refused(&refusal))?;
    if !users.is_empty() {
        return Ok(());
    }
    let text = match auth {
        Auth::Required => "credentials are required, and there is no user who has some".to_owned(),
        Auth::Auto | Auth::None => {
            format!(
                "{address} can be reached over the network, and there is no user who could be asked for credentials"
            )
        }
    };
    let hint = "make the first user with: tidegate serve --init; or, on a network where everybody may do everything, \
                give --auth none";
    Err(Ending::new(Exit::Refused, text).with_hint(hint))
}

fn openness(auth: Auth, address: Option<SocketAddr>) -> Openness {
    match auth {
        Auth::None => Openness::Always,
        Auth::Auto if address.is_some_and(|address| address.ip().is_loopback()) => Openness::WhileEmpty,
        Auth::Auto | Auth::Required => Openness::Closed,
    }
}

fn tls(arguments: &ServeArguments) -> Option<TlsFiles> {
    let (certificate, key) = (arguments.tls.tls_cert.clone()?, arguments.tls.tls_key.clone()?);
    Some(TlsFiles { certificate, key, client_ca: arguments.tls.tls_client_ca.clone() })
}

fn dialect(asked: Option<Names>, worker: &WorkerConfig) -> Result<Dialect, Ending> {
    match (asked, worker.config().get("metrics.dialect")) {
        (Some(Names::Strimzi), _) | (None, None) => Ok(Dialect::Strimzi),
        (Some(Names::Confluent), _) => Ok(Dialect::Confluent),
        (None, Some(name)) => Dialect::named(name).ok_or_else(|| {
            Ending::new(Exit::Refused, format!("metrics.dialect {name:?} is not known; known are strimzi, confluent"))
        }),
    }
}

fn as_whom(
    arguments: &ServeArguments,
    environment: &Environment,
) -> Result<std::sync::Arc<identity::ConnectionSpec>, String> {
    let store = StoreArguments { store: None, as_connection: arguments.as_connection.clone() };
    ours(&store, None, arguments.worker.connections.as_deref(), arguments.worker.keys(), environment)
}

/// `host:port` as Connect makes it of `rest.advertised.*` or the listener; where that is every address, of the machine's
/// name.
fn worker_id(address: SocketAddr, worker: &WorkerConfig) -> String {
    let config = worker.config();
    let advertised = config.get("rest.advertised.host.name").filter(|name| !name.is_empty()).map(str::to_owned);
    let of_machine = || {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Some(name).filter(|name| !name.is_empty())
    };
    let named = advertised.or_else(|| address.ip().is_unspecified().then(of_machine).flatten());
    let port = config.get("rest.advertised.port").and_then(|port| port.parse().ok()).unwrap_or(address.port());
    match named {
        Some(host) => format!("{host}:{port}"),
        None => SocketAddr::new(address.ip(), port).to_string(),
    }
}

/// What a warning about the worker's settings comes to where there is a REST listener.
fn told(warning: &ConfigWarning) -> Option<String> {
    const USED: [&str; 5] = [
        "access.control.allow.origin",
        "access.control.allow.methods",
        "metrics.dialect",
        "rest.advertised.host.name",
        "rest.advertised.port",
    ];
    match &*warning.key {
        key if USED.contains(&key) => None,
        key @ ("listeners" | "rest.host.name" | "rest.port" | "admin.listeners") => {
            Some(format!("{key}: --listen says where the REST API is"))
        }
        _ => Some(warning.to_string()),
    }
}

fn data_dir(arguments: &DataArguments, environment: &Environment) -> PathBuf {
    arguments.data_dir.clone().unwrap_or_else(|| crate::integration::state_dir(environment))
}

/// `tidegate backup`: a copy of the store, also while it is being served.
pub(crate) async fn backup(arguments: &BackupArguments, environment: &Environment, screen: &Screen) -> Exit {
    let dir = data_dir(&arguments.data, environment);
    match control::back_up(dir.clone(), arguments.file.clone()).await {
        Ok(()) => {
            let key = dir.join("tidegate.key");
            tracing::info!(file = %arguments.file.display(), key = %key.display(),
                "copied; its secrets are opened by the key file alone, which is not in it: keep a copy of that elsewhere");
            Exit::Done
        }
        Err(control::Error::File { path, source })
            if path == arguments.file && source.kind() == std::io::ErrorKind::AlreadyExists =>
        {
            let told = format!(
                "error: {} exists already\n  hint: give another name: a backup replaces nothing\n",
                path.display()
            );
            screen.print(told.as_bytes());
            Exit::Failed
        }
        Err(error) => Ending::of(Exit::Failed, &error).say(screen),
    }
}
