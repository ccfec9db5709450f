//! What `serve` holds, behind one door: every use names its caller, is checked against the caller's rights, and is
//! written into the audit log in the same transaction as what it changes.

mod accounts;
mod attempts;
mod audit;
mod bindings;
mod claims;
mod clusters;
mod configure;
mod connections;
mod connectors;
mod crn;
mod environments;
mod exchanges;
mod first;
mod gate;
mod ground;
mod history;
mod idempotency;
mod insight;
mod integrations;
mod kept;
mod kept_connector;
mod keys;
mod login;
mod offsets;
mod page;
mod passwords;
mod refusal;
mod rights;
mod settings;
mod steer;
mod tokens;
mod trust;
mod upkeep;
mod vault;
mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use jiff::Timestamp;

pub use accounts::{NewUser, ServiceAccount, User};
pub use audit::{AuditEntry, AuditQuery};
pub use bindings::{NewBinding, RoleBinding, RoleName};
pub use clusters::{Cluster, NewCluster};
pub use connections::ConnectionView;
pub use environments::{Environment, Organization};
pub use history::ConfigVersion;
pub use idempotency::Recalled;
pub use integrations::{IntegrationUse, NewTrust};
pub use keys::{ApiKey, IssuedKey, KeyScope};
pub use login::Login;
pub use offsets::{OffsetRequest, OffsetRequestState};
pub use refusal::Refusal;
pub use settings::{AuditKeeping, Openness, Settings};
pub use trust::unfenced;
pub use views::{
    ConnectorView, Doing, Explanation, MASK, NewConnector, Page, PartitionOffset, Readiness, Restart, Status, Target,
};

use self::attempts::Attempts;
use self::claims::Claims;
use self::first::Beginning;
use self::passwords::Passwords;
use self::steer::Planned;
use self::vault::Vault;
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::{Caller, ClusterId, ConnectorId, CurrentIds, EnvironmentId, Guard, Integrations};

/// What `serve` holds. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ControlPlane(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    settings: Settings,
    supervisor: Supervisor,
    store: Store,
    integrations: Integrations,
    opened_at: Timestamp,
    organization: Arc<str>,
    own: EnvironmentId,
    default_cluster: ClusterId,
    vault: Vault,
    passwords: Passwords,
    attempts: Attempts,
    claims: Claims,
    /// What each connector was last planned as and at which revision of its configuration.
    plans: Mutex<BTreeMap<ConnectorId, (u64, Planned)>>,
    /// Who Tidegate is to customers, once AWS was asked.
    principal: tokio::sync::OnceCell<String>,
    /// Proofs take up to a minute, and calls of AWS: so many at once.
    proofs: tokio::sync::Semaphore,
    guard: OnceLock<Guard>,
    /// Once sessions are had: the external IDs that they are exchanged with.
    current_ids: OnceLock<Arc<CurrentIds>>,
}

/// As many proofs at once.
const PROOFS: usize = 4;

/// Reads what the store keeps as a text.
pub(crate) fn id<T>(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(at)?;
    let wrong = |error| rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error));
    text.parse().map_err(wrong)
}

/// What the store keeps as milliseconds.
pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

impl ControlPlane {
    /// Opens the store of `settings`, and starts what is wanted to run.
    pub async fn open(settings: Settings, supervisor: Supervisor) -> Result<Self, Refusal> {
        let store = Store::open_alone(settings.data_dir.clone()).await?;
        let Beginning { organization, own, default_cluster, vault } = Beginning::of(&store, &settings).await?;
        let integrations = Integrations::over(store.clone(), settings.clock.clone());
        let plane = Self(Arc::new(Inner {
            opened_at: crate::store::now(&settings.clock),
            passwords: ground::blocking(Passwords::new).await?,
            settings,
            supervisor,
            store,
            integrations,
            organization,
            own,
            default_cluster,
            vault,
            attempts: Attempts::default(),
            claims: Claims::default(),
            plans: Mutex::default(),
            principal: tokio::sync::OnceCell::new(),
            proofs: tokio::sync::Semaphore::new(PROOFS),
            guard: OnceLock::new(),
            current_ids: OnceLock::new(),
        }));
        plane.begin_trust();
        plane.want_all().await?;
        upkeep::begin(&plane);
        Ok(plane)
    }

    /// What runs.
    pub fn supervisor(&self) -> &Supervisor {
        &self.0.supervisor
    }

    /// How it was opened.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Whether the store works and what is wanted of the operator's own connectors runs: for `/readyz`, which anybody may
    /// ask, so it names nothing. How tenants fare is nobody else's business, and no reason to take the API from everybody.
    pub async fn readiness(&self) -> Readiness {
        let query = "SELECT connectors.id FROM connectors JOIN clusters ON clusters.id = connectors.cluster
                     WHERE connectors.target = 'running' AND clusters.environment = ?1";
        let read = |row: &rusqlite::Row<'_>| id::<ConnectorId>(row, 0);
        let own = self.0.own.clone();
        let wanted = self.0.store.read(move |table| Ok::<_, Refusal>(table.rows(query, [own.as_str()], read)?)).await;
        let Ok(wanted) = wanted else { return Readiness { store: false, wanted: 0, opened: 0, failed: 0 } };
        let doing: Vec<_> = wanted
            .iter()
            .map(|id| self.0.supervisor.status(id).map_or(Doing::Unassigned, |status| status.connector))
            .collect();
        let count = |one: Doing| doing.iter().filter(|doing| **doing == one).count();
        Readiness { store: true, wanted: wanted.len(), opened: count(Doing::Running), failed: count(Doing::Failed) }
    }

    /// The id that the default cluster calls itself by, once one of our clients has heard it. Does not wait.
    pub fn kafka_cluster_id(&self) -> Option<String> {
        self.0.supervisor.kafka_cluster_id().map(|id| id.to_string())
    }

    /// Lets through who may do everything (`Operator`, `OrganizationAdmin`): for what is about the process, such as the
    /// levels of its log.
    pub async fn require_admin(&self, caller: &Caller, action: &'static str, resource: &str) -> Result<(), Refusal> {
        let resource = resource.to_owned();
        self.look(caller, move |at| if at.rights.is_admin() { Ok(()) } else { Err(at.forbidden(action, resource)) })
            .await
    }

    /// Stops everything that runs, within each connector's patience, and closes the store.
    pub async fn close(&self) {
        if let Err(refusal) = self.keep_topics().await {
            tracing::warn!("active topics were not written down: {}", fault::Chain(&refusal));
        }
        self.0.supervisor.close().await;
        if let Err(error) = self.0.store.settle().await {
            tracing::warn!("the store was not settled: {}", fault::Chain(&error));
        }
    }

    /// Writes a copy of the store to `path`, while it is being used (SQLite's online backup). The file must not be there.
    pub async fn backup(&self, path: &std::path::Path) -> Result<(), Refusal> {
        Ok(self.0.store.copy_to(path.to_owned()).await?)
    }
}
