//! The connector classes that there are, and how a configuration becomes a plan.

use std::collections::BTreeMap;
use std::fmt;

use format::text::Converters;
use serde_json::{Value, json};

use crate::config::Config;
use crate::define::{KeyDef, Values, evaluate, warn_unknown};
use crate::faults::{ConfigFault, ConfigFaults, ConfigWarning, Findings};
use crate::framework::{self, FRAMEWORK_KEYS, FRAMEWORK_PREFIXES};
use crate::load::ConnectorFile;
use crate::own::{self, OWN_KEYS};
use crate::plan::{ConnectorPlan, PlanParts, SinkPlan};
use crate::worker::WorkerConfig;
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
    keys: &'static [KeyDef],
    prefixes: &'static [&'static str],
    plan: PlanSink,
}

static CLASSES: &[ConnectorClass] = &[ConnectorClass {
    name: aiven::CLASS,
    version: aiven::VERSION,
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
    let made = assemble(&config, worker, &mut found);
    let Findings { faults, warnings } = found;
    match made {
        Some(mut parts) if faults.is_empty() => {
            parts.warnings = warnings;
            Ok(ConnectorPlan::new(parts))
        }
        _ => Err(ConfigFaults::new(config.get("name").unwrap_or(file.origin()), faults, warnings)),
    }
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
    warn_unknown(config, |key| known.knows(key), &names, found);
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
    let close = crate::suggest::suggest(class, names.iter().copied().chain(simple));
    fault.hint = close.map(|close| format!("did you mean {close}?"));
    fault
}

/// What `tidegate check` says about one connector.
#[derive(Debug, Clone)]
pub struct CheckReport {
    name: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigWarning>,
    plan: Option<ConnectorPlan>,
}

/// Checks a configuration without moving anything.
pub fn check(file: &ConnectorFile, worker: &WorkerConfig) -> CheckReport {
    match plan(file, worker) {
        Ok(plan) => CheckReport {
            name: plan.name().to_owned(),
            faults: Vec::new(),
            warnings: plan.warnings().to_vec(),
            plan: Some(plan),
        },
        Err(faults) => CheckReport::from(faults),
    }
}

impl From<ConfigFaults> for CheckReport {
    fn from(faults: ConfigFaults) -> Self {
        Self {
            name: faults.name().to_owned(),
            faults: faults.faults().to_vec(),
            warnings: faults.warnings().to_vec(),
            plan: None,
        }
    }
}

impl CheckReport {
    /// The connector's name, or the file's if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong.
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }

    /// What works, but probably not as meant.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// The plan, if nothing is wrong.
    pub fn plan(&self) -> Option<&ConnectorPlan> {
        self.plan.as_ref()
    }

    /// Adds what somebody else found wrong with the plan, which then is none.
    pub fn refuse(&mut self, faults: impl IntoIterator<Item = ConfigFault>) {
        self.faults.extend(faults);
        if !self.faults.is_empty() {
            self.plan = None;
        }
    }

    /// Adds what somebody else noticed.
    pub fn warn(&mut self, warnings: impl IntoIterator<Item = ConfigWarning>) {
        self.warnings.extend(warnings);
    }

    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }

    /// `{"name", "errors": {KEY: [TEXT..]}, "faults": [..], "warnings": [..], "plan"}`; faults carry what texts alone do
    /// not: value, allowed values, hint.
    pub fn to_json(&self) -> Value {
        let mut errors: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for fault in &self.faults {
            errors.entry(&fault.key).or_default().push(&fault.text);
        }
        let faults: Vec<_> = self.faults.iter().map(|fault| {
            json!({ "key": fault.key, "value": fault.value, "text": fault.text, "allowed": fault.allowed, "hint": fault.hint })
        }).collect();
        let warnings: Vec<_> =
            self.warnings.iter().map(|warning| json!({ "key": warning.key, "text": warning.text })).collect();
        json!({
            "name": self.name,
            "errors": errors,
            "faults": faults,
            "warnings": warnings,
            "plan": self.plan.as_ref().map(ConnectorPlan::to_json),
        })
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.len() {
            0 => writeln!(f, "{}: ok", self.name)?,
            1 => writeln!(f, "{}: refused", self.name)?,
            count => writeln!(f, "{}: refused, {count} faults", self.name)?,
        }
        for fault in &self.faults {
            writeln!(f, "  error    {fault}")?;
            if !fault.allowed.is_empty() && !fault.allowed.iter().all(|allowed| fault.text.contains(allowed.as_str())) {
                writeln!(f, "           allowed: {}", fault.allowed.join(", "))?;
            }
            if let Some(hint) = &fault.hint {
                writeln!(f, "           hint: {hint}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "  warning  {warning}")?;
        }
        match &self.plan {
            Some(plan) => plan.fmt(f),
            None => Ok(()),
        }
    }
}
