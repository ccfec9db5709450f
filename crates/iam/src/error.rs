use std::borrow::Cow;

use fault::{Blame, Code, Diagnose, Retry};

/// Why a text is no ARN or account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// It has not the shape of one.
    #[error("arn {arn:?} {reason}")]
    Malformed {
        /// The text, shortened.
        arn: String,
        /// What is wrong, to follow the text.
        reason: &'static str,
    },
    /// Its partition does not exist.
    #[error("arn {arn:?} is of partition {partition:?}, which is unknown")]
    Partition {
        /// The text.
        arn: String,
        /// The partition it names.
        partition: String,
    },
    /// An account is not twelve digits.
    #[error("account {account:?} is not twelve digits")]
    Account {
        /// The text.
        account: String,
    },
}

impl Diagnose for ArnError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } => "arn.malformed",
            Self::Partition { .. } => "arn.unknown-partition",
            Self::Account { .. } => "arn.malformed-account",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Malformed { .. } => "write it as arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE",
            Self::Partition { .. } => {
                "use one of aws, aws-cn, aws-us-gov, aws-eusc, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f"
            }
            Self::Account { .. } => "write all twelve digits, leading zeros too",
        }))
    }
}

/// Why a text is no policy, or not one of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is no JSON, or has a key, type or operator that policies do not have.
    #[error("line {line}, column {column}: {reason}")]
    Grammar {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; it points just behind what is wrong.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A statement says something that no policy may say.
    #[error("statement {statement}: {reason}")]
    Statement {
        /// Its number, from 1, with its `Sid` if it has one.
        statement: String,
        /// What is wrong.
        reason: String,
    },
    /// The document as a whole is wrong.
    #[error("{reason}")]
    Document {
        /// What is wrong.
        reason: String,
    },
}

impl Diagnose for PolicyError {
    fn code(&self) -> Code {
        "policy.malformed"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }
}
