//! `tidegate connection`.

mod remote;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use aws::{Clients, Stop};
use fault::{Chain, Diagnose as _, Retry};
use identity::{ConnectionFaults, ConnectionSpec, Connections, Error, ImportSource, KeyRule, Purpose};
use serde_json::{Value, json};
use world::{Clock, Environment};

use crate::args::{
    ConnectionArguments, ConnectionCheckArguments, ConnectionCommand, ConnectionTestArguments, Exit, Exporter,
    ImportArguments,
};
use crate::remote::{Failure, Form, as_yaml, end};
use crate::screen::Screen;
use crate::stdout::print;

/// The largest export that is read.
const MAX_EXPORT: u64 = 1 << 20;

/// `tidegate connection`: the connections of a file, or of a server.
pub(crate) async fn connection(command: &ConnectionCommand, environment: &Environment, screen: &Screen) -> Exit {
    end(act(command, environment, screen).await, screen)
}

async fn act(command: &ConnectionCommand, environment: &Environment, screen: &Screen) -> Result<Exit, Failure> {
    let arguments = match command {
        ConnectionCommand::Import(arguments) => return Ok(import(arguments, screen)),
        // What is of a server alone.
        ConnectionCommand::Show(arguments) => {
            return remote::show(&remote::open(&arguments.at, environment, screen)?, &arguments.name).await;
        }
        ConnectionCommand::Put(arguments) => {
            let at = remote::open(&arguments.at, environment, screen)?;
            return remote::put(&at, &arguments.name, &arguments.file).await;
        }
        ConnectionCommand::Delete(arguments) => {
            let at = remote::open(&arguments.at, environment, screen)?;
            return remote::delete(&at, &arguments.name, arguments.yes, screen).await;
        }
        ConnectionCommand::List(arguments) => arguments,
        ConnectionCommand::Check(arguments) => &arguments.file,
        ConnectionCommand::Test(arguments) => &arguments.file,
    };
    if let ConnectionCommand::Check(check_arguments) = command {
        let path = arguments.connections.as_deref().ok_or_else(nothing_named)?;
        return Ok(check(check_arguments, path, environment, screen));
    }
    let Some(path) = place(arguments, environment)? else {
        let at = remote::open(arguments, environment, screen)?;
        return match command {
            ConnectionCommand::Test(arguments) => remote::test(&at, arguments).await,
            _ => remote::list(&at).await,
        };
    };
    Ok(match command {
        ConnectionCommand::Test(arguments) => test(arguments, path, environment, screen).await,
        _ => list(arguments, path, environment, screen),
    })
}

/// The file that is meant; `None`: a server. What is said on the command line goes before the environment, a server that
/// is named there before a file that is, and a context in use comes last.
fn place<'a>(arguments: &'a ConnectionArguments, environment: &Environment) -> Result<Option<&'a Path>, Failure> {
    if arguments.server.is_named(false, environment)? {
        return Ok(None);
    }
    match arguments.connections.as_deref() {
        Some(path) => Ok(Some(path)),
        None if arguments.server.is_named(true, environment)? => Ok(None),
        None => Err(nothing_named()),
    }
}

fn nothing_named() -> Failure {
    let hint = "give a file of them with --connections FILE, or a server with --server URL or tidegate context add";
    Failure::usage(format!("no connections are named\n  hint: {hint}"))
}

