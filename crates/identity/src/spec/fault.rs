use std::borrow::Cow;
use std::fmt;

use fault::{Blame, Code, Diagnose, Retry, printable};

/// One thing wrong with a file of connections. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecFault {
    /// Where: `connections.orders.roles[0].arn`. Empty if it is the whole file.
    pub key: String,
    /// What is wrong, as one clause.
    pub text: String,
    /// The values that would be right, if they can be listed.
    pub allowed: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// Something that works, but probably not as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecWarning {
    /// Where.
    pub key: String,
    /// What to know.
    pub text: String,
}

impl SpecFault {
    pub(super) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), allowed: Vec::new(), hint: None }
    }

    pub(super) fn allowed<S: Into<String>>(mut self, allowed: impl IntoIterator<Item = S>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }
}

impl fmt::Display for SpecFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.key, &self.text)?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed.join(", ").escape_debug())?;
        }
        match &self.hint {
            Some(hint) => write!(f, " ({})", printable(hint)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SpecWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.key, &self.text)
    }
}

fn one_line(f: &mut fmt::Formatter<'_>, key: &str, text: &str) -> fmt::Result {
    if key.is_empty() { f.write_str(&printable(text)) } else { write!(f, "{}: {}", printable(key), printable(text)) }
}

/// Everything wrong with a file of connections, found in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFaults {
    /// Which file.
    pub origin: String,
    /// What is wrong. Never empty.
    pub faults: Vec<SpecFault>,
    /// What was noticed beside it.
    pub warnings: Vec<SpecWarning>,
}

impl fmt::Display for ConnectionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connections of {} are refused: ", printable(&self.origin))?;
        for (n, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectionFaults {}

impl Diagnose for ConnectionFaults {
    fn code(&self) -> Code {
        "identity.connections-refused"
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
pub(super) struct Findings {
    pub(super) faults: Vec<SpecFault>,
    pub(super) warnings: Vec<SpecWarning>,
    /// Whether every user of the machine can read the file.
    pub(super) open_to_all: bool,
}

impl Findings {
    pub(super) fn warn(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.warnings.push(SpecWarning { key: key.into(), text: text.into() });
    }
}
