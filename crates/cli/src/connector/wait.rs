use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{At, text};
use crate::args::Exit;
use crate::remote::{Failure, Form, say, told};
use crate::run::Signals;
use crate::screen::Screen;

/// How often is looked: people do not see less.
pub(super) const EVERY: Duration = Duration::from_millis(300);

/// Waits until a connector does what it shall; without a time, not at all.
pub(super) async fn wait(
    at: &At,
    name: &str,
    target: &str,
    within: Option<Duration>,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let Some(within) = within else { return Ok(Exit::Done) };
    let end = Instant::now() + within;
    loop {
        let view = at.get(name).await?;
        let state = text(&view["status"]["connector"]);
        let tasks = view["status"]["tasks"].as_array().map_or(&[][..], Vec::as_slice);
        if screen.is_terminal() {
            screen.status(&format!("{name}: {state}"));
        }
        // One that was made paused has no tasks yet.
        if state == target && tasks.iter().all(|task| *task == target) && (target != "RUNNING" || !tasks.is_empty()) {
            screen.status("");
            return Ok(Exit::Done);
        }
        let has_failed = state == "FAILED" || tasks.iter().any(|task| *task == "FAILED");
        if has_failed && target == "RUNNING" {
            screen.status("");
            let why = told(&view["status"]["explanation"]);
            return Err(Failure::failed(format!("connector {name} has failed: {why}")));
        }
        if Instant::now() >= end {
            screen.status("");
            let within = within.as_secs();
            return Err(Failure::no_progress(format!("connector {name} is {state} and not {target} after {within} s")));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Tells what connectors do, and each change as it happens.
pub(super) async fn watch(at: &At, name: Option<&str>) -> Result<Exit, Failure> {
    let mut signals =
        Signals::new().map_err(|error| Failure::failed(format!("could not listen for signals: {error}")))?;
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    loop {
        let views = match name {
            Some(name) => vec![at.get(name).await?],
            None => at.api.all(&at.with_cluster("/v1/connectors")).await?,
        };
        for view in views {
            let status = &view["status"];
            let now = serde_json::json!([view["revision"], view["target"], status]);
            let name = text(&view["name"]);
            if known.get(&name) == Some(&now) {
                continue;
            }
            match at.form {
                Form::Table => say(&line(&name, &view))?,
                _ => say(&format!(
                    "{}\n",
                    serde_json::json!({ "name": name, "target": view["target"], "status": status })
                ))?,
            }
            known.insert(name, now);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = signals.next() => return Ok(Exit::Done),
        }
    }
}

fn line(name: &str, view: &Value) -> String {
    let status = &view["status"];
    let tasks: Vec<_> = status["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut line = format!("{name}  {}  tasks {}", text(&status["connector"]), tasks.join(","));
    let explanation = &status["explanation"];
    if !explanation.is_null() {
        let (since, attempts) = (text(&explanation["since"]), &explanation["attempts"]);
        write!(line, "\n  since {since}, {attempts} in a row: ").expect("writing to a String does not fail");
        line.push_str(&told(explanation));
    }
    line.push('\n');
    line
}
