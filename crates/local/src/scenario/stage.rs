use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toml::{Table, Value};
use world::{Clock, Environment};

use super::connections::{self, Filling, SERVICES};
use super::fault::{PlayError, ScenarioFault, ScenarioFaults};
use super::parsed::Scenario;
use super::reader::{Reader, as_json};
use super::script::{LATE, Script};
use super::variable::{self, Variables};
use super::{caller, machine};
use crate::aws::{Aws, AwsOptions, Keys};

/// The variable by which clients find instance metadata.
const IMDS: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// A scenario that is being played: an AWS in this process, and a machine that sees nothing of the real one. It ends when
/// this is dropped.
#[derive(Debug)]
pub struct Stage {
    aws: Aws,
    clock: Clock,
    environment: Environment,
    connections: String,
    connector: Option<String>,
    dir: TempDir,
}

impl Scenario {
    /// Plays it on the current runtime. `variables` are for `${name}` in its texts, beside those that the stage itself has.
    pub async fn play(&self, variables: &BTreeMap<String, String>) -> Result<Stage, PlayError> {
        let mut faults = Vec::new();
        for name in variables.keys().filter(|name| !is_free(name)) {
            let text =
                "is no name for a variable: lower-case letters, digits, dashes, underscores; not endpoint or dir";
            faults.push(ScenarioFault::new(format!("${{{name}}}"), text));
        }
        let aws = Aws::start(AwsOptions::default()).await?;
        let dir = TempDir::with_prefix("tidegate-scenario-")
            .map_err(|source| machine_error("temporary directory", source))?;
        let endpoints = endpoints(&aws);
        let mut known: Variables = variables.clone();
        known.insert("dir".to_owned(), dir.path().display().to_string());
        known.insert("endpoint".to_owned(), aws.endpoint());
        known.extend(endpoints.iter().map(|(service, url)| (format!("endpoint.{service}"), url.clone())));

        // A rehearsal, which finds every fault before anything is made.
        let mut table = self.table.clone();
        fill(&mut table, |key| !LATE.contains(&key), &known, &mut faults);
        let who = caller::read(&mut Reader::new(&table, &mut Vec::new()));
        let mut later = known.clone();
        later.extend(caller::variables(who.as_ref()).map(|name| (name.to_owned(), String::new())));
        fill(&mut table, |key| LATE.contains(&key), &later, &mut faults);
        let (_, script) = Script::read(&table, &mut faults);
        self.refuse(faults)?;

        let keys = self.populate(&aws, &script).await?;
        if let Some(keys) = &keys {
            known.insert("caller.arn".to_owned(), keys.arn.to_string());
            known.insert("caller.access_key_id".to_owned(), keys.access_key_id.clone());
            known.insert("caller.secret_access_key".to_owned(), keys.secret.expose().to_owned());
            known.extend(
                keys.token.as_ref().map(|token| ("caller.session_token".to_owned(), token.expose().to_owned())),
            );
        }
        let mut table = self.table.clone();
        let mut faults = Vec::new();
        fill(&mut table, |key| LATE.contains(&key), &known, &mut faults);
        let machine = machine::read(&mut Reader::new(&table, &mut faults));
        self.refuse(faults)?;
        for (name, text) in &machine.files {
            let path = dir.path().join(name);
            tokio::fs::write(&path, text).await.map_err(|source| machine_error(path, source))?;
        }
        let mut environment = machine.environment;
        environment.entry(IMDS.to_owned()).or_insert_with(|| endpoints["imds"].clone());
        let filling = Filling { endpoints: &endpoints, keys: keys.as_ref() };
        let connections = table.get("connections").and_then(Value::as_table).cloned().unwrap_or_default();
        Ok(Stage {
            clock: match machine.clock {
                None => Clock::system(),
                Some((true, by)) => Clock::manual(Clock::system().now() - by),
                Some((false, by)) => Clock::manual(Clock::system().now() + by),
            },
            environment: Environment::of(environment),
            connections: connections::print(&connections, &filling),
            connector: table.get("connector").map(|connector| format!("{:#}\n", as_json(connector))),
            aws,
            dir,
        })
    }

    /// Puts everything to its place, and gives the caller's keys.
    async fn populate(&self, aws: &Aws, script: &Script) -> Result<Option<Keys>, PlayError> {
        if let Err(refused) = aws.stock_accounts(script.accounts.clone()) {
            let fault =
                |(account, error)| ScenarioFault::new(format!("accounts.{account}"), fault::Chain(&error).to_string());
            self.refuse(refused.into_iter().map(fault).collect())?;
        }
        let mut faults = Vec::new();
        for bucket in &script.buckets {
            let key = format!("buckets.{}", bucket.name);
            let made = aws.stock_bucket(bucket.clone()).await;
            faults.extend(made.err().map(|error| ScenarioFault::new(key, fault::Chain(&error).to_string())));
        }
        for rule in &script.rules {
            aws.faults().add(rule.clone())?;
        }
        let keys = match &script.caller {
            None => None,
            Some(caller) => match aws.keys_of(caller).await {
                Ok(keys) => Some(keys),
                Err(error) => {
                    faults.push(ScenarioFault::new("caller", fault::Chain(&error).to_string()));
                    None
                }
            },
        };
        self.refuse(faults)?;
        Ok(keys)
    }

    fn refuse(&self, faults: Vec<ScenarioFault>) -> Result<(), ScenarioFaults> {
        if faults.is_empty() { Ok(()) } else { Err(ScenarioFaults { origin: self.origin.clone(), faults }) }
    }
}

impl Stage {
    /// The AWS: its faults, its counters, its endpoint.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The environment of the machine: what the scenario says and where instance metadata is, nothing else.
    pub fn environment(&self) -> Environment {
        self.environment.clone()
    }

    /// The machine's clock. One that is off stands still.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The text of a file of connections, with endpoints and keys filled in.
    pub fn connections(&self) -> &str {
        &self.connections
    }

    /// The configuration of the connector, in JSON.
    pub fn connector(&self) -> Option<&str> {
        self.connector.as_deref()
    }

    /// Where the scenario's files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Where each service is asked.
fn endpoints(aws: &Aws) -> BTreeMap<&'static str, String> {
    SERVICES.into_iter().chain(["imds"]).map(|service| (service, aws.endpoint())).collect()
}

/// Fills in the tables whose names are `wanted`.
fn fill(table: &mut Table, wanted: impl Fn(&str) -> bool, known: &Variables, faults: &mut Vec<ScenarioFault>) {
    for (key, value) in table {
        if wanted(key) && key != "expect" {
            variable::fill(value, key, known, faults);
        }
    }
}

/// Whether a variable's name is not one of the stage's own, which have dots but for two.
fn is_free(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    !name.is_empty() && name.bytes().all(fits) && !["endpoint", "dir"].contains(&name)
}

fn machine_error(at: impl Into<PathBuf>, source: std::io::Error) -> PlayError {
    PlayError::Machine { at: at.into(), source }
}
