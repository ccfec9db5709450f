use std::collections::BTreeMap;

use ::connectors::{ConnectorFile, Validation, is_secret_key};
use serde_json::json;

use super::configure::Ask;
use super::gate::Deed;
use super::ground::blocking;
use super::kept::unmask;
use super::kept_connector::{Config, KeptConnector};
use super::rights::Action;
use super::{ConnectorView, ControlPlane, NewConnector, Refusal, Restart, Target};
use crate::{Caller, ClusterId};

/// Kafka Connect takes any; a name is part of a URL, of a group's name and of session names.
const LONGEST_NAME: usize = 249;

impl ControlPlane {
    /// The connectors of a cluster that the caller may read, by name.
    pub async fn connectors(&self, caller: &Caller, cluster: &ClusterId) -> Result<Vec<ConnectorView>, Refusal> {
        let (plane, cluster) = (self.clone(), cluster.clone());
        self.look(caller, move |at| {
            at.cluster(&cluster)?;
            let mut found = KeptConnector::all(at.table, Some(&cluster))?;
            found.retain(|connector| at.sees(&connector.resource()));
            Ok(found.iter().map(|connector| connector.view(at, &plane.0)).collect())
        })
        .await
    }

    /// One connector.
    pub async fn connector(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<ConnectorView, Refusal> {
        let (plane, cluster, name) = (self.clone(), cluster.clone(), name.to_owned());
        self.look(caller, move |at| Ok(at.connector(&cluster, &name)?.view(at, &plane.0))).await
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
        let name = new.name.trim().to_owned();
        check_name(&name)?;
        let ask = Ask::Create { config: new.config, target: new.target, offsets: new.offsets };
        Ok(self.configure(caller, cluster, &name, ask, None).await?.0)
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
        check_name(name)?;
        self.configure(caller, cluster, name, Ask::Put { config }, expected).await
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
        Ok(self.configure(caller, cluster, name, Ask::Patch { patch }, expected).await?.0)
    }

    /// Takes a connector away. Its group keeps its offsets, as with Kafka Connect.
    pub async fn delete_connector(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        let (plane, caller, cluster, name) = (self.clone(), caller.clone(), cluster.clone(), name.to_owned());
        self.detached(async move {
            let _claim = plane.0.claims.take(&cluster, &name).await?;
            let deed = Deed::new("connector.delete", format!("connector {name} of {cluster}"));
            let deleted = plane.change(&caller, deed, move |at, deed| {
                let found = at.connector_at(&cluster, &name, Action::Delete, "delete", expected)?;
                deed.environment = Some(found.environment.clone());
                deed.before = Some(json!(found.config.masked()));
                at.table.write("DELETE FROM connectors WHERE id = ?1", [found.id.as_str()])?;
                Ok(found.id)
            });
            let id = deleted.await?;
            plane.plans().remove(&id);
            plane.0.supervisor.forget(&id);
            plane.0.settings.logs.forget(&id);
            Ok(())
        })
        .await
    }

    /// Pauses, resumes or stops it. Wanting what is wanted already is no error.
    pub async fn set_target(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        target: Target,
    ) -> Result<ConnectorView, Refusal> {
        let (plane, caller, cluster, name) = (self.clone(), caller.clone(), cluster.clone(), name.to_owned());
        self.detached(async move {
            let _claim = plane.0.claims.take(&cluster, &name).await?;
            let (action, word) = match target {
                Target::Running => ("connector.resume", "resume"),
                Target::Paused => ("connector.pause", "pause"),
                Target::Stopped => ("connector.stop", "stop"),
            };
            let deed = Deed::new(action, format!("connector {name} of {cluster}"));
            let changed = plane.change(&caller, deed, move |at, deed| {
                let mut found = at.connector_at(&cluster, &name, Action::Lifecycle, word, None)?;
                deed.environment = Some(found.environment.clone());
                deed.before = Some(json!({ "target": found.target }));
                deed.after = Some(json!({ "target": target }));
                if found.target != target {
                    found.aim(target);
                    (found.revision, found.updated_at) = (found.revision + 1, at.now);
                    found.update(at.table)?;
                }
                Ok(found)
            });
            let changed = changed.await?;
            let planned = if let Some(plan) = plane.plan_at(&changed) {
                Ok(plan)
            } else {
                // What it names has changed, or may be there by now.
                let (worker, _) = plane.worker(&changed.cluster, None).await?;
                let (control, connector) = (plane.clone(), changed.clone());
                blocking(move || Ok(control.planned(&connector, &worker))).await?
            };
            plane.want(&changed, planned);
            let control = plane.clone();
            plane.look(&caller, move |at| Ok(changed.view(at, &control.0))).await
        })
        .await
    }

    /// Starts it anew; the view shows what is restarted as [`super::Doing::Restarting`].
    pub async fn restart(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        what: Restart,
    ) -> Result<ConnectorView, Refusal> {
        let deed = Deed::new("connector.restart", format!("connector {name} of {cluster}"));
        let (cluster, name, plane) = (cluster.clone(), name.to_owned(), self.clone());
        let found = self.change(caller, deed, move |at, deed| {
            let found = at.connector_at(&cluster, &name, Action::Lifecycle, "restart", None)?;
            (deed.environment, deed.after) = (
                Some(found.environment.clone()),
                Some(json!({ "includeTasks": what.include_tasks, "onlyFailed": what.only_failed })),
            );
            Ok(found)
        });
        let found = found.await?;
        if let Some(Err(_)) = self.plan_of(&found.id) {
            self.replan(&found.id).await?;
        }
        let status = self.0.supervisor.restart(&found.id, what);
        let view = self.look(caller, move |at| Ok(found.view(at, &plane.0))).await?;
        // What is shown at the moment of the restart: by now it may run already.
        Ok(ConnectorView { status: status.unwrap_or(view.status), ..view })
    }

    /// Starts one task anew.
    pub async fn restart_task(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        task: u32,
    ) -> Result<(), Refusal> {
        let found = self.connector(caller, cluster, name).await?;
        if task >= found.tasks {
            return Err(Refusal::NotFound { kind: "task", id: format!("{name}-{task}") });
        }
        self.restart(caller, cluster, name, Restart { include_tasks: true, only_failed: false }).await.map(drop)
    }

    /// The topics that it has read from since it was made or since the last reset, by name (KIP-558).
    pub async fn active_topics(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<String>, Refusal> {
        let (plane, cluster, name) = (self.clone(), cluster.clone(), name.to_owned());
        self.look(caller, move |at| {
            let found = at.connector(&cluster, &name)?;
            let query = "SELECT topic FROM active_topics WHERE connector = ?1 ORDER BY topic";
            let mut topics = at.table.rows(query, [found.id.as_str()], |row| row.get::<_, String>(0))?;
            topics.extend(plane.0.supervisor.active_topics(&found.id).iter().map(ToString::to_string));
            topics.sort();
            topics.dedup();
            Ok(topics)
        })
        .await
    }

    /// Forgets them.
    pub async fn reset_active_topics(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<(), Refusal> {
        let deed = Deed::new("connector.topics-reset", format!("connector {name} of {cluster}"));
        let (cluster, name) = (cluster.clone(), name.to_owned());
        let reset = self.change(caller, deed, move |at, deed| {
            let found = at.connector_at(&cluster, &name, Action::Configure, "reset the topics of", None)?;
            deed.environment = Some(found.environment.clone());
            at.table.write("DELETE FROM active_topics WHERE connector = ?1", [found.id.as_str()])?;
            Ok(found.id)
        });
        self.0.supervisor.forget_active_topics(&reset.await?);
        Ok(())
    }

    /// What a form needs to know of each key, and what is wrong with `config`. References of the caller's environment are
    /// resolved; nothing is kept.
    pub async fn validate(&self, caller: &Caller, cluster: &ClusterId, config: Config) -> Result<Validation, Refusal> {
        let (plane, id) = (self.clone(), cluster.clone());
        let looked = self.look(caller, move |at| {
            let environment = at.cluster(&id)?;
            let may = |action| at.rights.may_somewhere(action, &environment, &id);
            let may_write = may(Action::Create) || may(Action::Configure);
            // A mask stands for the secret of the connector that the configuration is about, if the caller may change it.
            let before =
                config.get("name").map(|name| KeptConnector::named(at.table, &id, name)).transpose()?.flatten();
            let before = before.filter(|before| at.may(Action::Configure, &before.resource()));
            let stored = before.and_then(|before| before.open(&plane.0.vault).ok());
            let class = config.get("connector.class").cloned();
            let is_secret = |key: &str| is_secret_key(class.as_deref(), key);
            let config = unmask(config.clone(), stored.as_ref(), is_secret).unwrap_or(config);
            Ok((at.rights.clone(), may_write, config))
        });
        let (rights, may_write, config) = looked.await?;
        let (worker, _) = self.worker(cluster, Some(rights)).await?;
        // What a reference stands for is shown among the values: only to whoever could have it in a connector.
        let worker = if may_write { worker } else { worker.without_providers() };
        blocking(move || {
            let name = config.get("name").cloned().unwrap_or_else(|| "the connector".to_owned());
            let file = ConnectorFile::from_config(name, config.into_iter().collect());
            Ok(::connectors::validate(&file, &worker))
        })
        .await
    }
}

/// The rule of Kafka Connect's own key table, before anything else is looked at.
fn check_name(name: &str) -> Result<(), Refusal> {
    let rule = if name.trim().is_empty() {
        "must not be empty".to_owned()
    } else if name.chars().any(char::is_control) {
        "must not hold control characters".to_owned()
    } else if matches!(name, "." | "..") {
        "must not be . or .., which clients take out of the paths that they ask for".to_owned()
    } else if name.chars().count() > LONGEST_NAME {
        format!("must have {LONGEST_NAME} characters at most")
    } else {
        return Ok(());
    };
    Err(Refusal::Flawed { field: "name".to_owned(), value: name.chars().take(80).collect(), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_path_can_name_is_no_name() {
        for name in ["", " ", ".", "..", "a\nb", "a\0b", &"n".repeat(LONGEST_NAME + 1)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["...", ".a", "a/b", "../x", "a?b", "%2e%2e", "\u{1f600}", &"n".repeat(LONGEST_NAME)] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }
}
