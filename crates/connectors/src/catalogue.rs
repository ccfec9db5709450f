//! The connector classes that there are, and how a configuration becomes a plan.

use format::text::Converters;

use crate::clients::{Clients, is_secret};
use crate::config::Config;
use crate::define::{KeyDef, Kind, Values, evaluate, warn_unknown};
use crate::faults::{ConfigFault, ConfigFaults, Findings, secrets};
use crate::framework::{self, FRAMEWORK_KEYS, FRAMEWORK_PREFIXES};
use crate::load::ConnectorFile;
use crate::own::{self, OWN_KEYS};
use crate::plan::{ConnectorPlan, PlanParts, SinkPlan};
use crate::report::CheckReport;
use crate::worker::{WorkerConfig, is_worker_key};
use crate::{aiven, clients, converter};

/// What a class makes of its own keys.
type PlanSink = fn(&Values, &Config, &WorkerConfig, Option<&Converters>, &mut Findings) -> Option<SinkPlan>;

/// A connector class.
#[derive(Debug)]
pub struct ConnectorClass {
    /// Its full name, as configurations call it.
    pub name: &'static str,
    /// The version whose contract is kept.
    pub version: &'static str,
    /// The class of its tasks, as Kafka Connect's REST API names it.
    pub task_class: &'static str,
    keys: &'static [KeyDef],
    prefixes: &'static [&'static str],
    plan: PlanSink,
}

static CLASSES: &[ConnectorClass] = &[ConnectorClass {
    name: aiven::CLASS,
    version: aiven::VERSION,
    task_class: aiven::TASK_CLASS,
    keys: aiven::AIVEN_KEYS,
    prefixes: aiven::PREFIXES,
    plan: aiven::plan,
}];

/// All connector classes.
pub fn classes() -> &'static [ConnectorClass] {
    CLASSES
}

impl ConnectorClass {
    /// The class that a configuration names: by its full name, by the part after the last full stop, or by that without
    /// `Connector`.
    pub fn find(text: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| {
            let simple = class.name.rsplit('.').next().unwrap_or(class.name);
            [class.name, simple, simple.strip_suffix("Connector").unwrap_or(simple)].contains(&text)
        })
    }

    /// All keys of its configurations: Connect's own, its own, ours.
    pub fn keys(&self) -> impl Iterator<Item = &'static KeyDef> + use<> {
        FRAMEWORK_KEYS.iter().chain(self.keys).chain(OWN_KEYS)
    }

    fn knows(&self, key: &str) -> bool {
        self.keys().any(|def| def.name == key)
            || FRAMEWORK_PREFIXES.iter().chain(self.prefixes).any(|prefix| key.starts_with(prefix))
    }
}

/// Proves a configuration consistent: the plan, or everything that is wrong with it.
pub fn plan(file: &ConnectorFile, worker: &WorkerConfig) -> Result<ConnectorPlan, ConfigFaults> {
    let mut found = file.findings();
    let mut config = file.config().clone();
    worker.providers().resolve(&mut config, &mut found);
    if let Some(restrictions) = &worker.reach().restrictions {
        restrictions.check(&config, worker.config(), &mut found);
    }
    let made = assemble(&config, worker, &mut found);
    let class = config.get("connector.class");
    let mut secrets = secrets(&config, |key| is_secret_key(class, key));
    // The identifier of a key is PASSWORD to upstream. It is no secret: refusals name it, so that one can look it up.
    secrets.retain(|secret| {
        !["aws.access.key.id", "aws_access_key_id"].iter().any(|key| config.get(key) == Some(*secret))
    });
    found.hide(&secrets);
    let known = class.map(str::trim).and_then(ConnectorClass::find);
    found.in_order_of(&known.map_or_else(Vec::new, |class| class.keys().map(|def| def.name).collect()));
    let Findings { faults, warnings } = found;
    match made {
        Some(mut parts) if faults.is_empty() => {
            parts.warnings = warnings;
            let plan = ConnectorPlan::new(parts);
            let beyond = plan.fence_faults();
            if beyond.is_empty() {
                return Ok(plan);
            }
            Err(ConfigFaults::new(plan.name(), beyond, plan.warnings().to_vec()))
        }
        _ => Err(ConfigFaults::new(config.get("name").unwrap_or(file.origin()), faults, warnings)),
    }
}

/// Whether the value of a key is a secret: by its name, or because the class says so.
pub fn is_secret_key(class: Option<&str>, key: &str) -> bool {
    let class = class.map(str::trim).and_then(ConnectorClass::find);
    is_secret(key) || class.is_some_and(|class| class.keys().any(|def| def.name == key && def.kind == Kind::Password))
}

