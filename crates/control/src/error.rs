use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use fault::{Blame, Code, Diagnose, Retry};
use identity::Flaw;

use crate::store::Trouble;
use crate::{IntegrationId, State};

/// Why something could not be done with an integration.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store's file, or its directory, cannot be had.
    #[error("could not open the store {path}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// There is no store yet.
    #[error("there is no store {path}", path = path.display())]
    NoStore {
        /// Which file.
        path: PathBuf,
    },
    /// The store cannot be read or written.
    #[error("the store {path} {trouble}", path = path.display())]
    Store {
        /// Which file.
        path: PathBuf,
        /// What happened.
        trouble: Trouble,
    },
    /// The file is a database of something else.
    #[error("{path} is a database, but no store of Tidegate's", path = path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a later release.
    #[error("the store {path} has version {found}, and this release knows versions up to {known}", path = path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last one that is known here.
        known: i64,
    },
    /// What the store holds cannot be understood.
    #[error("the store {path} holds {what} that cannot be read: {reason}", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// `state of cspi-4xg0qa`.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process serves from the same directory.
    #[error("the data directory {dir} is held by another process", dir = dir.display())]
    Held {
        /// Which one.
        dir: PathBuf,
    },
    /// The file that opens the secrets in the store is not there, or is another one.
    #[error("the key file {path} does not open the secrets of the store: {reason}", path = path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Connectors name the integration.
    #[error("integration {id} is used by {count} connectors")]
    InUse {
        /// Which one.
        id: IntegrationId,
        /// How many do.
        count: usize,
    },
    /// A text that is no integration's name.
    #[error("{id:?} is no integration id")]
    InvalidId {
        /// The text, shortened.
        id: String,
    },
    /// There is no integration of that name.
    #[error("there is no integration {id}")]
    Unknown {
        /// Its name.
        id: IntegrationId,
    },
    /// Parts of an integration that cannot be as they were given.
    #[error("{}", Listed(.flaws))]
    Flawed {
        /// Which, and what each must be. Never empty.
        flaws: Vec<Flaw>,
    },
    /// Another integration of the environment has the role.
    #[error("integration {by} of environment {environment} has role {role} already")]
    RoleTaken {
        /// The role's ARN.
        role: String,
        /// Who has it.
        by: IntegrationId,
        /// Where.
        environment: String,
    },
    /// No role has been given yet.
    #[error("integration {id} has no role yet")]
    NoRole {
        /// Which one.
        id: IntegrationId,
    },
    /// It may not be used in the state that it is in.
    #[error("integration {id} is {state} and not proven{because}", because = Because(.reason))]
    NotProven {
        /// Which one.
        id: IntegrationId,
        /// Its state.
        state: State,
        /// What the last proof said, if there was one.
        reason: Option<String>,
    },
    /// Somebody changed it while it was being proven.
    #[error("integration {id} was changed while it was being proven")]
    Changed {
        /// Which one.
        id: IntegrationId,
    },
    /// Two external IDs are accepted already.
    #[error("integration {id} has two external IDs already")]
    Rotating {
        /// Which one.
        id: IntegrationId,
    },
    /// There is no older external ID to retire, or the newer one has not been proven.
    #[error("integration {id} has no external ID that could be retired: {reason}")]
    NothingToRetire {
        /// Which one.
        id: IntegrationId,
        /// Why.
        reason: &'static str,
    },
    /// A task of ours ended without a result.
    #[error("the work on the store was abandoned")]
    Abandoned,
}

