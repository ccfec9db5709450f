use std::collections::BTreeMap;
use std::fmt;

use fault::printable;
use serde_json::{Value, json};

use crate::faults::{ConfigFault, ConfigFaults, ConfigWarning};
use crate::plan::ConnectorPlan;

/// What `tidegate check` says about one connector.
#[derive(Debug, Clone)]
pub struct CheckReport {
    name: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigWarning>,
    plan: Option<ConnectorPlan>,
}

impl From<ConnectorPlan> for CheckReport {
    fn from(plan: ConnectorPlan) -> Self {
        let (name, warnings) = (plan.name().to_owned(), plan.warnings().to_vec());
        Self { name, faults: Vec::new(), warnings, plan: Some(plan) }
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

    /// Adds what somebody else found wrong, such as the Kafka clients with their settings. There is no plan then.
    pub fn add_fault(&mut self, fault: ConfigFault) {
        self.faults.push(fault);
        self.plan = None;
    }

    /// Adds what somebody else noticed.
    pub fn add_warning(&mut self, warning: ConfigWarning) {
        self.warnings.push(warning);
    }

    /// The plan, or what is wrong.
    pub fn into_result(self) -> Result<ConnectorPlan, ConfigFaults> {
        match self.plan {
            Some(plan) => Ok(plan),
            None => Err(ConfigFaults::new(self.name, self.faults, self.warnings)),
        }
    }

    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether a fault only repeats the one before: a value that cannot be read is checked as null once more, as upstream
    /// does. Programs get both, people the first.
    fn is_echo(&self, at: usize) -> bool {
        let fault = &self.faults[at];
        let before = at.checked_sub(1).map(|before| &self.faults[before]);
        let null = format!("Invalid value null for configuration {}: ", fault.key);
        before.is_some_and(|before| before.key == fault.key && fault.value.is_some()) && fault.text.starts_with(&null)
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
        let name = printable(&self.name);
        let faults: Vec<_> = self.faults.iter().enumerate().filter(|(at, _)| !self.is_echo(*at)).collect();
        match faults.len() {
            0 => writeln!(f, "{name}: ok")?,
            1 => writeln!(f, "{name}: refused")?,
            count => writeln!(f, "{name}: refused, {count} faults")?,
        }
        for (_, fault) in faults {
            writeln!(f, "  error    {fault}")?;
            if !fault.allowed.is_empty() && !fault.allowed.iter().all(|allowed| fault.text.contains(allowed.as_str())) {
                writeln!(f, "           allowed: {}", printable(&fault.allowed.join(", ")))?;
            }
            if let Some(hint) = &fault.hint {
                writeln!(f, "           hint: {}", printable(hint))?;
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
