use std::sync::Arc;

use control::{Caller, IssuedKey, KeyScope, NewUser, Openness, Origin, Principal, Settings, User};
use http::Method;
use identity::{ConnectionSpec, Connections, KeyRule};
use local::aws::{Aws, NewUser as NewAwsUser};
use rest::ServerOptions;
use serde_json::{Value, json};
use world::{Environment, Secret};

use crate::harness::{Answer, Harness};

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An installation with one user, who may do everything and has logged in, and with a key of theirs.
pub(crate) struct Scene {
    pub(crate) harness: Harness,
    pub(crate) user: User,
    /// Of the login.
    pub(crate) token: String,
    /// `key:secret`, as Terraform has it.
    pub(crate) key: IssuedKey,
    pub(crate) organization: String,
    pub(crate) environment: String,
    pub(crate) cluster: String,
}

/// A connection that is `user` of the embedded AWS: who Tidegate is there.
fn ours(aws: &Aws, user: &NewAwsUser) -> Arc<ConnectionSpec> {
    let spec = json!({
        "kind": "keys",
        "region": "eu-west-1",
        "access_key_id": user.access_key_id,
        "secret_access_key": user.secret_access_key.expose(),
        "endpoints": { "sts": aws.endpoint(), "s3": aws.endpoint() },
    });
    let nothing = Environment::of([] as [(String, String); 0]);
    let file = json!({ "connections": { "ours": spec } }).to_string();
    let read = Connections::read("ours.json", &file, &nothing, KeyRule::default()).expect("a connection");
    Arc::clone(read.get("ours").expect("it is there"))
}

pub(crate) fn origin() -> Origin {
    Origin { address: None, request_id: "test".into(), surface: "cli" }
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::with(|_, _, _, _| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings, &mut ServerOptions, &Aws, &NewAwsUser)) -> Self {
        let harness = Harness::start_with(|settings, options, aws, user| {
            settings.open = Openness::Closed;
            settings.principal = Some(user.arn.to_string());
            settings.ours = Ok(ours(aws, user));
            change(settings, options, aws, user);
        })
        .await;
        let new = NewUser {
            email: EMAIL.to_owned(),
            full_name: "Ada King Lovelace".to_owned(),
            password: Secret::new(PASSWORD),
        };
        let user = harness.plane.init(new, origin()).await.expect("a first user");
        let principal = Principal::User(user.id.clone());
        let caller = Caller { principal: principal.clone(), only_cluster: None, origin: origin() };
        let key = harness.plane.create_api_key(&caller, principal, KeyScope::Cloud, "terraform").await.expect("a key");
        let organization = harness.plane.organization(&caller).await.expect("an organization").id;
        let environment = harness.plane.environments(&caller).await.expect("environments")[0].id.to_string();
        let cluster = harness.plane.default_cluster(&caller).await.expect("a cluster").to_string();
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let login = harness.post("/api/sessions", &body).await;
        let token = login.json()["token"].as_str().expect("a token").to_owned();
        Self { harness, user, token, key, organization, environment, cluster }
    }

    /// As the CLI asks: below `/api`, with the token of the login.
    pub(crate) async fn cli(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        let ask = self.harness.ask(method, &format!("/api{path}")).bearer(&self.token);
        match body {
            Some(body) => ask.header("content-type", "application/json").body(body.to_owned()).send().await,
            None => ask.send().await,
        }
    }

    /// As Terraform asks: at the root, with a key.
    pub(crate) async fn terraform(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        self.by(&self.key, method, path, body).await
    }

    pub(crate) async fn by(&self, key: &IssuedKey, method: Method, path: &str, body: Option<&str>) -> Answer {
        let ask = self.harness.ask(method, path).basic(&key.key.id, key.secret.expose());
        match body {
            Some(body) => ask.header("content-type", "application/json").body(body.to_owned()).send().await,
            None => ask.send().await,
        }
    }

    /// A service account with a key and no right.
    pub(crate) async fn stranger(&self, name: &str) -> IssuedKey {
        let account = self.admin_call(|plane, caller| async move {
            plane.create_service_account(&caller, name, "").await.expect("a service account")
        });
        let owner = Principal::ServiceAccount(account.await.id);
        let key = self.admin_call(|plane, caller| async move {
            plane.create_api_key(&caller, owner, KeyScope::Cloud, "").await.expect("a key")
        });
        key.await
    }

    pub(crate) fn admin(&self) -> Caller {
        Caller { principal: Principal::User(self.user.id.clone()), only_cluster: None, origin: origin() }
    }

    async fn admin_call<T, F: Future<Output = T>>(&self, call: impl FnOnce(control::ControlPlane, Caller) -> F) -> T {
        call(self.harness.plane.clone(), self.admin()).await
    }

    /// The path of what is in the default cluster.
    pub(crate) fn c(&self, rest: &str) -> String {
        format!("/connect/v1/environments/{}/clusters/{}{rest}", self.environment, self.cluster)
    }

    /// Asks until a connector is in `state`.
    pub(crate) async fn until_state(&self, name: &str, state: &str) -> Value {
        let path = self.c(&format!("/connectors/{name}/status"));
        let asking = async {
            loop {
                let status = self.terraform(Method::GET, &path, None).await.json();
                if status["connector"]["state"] == state {
                    return status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), asking)
            .await
            .unwrap_or_else(|_| panic!("{name} was never {state}"))
    }
}
