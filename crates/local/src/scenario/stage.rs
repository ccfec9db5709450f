use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tempfile::TempDir;
use toml::{Table, Value};
use world::{Clock, Environment};

use super::base::Base;
use super::certificates::{Authority, Validity};
use super::connections::{self, Filling};
use super::fault::{PlayError, ScenarioFault, ScenarioFaults};
use super::network::{self, Obstacle, SERVICES};
use super::obstacle::Standing;
use super::parsed::Scenario;
use super::reader::{Reader, as_json};
use super::script::{LATE, Script};
use super::variable::{self, Variables};
use super::{caller, machine};
use crate::aws::{self, Aws, AwsError, AwsOptions, BucketContents, Keys};

/// The variable by which clients find instance metadata.
const IMDS: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// A scenario that is being played: an AWS in this process, and a machine that sees nothing of the real one. It ends when
/// this is dropped.
pub struct Stage {
    aws: Aws,
    clock: Clock,
    environment: Environment,
    connections: String,
    connector: Option<String>,
    dir: TempDir,
    _obstacles: Vec<Standing>,
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
        let (endpoints, obstacles) = self.network(&aws, dir.path()).await?;
        let mut known: Variables = variables.clone();
        known.insert("dir".to_owned(), dir.path().display().to_string());
        known.insert("endpoint".to_owned(), aws.endpoint());
        known.insert("endpoint.sts-global".to_owned(), aws.open_global_sts().await?);
        known.extend(aliases(&self.table));
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

        let (keys, bases) = self.populate(&aws, &script, dir.path()).await?;
        if let Some(keys) = &keys {
            known.insert("caller.arn".to_owned(), keys.arn.to_string());
            known.insert("caller.access_key_id".to_owned(), keys.access_key_id.clone());
            known.insert("caller.secret_access_key".to_owned(), keys.secret.expose().to_owned());
            known.extend(keys.token.iter().map(|token| ("caller.session_token".to_owned(), token.expose().to_owned())));
        }
        let mut table = self.table.clone();
        let mut faults = Vec::new();
        fill(&mut table, |key| LATE.contains(&key), &known, &mut faults);
        let machine = machine::read(&mut Reader::new(&table, &mut faults));
        let is_secure = network::is_secure(&mut Reader::new(&table, &mut faults));
        let connections = table.get("connections").and_then(Value::as_table).cloned().unwrap_or_default();
        let filling = Filling { endpoints: &endpoints, bases: &bases };
        let connections = connections::print(&connections, &filling, &mut faults);
        self.refuse(faults)?;

