use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::kept::Kept;
use super::rights::Action;
use super::{ControlPlane, Refusal, time};
use crate::{Caller, ClusterId};

/// A configuration that a connector has, or has had.
#[derive(Debug, Clone, Serialize)]
pub struct ConfigVersion {
    /// The connector's revision that it came with.
    pub revision: u64,
    /// What it said; secrets masked.
    pub config: BTreeMap<String, String>,
    /// Who wrote it.
    pub principal: String,
    /// When.
    pub at: Timestamp,
}

impl ControlPlane {
    /// The last hundred configurations of a connector, newest first.
    pub async fn config_history(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<ConfigVersion>, Refusal> {
        let (cluster, name) = (cluster.clone(), name.to_owned());
        self.look(caller, move |at| {
            let found = at.connector(&cluster, &name)?;
            at.require(Action::Read, "read the configuration of", &found.resource())?;
            let query = "SELECT revision, config, principal, at FROM connector_configs WHERE connector = ?1
                         ORDER BY revision DESC";
            let read = |row: &rusqlite::Row<'_>| {
                let config: String = row.get(1)?;
                Ok(ConfigVersion {
                    revision: row.get(0)?,
                    config: Kept::from_text(&config).map(|kept| kept.masked()).unwrap_or_default(),
                    principal: row.get(2)?,
                    at: time(row.get(3)?),
                })
            };
            Ok(at.table.rows(query, [found.id.as_str()], read)?)
        })
        .await
    }
}
