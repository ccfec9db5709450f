//! The control plane, as the REST surfaces use it.

mod connectors;
mod killed;
mod login;
mod speed;
mod tenants;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::world::{Clock, Environment, Secret};
use connectors_crate::{Config, WorkerConfig};
use control::{
    Caller, ControlPlane, Credentials, NewBinding, NewConnector, NewUser, Openness, Origin, Principal, Settings,
    Supervisor, Target,
};
use local::broker::{Broker, BrokerOptions};
use runtime::{Metrics, Process};
use tempfile::TempDir;

use ::connectors as connectors_crate;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A control plane over an embedded broker.
#[expect(clippy::struct_field_names, reason = "it is the plane")]
pub(crate) struct Plane {
    pub(crate) plane: ControlPlane,
    pub(crate) broker: Broker,
    dir: TempDir,
    worker: WorkerConfig,
    pub(crate) clock: Clock,
}

pub(crate) fn origin() -> Origin {
    Origin { address: Some([127, 0, 0, 1].into()), request_id: Arc::from("test"), surface: "v1" }
}

pub(crate) fn operator() -> Caller {
    Caller { principal: Principal::Operator, only_cluster: None, origin: origin() }
}

pub(crate) fn no_environment() -> Environment {
    Environment::of([] as [(String, String); 0])
}

pub(crate) fn settings(dir: &Path, worker: WorkerConfig, clock: Clock) -> Settings {
    let mut settings = Settings::new(dir, worker, "127.0.0.1:8083", clock, no_environment());
    settings.allowed_endpoints = vec!["kafka.example.com".to_owned()];
    settings
}

pub(crate) async fn open(settings: Settings) -> Result<ControlPlane, control::Refusal> {
    let process = Process::start(64 << 20, 1, settings.clock.clone(), no_environment()).unwrap();
    let metrics = Metrics::new(process.clone());
    let worker_id = settings.worker_id.clone();
    ControlPlane::open(settings, Supervisor::new(process, &metrics, worker_id)).await
}

impl Plane {
    pub(crate) async fn new() -> Self {
        let broker = Broker::start(BrokerOptions::default()).await.unwrap();
        let worker: Config = [
            ("bootstrap.servers", broker.bootstrap().as_str()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("sasl.jaas.config", "module required password=\"w0rkers\";"),
        ]
        .into_iter()
        .collect();
        let worker = WorkerConfig::from_config(worker, &no_environment()).unwrap();
        let (dir, clock) = (
            tempfile::tempdir().unwrap(),
            Clock::manual(std::time::UNIX_EPOCH + std::time::Duration::from_hours(500_000)),
        );
        let plane = open(settings(dir.path(), worker.clone(), clock.clone())).await.unwrap();
        Self { plane, broker, dir, worker, clock }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(self.dir(), self.worker.clone(), self.clock.clone())
    }

    /// Lets the plane go, and opens another one on what it has left.
    pub(crate) async fn reopen(mut self) -> Self {
        self.plane.close().await;
        let settings = self.settings();
        let old = self.plane;
        drop(old);
        self.plane = eventually_open(settings).await;
        self
    }

    /// The first user, who may do everything.
    pub(crate) async fn admin(&self) -> Caller {
        let new = NewUser {
            email: "Ana@example.com".to_owned(),
            full_name: "Ana".to_owned(),
            password: Secret::new(PASSWORD),
        };
        let user = self.plane.init(new, origin()).await.unwrap();
        Caller { principal: Principal::User(user.id), only_cluster: None, origin: origin() }
    }

    /// A service account with a role.
    pub(crate) async fn with_role(&self, admin: &Caller, name: &str, role: &str, tail: &str) -> Caller {
        let account = self.plane.create_service_account(admin, name, "").await.unwrap();
        let principal = Principal::ServiceAccount(account.id);
        self.give(admin, &principal, role, tail).await.unwrap();
        Caller { principal, only_cluster: None, origin: origin() }
    }

    pub(crate) async fn give(
        &self,
        by: &Caller,
        to: &Principal,
        role: &str,
        tail: &str,
    ) -> Result<control::RoleBinding, control::Refusal> {
        let organization = self.plane.organization(by).await.unwrap().id;
        let crn_pattern = format!("crn://confluent.cloud/organization={organization}{tail}");
        let new = NewBinding { principal: to.to_string(), role: role.to_owned(), crn_pattern };
        self.plane.create_role_binding(by, new).await
    }
}

/// What runs in the plane before lets go of the store in its own time.
pub(crate) async fn eventually_open(settings: Settings) -> ControlPlane {
    let opening = async {
        loop {
            match open(settings.clone()).await {
                Ok(plane) => return plane,
                Err(refusal) if fault::Diagnose::code(&refusal) == "control.held" => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                Err(refusal) => panic!("{refusal}"),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), opening).await.expect("the lock is let go")
}

/// A sink that can be planned, with a secret.
pub(crate) fn sink(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let config = [
        ("connector.class", "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"),
        ("topics", "orders"),
        ("aws.s3.bucket.name", "lake"),
        ("aws.s3.region", "eu-west-1"),
        ("aws.access.key.id", "AKIAIOSFODNN7EXAMPLE"),
        ("aws.secret.access.key", "s3cr3t-of-the-key"),
        ("format.output.type", "jsonl"),
    ];
    config.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn new(name: &str, config: BTreeMap<String, String>) -> NewConnector {
    NewConnector { name: name.to_owned(), config, target: Target::Stopped, offsets: Vec::new() }
}

pub(crate) fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic { user: user.to_owned(), password: Secret::new(password) }
}

#[expect(dead_code, reason = "each file uses what it needs")]
pub(crate) fn closed(mut settings: Settings) -> Settings {
    settings.open = Openness::Closed;
    settings
}
