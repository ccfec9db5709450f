//! Integrations that a role refuses: what their store knows of them speaks for one cause or another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws::Clients;
use control::{AwsSts, Integration, Integrations, NewIntegration, Patience, Prover};
use doctor::{Certainty, Check, Depth, Diagnosis, Report, Status, Surroundings, Target, examine};
use identity::{ConnectionSpec, Connections, KeyRule, Purpose};
use local::aws::{Account, Aws, AwsOptions, NewUser};
use serde_json::json;
use world::{Clock, Environment};

const PATIENCE: Patience =
    Patience { propagation: Duration::ZERO, settle: Duration::ZERO, together: Duration::from_secs(10), retries: 0 };

/// A vendor with a user and a store of integrations, and a customer with a role.
struct World {
    aws: Aws,
    user: NewUser,
    store: Integrations,
    ours: Arc<ConnectionSpec>,
}

impl World {
    async fn new() -> Self {
        let aws = Aws::start(AwsOptions::default()).await.unwrap();
        let policy = json!({"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}});
        let vendor = aws.account("222222222222".parse().unwrap());
        let user = vendor.user("tidegate").policy(&policy.to_string()).create().await.unwrap();
        let store = Integrations::in_memory(Clock::system()).await.unwrap();
        let text = json!({"connections": {"ours": {
            "kind": "keys", "region": "eu-central-1", "access_key_id": user.access_key_id,
            "secret_access_key": user.secret_access_key.expose(), "endpoints": {"sts": aws.endpoint(), "s3": aws.endpoint()},
        }}});
        let none = Environment::of::<String, String>([]);
        let connections = Connections::read("test", &text.to_string(), &none, KeyRule::default()).unwrap();
        let ours = Arc::clone(connections.get("ours").unwrap());
        Self { aws, user, store, ours }
    }

    fn customer(&self) -> Account {
        self.aws.account("111111111111".parse().unwrap())
    }

    async fn integration(&self, name: &str, principal: &str) -> Integration {
        let role = Some(format!("arn:aws:iam::111111111111:role/{name}"));
        let (display_name, environment, principal) = (name.to_owned(), "test".to_owned(), principal.to_owned());
        self.store.create(NewIntegration { display_name, environment, principal, role }).await.unwrap()
    }

    /// An integration with its role as it should be.
    async fn good(&self, name: &str) -> Integration {
        let integration = self.integration(name, self.user.arn.as_str()).await;
        let trust = integration.trust_policy(self.store.now()).to_string();
        self.customer().role(name, &trust).create().await.unwrap();
        integration
    }

    async fn prove(&self, integration: &Integration) {
        let connection = self.ours.bind("test", Purpose::S3);
        let sts = AwsSts::new(&clients(), &connection).unwrap();
        let prover = Prover::new(Arc::new(sts), Clock::system()).with_patience(PATIENCE);
        let (integration, _) = self.store.verify(&integration.id, &prover).await.unwrap();
        assert!(integration.proven_at.is_some());
    }

    async fn target(&self, integration: &Integration) -> Target {
        let integration = self.store.get(&integration.id).await.unwrap();
        Target::integration(&integration, &self.ours, self.store.now())
    }
}

fn clients() -> Clients {
    Clients::new(Clock::system(), Environment::of::<String, String>([]))
}

async fn examined(target: &Target) -> Report {
    examined_with(target, &|_| ()).await
}

async fn examined_with(target: &Target, begins: &(dyn Fn(&'static Check) + Sync)) -> Report {
    let environment = Environment::of::<String, String>([]);
    let around = Surroundings { clients: clients(), environment, clock: Clock::system() };
    let examined = examine(target, Depth::Identity, &around, begins);
    tokio::time::timeout(Duration::from_mins(2), examined).await.expect("an examination ends")
}

fn of<'a>(report: &'a Report, check: &Check) -> &'a [Diagnosis] {
    &report.check(check).expect("it was made").diagnoses
}

fn rows(diagnoses: &[Diagnosis]) -> Vec<&'static str> {
    diagnoses.iter().map(|diagnosis| diagnosis.cause.row).collect()
}

fn pastes(diagnosis: &Diagnosis, part: &str) -> bool {
    diagnosis.remedies.iter().filter_map(|remedy| remedy.paste.as_ref()).any(|paste| paste.text().contains(part))
}

#[tokio::test]
async fn healthy_integration_is_told_nothing() {
    let world = World::new().await;
    let integration = world.good("orders").await;
    let report = examined(&world.target(&integration).await).await;
    assert_eq!(report.verdict.name(), "passed");
    let said: Vec<_> = report.diagnoses().map(|(_, diagnosis)| diagnosis.because.clone()).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test]
async fn f01_a_rotated_id_that_the_role_does_not_know_yet_is_found_by_the_older_one() {
    let world = World::new().await;
    let integration = world.good("orders").await;
    world.prove(&integration).await;
    let older = integration.external_ids[0].value.as_str().to_owned();
    world.store.rotate(&integration.id).await.unwrap();
    let report = examined(&world.target(&integration).await).await;
    let [diagnosis] = of(&report, Check::ROLES) else { panic!("{:?}", rows(of(&report, Check::ROLES))) };
    assert_eq!((diagnosis.cause.row, diagnosis.certainty), ("F01", Certainty::Decided));
    assert!(diagnosis.because.contains(&older), "{}", diagnosis.because);
    let newer = world.store.get(&integration.id).await.unwrap().external_ids[0].value.as_str().to_owned();
    assert!(newer != older && pastes(diagnosis, &newer) && pastes(diagnosis, "update-assume-role-policy"));
}

#[tokio::test]
async fn f18_a_policy_copied_from_a_colleague_has_his_external_id() {
    let world = World::new().await;
    let colleague = world.integration("his", world.user.arn.as_str()).await;
    let copied = colleague.trust_policy(world.store.now()).to_string();
    let mine = world.integration("mine", world.user.arn.as_str()).await;
    world.customer().role("mine", &copied).create().await.unwrap();
    let own_id = mine.external_ids[0].value.as_str();

    // Not ours to read: it is among what it may be, with when the own ID was issued.
    let report = examined(&world.target(&mine).await).await;
    let told = of(&report, Check::ROLES);
    assert_eq!(rows(told)[0], "F01", "{:?}", rows(told));
    let possible = told.iter().find(|diagnosis| diagnosis.cause.row == "F18").unwrap();
    assert!(possible.because.contains(own_id) && possible.because.contains("issued"), "{}", possible.because);

    // The policy is given: it decides, with and without asking AWS.
    let target = Target { trust_policy: Some(copied), ..world.target(&mine).await };
    let report = examined(&target).await;
    for check in [Check::ROLES, Check::POLICIES] {
        let [diagnosis] = of(&report, check) else { panic!("{}: {:?}", check.name, rows(of(&report, check))) };
        assert_eq!((diagnosis.cause.row, diagnosis.certainty), ("F18", Certainty::Decided));
        assert!(pastes(diagnosis, own_id));
    }
}

#[tokio::test]
async fn f03_who_asks_is_not_who_the_customer_was_told_to_trust() {
    let world = World::new().await;
    let vendor = world.aws.account("222222222222".parse().unwrap());
    let other = vendor.user("tidegate-eu").create().await.unwrap();
    let integration = world.integration("orders", other.arn.as_str()).await;
    let trust = integration.trust_policy(world.store.now()).to_string();
    world.customer().role("orders", &trust).create().await.unwrap();
    let report = examined(&world.target(&integration).await).await;
    let [diagnosis] = of(&report, Check::ROLES) else { panic!("{:?}", rows(of(&report, Check::ROLES))) };
    assert_eq!((diagnosis.cause.row, diagnosis.certainty), ("F03", Certainty::Decided));
    assert!(diagnosis.because.contains("user/tidegate asks") && diagnosis.because.contains("user/tidegate-eu"));
}

#[tokio::test]
async fn what_worked_once_with_the_same_id_is_ranked_by_what_changes_by_itself() {
    let world = World::new().await;
    let integration = world.good("orders").await;
    world.prove(&integration).await;
    let closed = integration.trust_policy(world.store.now()).to_string().replace(
        "\"StringEquals\":{",
        "\"DateLessThan\":{\"aws:CurrentTime\":\"2020-01-01T00:00:00Z\"},\"StringEquals\":{",
    );
    assert!(closed.contains("2020-01-01"));
    world.customer().update_trust("orders", &closed).await.unwrap();
    let target = world.target(&integration).await;
    let report = examined(&target).await;
    let ranked = rows(of(&report, Check::ROLES));
    assert_eq!(&ranked[..4], ["F16", "F15", "F05", "F17"], "{ranked:?}");
    assert!(of(&report, Check::ROLES).iter().all(|diagnosis| diagnosis.certainty == Certainty::Possible));

    // Given, it decides.
    let report = examined(&Target { trust_policy: Some(closed), ..target }).await;
    assert_eq!(rows(of(&report, Check::ROLES)), ["F16"]);
}

#[tokio::test]
async fn f26_a_trust_policy_that_was_just_mended_is_waited_for_if_asked() {
    let world = World::new().await;
    let integration = world.integration("orders", world.user.arn.as_str()).await;
    let stale = integration.trust_policy(world.store.now()).to_string();
    let right = integration.external_ids[0].value.as_str();
    world.customer().role("orders", &stale.replace(right, "stale")).create().await.unwrap();
    world.aws.set_propagation(Duration::from_secs(3));
    world.customer().update_trust("orders", &stale).await.unwrap();

    // What was pasted is given along: it lets us in, so that another one is in force still.
    let command = "orders.json --bootstrap-server broker:9092".to_owned();
    let target = Target { trust_policy: Some(stale), command, ..world.target(&integration).await };
    let report = examined(&target).await;
    let first = &of(&report, Check::ROLES)[0];
    assert_eq!((first.cause.row, first.certainty), ("F26", Certainty::Likely), "{:?}", rows(of(&report, Check::ROLES)));
    assert!(pastes(first, "tidegate doctor orders.json --bootstrap-server broker:9092 --wait 60"));

    let attempts = AtomicUsize::new(0);
    let watch = |check: &'static Check| {
        if check == Check::ROLES {
            attempts.fetch_add(1, Ordering::Relaxed);
        }
    };
    let report = examined_with(&Target { wait: Duration::from_mins(1), ..target }, &watch).await;
    let roles = report.check(Check::ROLES).unwrap();
    assert_eq!(roles.status, Status::Passed, "{}", roles.reason);
    assert!(roles.reason.contains("of refusals") && roles.diagnoses.is_empty(), "{}", roles.reason);
    assert!(attempts.load(Ordering::Relaxed) > 1, "whoever watches is told of each attempt");
}
