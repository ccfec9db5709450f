use std::sync::Arc;
use std::time::Duration;

use ::world::{Clock, Environment};
use control::{AwsSts, Integration, Integrations, NewIntegration, Patience, Proof, Prover};
use identity::{AccessKeyId, AssumeRole, Base, Connection, StaticKeys, StsEndpoint};
use local::aws::{Account, Aws, AwsOptions, NewUser};
use serde_json::{Value, json};

pub(crate) const VENDOR: &str = "222222222222";
pub(crate) const CUSTOMER: &str = "111111111111";

/// An embedded AWS with a user who is Tidegate, a store, and a prover that does not wait.
pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) user: NewUser,
    pub(crate) integrations: Integrations,
    pub(crate) clock: Clock,
}

/// Waits for nothing and tries nothing twice.
pub(crate) const AT_ONCE: Patience =
    Patience { propagation: Duration::ZERO, settle: Duration::ZERO, together: Duration::from_secs(10), retries: 0 };

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(Clock::system()).await
    }

    pub(crate) async fn at(clock: Clock) -> Self {
        let aws = Aws::start(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await.unwrap();
        let vendor = aws.account(VENDOR.parse().unwrap());
        let policy = json!({"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": format!("arn:aws:iam::{CUSTOMER}:role/*")}});
        let user = vendor.user("tidegate").policy(&policy.to_string()).create().await.unwrap();
        let integrations = Integrations::in_memory(clock.clone()).await.unwrap();
        Self { aws, user, integrations, clock }
    }

    pub(crate) fn customer(&self) -> Account {
        self.aws.account(CUSTOMER.parse().unwrap())
    }

    /// A prover that acts as the user.
    pub(crate) fn prover(&self) -> Prover {
        self.prover_as(&self.user).with_patience(AT_ONCE)
    }

    pub(crate) fn prover_as(&self, user: &NewUser) -> Prover {
        self.prover_through(user, Vec::new())
    }

    /// A prover that acts as the last of `hops`, which `user` takes on.
    pub(crate) fn prover_through(&self, user: &NewUser, hops: Vec<AssumeRole>) -> Prover {
        let ours = Connection { hops, ..self.ours(user) };
        Prover::new(Arc::new(AwsSts::new(&self.clients(), &ours).unwrap()), self.clock.clone())
    }

    pub(crate) fn clients(&self) -> aws::Clients {
        aws::Clients::new(self.clock.clone(), Environment::of::<String, String>([]))
    }

    /// The connection that is `user`.
    pub(crate) fn ours(&self, user: &NewUser) -> Connection {
        let keys = StaticKeys {
            access_key_id: AccessKeyId::new(user.access_key_id.clone()),
            secret: user.secret_access_key.clone(),
            token: None,
        };
        let sts = StsEndpoint::new("eu-central-1").at(self.aws.endpoint());
        Connection { base: Base::Keys(keys), hops: Vec::new(), sts }
    }

    /// An integration of role `name`, which may not be there.
    pub(crate) async fn integration(&self, name: &str) -> Integration {
        let new = NewIntegration {
            display_name: name.to_owned(),
            environment: "test".to_owned(),
            principal: self.user.arn.as_str().to_owned(),
            role: Some(format!("arn:aws:iam::{CUSTOMER}:role/{name}")),
        };
        self.integrations.create(new).await.unwrap()
    }

    /// An integration, and its role with the trust policy that `trust` makes of principal and external ID.
    pub(crate) async fn with_role(&self, name: &str, trust: impl Fn(&str, &str) -> Value) -> Integration {
        let integration = self.integration(name).await;
        let right = integration.external_ids[0].value.as_str();
        let policy = json!({"Version": "2012-10-17", "Statement": trust(self.user.arn.as_str(), right)});
        self.customer().role(name, &policy.to_string()).create().await.unwrap();
        integration
    }

    pub(crate) async fn verify(&self, integration: &Integration) -> (Integration, Proof) {
        self.integrations.verify(&integration.id, &self.prover()).await.unwrap()
    }

    /// Gives the role of `integration` the trust policy that it should have.
    pub(crate) async fn trust_as_told(&self, integration: &Integration) {
        let policy = integration.trust_policy(self.integrations.now()).to_string();
        self.customer().update_trust(&integration.display_name, &policy).await.unwrap();
    }
}

/// A statement that lets `principal` in under `condition`.
pub(crate) fn allow(principal: &str, condition: Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    if !condition.is_null() {
        statement["Condition"] = condition;
    }
    statement
}

/// The statement as it should be.
pub(crate) fn good(principal: &str, right: &str) -> Value {
    allow(principal, json!({"StringEquals": {"sts:ExternalId": right}}))
}

/// No test may wait longer than this.
pub(crate) async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(5), work).await.expect("a test ends in time")
}

/// Waits until `state` holds, looking often.
pub(crate) async fn eventually(mut state: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !state().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("the state comes in time");
}
