use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ::doctor::scenarios::{self, BuiltIn};
use ::doctor::{Depth, Expectation, Target};
use fault::Chain;
use local::broker::{Broker, BrokerOptions};
use local::scenario::{Scenario, Stage};
use serde::Deserialize as _;
use serde_json::json;

use super::{DoctorArguments, Subject};
use crate::args::Output;
use crate::doctor::usage::Usage;
use crate::screen::Screen;

/// A scenario that is on stage, as the doctor sees it.
pub(super) struct Played {
    pub(super) subject: Subject,
    expectation: Option<Expectation>,
    // Held: it all ends with them.
    _stage: Stage,
    _broker: Option<Broker>,
}

/// Where it stands what a scenario may say.
const WHAT: &str = "docs/doctor-scenarios.md says what a scenario may set; --variable NAME=VALUE fills in ${NAME}";

/// A stage is a directory.
const ROOM: &str = "let TMPDIR name a directory with room that this process may write to";

/// Several would show no more.
const PARTITIONS: usize = 1;

impl Played {
    /// Plays the scenario of that name or file.
    pub(super) async fn play(name: &str, arguments: &DoctorArguments, screen: &Screen) -> Result<Self, Usage> {
        let scenario = find(name, screen)?;
        let mut variables = BTreeMap::new();
        for variable in &arguments.variables {
            let Some((name, value)) = variable.split_once('=') else {
                let text = format!("--variable {variable:?} has no '='");
                return Err(Usage::new(text, "write it as NAME=VALUE"));
            };
            variables.insert(name.to_owned(), value.to_owned());
        }
        let mut arguments = arguments.clone();
        let expectation = match scenario.expect() {
            None => None,
            Some(expect) => Some(
                Expectation::deserialize(expect.clone())
                    .map_err(|error| Usage::new(format!("expect of the scenario: {error}"), WHAT))?,
            ),
        };
        let stage = scenario.play(&variables).await.map_err(|error| Usage::new(Chain(&error).to_string(), WHAT))?;
        let write = |name: &str, text: &str| {
            let path = stage.dir().join(name);
            write_ours(&path, text)
                .map_err(|error| Usage::new(format!("could not write {}: {error}", path.display()), ROOM))?;
            Ok::<_, Usage>(path)
        };
        arguments.worker.connections = Some(write("connections.json", stage.connections())?);
        // The stage has a store of its own, which is empty: nothing of the real machine is on it.
        arguments.store.store = Some(stage.dir().join("tidegate.db"));
        let mut broker = None;
        if arguments.target.is_none() {
            arguments.target = match stage.connector() {
                None => scenario.target().map(str::to_owned),
                Some(connector) => {
                    if arguments.worker.bootstrap_server.is_none() && arguments.worker.worker.is_none() {
                        let started = start_broker(connector).await?;
                        arguments.worker.bootstrap_server = Some(started.bootstrap());
                        broker = Some(started);
                    }
                    Some(write("connector.json", connector)?.display().to_string())
                }
            };
        }
        let subject = Subject { arguments, environment: stage.environment(), clock: stage.clock() };
        Ok(Self { subject, expectation, _stage: stage, _broker: broker })
    }

    /// What the scenario says of the target beyond its connection.
    pub(super) fn complete(&self, target: &mut Target) {
        let Some(expectation) = &self.expectation else { return };
        let named = self.subject.arguments.bucket.is_some();
        if let Some(place) = target.spec.as_ref().and_then(|spec| expectation.place(spec)).filter(|_| !named) {
            target.place = Some(place);
        }
        let given = (target.trust_policy.take(), target.permission_policy.take());
        target.trust_policy = given.0.or_else(|| expectation.trust_policy.clone());
        target.permission_policy = given.1.or_else(|| expectation.permission_policy.clone());
    }

    /// How deep it is to be examined.
    pub(super) fn depth(&self) -> Option<Depth> {
        self.expectation.as_ref()?.depth
    }

    /// What is to be found.
    pub(super) fn expectation(&self) -> Option<&Expectation> {
        self.expectation.as_ref()
    }
}

/// Writes a file that nobody else may read: there may be keys in it.
fn write_ours(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// A broker with the topics that the connector names.
async fn start_broker(connector: &str) -> Result<Broker, Usage> {
    let told = |text: String| Usage::new(text, "give a broker that is there by --bootstrap-server");
    let broker = Broker::start(BrokerOptions::default()).await.map_err(|error| told(Chain(&error).to_string()))?;
    let connector: serde_json::Value = serde_json::from_str(connector).unwrap_or_default();
    let config = connector.get("config").unwrap_or(&connector);
    let topics = config.get("topics").and_then(serde_json::Value::as_str).unwrap_or_default();
    for topic in topics.split(',').map(str::trim).filter(|topic| !topic.is_empty()) {
        broker.create_topic(topic, PARTITIONS, &[]).await.map_err(|error| told(Chain(&error).to_string()))?;
    }
    Ok(broker)
}

fn find(name: &str, screen: &Screen) -> Result<Scenario, Usage> {
    let read =
        |name: &str, text: &str| Scenario::parse(name, text).map_err(|faults| Usage::new(faults.to_string(), WHAT));
    if Path::new(name).is_file() {
        let text = std::fs::read_to_string(name).map_err(|error| {
            Usage::new(
                format!("could not read {name}: {error}"),
                "name a file that can be read, or one that is built in",
            )
        })?;
        return read(name, &text);
    }
    let named = scenarios::named(name);
    let Some((BuiltIn { name: first, text }, others)) = named.split_first() else {
        let close = fault::suggest(name, scenarios::ALL.iter().map(|scenario| scenario.name));
        let meant = close.map_or_else(String::new, |close| format!("did you mean {close}? "));
        let text = format!("{name} is no file and no scenario that is built in");
        return Err(Usage::new(text, format!("{meant}tidegate doctor --fake-aws list lists them")));
    };
    if !others.is_empty() {
        // A row may show itself in several ways.
        let others: Vec<_> = others.iter().map(|scenario| scenario.name).collect();
        screen.print(format!("{first}; of {name} there are also {}\n", others.join(", ")).as_bytes());
    }
    read(first, text)
}

/// The scenarios that are built in.
pub(super) fn list(output: Output) -> String {
    let parsed: Vec<(&str, Option<Scenario>)> = scenarios::ALL
        .iter()
        .map(|built_in| (built_in.name, Scenario::parse(built_in.name, built_in.text).ok()))
        .collect();
    if output == Output::Json {
        let all: Vec<_> = parsed
            .iter()
            .map(|(name, scenario)| {
                let scenario = scenario.as_ref();
                json!({
                    "name": name,
                    "row": scenario.and_then(Scenario::row),
                    "title": scenario.map(Scenario::title),
                    "about": scenario.and_then(Scenario::about),
                })
            })
            .collect();
        return format!("{:#}\n", json!({ "scenarios": all }));
    }
    let width = parsed.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, scenario) in &parsed {
        let title = scenario.as_ref().map_or("", Scenario::title);
        writeln!(out, "{name:width$}  {title}").expect("writing to a String does not fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_is_built_in_can_be_played_and_judged() {
        for BuiltIn { name, text } in scenarios::ALL {
            let scenario = Scenario::parse(name, text).unwrap_or_else(|faults| panic!("{faults}"));
            let expect = scenario.expect().unwrap_or_else(|| panic!("{name} says nothing of what is expected"));
            Expectation::deserialize(expect.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                scenario.row(),
                name.split_once('-').map(|(row, _)| row).filter(|row| *row != "healthy"),
                "{name}"
            );
        }
    }
}
