use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use fault::printable;
use serde_json::{Value, json};
use world::Environment;

use crate::args::{ConnectionArguments, ConnectionTestArguments, Exit, TestDepth};
use crate::remote::{Api, Failure, Form, as_yaml, confirmed, one, say, segment};
use crate::screen::Screen;

/// The largest spec that is read.
const LARGEST: u64 = 1 << 20;

/// A server, and the environment that is meant.
pub(super) struct At {
    api: Api,
    environment: Option<String>,
    form: Form,
}

pub(super) fn open(arguments: &ConnectionArguments, environment: &Environment, screen: &Screen) -> Result<At, Failure> {
    let api = Api::open(arguments.server.access(environment)?, screen)?;
    let environment = arguments.environment.clone().or_else(|| api.environment.clone());
    Ok(At { api, environment, form: arguments.output })
}

impl At {
    fn path(&self, rest: &str) -> String {
        let path = format!("/v1/connections{rest}");
        self.environment.as_ref().map_or(path.clone(), |id| format!("{path}?environment={}", segment(id)))
    }

    fn of(&self, name: &str, rest: &str) -> String {
        self.path(&format!("/{}{rest}", segment(name)))
    }
}

pub(super) async fn list(at: &At) -> Result<Exit, Failure> {
    let items = at.api.all(&at.path("")).await?;
    crate::remote::list(
        "connections",
        &items,
        &[
            ("name", |one| one["name"].as_str().unwrap_or("-").to_owned()),
            ("kind", |one| one["spec"]["kind"].as_str().unwrap_or("-").to_owned()),
            ("region", |one| one["spec"]["region"].as_str().unwrap_or("-").to_owned()),
            ("from", |one| if one["is_from_file"] == true { "file" } else { "server" }.to_owned()),
        ],
        at.form,
    )?;
    Ok(Exit::Done)
}

pub(super) async fn show(at: &At, name: &str) -> Result<Exit, Failure> {
    one(&at.api.get(&at.of(name, "")).await?.body, at.form)?;
    Ok(Exit::Done)
}

pub(super) async fn put(at: &At, name: &str, file: &Path) -> Result<Exit, Failure> {
    let spec = read(file)?;
    let answer = at.api.put(&at.of(name, ""), Some(&spec)).await?;
    match at.form {
        Form::Table => {
            let what = if answer.status == 201 { "made" } else { "changed" };
            say(&format!("{what} connection {name}\n"))?;
        }
        form => one(&answer.body, form)?,
    }
    Ok(Exit::Done)
}

/// A spec as JSON, YAML or TOML; a file of connections with one in it is taken, too.
fn read(file: &Path) -> Result<Value, Failure> {
    let told = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().lock().take(LARGEST).read_to_string(&mut text),
        _ => std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text)),
    };
    read.map_err(|error| told(format!("could not be read: {error}")))?;
    let is_toml = file.extension().is_some_and(|kind| kind == "toml");
    let value: Value = if is_toml {
        toml::from_str(&text).map_err(|error| told(error.to_string()))?
    } else {
        // JSON is YAML.
        serde_yaml_ng::from_str(&text).map_err(|error| told(error.to_string()))?
    };
    match value.get("connections").and_then(Value::as_object) {
        Some(all) if all.len() == 1 => Ok(all.values().next().cloned().unwrap_or_default()),
        Some(all) => Err(told(format!("holds {} connections, and one is put at a time", all.len()))),
        None => Ok(value),
    }
}

pub(super) async fn delete(at: &At, name: &str, yes: bool, screen: &Screen) -> Result<Exit, Failure> {
    if !confirmed(&format!("delete connection {name}"), yes, screen)? {
        screen.print(b"nothing was deleted\n");
        return Ok(Exit::Done);
    }
    at.api.delete(&at.of(name, "")).await?;
    match at.form {
        Form::Table => say(&format!("deleted connection {name}\n"))?,
        form => one(&json!({ "deleted": name }), form)?,
    }
    Ok(Exit::Done)
}

pub(super) async fn test(at: &At, arguments: &ConnectionTestArguments) -> Result<Exit, Failure> {
    let depth = arguments.depth.map(|depth| match depth {
        TestDepth::Offline => "offline",
        TestDepth::Identity => "identity",
        TestDepth::Read => "read",
        TestDepth::Write => "write",
    });
    let body = json!({ "depth": depth, "bucket": arguments.bucket, "prefix": arguments.prefix });
    let report = at.api.post(&at.of(&arguments.name, ":test"), Some(&body)).await?.body;
    match at.form {
        Form::Table => say(&page(&report))?,
        Form::Json => say(&format!("{report:#}\n"))?,
        Form::Yaml => say(&as_yaml(&report))?,
    }
    Ok(match report["verdict"].as_str() {
        Some("passed") => Exit::Done,
        Some("unproven") => Exit::NoProgress,
        _ => Exit::Failed,
    })
}

/// A report as people read it: a line a check; under what is not well, why, and what to do.
fn page(report: &Value) -> String {
    let text = |value: &Value| printable(value.as_str().unwrap_or_default()).into_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut out = format!("{} {}, depth {}\n", text(&report["kind"]), text(&report["target"]), text(&report["depth"]));
    let mut line = |line: String| writeln!(out, "{line}").expect("writing to a String does not fail");
    for check in list(&report["checks"]).iter().filter(|check| check["status"] != "skipped") {
        line(format!("  {:<8} {}  {}", text(&check["status"]), text(&check["check"]), text(&check["reason"])));
        for hint in list(&check["hints"]) {
            line(format!("    do: {}", text(&hint)));
        }
        for diagnosis in list(&check["diagnoses"]) {
            line(format!("    cause: {} [{}]", text(&diagnosis["title"]), text(&diagnosis["cause"])));
            for remedy in list(&diagnosis["remedies"]) {
                line(format!("    do: {}", text(&remedy["action"])));
                if let Some(paste) = remedy["paste"]["text"].as_str() {
                    for row in paste.lines() {
                        line(format!("      {}", printable(row)));
                    }
                }
            }
        }
    }
    for untested in list(&report["not_tested"]) {
        line(format!("  not tested: {}", text(&untested)));
    }
    line(text(&report["verdict"]));
    out
}
