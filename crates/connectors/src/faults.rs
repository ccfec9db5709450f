use std::borrow::Cow;
use std::fmt;

use fault::{Blame, Code, Diagnose, Retry};

/// What stands for a secret in every text, as Kafka prints it.
pub(crate) const HIDDEN: &str = "[hidden]";

/// One thing wrong with one key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The key. Empty if the fault is of no key.
    pub key: String,
    /// Its text; `[hidden]` for a secret, `None` if it is not set.
    pub value: Option<String>,
    /// What is wrong. Where the connector that users come from finds the same fault, its very words.
    pub text: String,
    /// The values that would be right, if they can be listed.
    pub allowed: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl ConfigFault {
    pub(crate) fn new(key: impl Into<String>, value: Option<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), value, text: text.into(), allowed: Vec::new(), hint: None }
    }

    pub(crate) fn allowed<S: Into<String>>(mut self, allowed: impl IntoIterator<Item = S>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// Something that works, but probably not as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The key. Empty if it is of no key.
    pub key: String,
    /// What to know.
    pub text: String,
}

impl ConfigWarning {
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// Everything wrong with a configuration, found in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFaults {
    name: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigWarning>,
}

impl ConfigFaults {
    pub(crate) fn new(name: impl Into<String>, faults: Vec<ConfigFault>, warnings: Vec<ConfigWarning>) -> Self {
        debug_assert!(!faults.is_empty(), "without a fault there is nothing to report");
        Self { name: name.into(), faults, warnings }
    }

    /// Whose configuration: the connector's name, or the file's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The faults, in the order of the key tables. Never empty.
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }

    /// What was noticed beside them.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration of {} is refused: ", self.name)?;
        for (n, fault) in self.faults.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}

impl Diagnose for ConfigFaults {
    fn code(&self) -> Code {
        "config.refused"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        self.faults.iter().find_map(|fault| fault.hint.clone()).map(Cow::Owned)
    }
}

/// Faults and warnings while they are being collected.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<ConfigFault>,
    pub(crate) warnings: Vec<ConfigWarning>,
}

impl Findings {
    pub(crate) fn fault(&mut self, fault: ConfigFault) {
        self.faults.push(fault);
    }

    pub(crate) fn warn(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let warning = ConfigWarning::new(key, text);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