/// A result in the form that was asked for.
fn formed(form: Form, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> String {
    match form {
        Form::Table => text(),
        Form::Json => format!("{:#}\n", json()),
        Form::Yaml => as_yaml(&json()),
    }
}

fn load(
    path: &Path,
    arguments: &ConnectionArguments,
    environment: &Environment,
    screen: &Screen,
) -> Option<Connections> {
    load_file(path, arguments.keys(), environment, screen)
}

/// The connections of a file; says what is wrong with it otherwise.
pub(crate) fn load_file(path: &Path, keys: KeyRule, environment: &Environment, screen: &Screen) -> Option<Connections> {
    match Connections::load(path, environment, keys) {
        Ok(connections) => Some(connections),
        Err(ConnectionFaults { origin, faults, warnings }) => {
            let mut text = format!("{origin}: refused, {} at fault\n", faults.len());
            text.extend(faults.iter().map(|fault| format!("  error    {fault}\n")));
            text.extend(warnings.iter().map(|warning| format!("  warning  {warning}\n")));
            screen.print(text.as_bytes());
            None
        }
    }
}

/// The connection of this name; says which there are otherwise.
pub(crate) fn find(connections: &Connections, name: &str, screen: &Screen) -> Option<Arc<ConnectionSpec>> {
    let found = connections.get(name).cloned();
    if found.is_none() {
        let names: Vec<_> = connections.names().collect();
        let meant = connections
            .suggest(name)
            .map_or_else(|| format!("there are: {}", names.join(", ")), |close| format!("did you mean {close}?"));
        screen.print(format!("error: there is no connection {name}; {meant}\n").as_bytes());
    }
    found
}

fn list(arguments: &ConnectionArguments, path: &Path, environment: &Environment, screen: &Screen) -> Exit {
    let Some(connections) = load(path, arguments, environment, screen) else { return Exit::Refused };
    let rows: Vec<_> = connections.iter().map(|spec| (spec, way(spec, "connector"))).collect();
    let listed = || {
        let listed: Vec<_> = rows.iter().map(|(spec, _)| show(spec, "connector")).collect();
        json!({ "connections": listed })
    };
    let out = formed(arguments.output, listed, || {
        let width = rows.iter().map(|(spec, _)| spec.name.len()).max().unwrap_or(0);
        rows.iter().fold(String::new(), |mut out, (spec, way)| {
            writeln!(out, "{:width$}  {:14}  {way}", spec.name, spec.region)
                .expect("writing to a String does not fail");
            out
        })
    });
    print(&out, Exit::Done, screen)
}

fn check(arguments: &ConnectionCheckArguments, path: &Path, environment: &Environment, screen: &Screen) -> Exit {
    let Some(connections) = load(path, &arguments.file, environment, screen) else { return Exit::Refused };
    let chosen: Vec<Arc<ConnectionSpec>> = match &arguments.name {
        None => connections.iter().cloned().collect(),
        Some(name) => match find(&connections, name, screen) {
            Some(spec) => vec![spec],
            None => return Exit::Refused,
        },
    };
    let shown = || {
        let shown: Vec<_> = chosen.iter().map(|spec| show(spec, &arguments.connector)).collect();
        json!({ "connections": shown })
    };
    let out = formed(arguments.file.output, shown, || {
        chosen.iter().map(|spec| describe(spec, &arguments.connector)).collect()
    });
    print(&out, Exit::Done, screen)
}

async fn test(arguments: &ConnectionTestArguments, path: &Path, environment: &Environment, screen: &Screen) -> Exit {
    let Some(connections) = load(path, &arguments.file, environment, screen) else { return Exit::Refused };
    let Some(spec) = find(&connections, &arguments.name, screen) else { return Exit::Refused };
    let clients = Clients::with_keys(Clock::system(), environment.clone(), arguments.file.keys());
    let connection = spec.bind(&arguments.connector, Purpose::S3);
    let stops = clients.walk(&connection).await;
    let now = clients.clock().now();
    let gone = || {
        let stops: Vec<_> = stops.iter().map(|stop| stop_json(stop, now)).collect();
        json!({ "connection": spec.name, "stops": stops })
    };
    let out = formed(arguments.file.output, gone, || stops.iter().map(|stop| stop_text(stop, now)).collect());
    let exit = match stops.last() {
        Some(Err(error)) if error.retry() == Retry::Never => Exit::Failed,
        // AWS could not be asked: nothing is proven, neither way.
        Some(Err(_)) => Exit::NoProgress,
        Some(Ok(_)) | None => Exit::Done,
    };
    let exit = print(&out, exit, screen);
    if exit == Exit::Done {
        screen.print(b"a session was had; what it may do was not tried\n");
    }
    exit
}

fn import(arguments: &ImportArguments, screen: &Screen) -> Exit {
    let name = if arguments.file.as_os_str() == "-" { Path::new("stdin") } else { &arguments.file }.display();
    let text = match read_export(&arguments.file) {
        Ok(text) => text,
        Err(error) => {
            screen.print(format!("error: could not read {name}: {error}\n").as_bytes());
            return Exit::Refused;
        }
    };
    let source = arguments.from.map(|from| match from {
        Exporter::Informatica => ImportSource::Informatica,
        Exporter::Boomi => ImportSource::Boomi,
    });
    match identity::import(&text, source, arguments.name.as_deref()) {
        Ok(imported) => {
            for warning in &imported.warnings {
                screen.print(format!("warning: {warning}\n").as_bytes());
            }
            print(&imported.toml, Exit::Done, screen)
        }
        Err(why) => {
            screen.print(format!("error: {name}: {why}\n").as_bytes());
            Exit::Refused
        }
    }
}

fn read_export(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn io::Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(path)?),
    };
    // A device has no end.
    if input.take(MAX_EXPORT + 1).read_to_string(&mut text)? as u64 > MAX_EXPORT {
        return Err(io::Error::other("it is larger than 1 MiB, and no connection is"));
    }
    Ok(text)
}

