//! `connector import`: connectors of a running Kafka Connect cluster move over. The group stays the same
//! (`connect-NAME`), and with it the offsets: so the old one must be out of it before the new one joins.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;
use world::Environment;

use super::diff::is_mask;
use super::{At, wait};
use crate::args::{Exit, seconds};
use crate::remote::{Access, Api, Failure, Hints, confirmed, read_secret, say, segment};
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// URL of Kafka Connect's REST API.
    #[arg(long, value_name = "URL")]
    from: String,
    /// Who asks there (basic authentication).
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// File that holds the password alone; - is stdin. Not set: TIDEGATE_IMPORT_PASSWORD, or asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Only these; not set: all.
    names: Vec<String>,
    /// Show what would be done, what is refused, and why; do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// How long each step of each connector may take.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

/// A connector there.
#[derive(Debug)]
struct Moving {
    name: String,
    config: Value,
    /// What it does there: RUNNING, PAUSED, STOPPED.
    state: String,
}

/// What to do next about the worker that is left.
const CONNECT: Hints = Hints {
    unreachable: "--from is the URL of Kafka Connect's REST API; a worker that is down shows no connectors",
    no_credentials: "give --user, and the password by --password-file or TIDEGATE_IMPORT_PASSWORD",
    wrong_credentials: "check --user and the password: it is Kafka Connect's, not Tidegate's",
};

const EVERY: Duration = Duration::from_millis(300);

pub(super) async fn import(
    at: &At,
    arguments: &ImportArguments,
    environment: &Environment,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let there = open(arguments, environment, screen)?;
    let mut fit = Vec::new();
    let mut refused = 0;
    for moving in listed(&there, &arguments.names).await? {
        match why_not(at, &moving).await? {
            None => {
                say(&format!("{}: {} there, can move\n", moving.name, moving.state))?;
                fit.push(moving);
            }
            Some(why) => {
                refused += 1;
                say(&format!("{}: stays, {why}\n", moving.name))?;
            }
        }
    }
    let rest = if refused > 0 { Exit::Refused } else { Exit::Done };
    if arguments.dry_run || fit.is_empty() {
        return Ok(rest);
    }
    let question = format!("stop {} at {} and go on with them at {}", count(fit.len()), there.url(), at.api.url());
    if !confirmed(&question, arguments.yes, screen)? {
        screen.print(b"nothing was done\n");
        return Ok(Exit::Done);
    }
    for moving in &fit {
        // One after the other: what fails is one connector, and it runs again where it ran.
        move_one(at, &there, moving, arguments.timeout, screen).await?;
        say(&format!("{}: moved\n", moving.name))?;
    }
    screen.print(
        format!(
            "they are stopped at {0}, not deleted; once all is well: curl -X DELETE {0}/connectors/NAME\n",
            there.url()
        )
        .as_bytes(),
    );
    Ok(rest)
}

fn count(number: usize) -> String {
    if number == 1 { "1 connector".to_owned() } else { format!("{number} connectors") }
}

fn open(arguments: &ImportArguments, environment: &Environment, screen: &Screen) -> Result<Api, Failure> {
    let who = match &arguments.user {
        None => None,
        Some(user) => {
            let given = environment.get("TIDEGATE_IMPORT_PASSWORD").filter(|password| !password.is_empty());
            let password = match (&arguments.password_file, given) {
                (Some(file), _) => read_secret(Some(file), &format!("password of {user}"))?,
                (None, Some(password)) => world::Secret::new(password),
                (None, None) => read_secret(None, &format!("password of {user}"))?,
            };
            Some((user.clone(), password))
        }
    };
    let url = arguments.from.clone();
    let access = Access { url, who, ca_cert: None, insecure: false, cluster: None, environment: None };
    Ok(Api::open(access, screen)?.with_hints(CONNECT))
}

/// The connectors there that are asked for.
async fn listed(there: &Api, names: &[String]) -> Result<Vec<Moving>, Failure> {
    let all = there.get("/connectors?expand=info&expand=status").await?.body;
    let all = all.as_object().ok_or_else(|| {
        let hint = "expand=info is of Kafka 2.3 and later";
        Failure::failed(format!("{} does not answer as Kafka Connect does\n  hint: {hint}", there.url()))
    })?;
    if let Some(unknown) = names.iter().find(|name| !all.contains_key(*name)) {
        let near = fault::suggest(unknown, all.keys().map(String::as_str));
        let hint = near.map_or_else(|| format!("there are {}", all.len()), |near| format!("did you mean {near}?"));
        return Err(Failure::refused(format!("{} has no connector {unknown}\n  hint: {hint}", there.url())));
    }
    let chosen = all.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    Ok(chosen
        .map(|(name, one)| Moving {
            name: name.clone(),
            config: one["info"]["config"].clone(),
            state: one["status"]["connector"]["state"].as_str().unwrap_or("UNKNOWN").to_owned(),
        })
        .collect())
}