struct Listed<'a>(&'a [Flaw]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, Flaw { field, value, rule }) in self.0.iter().enumerate() {
            write!(f, "{}{field} {value:?} {rule}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

struct Because<'a>(&'a Option<String>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::File { .. } => "integration.store-file",
            Self::NoStore { .. } => "integration.no-store",
            Self::Store { .. } => "integration.store",
            Self::Foreign { .. } => "integration.store-foreign",
            Self::Newer { .. } => "integration.store-newer",
            Self::Damaged { .. } => "integration.store-damaged",
            Self::Held { .. } => "control.held",
            Self::Key { .. } => "control.key",
            Self::InUse { .. } => "control.in-use",
            Self::InvalidId { .. } => "integration.invalid-id",
            Self::Unknown { .. } => "integration.unknown",
            Self::Flawed { .. } => "integration.flawed",
            Self::RoleTaken { .. } => "integration.role-taken",
            Self::NoRole { .. } => "integration.no-role",
            Self::NotProven { .. } => "integration.not-proven",
            Self::Changed { .. } => "integration.changed",
            Self::Rotating { .. } => "integration.rotating",
            Self::NothingToRetire { .. } => "integration.nothing-to-retire",
            Self::Abandoned => "integration.abandoned",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Abandoned => Blame::Bug,
            // Locked for longer than we wait for it, or a disk that is full for now.
            Self::Store { trouble, .. } if trouble.may_pass() => Blame::Remote,
            Self::File { .. }
            | Self::NoStore { .. }
            | Self::Store { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Held { .. }
            | Self::Key { .. }
            | Self::InUse { .. }
            | Self::InvalidId { .. }
            | Self::Unknown { .. }
            | Self::Flawed { .. }
            | Self::RoleTaken { .. }
            | Self::NoRole { .. }
            | Self::NotProven { .. }
            | Self::Changed { .. }
            | Self::Rotating { .. }
            | Self::NothingToRetire { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Store { trouble, .. } if trouble.may_pass() => Retry::Backoff,
            Self::Changed { .. } => Retry::Backoff,
            Self::File { .. }
            | Self::NoStore { .. }
            | Self::Store { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Held { .. }
            | Self::Key { .. }
            | Self::InUse { .. }
            | Self::InvalidId { .. }
            | Self::Unknown { .. }
            | Self::Flawed { .. }
            | Self::RoleTaken { .. }
            | Self::NoRole { .. }
            | Self::NotProven { .. }
            | Self::Rotating { .. }
            | Self::NothingToRetire { .. }
            | Self::Abandoned => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::File { .. } => "give another file with --store (of serve: --data-dir), in a directory that this user may write to".into(),
            Self::NoStore { .. } => {
                "give the file with --store (of serve: --data-dir); the first tidegate integration create makes it".into()
            }
            Self::Store { trouble, .. } => trouble.hint().into(),
            Self::Foreign { .. } => "give another file with --store (of serve: --data-dir)".into(),
            Self::Newer { .. } => "use the release that wrote it, or a later one".into(),
            Self::Held { .. } => "end the other tidegate serve, or give this one a directory of its own with --data-dir".into(),
            Self::Key { .. } => "put back the tidegate.key that belongs to the store: without it, the secrets in it cannot be had by anybody".into(),
            Self::InUse { id, .. } => format!("delete those connectors first, or have them use another one than {id}").into(),
            Self::InvalidId { .. } => "write it as cspi-4xg0qa; tidegate integration list shows them".into(),
            Self::Unknown { .. } => "tidegate integration list shows all that there are".into(),
            Self::RoleTaken { by, .. } => format!("use integration {by}, or make a role of its own for this one").into(),
            Self::NoRole { id } => format!("give it with: tidegate integration set-role {id} ROLE_ARN").into(),
            Self::NotProven { id, state: State::Refused | State::Unsafe, .. } => format!(
                "set the role's trust policy to what this prints: tidegate integration policy {id}; then: tidegate integration verify {id}"
            )
            .into(),
            Self::NotProven { id, .. } => format!("prove it with: tidegate integration verify {id}").into(),
            Self::Changed { id } => format!("prove it again with: tidegate integration verify {id}").into(),
            Self::Rotating { id } => format!(
                "once the new one is proven (tidegate integration verify {id}), retire the old one: tidegate integration rotate {id} --finish"
            )
            .into(),
            Self::NothingToRetire { id, .. } => {
                format!("see which external IDs it has with: tidegate integration show {id}").into()
            }
            Self::Damaged { .. } | Self::Flawed { .. } | Self::Abandoned => return None,
        })
    }
}