fn way(spec: &ConnectionSpec, connector: &str) -> String {
    spec.bind(connector, Purpose::S3).to_string()
}

fn describe(spec: &ConnectionSpec, connector: &str) -> String {
    let connection = spec.bind(connector, Purpose::S3);
    let mut out = format!("{}: ok\n", spec.name);
    let mut line =
        |what: &str, text: String| writeln!(out, "  {what:13} {text}").expect("writing to a String does not fail");
    line("kind", spec.kind.to_owned());
    line("region", spec.region.clone());
    line("way", connection.to_string());
    for hop in &connection.hops {
        let external = if hop.external_id.is_some() { ", with an external ID" } else { "" };
        line("session", format!("{} of {}, {}{external}", hop.session_name, hop.role_arn, hop.duration));
    }
    let places: Vec<_> = spec.fence.places.iter().map(ToString::to_string).collect();
    if spec.fence.is_up() {
        line("may touch", places.join(", "));
    }
    if let Some(owner) = spec.bucket_owner {
        line("bucket owner", owner.to_string());
    }
    let policy = connection.clone().cut_down().and_then(|policy| policy.clone());
    if let Some(policy) = policy {
        line("policy", policy);
    }
    for warning in spec.warnings() {
        line("warning", warning.to_string());
    }
    out
}

fn show(spec: &ConnectionSpec, connector: &str) -> Value {
    let connection = spec.bind(connector, Purpose::S3);
    let roles: Vec<_> = connection
        .hops
        .iter()
        .map(|hop| {
            json!({
                "arn": hop.role_arn,
                "session_name": hop.session_name,
                "external_id": hop.external_id,
                "duration": hop.duration.to_string(),
                "session_policy": hop.policy,
            })
        })
        .collect();
    json!({
        "name": spec.name,
        "kind": spec.kind,
        "region": spec.region,
        "way": connection.to_string(),
        "roles": roles,
        "fence": spec.fence.places.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "bucket_owner": spec.bucket_owner.map(|owner| owner.to_string()),
        "warnings": spec.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn stop_text(stop: &Result<Stop, Error>, now: std::time::SystemTime) -> String {
    match stop {
        Ok(stop) => {
            let who = stop.arn.as_deref().unwrap_or("nobody: requests go unsigned");
            let end = stop.expires_at.map_or_else(
                || ", without an end".to_owned(),
                |end| format!(", for {} s", end.duration_since(now).unwrap_or_default().as_secs()),
            );
            let end = if stop.arn.is_some() { end } else { String::new() };
            format!("ok      {} -> {who}{end}\n", stop.what)
        }
        Err(error) => {
            let hint = error.hint().map_or_else(String::new, |hint| format!("        hint: {hint}\n"));
            format!("failed  {} [{}]\n{hint}", Chain(error), error.code())
        }
    }
}

fn stop_json(stop: &Result<Stop, Error>, now: std::time::SystemTime) -> Value {
    match stop {
        Ok(stop) => json!({
            "what": stop.what,
            "arn": stop.arn,
            "seconds_left": stop.expires_at.map(|end| end.duration_since(now).unwrap_or_default().as_secs()),
        }),
        Err(error) => json!({ "code": error.code(), "error": Chain(error).to_string(), "hint": error.hint() }),
    }
}
