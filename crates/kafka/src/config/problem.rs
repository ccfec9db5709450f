use std::borrow::Cow;
use std::fmt;

use fault::{Blame, Code, Diagnose, Retry};

/// One thing that is wrong with one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The property's name, without any prefix that it was found under (`consumer.override.`).
    pub key: String,
    /// Its value; `None` if it is missing or a secret.
    pub value: Option<String>,
    /// What is wrong with it, as one clause without the key: `not a whole number`.
    pub problem: String,
    /// What would be right: `0 to 2147483647`, `PLAIN, SCRAM-SHA-256`.
    pub allowed: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        write!(f, ": {}", self.problem)?;
        match &self.allowed {
            Some(allowed) => write!(f, " (allowed: {allowed})"),
            None => Ok(()),
        }
    }
}

/// A property that is understood and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The property's name.
    pub key: String,
    /// Why it changes nothing here.
    pub reason: String,
}

/// Everything that is wrong with a set of properties. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kafka client properties are refused: ")?;
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl Diagnose for Problems {
    fn code(&self) -> Code {
        "kafka.bad-configuration"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        let first = self.0.first()?;
        let allowed = first.allowed.as_ref()?;
        Some(Cow::Owned(format!("set {} to {allowed}", first.key)))
    }
}
