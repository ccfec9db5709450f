use std::sync::Arc;

use identity::{ConnectionSpec, SessionStats};
use serde_json::Value;

use super::{ControlPlane, Refusal};
use crate::{Caller, EnvironmentId};

impl ControlPlane {
    /// A connection with its secrets, to be examined by somebody who may change it.
    pub async fn connection_to_test(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
    ) -> Result<Arc<ConnectionSpec>, Refusal> {
        let _ = (caller, environment, name);
        todo!("store")
    }

    /// The same for one that is not saved: what may not be saved is not examined either.
    pub async fn unsaved_connection_to_test(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        spec: Value,
    ) -> Result<Arc<ConnectionSpec>, Refusal> {
        let _ = (caller, environment, spec);
        todo!("store")
    }

    /// AWS clients for an examination: what they learn helps nobody else.
    pub fn clients_to_test(&self) -> aws::Clients {
        todo!("store")
    }

    /// Sessions in the cache, for who may do everything.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionStats>, Refusal> {
        let _ = caller;
        todo!("store")
    }
}
