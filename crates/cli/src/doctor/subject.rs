use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::doctor::{Place, Target, TargetKind};
use connectors::ConnectorFile;
use control::IntegrationId;
use fault::Diagnose as _;
use identity::{ConnectionFaults, Connections};
use serde_json::Value;
use world::{Clock, Environment};

use crate::doctor::args::DoctorArguments;
use crate::doctor::stdin;
use crate::doctor::usage::Usage;
use crate::integrated::Known;
use crate::integration::{open, ours};
use crate::load;

/// Where integrations are found.
const LISTED: &str = "tidegate integration list lists those that there are; --store says where";

/// The most that is read of stdin or of a policy's file.
pub(super) const LARGEST: u64 = 1 << 20;

/// Finds what is to be examined: stdin, an integration, a file, or a connection.
pub(super) async fn find(arguments: &DoctorArguments, environment: &Environment) -> Result<Target, Usage> {
    let mut target = match arguments.target.as_deref().unwrap_or_default() {
        "" => {
            return Err(Usage::new(
                "nothing to examine is named",
                "name a connection, an integration, a connector file, or -",
            ));
        }
        "-" => unsaved(arguments, environment).await?,
        name if name.starts_with("cspi-") && !Path::new(name).exists() => {
            integration(name, arguments, environment).await?
        }
        name if Path::new(name).is_file() && !holds_connections(Path::new(name)) => {
            if !name.contains('/') && is_connection(name, arguments, environment) {
                let text = format!("{name} is a file and a connection too");
                return Err(Usage::new(text, format!("write ./{name} for the file, or call this from elsewhere")));
            }
            connector(&[PathBuf::from(name)], arguments, environment).await?
        }
        name => connection(name, arguments, environment)?,
    };
    if let Some(place) = place(arguments, &target)? {
        target.place = Some(place);
    }
    target.trust_policy = policy(arguments.trust_policy.as_deref())?;
    target.permission_policy = policy(arguments.permission_policy.as_deref())?;
    target.wait = std::time::Duration::from_secs(arguments.wait);
    target.command = command(arguments);
    Ok(target)
}

/// What finds the same target again. Properties are left out: they may hold passwords.
fn command(arguments: &DoctorArguments) -> String {
    let worker = &arguments.worker;
    let path = |path: &PathBuf| path.display().to_string();
    let flags = [
        ("--connections", worker.connections.as_ref().map(path)),
        ("--worker", worker.worker.as_ref().map(path)),
        ("--bootstrap-server", worker.bootstrap_server.clone()),
        ("--bucket", arguments.bucket.clone()),
        ("--prefix", Some(arguments.prefix.clone()).filter(|prefix| !prefix.is_empty())),
        ("--region", arguments.region.clone()),
    ];
    let mut words = vec![quoted(arguments.target.as_deref().unwrap_or_default())];
    for (flag, value) in flags {
        if let Some(value) = value {
            words.extend([flag.to_owned(), quoted(&value)]);
        }
    }
    words.join(" ")
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn policy(path: Option<&Path>) -> Result<Option<String>, Usage> {
    let Some(path) = path else { return Ok(None) };
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map_err(|error| {
        let text = format!("could not read {}: {error}", path.display());
        Usage::new(text, "name a file of JSON: aws iam get-role shows a trust policy")
    })?;
    Ok(Some(text))
}

/// The part of a bucket that is named on the command line.
fn place(arguments: &DoctorArguments, target: &Target) -> Result<Option<Place>, Usage> {
    let Some(bucket) = &arguments.bucket else { return Ok(None) };
    let Some(spec) = &target.spec else {
        if target.faults.is_empty() {
            let text = "--bucket is for connections and integrations; a connector names its own";
            return Err(Usage::new(text, "leave --bucket out, or name the connection that the connector goes by"));
        }
        return Ok(None);
    };
    let mut place = Place::of(spec, bucket, &arguments.prefix);
    if let Some(region) = &arguments.region {
        place.region.clone_from(region);
    }
    Ok(Some(place))
}

/// Whether a file is one of connections: what is examined is one of them, by its name.
fn holds_connections(path: &Path) -> bool {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    let is_json = || serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("connections").is_some());
    let is_toml = || text.lines().any(|line| line.starts_with("[connections.") || line.starts_with("[[connections."));
    read.is_ok() && (is_json() || is_toml())
}

fn is_connection(name: &str, arguments: &DoctorArguments, environment: &Environment) -> bool {
    let connections = arguments.worker.connections.as_ref();
    let read = connections.and_then(|path| Connections::load(path, environment, arguments.worker.keys()).ok());
    read.is_some_and(|connections| connections.get(name).is_some())
}