/// Why a connector cannot move, if it cannot.
async fn why_not(at: &At, moving: &Moving) -> Result<Option<String>, Failure> {
    if at
        .api
        .get(&at.path(&moving.name, ""))
        .await
        .map_or_else(|failure| if failure.is_not_found() { Ok(false) } else { Err(failure) }, |_| Ok(true))?
    {
        return Ok(Some("there is one of this name here already".to_owned()));
    }
    let masked = moving.config.as_object().into_iter().flatten();
    let masked: Vec<&str> =
        masked.filter(|(_, value)| value.as_str().is_some_and(is_mask)).map(|(key, _)| key.as_str()).collect();
    if !masked.is_empty() {
        let keys = masked.join(", ");
        return Ok(Some(format!(
            "{keys} is masked there: have it refer to a config provider, or make it here by hand"
        )));
    }
    let found = at.api.post(&at.with_cluster("/v1/connectors:validate"), Some(&moving.config)).await;
    let found = match found {
        Ok(found) => found.body,
        Err(failure) if failure.exit == Exit::Refused => return Ok(Some(failure.text)),
        Err(failure) => return Err(failure),
    };
    if found["error_count"].as_u64() == Some(0) {
        return Ok(None);
    }
    let told = json!({ "title": "its configuration is refused here", "faults": found["faults"] });
    Ok(Some(Failure::of_answer(422, &told, at.api.url()).text))
}

/// Moves one connector; whatever fails on the way, the old one goes on as it did.
async fn move_one(at: &At, there: &Api, moving: &Moving, within: Duration, screen: &Screen) -> Result<(), Failure> {
    let name = &moving.name;
    let path = format!("/connectors/{}", segment(name));
    if let Err(mut failure) = there.put(&format!("{path}/stop"), None).await {
        failure.text = format!("{name} could not be stopped there: {}", failure.text);
        failure
            .text
            .push_str("\n  hint: stopping a connector is of Kafka 3.5 and later (KIP-875); nothing was changed");
        return Err(failure);
    }
    match moved(at, there, moving, &path, within, screen).await {
        Ok(()) => Ok(()),
        Err(mut failure) => {
            // The new one leaves the group before the old one joins it again.
            let gone = match at.api.delete(&at.path(name, "")).await {
                Err(failure) if !failure.is_not_found() => Err(failure),
                _ => Ok(()),
            };
            let back = match (gone, moving.state.as_str()) {
                (Err(failure), _) => Err(failure),
                (Ok(()), "STOPPED") => Ok(()),
                (Ok(()), "PAUSED") => there.put(&format!("{path}/pause"), None).await.map(drop),
                (Ok(()), _) => there.put(&format!("{path}/resume"), None).await.map(drop),
            };
            failure.text = match back {
                Ok(()) => format!("{name} was not moved, and goes on where it was: {}", failure.text),
                Err(second) => format!(
                    "{name} was not moved: {}\n  and it could not be started again where it was: {}",
                    failure.text, second.text
                ),
            };
            Err(failure)
        }
    }
}

async fn moved(
    at: &At,
    there: &Api,
    moving: &Moving,
    path: &str,
    within: Duration,
    screen: &Screen,
) -> Result<(), Failure> {
    let name = &moving.name;
    screen.status(&format!("{name}: waiting until its tasks there are gone"));
    until_stopped(there, name, path, within).await?;
    let before = offsets_there(there, path).await?;
    let mut body = json!({ "name": name, "config": moving.config, "target": "STOPPED" });
    if let Some(cluster) = &at.cluster {
        body["cluster"] = json!(cluster);
    }
    at.api.create("/v1/connectors", &body).await?;
    screen.status(&format!("{name}: comparing offsets"));
    let here = at.api.get(&at.path(name, "/offsets")).await?.body;
    let here = pairs(&here["offsets"], |one| (one["topic"].clone(), one["partition"].clone(), one["offset"].clone()));
    if before != here {
        return Err(Failure::failed(format!(
            "it has other offsets here than there ({} partitions there, {} here)\n  \
             hint: both must be of the same Kafka cluster, and of the same consumer group",
            before.len(),
            here.len()
        )));
    }
    match moving.state.as_str() {
        "STOPPED" => {}
        "PAUSED" => {
            at.api.post(&at.path(name, ":pause"), None).await?;
        }
        _ => {
            at.api.post(&at.path(name, ":resume"), None).await?;
            wait::wait(at, name, "RUNNING", Some(within), screen).await?;
        }
    }
    screen.status("");
    Ok(())
}

/// A stopped connector has no tasks, and so no members in its group.
async fn until_stopped(there: &Api, name: &str, path: &str, within: Duration) -> Result<(), Failure> {
    let end = Instant::now() + within;
    loop {
        let status = there.get(&format!("{path}/status")).await?.body;
        let tasks = status["tasks"].as_array().map_or(0, Vec::len);
        if status["connector"]["state"] == "STOPPED" && tasks == 0 {
            return Ok(());
        }
        if Instant::now() >= end {
            let within = within.as_secs();
            return Err(Failure::no_progress(format!("{name} still has {tasks} tasks there after {within} s")));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Topic, partition, offset of each, in one order.
type Offsets = Vec<(String, String, String)>;

async fn offsets_there(there: &Api, path: &str) -> Result<Offsets, Failure> {
    let found = there.get(&format!("{path}/offsets")).await?.body;
    Ok(pairs(&found["offsets"], |one| {
        let partition = &one["partition"];
        (partition["kafka_topic"].clone(), partition["kafka_partition"].clone(), one["offset"]["kafka_offset"].clone())
    }))
}

fn pairs(list: &Value, of: impl Fn(&Value) -> (Value, Value, Value)) -> Offsets {
    let list = list.as_array().into_iter().flatten().map(of);
    let mut pairs: Offsets =
        list.map(|(topic, partition, offset)| (topic.to_string(), partition.to_string(), offset.to_string())).collect();
    pairs.sort();
    pairs
}
