use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{AccountId, Document};

/// What is known beside the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The accounts of whoever owns the role or bucket: their principals are no third parties.
    pub own_accounts: Vec<AccountId>,
    /// The external ID that the other side has shown.
    pub external_id: Option<String>,
    /// The time of day, for dates that have passed; `None` leaves them out.
    pub now: Option<jiff::Timestamp>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works; it could be said better.
    Note,
    /// It allows more than is probably meant, or will fail one day.
    Warning,
    /// It lets in somebody who must not, or a statement does not do what it says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One remark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The rule's name, which stays the same for ever.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The statement, from 1; `None` if it is about the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// The statement's `Sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What is wrong, as one clause.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// The whole policy, free of what this rule has against it. Placeholders in it are to be filled in.
    /// What one rule has to say of many statements shares it: a large policy times many remarks would be gigabytes.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    pub mended: Option<Arc<Document>>,
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn shared<S: Serializer>(document: &Option<Arc<Document>>, serializer: S) -> Result<S::Ok, S::Error> {
    document.as_deref().serialize(serializer)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.rule)?;
        match (self.statement, &self.sid) {
            (Some(number), Some(sid)) => write!(f, ", statement {number} ({sid})")?,
            (Some(number), None) => write!(f, ", statement {number}")?,
            (None, _) => {}
        }
        write!(f, ": {}; {}", self.what, self.why)
    }
}
