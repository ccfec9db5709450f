use std::collections::BTreeMap;

use ::connectors::Validation;

use super::{ConnectorView, ControlPlane, NewConnector, Refusal, Restart, Target};
use crate::{Caller, ClusterId};

type Config = BTreeMap<String, String>;

impl ControlPlane {
    /// The connectors of a cluster that the caller may read, by name.
    pub async fn connectors(&self, caller: &Caller, cluster: &ClusterId) -> Result<Vec<ConnectorView>, Refusal> {
        let _ = (caller, cluster);
        todo!("store")
    }

    /// One connector.
    pub async fn connector(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<ConnectorView, Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }

    /// Makes a connector; it is started as its target says.
    ///
    /// The order of checks is Kafka Connect's: name, configuration, whether the name is taken.
    pub async fn create_connector(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        new: NewConnector,
    ) -> Result<ConnectorView, Refusal> {
        let _ = (caller, cluster, new);
        todo!("store")
    }

    /// Replaces a configuration, or makes the connector: `true` if it did. What runs goes on unchanged if it is refused.
    /// `expected` is the revision that the caller has read.
    pub async fn put_config(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        config: Config,
        expected: Option<u64>,
    ) -> Result<(ConnectorView, bool), Refusal> {
        let _ = (caller, cluster, name, config, expected);
        todo!("store")
    }

    /// Changes some keys of a configuration (KIP-477); `None` takes a key out.
    pub async fn patch_config(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        patch: BTreeMap<String, Option<String>>,
        expected: Option<u64>,
    ) -> Result<ConnectorView, Refusal> {
        let _ = (caller, cluster, name, patch, expected);
        todo!("store")
    }

    /// Takes a connector away. Its group keeps its offsets, as with Kafka Connect.
    pub async fn delete_connector(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        let _ = (caller, cluster, name, expected);
        todo!("store")
    }

    /// Pauses, resumes or stops it. Wanting what is wanted already is no error.
    pub async fn set_target(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        target: Target,
    ) -> Result<ConnectorView, Refusal> {
        let _ = (caller, cluster, name, target);
        todo!("store")
    }

    /// Starts it anew; the view shows what is restarted as [`super::Doing::Restarting`].
    pub async fn restart(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        what: Restart,
    ) -> Result<ConnectorView, Refusal> {
        let _ = (caller, cluster, name, what);
        todo!("store")
    }

    /// Starts one task anew.
    pub async fn restart_task(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        task: u32,
    ) -> Result<(), Refusal> {
        let _ = (caller, cluster, name, task);
        todo!("store")
    }

    /// The topics that it has read from since it was made or since the last reset, by name (KIP-558).
    pub async fn active_topics(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<String>, Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }

    /// Forgets them.
    pub async fn reset_active_topics(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<(), Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }

    /// What a form needs to know of each key, and what is wrong with `config`. References of the caller's environment are
    /// resolved; nothing is kept.
    pub async fn validate(&self, caller: &Caller, cluster: &ClusterId, config: Config) -> Result<Validation, Refusal> {
        let _ = (caller, cluster, config);
        todo!("store")
    }
}