/// The settings of a connector's Kafka clients, whatever else is wrong with it: so that faults that only the clients can
/// find are shown together with those of [`check`] ([`CheckReport::add_fault`]).
pub fn client_properties(file: &ConnectorFile, worker: &WorkerConfig) -> Clients {
    // What is wrong here is told by `plan`.
    let mut found = Findings::default();
    let mut config = file.config().clone();
    worker.providers().resolve(&mut config, &mut found);
    let name = config.get("name").unwrap_or_default().trim().to_owned();
    clients::clients(&name, &config, worker.config(), &mut found)
}

/// Plans the connectors of one process: each by itself, and none under another's name, whose offsets it would take over.
pub fn plan_all(files: &[ConnectorFile], worker: &WorkerConfig) -> Vec<Result<ConnectorPlan, ConfigFaults>> {
    let mut plans: Vec<Result<ConnectorPlan, ConfigFaults>> = Vec::with_capacity(files.len());
    for file in files {
        let planned = plan(file, worker).and_then(|plan| {
            let before =
                plans.iter().flatten().find(|other| other.name() == plan.name() || other.group() == plan.group());
            match before {
                None => Ok(plan),
                Some(other) => Err(taken(&plan, other)),
            }
        });
        plans.push(planned);
    }
    plans
}

fn taken(plan: &ConnectorPlan, other: &ConnectorPlan) -> ConfigFaults {
    let fault = if plan.name() == other.name() {
        let text = format!("Connector {} already exists", plan.name());
        ConfigFault::new("name", Some(plan.name().to_owned()), text).hint("give each connector a name of its own")
    } else {
        let text = format!("Consumer group {} is that of connector {} already", plan.group(), other.name());
        ConfigFault::new("consumer.override.group.id", Some(plan.group().to_owned()), text)
            .hint("give each connector a group of its own")
    };
    ConfigFaults::new(plan.name(), vec![fault], plan.warnings().to_vec())
}

fn assemble(config: &Config, worker: &WorkerConfig, found: &mut Findings) -> Option<PlanParts> {
    let class = config.get("connector.class").map(str::trim);
    let known = class.and_then(ConnectorClass::find);
    let keys: Vec<&KeyDef> = match known {
        Some(class) => class.keys().collect(),
        None => FRAMEWORK_KEYS.iter().collect(),
    };
    let values = evaluate(keys.iter().copied(), config, found);
    let topics = framework::topics(&values, config, found);
    let converters = converter::converters(config, worker.config(), found);
    let name = values.text("name").unwrap_or_default();
    let clients = clients::clients(name, config, worker.config(), found);
    let Some(known) = known else {
        if let Some(class) = class {
            found.fault(unknown_class(class));
        }
        return None;
    };
    let names: Vec<&str> = keys.iter().map(|def| def.name).collect();
    for (key, _) in config.iter().filter(|(key, _)| !known.knows(key) && is_worker_key(key)) {
        let here = if key == "offset.flush.interval.ms" { ", or tidegate.rotate.interval.ms here" } else { "" };
        found.warn(key, format!("has no effect in a connector: set it for the worker (--worker, --set){here}"));
    }
    warn_unknown(config, |key| known.knows(key) || is_worker_key(key), &names, found);
    let kafka_connection = crate::access::for_kafka(worker, name, found);
    let sink = (known.plan)(&values, config, worker, converters.as_ref(), found);
    Some(PlanParts {
        name: name.to_owned(),
        class: known.name,
        topics: topics?,
        tasks_max: values.number("tasks.max").and_then(|max| u32::try_from(max).ok())?,
        clients,
        converters: converters?,
        errors: framework::error_policy(&values),
        rotation: own::rotation(&values, worker.flush_interval()),
        write_mode: own::write_mode(&values),
        manifest_prefix: values.text("tidegate.manifest.prefix").map(str::to_owned),
        patience: worker.flush_timeout(),
        kafka_connection,
        sink: sink?,
        warnings: Vec::new(),
    })
}

fn unknown_class(class: &str) -> ConfigFault {
    let names: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
    let text = format!(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {}",
        names.join(", ")
    );
    let simple = CLASSES.iter().filter_map(|class| class.name.rsplit('.').next());
    let mut fault = ConfigFault::new("connector.class", Some(class.to_owned()), text).allowed(names.iter().copied());
    let close = fault::suggest(class, names.iter().copied().chain(simple));
    fault.hint = Some(close.map_or_else(
        || format!("set connector.class to one of: {}", names.join(", ")),
        |close| format!("did you mean {close}?"),
    ));
    fault
}

/// Checks a configuration without moving anything.
pub fn check(file: &ConnectorFile, worker: &WorkerConfig) -> CheckReport {
    plan(file, worker).map_or_else(CheckReport::from, CheckReport::from)
}

/// Checks the connectors of one process.
pub fn check_all(files: &[ConnectorFile], worker: &WorkerConfig) -> Vec<CheckReport> {
    plan_all(files, worker).into_iter().map(|plan| plan.map_or_else(CheckReport::from, CheckReport::from)).collect()
}
