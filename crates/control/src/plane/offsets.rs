use std::sync::Arc;

use ::connectors::ConnectorPlan;
use fault::{Chain, Diagnose as _};
use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::gate::Deed;
use super::kept_connector::KeptConnector;
use super::rights::Action;
use super::{ControlPlane, PartitionOffset, Refusal, Target, time};
use crate::supervisor::Wanted;
use crate::{Caller, ClusterId};

/// A change of offsets that was asked for through Confluent's API, which does it by and by.
#[derive(Debug, Clone, Serialize)]
pub struct OffsetRequest {
    /// The offsets to set; `None`: take all away.
    pub offsets: Option<Vec<PartitionOffset>>,
    /// When.
    pub requested_at: Timestamp,
    /// How far it is.
    pub state: OffsetRequestState,
    /// What was there before.
    pub previous: Vec<PartitionOffset>,
    /// When it was done.
    pub applied_at: Option<Timestamp>,
}

/// How far a change of offsets is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum OffsetRequestState {
    /// The connector is being stopped for it.
    Pending,
    /// It was done; the connector goes on.
    Applied,
    /// It was not done; why.
    Failed(String),
}

/// As the store keeps offsets: one list of topic, partition and offset each.
fn to_text(offsets: &[PartitionOffset]) -> String {
    let one = |at: &PartitionOffset| json!([at.topic, at.partition, at.offset]);
    Value::Array(offsets.iter().map(one).collect()).to_string()
}

