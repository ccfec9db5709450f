//! `tidegate connector`: the connectors of a server.

mod apply;
mod diff;
mod edit;
mod files;
mod import;
mod wait;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use fault::printable;
use serde_json::{Value, json};
use world::Environment;

use crate::args::{Exit, seconds};
use crate::remote::{Api, Column, Failure, Form, ServerArguments, confirmed, end, list, one, say, segment, told};
use crate::run::Signals;
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct ConnectorArguments {
    #[command(subcommand)]
    verb: Verb,
    /// Which cluster's. Not set: the context's, that of the API key, or the server's own.
    #[arg(long, global = true, value_name = "ID")]
    cluster: Option<String>,
    /// How the result looks on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a connector of a file: JSON ({"name":..,"config":{..}} or flat), .properties, or YAML as Strimzi has it.
    Create {
        /// The file; - is stdin.
        file: PathBuf,
        /// What it shall do first.
        #[arg(long, value_enum)]
        target: Option<Target>,
        #[command(flatten)]
        wait: WaitArguments,
    },
    /// Have the server's connectors be what files say: makes, changes, and (--prune) deletes them; shows the difference.
    Apply(ApplyArguments),
    /// Show all connectors.
    List,
    /// Show a connector: what it does, why it failed, rates and lag.
    #[command(visible_alias = "describe", visible_alias = "status")]
    Show {
        /// Its name.
        name: String,
    },
    /// Change a configuration in $EDITOR; what the server refuses is shown there.
    Edit {
        /// Its name.
        name: String,
        #[command(flatten)]
        wait: WaitArguments,
    },
    /// Have connectors hold still.
    Pause(NamesArguments),
    /// Have connectors go on.
    Resume(NamesArguments),
    /// Stop connectors: then offsets may be changed.
    Stop(NamesArguments),
    /// Start connectors anew.
    Restart {
        #[command(flatten)]
        names: NamesArguments,
        /// Only what has failed.
        #[arg(long)]
        only_failed: bool,
    },
    /// Take connectors away; their groups keep their offsets.
    Delete {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Show or (of a stopped connector) change where a connector is.
    Offsets {
        /// Its name.
        name: String,
        /// Set a partition: topic:partition=offset; "earliest" takes it back to its beginning.
        #[arg(long = "set", value_name = "TOPIC:PARTITION=OFFSET", conflicts_with = "reset")]
        set: Vec<String>,
        /// Take all offsets away.
        #[arg(long)]
        reset: bool,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Show the last lines of a connector's log, and go on (--follow).
    Logs {
        /// Its name.
        name: String,
        /// Go on until stopped.
        #[arg(short, long)]
        follow: bool,
    },
    /// Tell what connectors do as it happens: changes of status, and why.
    Watch {
        /// Only this one.
        name: Option<String>,
    },
    /// Move connectors over from a running Kafka Connect cluster, offsets kept.
    Import(import::ImportArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    Running,
    Paused,
    Stopped,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Debug, Args)]
struct NamesArguments {
    /// Their names.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    wait: WaitArguments,
}

#[derive(Debug, Clone, Copy, Args)]
struct WaitArguments {
    /// Wait until it is so, at most this many seconds (60); then exit code 4. A connector that fails: 3.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60", value_parser = seconds)]
    wait: Option<Duration>,
}

#[derive(Debug, Args)]
struct ApplyArguments {
    /// Files, or directories of them (.json, .properties, .yaml, .yml).
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Show what would be done, and do nothing; exit code 2 if something would be refused.
    #[arg(long)]
    dry_run: bool,
    /// Send connectors that look the same, too: what has another secret looks the same.
    #[arg(long)]
    resend: bool,
    /// Delete connectors whose names fit this pattern (* is any run of characters) and that no file has.
    #[arg(long, value_name = "PATTERN")]
    prune: Option<String>,
    /// Do not ask before deleting.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArguments,
}

/// `tidegate connector ..`
pub(crate) async fn connector(arguments: &ConnectorArguments, environment: &Environment, screen: &Screen) -> Exit {
    end(act(arguments, environment, screen).await, screen)
}

/// A server, and the cluster that is meant.
struct At {
    api: Api,
    cluster: Option<String>,
    form: Form,
}

impl At {
    /// The path of a connector, or of something of it: `:pause`, `/config`.
    fn path(&self, name: &str, rest: &str) -> String {
        self.with_cluster(&format!("/v1/connectors/{}{rest}", segment(name)))
    }

    fn with_cluster(&self, path: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        self.cluster.as_ref().map_or(path.to_owned(), |cluster| format!("{path}{joint}cluster={}", segment(cluster)))
    }

    async fn get(&self, name: &str) -> Result<Value, Failure> {
        Ok(self.api.get(&self.path(name, "")).await?.body)
    }
}

async fn act(arguments: &ConnectorArguments, environment: &Environment, screen: &Screen) -> Result<Exit, Failure> {
    let api = Api::open(arguments.server.access(environment)?, screen)?;
    let cluster = arguments.cluster.clone().or_else(|| api.cluster.clone());
    let at = At { api, cluster, form: arguments.output };
    match &arguments.verb {
        Verb::Create { file, target, wait } => create(&at, file, *target, *wait, screen).await,
        Verb::Apply(arguments) => apply::apply(&at, arguments, screen).await,
        Verb::List => {
            let items = at.api.all(&at.with_cluster("/v1/connectors")).await?;
            list("connectors", &items, COLUMNS, at.form)?;
            Ok(Exit::Done)
        }
        Verb::Show { name } => show(&at, name).await,
        Verb::Edit { name, wait } => edit::edit(&at, name, *wait, environment, screen).await,
        Verb::Pause(names) => each(&at, names, "pause", "PAUSED", screen).await,
        Verb::Resume(names) => each(&at, names, "resume", "RUNNING", screen).await,
        Verb::Stop(names) => each(&at, names, "stop", "STOPPED", screen).await,
        Verb::Restart { names, only_failed } => {
            let verb = if *only_failed { "restart?only_failed=true" } else { "restart" };
            each(&at, names, verb, "RUNNING", screen).await
        }
        Verb::Delete { names, yes } => delete(&at, names, *yes, screen).await,
        Verb::Offsets { name, set, reset, yes } => offsets(&at, name, set, *reset, *yes, screen).await,
        Verb::Logs { name, follow } => logs(&at, name, *follow).await,
        Verb::Watch { name } => wait::watch(&at, name.as_deref()).await,
        Verb::Import(arguments) => import::import(&at, arguments, environment, screen).await,
    }
}

const COLUMNS: &[Column] = &[
    ("name", |one| text(&one["name"])),
    ("state", |one| text(&one["status"]["connector"])),
    ("wanted", |one| text(&one["target"])),
    ("tasks", |one| text(&one["tasks"])),
    ("type", |one| text(&one["type"])),
    ("class", |one| {
        let class = text(&one["config"]["connector.class"]);
        class.rsplit('.').next().unwrap_or_default().to_owned()
    }),
    ("why", |one| text(&one["status"]["explanation"]["code"])),
];

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn create(
    at: &At,
    file: &std::path::Path,
    target: Option<Target>,
    wait: WaitArguments,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let [wanted] = <[_; 1]>::try_from(files::read(&[file.to_owned()])?).map_err(|all| {
        let hint = "tidegate connector apply -f takes any number";
        Failure::usage(format!(
            "{} holds {} connectors, and create makes one\n  hint: {hint}",
            file.display(),
            all.len()
        ))
    })?;
    let target = target.map(Target::name).or(wanted.target);
    let mut body = json!({ "name": wanted.name, "config": wanted.config });
    if let Some(target) = target {
        body["target"] = json!(target);
    }
    if let Some(cluster) = &at.cluster {
        body["cluster"] = json!(cluster);
    }
    let made = at.api.create("/v1/connectors", &body).await?.body;
    match at.form {
        Form::Table => say(&format!("made connector {}\n", wanted.name))?,
        form => one(&made, form)?,
    }
    wait::wait(at, &wanted.name, target.unwrap_or("RUNNING"), wait.wait, screen).await
}

async fn show(at: &At, name: &str) -> Result<Exit, Failure> {
    let mut view = at.get(name).await?;
    let status = at.api.get(&at.path(name, "/status")).await?.body;
    for key in ["moved", "rates", "lag", "partitions"] {
        view[key] = status[key].clone();
    }
    match at.form {
        Form::Table => {
            let explanation = view["status"]["explanation"].take();
            // A line each would bury all else.
            let partitions = view["partitions"].as_array().map_or(0, Vec::len);
            view["partitions"] = json!(partitions);
            one(&view, Form::Table)?;
            if !explanation.is_null() {
                say(&format!("failed: {}\n", told(&explanation)))?;
            }
        }
        form => one(&view, form)?,
    }
    Ok(Exit::Done)
}

async fn each(at: &At, names: &NamesArguments, verb: &str, target: &str, screen: &Screen) -> Result<Exit, Failure> {
    for name in &names.names {
        let view = at.api.post(&at.path(name, &format!(":{verb}")), None).await?.body;
        if at.form != Form::Table {
            one(&view, at.form)?;
        }
    }
    let mut exit = Exit::Done;
    for name in &names.names {
        match wait::wait(at, name, target, names.wait.wait, screen).await? {
            Exit::Done => {}
            other => exit = other,
        }
    }
    Ok(exit)
}

async fn delete(at: &At, names: &[String], yes: bool, screen: &Screen) -> Result<Exit, Failure> {
    if !confirmed(&format!("delete {}", names.join(", ")), yes, screen)? {
        screen.print(b"nothing was deleted\n");
        return Ok(Exit::Done);
    }
    for name in names {
        at.api.delete(&at.path(name, "")).await?;
        match at.form {
            Form::Table => say(&format!("deleted connector {name}\n"))?,
            form => one(&json!({ "deleted": name }), form)?,
        }
    }
    Ok(Exit::Done)
}

async fn offsets(
    at: &At,
    name: &str,
    set: &[String],
    reset: bool,
    yes: bool,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let path = at.path(name, "/offsets");
    // The server's hint is a request; here it is a command.
    let stop_it = |failure: Failure| match failure.code.as_deref() {
        Some("control.not-stopped") => {
            let what = failure.text.lines().next().unwrap_or_default();
            Failure { text: format!("{what}\n  hint: tidegate connector stop {name} --wait"), ..failure }
        }
        _ => failure,
    };
    if reset {
        if !confirmed(&format!("take all offsets of {name} away"), yes, screen)? {
            screen.print(b"nothing was changed\n");
            return Ok(Exit::Done);
        }
        at.api.delete(&path).await.map_err(stop_it)?;
    } else if !set.is_empty() {
        let wanted: Vec<Value> = set.iter().map(|text| offset(text)).collect::<Result<_, _>>()?;
        at.api.ask("PATCH", &path, Some(&json!({ "offsets": wanted })), &[]).await.map_err(stop_it)?;
    }
    let answer = at.api.get(&path).await?.body;
    let offsets = answer["offsets"].as_array().cloned().unwrap_or_default();
    let columns: &[Column] = &[
        ("topic", |one| text(&one["topic"])),
        ("partition", |one| text(&one["partition"])),
        ("offset", |one| text(&one["offset"])),
    ];
    list("offsets", &offsets, columns, at.form)?;
    Ok(Exit::Done)
}

async fn logs(at: &At, name: &str, follow: bool) -> Result<Exit, Failure> {
    let mut signals =
        Signals::new().map_err(|error| Failure::failed(format!("could not listen for signals: {error}")))?;
    let mut since: Option<String> = None;
    loop {
        let mut path = at.path(name, "/logs");
        if let Some(since) = &since {
            let joint = if path.contains('?') { '&' } else { '?' };
            path = format!("{path}{joint}since={}", segment(since));
        }
        let found = at.api.get(&path).await?.body;
        for line in found["lines"].as_array().into_iter().flatten() {
            match at.form {
                Form::Table => {
                    let [at, level, said] = ["at", "level", "text"].map(|key| text(&line[key]));
                    say(&format!("{at} {level:5} {}\n", printable(&said)))?;
                }
                // A line each, so that what reads them need not wait for an end.
                Form::Json => say(&format!("{line}\n"))?,
                Form::Yaml => one(line, Form::Yaml)?,
            }
            since = line["at"].as_str().map(ToOwned::to_owned);
        }
        if !follow {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(wait::EVERY) => {}
            () = signals.next() => return Ok(Exit::Done),
        }
    }
}

/// `orders:3=1200`, `orders:3=earliest`
fn offset(text: &str) -> Result<Value, Failure> {
    let read = || {
        let (place, offset) = text.rsplit_once('=')?;
        let (topic, partition) = place.rsplit_once(':')?;
        let partition: u32 = partition.parse().ok()?;
        let offset = match offset {
            "earliest" => Value::Null,
            number => json!(number.parse::<u64>().ok()?),
        };
        Some(json!({ "topic": topic, "partition": partition, "offset": offset }))
    };
    read().ok_or_else(|| Failure::usage(format!("{text} is no offset, as orders:3=1200 and orders:3=earliest are")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_people_write_them() {
        assert_eq!(offset("orders:3=1200").unwrap(), json!({ "topic": "orders", "partition": 3, "offset": 1200 }));
        assert_eq!(offset("a:b:0=earliest").unwrap(), json!({ "topic": "a:b", "partition": 0, "offset": null }));
        for wrong in ["orders", "orders:3", "orders=1", "orders:-1=2", "orders:1=-2", "orders:1=latest"] {
            assert!(offset(wrong).is_err(), "{wrong}");
        }
    }
}
