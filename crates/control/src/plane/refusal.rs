use std::borrow::Cow;

use connectors::ConfigFaults;
use fault::{Blame, Code, Diagnose, Fault, Retry};

use crate::{EnvironmentId, Error};

/// Why the control plane does not do what it was asked to. Each REST surface has its own words and codes for these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There are no credentials, or they are wrong, or have ended: which of these is not told.
    #[error("the credentials are missing, wrong or not valid any more")]
    Unauthenticated,
    /// The caller may know of the thing, and not do this to it.
    #[error("{principal} may not {action} {resource}")]
    Forbidden {
        /// Who.
        principal: String,
        /// Did what: `configure`.
        action: &'static str,
        /// To what: `connector orders of lkc-abc123`.
        resource: String,
    },
    /// There is none, or the caller may not know of it: the two look the same.
    #[error("{kind} {id} not found")]
    NotFound {
        /// `connector`, `environment`, `cluster`, `integration`, `connection`, `api key`, `user`, `role binding`, `task`.
        kind: &'static str,
        /// As the caller called it.
        id: String,
    },
    /// The name is taken.
    #[error("{kind} {id} exists already")]
    Exists {
        /// As above.
        kind: &'static str,
        /// The name.
        id: String,
    },
    /// A connector's configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigFaults),
    /// The name in the configuration is another one than that in the request.
    #[error("the configuration says the connector is called {config}, and the request says {asked}")]
    NameMismatch {
        /// In the configuration.
        config: String,
        /// In the request.
        asked: String,
    },
    /// Something else in the request is wrong.
    #[error("{field} {value:?} {rule}")]
    Flawed {
        /// Where in the request.
        field: String,
        /// What it says.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// Connectors still use it.
    #[error("{kind} {id} is used by {}", users.join(", "))]
    InUse {
        /// `integration`, `connection`, `cluster`, `environment`, `service account`.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The names of those connectors that the caller may know of; others are counted as `another`.
        users: Vec<String>,
    },
    /// There are as many as there may be.
    #[error("{kind} are currently limited to {limit} per {per}")]
    Quota {
        /// `Provider integrations`.
        kind: &'static str,
        /// How many.
        limit: usize,
        /// `organization`.
        per: &'static str,
    },
    /// Offsets can be changed only of what is stopped.
    #[error("connector {name} is not stopped")]
    NotStopped {
        /// Which one.
        name: String,
    },
    /// Somebody else changed it meanwhile (`If-Match`).
    #[error("{kind} {id} was changed by somebody else: it is at revision {now}")]
    Changed {
        /// What.
        kind: &'static str,
        /// Which one.
        id: String,
        /// What it is at.
        now: u64,
    },
    /// Something else is being done to it, which takes a moment.
    #[error("{kind} {id} is busy: {doing}")]
    Busy {
        /// What.
        kind: &'static str,
        /// Which one.
        id: String,
        /// What is being done.
        doing: &'static str,
    },
    /// Kafka or AWS refused, or could not be reached.
    #[error("{what}: {}", fault::Chain(cause.as_error()))]
    Remote {
        /// What was tried.
        what: String,
        /// What came back.
        cause: Fault,
    },
    /// An integration, or the store.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Refusal {
    /// No such connector, or none that the caller may know of.
    pub(crate) fn no_connector(name: &str) -> Self {
        Self::NotFound { kind: "connector", id: name.to_owned() }
    }

    /// No such environment, or none that the caller may know of.
    pub(crate) fn no_environment(id: &EnvironmentId) -> Self {
        Self::NotFound { kind: "environment", id: id.to_string() }
    }
}

impl Diagnose for Refusal {
    fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => "control.unauthenticated",
            Self::Forbidden { .. } => "control.forbidden",
            Self::NotFound { .. } => "control.not-found",
            Self::Exists { .. } => "control.exists",
            Self::Config(faults) => faults.code(),
            Self::NameMismatch { .. } => "control.name-mismatch",
            Self::Flawed { .. } => "control.flawed",
            Self::InUse { .. } => "control.in-use",
            Self::Quota { .. } => "control.quota",
            Self::NotStopped { .. } => "control.not-stopped",
            Self::Changed { .. } => "control.changed",
            Self::Busy { .. } => "control.busy",
            Self::Remote { cause, .. } => cause.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Remote { cause, .. } => cause.blame(),
            Self::Store(error) => error.blame(),
            Self::Busy { .. } => Blame::Remote,
            Self::Unauthenticated
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Config(_)
            | Self::NameMismatch { .. }
            | Self::Flawed { .. }
            | Self::InUse { .. }
            | Self::Quota { .. }
            | Self::NotStopped { .. }
            | Self::Changed { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Remote { cause, .. } => cause.retry(),
            Self::Store(error) => error.retry(),
            Self::Busy { .. } => Retry::Backoff,
            Self::Unauthenticated
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Config(_)
            | Self::NameMismatch { .. }
            | Self::Flawed { .. }
            | Self::InUse { .. }
            | Self::Quota { .. }
            | Self::NotStopped { .. }
            | Self::Changed { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Unauthenticated => "log in again, or give another API key".into(),
            Self::Forbidden { .. } => "ask an administrator of the environment for a role that allows it; a key of one cluster does nothing beside that cluster".into(),
            Self::Config(faults) => return faults.hint(),
            Self::NameMismatch { .. } => "leave name out of the configuration, or make both the same".into(),
            Self::InUse { kind, .. } => format!("delete those connectors, or have them use another {kind}").into(),
            Self::Quota { .. } => "delete what is not used, or have the limit raised".into(),
            Self::NotStopped { name } => format!("stop it first: PUT /connectors/{name}/stop").into(),
            Self::Changed { .. } => "read it again, and send the change with its new ETag".into(),
            Self::Busy { .. } => "try again in a moment".into(),
            Self::Remote { cause, .. } => return cause.hint().map(|hint| hint.into_owned().into()),
            Self::Store(error) => return error.hint(),
            Self::NotFound { .. } | Self::Exists { .. } | Self::Flawed { .. } => return None,
        })
    }
}