fn from_text(text: &str) -> Vec<PartitionOffset> {
    let read: Vec<(String, i32, Option<i64>)> = serde_json::from_str(text).unwrap_or_default();
    read.into_iter().map(|(topic, partition, offset)| PartitionOffset { topic, partition, offset }).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<OffsetRequest> {
    let (state, reason): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    Ok(OffsetRequest {
        offsets: row.get::<_, Option<String>>(0)?.map(|text| from_text(&text)),
        requested_at: time(row.get(1)?),
        state: match state.as_str() {
            "pending" => OffsetRequestState::Pending,
            "applied" => OffsetRequestState::Applied,
            _ => OffsetRequestState::Failed(reason.unwrap_or_default()),
        },
        previous: from_text(&row.get::<_, String>(4)?),
        applied_at: row.get::<_, Option<i64>>(5)?.map(time),
    })
}

const REQUESTS: &str = "SELECT offsets, requested_at, state, reason, previous, applied_at FROM offset_requests";

impl ControlPlane {
    /// The plan that a connector's group is known by.
    fn known_plan(&self, connector: &KeptConnector) -> Result<Arc<ConnectorPlan>, Refusal> {
        let planned = self.plan_of(&connector.id).unwrap_or_else(|| Err("it is not planned yet".to_owned()));
        planned.map_err(|why| Refusal::Flawed {
            field: "connector".to_owned(),
            value: connector.name.clone(),
            rule: format!("cannot be run, so that its group is not known: {why}"),
        })
    }

    async fn set_offsets(&self, plan: &Arc<ConnectorPlan>, to: Option<&[PartitionOffset]>) -> Result<(), Refusal> {
        let done = match to {
            Some(offsets) => self.0.supervisor.alter_offsets(plan, offsets).await,
            None => self.0.supervisor.reset_offsets(plan).await,
        };
        done.map_err(|cause| Refusal::Remote { what: format!("could not set the offsets of {}", plan.name()), cause })
    }

    /// Sets offsets of a stopped connector, or takes all away.
    async fn move_offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        to: Option<Vec<PartitionOffset>>,
    ) -> Result<(), Refusal> {
        let (plane, caller, cluster, name) = (self.clone(), caller.clone(), cluster.clone(), name.to_owned());
        self.detached(async move {
            let _claim = plane.0.claims.take(&cluster, &name).await?;
            let action = if to.is_some() { "connector.offsets-alter" } else { "connector.offsets-reset" };
            let mut deed = Deed::new(action, format!("connector {name} of {cluster}"));
            let look = plane.look(&caller, move |at| {
                let found = at.connector_at(&cluster, &name, Action::Configure, "change the offsets of", None)?;
                if found.target == Target::Stopped { Ok(found) } else { Err(Refusal::NotStopped { name }) }
            });
            let moved = match look.await {
                Err(refusal) => Err(refusal),
                Ok(found) => {
                    deed.environment = Some(found.environment.clone());
                    plane.0.supervisor.stopped(&found.id).await;
                    match plane.known_plan(&found) {
                        Ok(plan) => plane.set_offsets(&plan, to.as_deref()).await,
                        Err(refusal) => Err(refusal),
                    }
                }
            };
            deed.after = moved.is_ok().then(|| json!({ "offsets": to }));
            plane.note(&caller, deed, moved.as_ref().map_or_else(fault::Diagnose::code, |()| "done")).await?;
            moved
        })
        .await
    }

    /// Stops a connector, sets its offsets, and lets it go on.
    async fn apply_request(&self, connector: KeptConnector, to: Option<Vec<PartitionOffset>>) {
        let applied = self.stop_and_set(&connector, to.as_deref()).await;
        let (state, reason, previous) = match &applied {
            Ok(previous) => ("applied", None, to_text(previous)),
            Err(refusal) => ("failed", Some(Chain(refusal).to_string()), "[]".to_owned()),
        };
        let (id, now, code) = (connector.id, self.now(), applied.as_ref().map_or_else(Refusal::code, |_| "done"));
        let mut deed =
            Deed::new("connector.offsets-apply", format!("connector {} of {}", connector.name, connector.cluster))
                .within(&connector.environment);
        deed.after = applied.is_ok().then(|| json!({ "offsets": to }));
        let written = self.0.store.with(move |table| {
            let query = "UPDATE offset_requests SET state = ?2, reason = ?3, previous = ?4, applied_at = ?5
                         WHERE connector = ?1";
            let applied_at = (state == "applied").then_some(now);
            table.write(query, params![id.as_str(), state, reason, previous, applied_at])?;
            Ok::<_, Refusal>(super::gate::line(table, now, "Tidegate", &deed, None, "confluent", "", code)?)
        });
        if let Err(error) = written.await {
            tracing::error!("what became of a request for offsets was not written down: {}", Chain(&error));
        }
    }

    async fn stop_and_set(
        &self,
        connector: &KeptConnector,
        to: Option<&[PartitionOffset]>,
    ) -> Result<Vec<PartitionOffset>, Refusal> {
        let _claim = self.0.claims.take(&connector.cluster, &connector.name).await?;
        let id = connector.id.clone();
        let now = self.0.store.read(move |table| Ok::<_, Refusal>(KeptConnector::by_id(table, &id)?)).await?;
        let connector = now.ok_or_else(|| Refusal::no_connector(&connector.name))?;
        let plan = self.known_plan(&connector)?;
        self.0.supervisor.want(Wanted {
            id: connector.id.clone(),
            name: connector.name.as_str().into(),
            cluster: connector.cluster.clone(),
            config_revision: connector.config_revision,
            plan: Ok(Arc::clone(&plan)),
            target: Target::Stopped,
            tasks: 0,
        });
        self.0.supervisor.stopped(&connector.id).await;
        let set = async {
            let cause =
                |cause| Refusal::Remote { what: format!("could not read the offsets of {}", plan.name()), cause };
            let previous = self.0.supervisor.offsets(&plan).await.map_err(cause)?;
            self.set_offsets(&plan, to).await?;
            Ok(previous)
        };
        let result = set.await;
        self.want(&connector, Ok(plan));
        result
    }

    /// Where the connector's group is, by topic and partition.
    pub async fn offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<PartitionOffset>, Refusal> {
        let (cluster, name) = (cluster.clone(), name.to_owned());
        let found = self.look(caller, move |at| {
            let found = at.connector(&cluster, &name)?;
            at.require(Action::Read, "read the offsets of", &found.resource())?;
            Ok(found)
        });
        let plan = self.known_plan(&found.await?)?;
        let cause = |cause| Refusal::Remote { what: format!("could not read the offsets of {}", plan.name()), cause };
        self.0.supervisor.offsets(&plan).await.map_err(cause)
    }

    /// Sets offsets of a stopped connector (KIP-875).
    pub async fn alter_offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        offsets: Vec<PartitionOffset>,
    ) -> Result<(), Refusal> {
        self.move_offsets(caller, cluster, name, Some(offsets)).await
    }

    /// Takes all offsets of a stopped connector away.
    pub async fn reset_offsets(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<(), Refusal> {
        self.move_offsets(caller, cluster, name, None).await
    }

    /// The same for a connector that runs: it is stopped for it, and goes on. One at a time.
    pub async fn request_offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        offsets: Option<Vec<PartitionOffset>>,
    ) -> Result<OffsetRequest, Refusal> {
        let deed = Deed::new("connector.offsets-request", format!("connector {name} of {cluster}"));
        let (cluster, name, wanted) = (cluster.clone(), name.to_owned(), offsets.clone());
        let made = self.change(caller, deed, move |at, deed| {
            let found = at.connector_at(&cluster, &name, Action::Configure, "change the offsets of", None)?;
            // It is stopped for it, and started again.
            at.require(Action::Lifecycle, "stop", &found.resource())?;
            let query = "SELECT 1 FROM offset_requests WHERE connector = ?1 AND state = 'pending'";
            if at.table.has(query, [found.id.as_str()])? {
                return Err(Refusal::Busy {
                    kind: "connector",
                    id: name,
                    doing: "its offsets are being changed already",
                });
            }
            let query = "INSERT OR REPLACE INTO offset_requests (connector, offsets, requested_at, state, previous)
                         VALUES (?1, ?2, ?3, 'pending', '[]')";
            at.table.write(query, params![found.id.as_str(), wanted.as_deref().map(to_text), at.now])?;
            (deed.environment, deed.after) = (Some(found.environment.clone()), Some(json!({ "offsets": wanted })));
            let request = at.table.first(&format!("{REQUESTS} WHERE connector = ?1"), [found.id.as_str()], read)?;
            Ok((found, request.ok_or_else(|| Refusal::no_connector(&name))?))
        });
        let (found, request) = made.await?;
        let plane = self.clone();
        tokio::spawn(async move { plane.apply_request(found, offsets).await });
        Ok(request)
    }

    /// The last request of that kind.
    pub async fn offsets_request(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Option<OffsetRequest>, Refusal> {
        let (cluster, name) = (cluster.clone(), name.to_owned());
        self.look(caller, move |at| {
            let found = at.connector(&cluster, &name)?;
            at.require(Action::Read, "read the offsets of", &found.resource())?;
            Ok(at.table.first(&format!("{REQUESTS} WHERE connector = ?1"), [found.id.as_str()], read)?)
        })
        .await
    }
}
