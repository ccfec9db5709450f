use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use fault::{Blame, Code, Diagnose, Retry, printable};

use crate::aws::AwsError;

/// One thing wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioFault {
    /// Where: `accounts.111111111111.roles.orders.trust`. Empty if it is the whole file.
    pub key: String,
    /// What is wrong, as one clause.
    pub text: String,
    /// The values that would be right, if they can be listed.
    pub allowed: Vec<String>,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl ScenarioFault {
    pub(super) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), allowed: Vec::new(), hint: None }
    }

    /// Adds what would be right, and which of that `word` was probably meant to be.
    pub(super) fn among<'w>(&mut self, word: &str, allowed: impl IntoIterator<Item = &'w str>) {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        self.hint = fault::suggest(word, allowed.iter().copied())
            .map(|close| format!("did you mean {}?", close.escape_debug()));
        self.allowed = allowed.into_iter().map(str::to_owned).collect();
    }
}

impl fmt::Display for ScenarioFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", printable(&self.key))?;
        }
        f.write_str(&printable(&self.text))?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", printable(&self.allowed.join(", ")))?;
        }
        match &self.hint {
            Some(hint) => write!(f, " ({})", printable(hint)),
            None => Ok(()),
        }
    }
}

/// Everything wrong with a scenario, found in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioFaults {
    /// Which file.
    pub origin: String,
    /// What is wrong. Never empty.
    pub faults: Vec<ScenarioFault>,
}

impl fmt::Display for ScenarioFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scenario {} is refused: ", printable(&self.origin))?;
        for (n, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ScenarioFaults {}

impl Diagnose for ScenarioFaults {
    fn code(&self) -> Code {
        "local.scenario"
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

/// Why a scenario is not played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// It says something that cannot be, which shows only once its variables are filled in.
    #[error(transparent)]
    Refused(#[from] ScenarioFaults),
    /// The embedded AWS does not start.
    #[error("the embedded aws of a scenario does not start")]
    Aws(#[from] AwsError),
    /// The machine lets it neither write a file nor listen.
    #[error("cannot set the stage at {}", at.display())]
    Machine {
        /// The file, or the address.
        at: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Diagnose for PlayError {
    fn code(&self) -> Code {
        match self {
            Self::Refused(faults) => faults.code(),
            Self::Aws(error) => error.code(),
            Self::Machine { .. } => "local.stage",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Refused(faults) => faults.hint(),
            Self::Aws(error) => error.hint(),
            Self::Machine { .. } => Some("see to it that the temporary directory may be written to".into()),
        }
    }
}
