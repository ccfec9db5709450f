use std::borrow::Cow;

use fault::{Blame, Code, Diagnose, Retry};

use crate::PolicyError;

/// Why no policy can be made of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// A value is not what it has to be.
    #[error("{what} {value:?} {rule}")]
    Value {
        /// What it stands for.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it, to follow the value.
        rule: &'static str,
    },
    /// Nothing was asked for.
    #[error("{what} is given, so that there is nothing to allow")]
    Nothing {
        /// What is missing: `no need`.
        what: &'static str,
    },
    /// The parts make no policy.
    #[error("the parts make no policy")]
    Policy(#[source] PolicyError),
}

impl Diagnose for GenerateError {
    fn code(&self) -> Code {
        match self {
            Self::Value { .. } => "policy.value",
            Self::Nothing { .. } => "policy.nothing",
            Self::Policy(_) => "policy.malformed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Value { .. } | Self::Nothing { .. } => Blame::Operator,
            // Every value was checked before it was put in.
            Self::Policy(_) => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Value { what: "external ID", .. } => {
                Some("take the external ID as the other side shows it: 2 to 1224 letters, digits and +=,.@:/-_".into())
            }
            Self::Value { .. } | Self::Nothing { .. } | Self::Policy(_) => None,
        }
    }
}
