//! Integrations behind the plane, with the embedded AWS.

use std::sync::Arc;
use std::time::Duration;

use ::connectors::{Config, WorkerConfig};
use ::world::Clock;
use control::{AuditQuery, Caller, ControlPlane, IntegrationUse, NewTrust, Refusal, State, Target, Verdict, unfenced};
use fault::Diagnose as _;
use identity::{Connections, KeyRule, Purpose};
use serde_json::json;
use tempfile::TempDir;

use super::{new, no_environment, open, operator, settings, sink};
use crate::world::{CUSTOMER, World, bounded, eventually};

struct Scene {
    aws: World,
    plane: ControlPlane,
    dir: TempDir,
}

const ANY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"PRINCIPAL"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"EXTERNAL"}}}}"#;

async fn scene(quota: usize) -> Scene {
    let aws = World::new().await;
    let endpoint = aws.aws.endpoint();
    let table = json!({ "connections": { "tidegate": {
        "kind": "keys",
        "region": "eu-central-1",
        "access_key_id": aws.user.access_key_id,
        "secret_access_key": aws.user.secret_access_key.expose(),
        "endpoints": { "sts": endpoint, "s3": endpoint },
    } } });
    let ours = Connections::read("a test", &table.to_string(), &no_environment(), KeyRule::default()).unwrap();
    let worker: Config = [
        ("bootstrap.servers", "127.0.0.1:9"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
    ]
    .into_iter()
    .collect();
    let worker = WorkerConfig::from_config(worker, &no_environment()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), worker, Clock::system());
    settings.ours = Ok(Arc::clone(ours.get("tidegate").unwrap()));
    settings.integrations_per_organization = quota;
    Scene { plane: open(settings).await.unwrap(), aws, dir }
}

impl Scene {
    /// An integration whose role trusts it as it should.
    async fn integration(&self, caller: &Caller, name: &str) -> IntegrationUse {
        let own = self.plane.environments(caller).await.unwrap().remove(0).id;
        let role = format!("arn:aws:iam::{CUSTOMER}:role/{name}");
        let new = NewTrust { environment: own, display_name: name.to_owned(), role: Some(role) };
        let made = self.plane.create_integration(caller, new).await.unwrap();
        let trust = ANY
            .replace("PRINCIPAL", made.integration.principal.as_str())
            .replace("EXTERNAL", made.integration.external_ids[0].value.as_str());
        self.aws.customer().role(name, &trust).create().await.unwrap();
        made
    }
}

fn over(id: &str) -> std::collections::BTreeMap<String, String> {
    let mut config = sink(&[("provider.integration.id", id)]);
    config.remove("aws.access.key.id");
    config.remove("aws.secret.access.key");
    config
}

#[tokio::test]
async fn a_proven_integration_is_used_and_then_kept() {
    bounded(async {
        let scene = scene(2).await;
        let (plane, caller) = (&scene.plane, operator());
        let own = plane.environments(&caller).await.unwrap().remove(0).id;
        let cluster = plane.default_cluster(&caller).await.unwrap();
        let made = scene.integration(&caller, "orders").await;
        assert_eq!(made.integration.principal, scene.aws.user.arn, "AWS says who Tidegate is");
        let id = made.integration.id.clone();
        let early = plane.create_connector(&caller, &cluster, new("a", over(id.as_str()))).await.unwrap_err();
        assert!(early.to_string().contains("is pending and not proven"), "{early}");
        let (proven, proof) = plane.verify_integration(&caller, &own, &id, None).await.unwrap();
        assert_eq!((proven.integration.state, proof.unwrap().verdict), (State::Proven, Verdict::Proven));
        let calls = scene.aws.aws.requests().of("AssumeRole");
        plane.verify_integration(&caller, &own, &id, Some(Duration::from_mins(1))).await.unwrap();
        assert_eq!(scene.aws.aws.requests().of("AssumeRole"), calls, "a proof of a moment ago will do");

        plane.create_connector(&caller, &cluster, new("a", over(id.as_str()))).await.unwrap();
        let used = plane.integration(&caller, &own, &id).await.unwrap();
        assert!(used.usages[0].ends_with(&format!("/cloud-cluster={cluster}/connector=a")), "{:?}", used.usages);
        let refused = plane.delete_integration(&caller, &own, &id).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("integration {id} is used by a"));
        // Another process that has the file open is refused as well.
        let cli = control::Integrations::open(scene.dir.path().join("tidegate.db"), Clock::system()).await.unwrap();
        assert_eq!(cli.delete(&id).await.unwrap_err().code(), "control.in-use");
        assert_eq!(cli.get(&id).await.unwrap().state, State::Proven, "the commands see what serve has");

        plane.delete_connector(&caller, &cluster, "a", None).await.unwrap();
        plane.delete_integration(&caller, &own, &id).await.unwrap();
        assert_eq!(plane.integration(&caller, &own, &id).await.unwrap_err().code(), "control.not-found");
    })
    .await;
}

