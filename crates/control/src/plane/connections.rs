use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{ControlPlane, Refusal};
use crate::{Caller, EnvironmentId};

/// A connection as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionView {
    /// Its name, unique in its environment.
    pub name: String,
    /// Whose it is.
    pub environment: EnvironmentId,
    /// Its settings as in a file of connections (docs/connections.md); secrets masked.
    pub spec: Value,
    /// From the operator's file: it is read there, and cannot be changed here.
    pub is_from_file: bool,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made; of those from a file, when that was read.
    pub created_at: Timestamp,
}

impl ControlPlane {
    /// Those of an environment that the caller may see, by name.
    pub async fn connections(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let _ = (caller, environment);
        todo!("store")
    }

    /// One.
    pub async fn connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
    ) -> Result<ConnectionView, Refusal> {
        let _ = (caller, environment, name);
        todo!("store")
    }

    /// Makes or replaces one: `true` if it was made. A mask that is sent back keeps the stored secret.
    pub async fn put_connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
        spec: Value,
        expected: Option<u64>,
    ) -> Result<(ConnectionView, bool), Refusal> {
        let _ = (caller, environment, name, spec, expected);
        todo!("store")
    }

    /// Takes away one that no connector uses.
    pub async fn delete_connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        let _ = (caller, environment, name, expected);
        todo!("store")
    }
}