fn connection(name: &str, arguments: &DoctorArguments, environment: &Environment) -> Result<Target, Usage> {
    if Path::new(name).is_file() {
        let hint = format!("say which of them: tidegate doctor NAME --connections {name}");
        return Err(Usage::new(format!("{name} is a file of connections"), hint));
    }
    let Some(path) = &arguments.worker.connections else {
        let text = format!("{name} is no file, and no file of connections is given to look for it in");
        return Err(Usage::new(text, "give the file with --connections FILE, or set TIDEGATE_CONNECTIONS"));
    };
    match Connections::load(path, environment, arguments.worker.keys()) {
        Err(faults) => Ok(Target::unreadable_connection(TargetKind::Connection, name, &faults)),
        Ok(connections) => {
            if let Some(spec) = connections.get(name) {
                return Ok(Target::connection(spec, None));
            }
            let names: Vec<_> = connections.names().collect();
            let meant = connections
                .suggest(name)
                .map_or_else(|| format!("there are: {}", names.join(", ")), |close| format!("did you mean {close}?"));
            Err(Usage::new(format!("{name} is no file and no connection of {}", path.display()), meant))
        }
    }
}

async fn integration(id: &str, arguments: &DoctorArguments, environment: &Environment) -> Result<Target, Usage> {
    let id: IntegrationId = id.parse().map_err(|error| Usage::new(format!("{error}"), LISTED))?;
    let told = |error: control::Error| {
        let hint = error.hint().map_or_else(|| LISTED.to_owned(), std::borrow::Cow::into_owned);
        Usage::new(fault::Chain(&error).to_string(), hint)
    };
    let store = open(&arguments.store, environment, Clock::system()).await.map_err(told)?;
    let found = store.get(&id).await.map_err(told)?;
    let connections = arguments.worker.connections.as_deref();
    let ours = ours(&arguments.store, None, connections, arguments.worker.keys(), environment).map_err(|text| {
        Usage::new(text, "--as, --account and --environment say who we are to customers, as for tidegate integration")
    })?;
    Ok(Target::integration(&found, &ours, store.now()))
}

async fn connector(paths: &[PathBuf], arguments: &DoctorArguments, environment: &Environment) -> Result<Target, Usage> {
    let files = connectors::load_connectors(paths);
    loaded(TargetKind::Connector, files, arguments, environment).await
}

async fn loaded(
    kind: TargetKind,
    files: Vec<Result<ConnectorFile, connectors::LoadError>>,
    arguments: &DoctorArguments,
    environment: &Environment,
) -> Result<Target, Usage> {
    // Not only what is proven: that it is not may be what is looked for.
    let known = Known::read_unproven(&arguments.store, &arguments.worker, environment).await;
    let known = known.map(|known| known as Arc<dyn identity::Integrations>);
    let loaded = load::load_read(files, &arguments.worker, known, environment)
        .map_err(|text| Usage::new(text, "tidegate check tells all that is wrong with a worker and its connectors"))?;
    let (well, unwell): (Vec<_>, Vec<_>) = loaded.reports.into_iter().partition(connectors::CheckReport::is_ok);
    match unwell.into_iter().chain(well).next().map(connectors::CheckReport::into_result) {
        Some(Ok(plan)) => Ok(with_kind(kind, Target::connector(&Arc::new(plan)))),
        Some(Err(faults)) => Ok(Target::refused_connector(kind, &faults)),
        None => Err(Usage::new("no connector was read", "name a file that holds one")),
    }
}

fn with_kind(kind: TargetKind, target: Target) -> Target {
    Target { kind, ..target }
}

async fn unsaved(arguments: &DoctorArguments, environment: &Environment) -> Result<Target, Usage> {
    let (text, members) = stdin::object()?;
    let is_connector = members.contains_key("connector.class") || members.contains_key("config");
    if is_connector {
        let file = ConnectorFile::from_json("stdin", &text);
        return loaded(TargetKind::Unsaved, vec![file], arguments, environment).await;
    }
    // A file of connections, or one connection without a name.
    let text = if members.contains_key("connections") {
        text
    } else {
        serde_json::json!({ "connections": { "unsaved": members } }).to_string()
    };
    match read_connections(&text, arguments, environment) {
        Err(faults) => Ok(Target::unreadable_connection(TargetKind::Unsaved, "stdin", &faults)),
        Ok(connections) => {
            let mut all = connections.iter();
            match (all.next(), all.next()) {
                (Some(spec), None) => Ok(with_kind(TargetKind::Unsaved, Target::connection(spec, None))),
                (None, _) => {
                    Err(Usage::new("stdin holds no connection", "put one under \"connections\", or give it alone"))
                }
                (Some(_), Some(_)) => {
                    let hint = "give one, or save them to a file: tidegate doctor NAME --connections FILE";
                    Err(Usage::new("stdin holds several connections", hint))
                }
            }
        }
    }
}

fn read_connections(
    text: &str,
    arguments: &DoctorArguments,
    environment: &Environment,
) -> Result<Connections, ConnectionFaults> {
    Connections::read("stdin", text, environment, arguments.worker.keys())
}