#[tokio::test]
async fn quota_and_role_hold_whoever_asks() {
    bounded(async {
        let scene = scene(1).await;
        let (plane, caller) = (&scene.plane, operator());
        let own = plane.environments(&caller).await.unwrap().remove(0).id;
        scene.integration(&caller, "orders").await;
        let new = |name: &str| NewTrust { environment: own.clone(), display_name: name.to_owned(), role: None };
        let refused = plane.create_integration(&caller, new("two")).await.unwrap_err();
        assert_eq!(refused.to_string(), "Provider integrations are currently limited to 1 per organization");
    })
    .await;
}

#[tokio::test]
async fn each_exchange_for_a_session_is_in_the_audit_log() {
    bounded(async {
        let scene = scene(2).await;
        let (plane, caller) = (&scene.plane, operator());
        let own = plane.environments(&caller).await.unwrap().remove(0).id;
        let made = scene.integration(&caller, "orders").await;
        plane.verify_integration(&caller, &own, &made.integration.id, None).await.unwrap();
        let spec = plane.settings().ours.clone().unwrap();
        let external_id = made.integration.external_ids[0].value.as_str().to_owned();
        let role = format!("arn:aws:iam::{CUSTOMER}:role/orders");
        let connection = unfenced(&spec).then_role("orders", &role, &external_id).bind("a", Purpose::S3);
        let sessions = plane.supervisor().process().clients().sessions().clone();
        sessions.open(&connection).unwrap().signer().await.unwrap();
        let mut refused = connection.clone();
        refused.hops[0].external_id = Some("another".to_owned());
        sessions.open(&refused).unwrap().signer().await.unwrap_err();

        let query = || AuditQuery { action: Some("session.exchange".to_owned()), size: 10, ..AuditQuery::default() };
        eventually(async || plane.audit(&caller, query()).await.unwrap().total == 2).await;
        let lines = plane.audit(&caller, query()).await.unwrap().items;
        let (failed, done) = (&lines[0], &lines[1]);
        assert_eq!((done.result.as_str(), done.resource.clone()), ("done", format!("role {role}")));
        assert_eq!(done.environment.as_ref(), Some(&own));
        assert_eq!(done.after.as_ref().unwrap()["integration"], json!(made.integration.id));
        assert!(failed.result.starts_with("identity."), "{failed:?}");
        assert_eq!(failed.environment, None, "whose it would be is not known");
        let text = serde_json::to_string(&lines).unwrap();
        assert!(!text.contains(scene.aws.user.secret_access_key.expose()));
    })
    .await;
}

#[tokio::test]
async fn offsets_are_changed_of_stopped_connectors_alone() {
    bounded(async {
        let world = super::Plane::new().await;
        let (plane, caller) = (&world.plane, operator());
        let cluster = plane.default_cluster(&caller).await.unwrap();
        let mut connector = new("a", sink(&[]));
        connector.target = Target::Paused;
        plane.create_connector(&caller, &cluster, connector).await.unwrap();
        let refused = plane.reset_offsets(&caller, &cluster, "a").await.unwrap_err();
        assert!(matches!(refused, Refusal::NotStopped { .. }), "{refused}");
        let audit = plane.audit(&caller, AuditQuery { size: 1, ..AuditQuery::default() }).await.unwrap();
        assert_eq!(audit.items[0].result, "control.not-stopped");
    })
    .await;
}