        // What the scenario says goes before what follows from it: a file may be spoilt.
        let given = bases.iter().flat_map(|base| &base.files).map(|(name, text)| (*name, text));
        for (name, text) in given.chain(machine.files.iter().map(|(name, text)| (name.as_str(), text))) {
            write(&dir.path().join(name), text).await?;
        }
        aws.set_path(aws::Path { source_ip: machine.address, is_secure, endpoints: machine.endpoints });
        let mut environment = machine.environment;
        for (name, value) in bases.into_iter().flat_map(|base| base.environment) {
            environment.entry(name).or_insert(value);
        }
        environment.entry(IMDS.to_owned()).or_insert_with(|| endpoints["imds"].clone());
        Ok(Stage {
            clock: match machine.clock {
                None => Clock::system(),
                Some((true, by)) => Clock::manual(Clock::system().now() - by),
                Some((false, by)) => Clock::manual(Clock::system().now() + by),
            },
            environment: Environment::of(environment),
            connections,
            connector: table.get("connector").map(|connector| format!("{:#}\n", as_json(connector))),
            aws,
            dir,
            _obstacles: obstacles,
        })
    }

    /// Where each service is asked, with what stands in the way.
    async fn network(
        &self,
        aws: &Aws,
        dir: &Path,
    ) -> Result<(BTreeMap<&'static str, String>, Vec<Standing>), PlayError> {
        let mut said = network::read(&mut Reader::new(&self.table, &mut Vec::new()));
        if !self.table.contains_key("instance") {
            // What is no instance has nobody to tell it what it is.
            said.entry("imds").or_insert(Obstacle::Refused);
        }
        let now = Clock::system().now();
        let authority = Authority::root("Scenario TLS Root", Validity::Now, now)
            .map_err(|error| AwsError::Unmade { what: "an authority".to_owned(), reason: error.to_string() })?;
        write(&dir.join("ca.pem"), &authority.pem).await?;
        let mut endpoints: BTreeMap<_, _> = SERVICES.into_iter().map(|service| (service, aws.endpoint())).collect();
        let mut obstacles = Vec::new();
        for (service, obstacle) in said {
            let standing = Standing::put(obstacle, service, aws.address(), &authority, now).await;
            let standing = standing.map_err(|source| machine_error(format!("the way to {service}"), source))?;
            endpoints.insert(service, standing.url.clone());
            obstacles.push(standing);
        }
        Ok((endpoints, obstacles))
    }

    /// Puts everything to its place, and gives the caller's keys and the ways to be somebody.
    async fn populate(&self, aws: &Aws, script: &Script, dir: &Path) -> Result<(Option<Keys>, Vec<Base>), PlayError> {
        let entities = script.accounts.iter().map(|(account, script)| (*account, script.entities.clone()));
        if let Err(refused) = aws.stock_accounts(entities.collect()) {
            let fault =
                |(account, error)| ScenarioFault::new(format!("accounts.{account}"), fault::Chain(&error).to_string());
            self.refuse(refused.into_iter().map(fault).collect())?;
        }
        for (account, script) in &script.accounts {
            aws.stock_regions(*account, script.regions.clone());
            if let Some(organization) = &script.organization {
                aws.stock_organization(*account, organization.clone());
            }
        }
        let mut faults = Vec::new();
        for bucket in &script.buckets {
            let key = format!("buckets.{}", bucket.name);
            let made = aws.stock_bucket(bucket.clone()).await;
            faults.extend(made.err().map(|error| ScenarioFault::new(key, fault::Chain(&error).to_string())));
        }
        for edit in &script.edits {
            faults.extend(edit.play(aws).await);
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
        let now = Clock::system().now();
        let mut bases: Vec<Base> = keys.iter().map(Base::of_keys).collect();
        if let Some(instance) = &script.instance {
            bases.push(instance.play(aws, &mut faults)?);
        }
        if let Some(container) = &script.container {
            bases.extend(container.play(aws, &mut faults));
        }
        if let Some(token) = &script.web_identity {
            let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            bases.extend(token.play(aws, dir, seconds, &mut faults));
        }
        if let Some(anywhere) = &script.anywhere {
            bases.extend(anywhere.play(aws, dir, now, &mut faults)?);
        }
        self.refuse(faults)?;
        Ok((keys, bases))
    }

    fn refuse(&self, faults: Vec<ScenarioFault>) -> Result<(), ScenarioFaults> {
        if faults.is_empty() { Ok(()) } else { Err(ScenarioFaults { origin: self.origin.clone(), faults }) }
    }
}

impl std::fmt::Debug for Stage {
    /// Without its texts, which hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("aws", &self.aws).field("dir", &self.dir).finish_non_exhaustive()
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

    /// What is in a bucket now; `None` if there is none of that name. For whoever must leave nothing behind.
    pub fn bucket(&self, name: &str) -> Option<BucketContents> {
        self.aws.contents(name)
    }

    /// Where the scenario's files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// The aliases of all access points, by variable.
fn aliases(table: &Table) -> Vec<(String, String)> {
    let buckets = table.get("buckets").and_then(Value::as_table);
    let points = buckets.into_iter().flatten().filter_map(|(_, bucket)| bucket.get("access_points")?.as_table());
    let names = points.flat_map(Table::keys);
    names.map(|name| (format!("access_point.{name}"), aws::access_point_alias(name))).collect()
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

async fn write(path: &Path, text: &str) -> Result<(), PlayError> {
    tokio::fs::write(path, text).await.map_err(|source| machine_error(path, source))
}
