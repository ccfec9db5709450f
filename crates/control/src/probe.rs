use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use identity::{Error, Refusal};

/// What is tried of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// The external ID that the role must accept: the newest that was issued.
    Right,
    /// The one that was issued before it, while both are accepted.
    Older,
    /// No external ID at all.
    Absent,
    /// One of the same form, drawn for this probe.
    Wrong,
    /// One with the same beginning and the same end: what a wildcard would let in.
    Near,
}

impl ProbeKind {
    /// Those that a role must refuse.
    pub const FORBIDDEN: [Self; 3] = [Self::Absent, Self::Wrong, Self::Near];

    /// Whether the role must refuse it.
    pub fn is_forbidden(self) -> bool {
        Self::FORBIDDEN.contains(&self)
    }

    /// What was sent, in words.
    pub fn sent(self) -> &'static str {
        match self {
            Self::Right => "the right external ID",
            Self::Older => "the older external ID",
            Self::Absent => "no external ID",
            Self::Wrong => "a wrong external ID",
            Self::Near => "a wrong external ID that begins and ends like the right one",
        }
    }
}

/// How the session of every probe is called: it begins as a connector's does. One name for all, because a
/// trust policy may ask for it (`sts:RoleSessionName`): a wrong external ID that is refused for its session's name would look
/// like one that is refused for itself. What was tried stands in the account's log beside it (`requestParameters.externalId`).
pub(crate) fn session_name(id: &str) -> String {
    format!("tidegate-{id}")
}

/// One thing that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What was tried.
    pub kind: ProbeKind,
    /// What came of the last attempt.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// When the last attempt ended.
    pub at: Timestamp,
    /// How many attempts there were.
    pub attempts: u32,
    /// What AWS knows the attempts by, as far as it answered; the last one last.
    pub request_ids: Vec<String>,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// STS gave a session. It was thrown away unread.
    LetIn,
    /// STS answered AccessDenied.
    Refused {
        /// STS's text.
        message: String,
    },
    /// Anything else: it says nothing about the role.
    Unclear {
        /// AWS's code, or the name of what kept the answer away.
        code: String,
        /// What happened.
        text: String,
        /// Whether trying again may help.
        passing: bool,
    },
}

impl Outcome {
    /// Of an attempt that got no session. AccessDenied alone is a refusal: a timeout, a 503, a throttle, a region that is
    /// switched off or an expired session of ours say nothing about whom the role lets in.
    pub fn of(error: &Error) -> Self {
        use fault::{Diagnose as _, Retry};
        match error {
            Error::Refused(refusal) if is_denial(refusal) => Self::Refused { message: refusal.message.clone() },
            error => {
                let code = match error {
                    Error::Refused(refusal) => refusal.code.clone(),
                    error => error.code().to_owned(),
                };
                let passing = matches!(error.retry(), Retry::Backoff | Retry::Throttled | Retry::After(_));
                Self::Unclear { code, text: fault::Chain(error).to_string(), passing }
            }
        }
    }

    /// Whether it is worth another attempt.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unclear { passing: true, .. })
    }
}

fn is_denial(refusal: &Refusal) -> bool {
    refusal.status == 403 && refusal.code == "AccessDenied"
}

/// What AWS knows a failed attempt by.
pub(crate) fn request_id(error: &Error) -> Option<String> {
    match error {
        Error::Refused(refusal) => refusal.request_id.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn refused(code: &str, status: u16) -> Outcome {
        Outcome::of(&Error::Refused(Arc::new(Refusal {
            operation: "sts:AssumeRole",
            target: "role r".into(),
            as_whom: "w".into(),
            endpoint: "e".into(),
            status,
            code: code.into(),
            message: "m".into(),
            request_id: None,
            with_external_id: true,
        })))
    }

    #[test]
    fn access_denied_alone_is_a_refusal() {
        assert!(matches!(refused("AccessDenied", 403), Outcome::Refused { .. }));
        for (code, status) in [
            ("AccessDenied", 400),
            ("ExpiredToken", 403),
            ("RegionDisabledException", 403),
            ("ValidationError", 400),
            ("Throttling", 400),
            ("ServiceUnavailable", 503),
            ("SignatureDoesNotMatch", 403),
            ("InvalidClientTokenId", 403),
            ("PackedPolicyTooLarge", 400),
            ("", 403),
        ] {
            assert!(matches!(refused(code, status), Outcome::Unclear { .. }), "{code}");
        }
    }
}
