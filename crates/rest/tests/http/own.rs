//! Our own surface at `/v1`.

use std::time::Duration;

use control::{
    Caller, ClusterId, EnvironmentId, KeyScope, NewBinding, NewCluster, NewTrust, NewUser, Openness, Origin, Principal,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use world::Secret;

use crate::harness::{Answer, Harness};

/// What every error of this surface is.
fn problem(answer: &Answer, status: u16) -> Value {
    let body = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{body:#}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{body:#}");
    assert_eq!(body["status"], status);
    for key in ["type", "title", "detail", "code"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {body:#}");
    }
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    assert!(body["faults"].is_array() && body.get("hint").is_some(), "{body:#}");
    body
}

async fn with_topic(harness: &Harness) {
    harness.broker.create_topic("orders", 2, &[]).await.expect("a topic");
}

fn new_connector(harness: &Harness, name: &str) -> Value {
    json!({ "name": name, "config": harness.aiven(&[]) })
}

#[tokio::test]
async fn a_connector_lives_through_this_surface() {
    let harness = Harness::open().await;
    with_topic(&harness).await;
    let made = harness.post("/v1/connectors", &new_connector(&harness, "or/ders:1")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:#}", made.json());
    let path = made.header("location").to_owned();
    assert!(path.starts_with("/v1/connectors/or%2Fders%3A1?cluster=lkc-"), "{path}");
    let (name, query) = path.split_once('?').expect("it names the cluster");
    let at = |rest: &str| format!("{name}{rest}?{query}");
    assert_eq!(made.json()["config"]["aws.secret.access.key"], "****************");
    problem(&harness.post("/v1/connectors", &new_connector(&harness, "or/ders:1")).await, 409);

    let running = |answer: &Answer| answer.json()["status"]["connector"] == "RUNNING";
    harness.until(&at(""), running).await;
    let status = harness.get(&at("/status")).await.json();
    assert_eq!(status["target"], "RUNNING");
    assert!(status["moved"]["records"].is_u64() && status["rates"].is_null(), "{status:#}");

    // Only over the revision that was read.
    let tag = harness.get(&at("")).await.header("etag").to_owned();
    let config = json!(harness.aiven(&[("file.compression.type", "gzip")]));
    let put = |tag: &str| harness.ask(Method::PUT, &at("/config")).header("if-match", tag).json(&config);
    problem(&put("\"987654\"").send().await, 412);
    let changed = put(&tag).send().await;
    assert_eq!(changed.status, StatusCode::OK, "{:#}", changed.json());
    assert_ne!(changed.header("etag"), tag);
    problem(&put(&tag).send().await, 412);
    let patched =
        harness.ask(Method::PATCH, &at("/config")).json(&json!({ "file.compression.type": null, "tasks.max": 2 }));
    let patched = patched.send().await.json();
    assert_eq!(patched["config"]["tasks.max"], "2");
    assert!(patched["config"].get("file.compression.type").is_none(), "{patched:#}");

    let ask = |method, path: String| harness.ask(method, &path).send();
    assert_eq!(ask(Method::POST, at(":pause")).await.json()["target"], "PAUSED");
    harness.until(&at(""), |answer| answer.json()["status"]["connector"] == "PAUSED").await;
    let offsets = json!({ "offsets": [{ "topic": "orders", "partition": 0, "offset": 0 }] });
    problem(&harness.ask(Method::PATCH, &at("/offsets")).json(&offsets).send().await, 409);
    assert_eq!(ask(Method::POST, at(":stop")).await.status, StatusCode::OK);
    harness.until(&at(""), |answer| answer.json()["status"]["connector"] == "STOPPED").await;
    let set = harness.ask(Method::PATCH, &at("/offsets")).json(&offsets).send().await;
    assert_eq!(set.json()["offsets"], offsets["offsets"], "{:#}", set.json());
    assert_eq!(ask(Method::POST, at(":resume")).await.status, StatusCode::OK);
    harness.until(&at(""), running).await;
    assert_eq!(ask(Method::POST, at(":restart")).await.status, StatusCode::OK);
    harness.until(&at(""), running).await;
    assert!(harness.get(&at("/logs")).await.json()["lines"].is_array());

    assert_eq!(ask(Method::DELETE, at("")).await.status, StatusCode::NO_CONTENT);
    problem(&harness.get(&at("")).await, 404);
    problem(&harness.get(&at("/status")).await, 404);
}

#[tokio::test]
async fn a_refused_configuration_tells_every_fault_at_once_and_the_page_of_its_code() {
    let harness = Harness::open().await;
    let config = harness.aiven(&[("file.compression.type", "rar"), ("tasks.max", "none"), ("topics", "")]);
    let refused = harness.post("/v1/connectors", &json!({ "name": "orders", "config": config })).await;
    let refused = problem(&refused, 422);
    let keys: Vec<_> =
        refused["faults"].as_array().unwrap().iter().map(|fault| fault["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"file.compression.type") && keys.contains(&"tasks.max"), "{refused:#}");
    let page = harness.get(refused["type"].as_str().unwrap()).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/markdown; charset=utf-8"));
    assert!(page.body.starts_with(b"# config.refused"));
    let found = harness.post("/v1/connectors:validate", &json!(config)).await.json();
    assert!(found["error_count"].as_u64() > Some(1), "{found:#}");
}

#[tokio::test]
async fn a_creation_that_is_sent_twice_happens_once() {
    let harness = Harness::open().await;
    let ask = |key: &str, name: &str| {
        harness
            .ask(Method::POST, "/v1/service-accounts")
            .header("idempotency-key", key)
            .json(&json!({ "display_name": name }))
    };
    let first = ask("k1", "billing").send().await;
    assert_eq!(first.status, StatusCode::CREATED, "{:#}", first.json());
    let second = ask("k1", "billing").send().await;
    assert_eq!(
        (first.status, first.body, first.headers["location"].clone()),
        (second.status, second.body, second.headers["location"].clone())
    );
    assert_eq!(problem(&ask("k1", "shipping").send().await, 422)["code"], "rest.idempotency-key");
    assert_eq!(harness.get("/v1/service-accounts").await.json()["items"].as_array().unwrap().len(), 1);
    problem(&ask("has space", "x").send().await, 400);
}

#[tokio::test]
async fn what_was_made_before_a_restart_is_answered_as_before_and_nothing_of_it_is_in_the_clear() {
    async fn made(harness: &Harness, body: Value) -> Answer {
        let ask = harness.ask(Method::POST, "/v1/service-accounts").header("idempotency-key", "k1");
        ask.json(&body).send().await
    }
    let harness = Harness::open().await;
    let first = made(&harness, json!({ "display_name": "billing" })).await;
    assert_eq!(first.status, StatusCode::CREATED, "{:#}", first.json());
    let harness = harness.reopen().await;
    let second = made(&harness, json!({ "display_name": "billing" })).await;
    assert_eq!(
        (first.status, first.body, first.headers["location"].clone()),
        (second.status, second.body, second.headers["location"].clone())
    );
    let other = made(&harness, json!({ "display_name": "shipping" })).await;
    assert_eq!(problem(&other, 422)["code"], "rest.idempotency-key");
    assert_eq!(harness.get("/v1/service-accounts").await.json()["items"].as_array().unwrap().len(), 1);
    let store = rusqlite::Connection::open(harness.data_dir.path().join("tidegate.db")).unwrap();
    let query = "SELECT request || answer FROM idempotency";
    let kept: String = store.query_row(query, [], |row| row.get(0)).unwrap();
    assert!(!kept.contains("billing"), "{kept}");
}

#[tokio::test]
async fn of_what_is_not_known_the_first_are_told_and_no_more() {
    let harness = Harness::open().await;
    let told = |answer: &Answer| problem(answer, 400)["faults"].as_array().unwrap().len();
    let query = "a&".repeat(30_000);
    assert_eq!(told(&harness.get(&format!("/v1/connectors?{query}")).await), 100);
    let members: serde_json::Map<_, _> = (0..30_000).map(|n| (format!("k{n}"), Value::Null)).collect();
    let refused = harness.post("/v1/environments", &Value::Object(members)).await;
    assert!(told(&refused) <= 101, "and what is missing");
    let list = problem(&harness.post("/v1/environments", &json!([])).await, 400);
    assert_eq!(list["detail"], "the request is not valid: the body must be an object, not a list");
}

#[tokio::test]
async fn what_cannot_be_read_is_a_clear_4xx_and_nothing_is_lost() {
    let harness = Harness::open().await;
    let post = |body: Vec<u8>| {
        harness.ask(Method::POST, "/v1/environments").header("content-type", "application/json").body(body).send()
    };
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let twice = br#"{"display_name":"a","display_name":"b"}"#.to_vec();
    for body in
        [b"{".to_vec(), b"{\"display_name\":\"\xff\"}".to_vec(), deep.into_bytes(), twice, b"1e999".to_vec(), vec![]]
    {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(problem(&post(body).await, 400)["code"], "rest.not-json", "{shown}");
    }
    for (body, key) in [
        ("{}", "display_name"),
        (r#"{"display_name":null}"#, "display_name"),
        (r#"{"display_name":7}"#, "display_name"),
        (r#"{"display_name":""}"#, "display_name"),
        (r#"{"display_name":"a","displayname":"b"}"#, "displayname"),
        ("[]", ""),
        ("null", ""),
    ] {
        let refused = problem(&post(body.as_bytes().to_vec()).await, 400);
        assert_eq!(refused["faults"][0]["key"], key, "{body}: {refused:#}");
    }
    let long = format!(r#"{{"display_name":"{}"}}"#, "x".repeat(500_000));
    problem(&post(long.into_bytes()).await, 400);
    let form =
        harness.ask(Method::POST, "/v1/environments").header("content-type", "text/plain").body("{}").send().await;
    assert_eq!(problem(&form, 415)["code"], "rest.media-type");
    // What is sent without a body is refused for that only where something has to be said.
    let nothing = harness.ask(Method::POST, "/v1/environments").send().await;
    assert_eq!(problem(&nothing, 415)["code"], "rest.media-type");
    let test = harness.ask(Method::POST, "/v1/connections/lake:test").send().await;
    assert_eq!(problem(&test, 404)["code"], "control.not-found");

    for (path, status) in [
        ("/v1/connectors/%ff", 400),
        ("/v1/connectors/%00", 404),
        ("/v1/connectors/..%2f..%2fetc%2fpasswd", 404),
        ("/v1/environments/env-../x", 404),
        ("/v1/../connectors", 404),
        ("/v1/environments/%65nv-zz", 404),
        ("/v1", 404),
        ("/v1/nothing", 404),
        ("/v1/connectors?page_size=99999999999999999999", 400),
        ("/v1/connectors?page_size=1&page_size=2", 400),
        ("/v1/connectors?pagesize=1", 400),
        ("/v1/connectors?cursor=%F0%9F%A6%80", 400),
        ("/v1/connectors?cluster=lkc-zzzzzz", 404),
        ("/v1/audit?since=yesterday", 400),
    ] {
        problem(&harness.get(path).await, status);
    }
    let near = problem(&harness.get("/v1/connectors?pagesize=1").await, 400);
    assert_eq!(near["faults"][0]["hint"], "did you mean page_size?");
    let long = format!("/v1/connectors/{}", "x".repeat(5000));
    problem(&harness.get(&long).await, 404);
    let wrong = harness.ask(Method::DELETE, "/v1/environments").send().await;
    problem(&wrong, 405);
    assert_eq!(wrong.header("allow"), "GET, POST, HEAD");
    // A condition that would not be kept to is refused, and not passed over.
    let ask =
        harness.ask(Method::POST, "/v1/environments").header("if-match", "\"1\"").json(&json!({ "display_name": "a" }));
    problem(&ask.send().await, 400);

    assert_eq!(harness.get("/v1/environments").await.json()["items"].as_array().unwrap().len(), 1, "none was made");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let harness = Harness::open().await;
    for name in ["a", "b", "c", "d"] {
        let made = harness.post("/v1/environments", &json!({ "display_name": name })).await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
    let mut names = Vec::new();
    let mut path = "/v1/environments?page_size=2".to_owned();
    loop {
        let page = harness.get(&path).await.json();
        names.extend(
            page["items"].as_array().unwrap().iter().map(|one| one["display_name"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/environments?page_size=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["default", "a", "b", "c", "d"]);
}

#[tokio::test]
async fn an_api_key_is_shown_once_and_works_until_it_is_deleted() {
    let harness = Harness::start(|settings, _| settings.open = Openness::WhileEmpty).await;
    let account = harness.post("/v1/service-accounts", &json!({ "display_name": "ci" })).await.json();
    let binding = json!({ "principal": account["id"], "role": "OrganizationAdmin" });
    let bound = harness.post("/v1/role-bindings", &binding).await;
    assert_eq!(bound.status, StatusCode::CREATED, "{:#}", bound.json());
    let made = harness.post("/v1/keys", &json!({ "owner": account["id"], "description": "ci" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:#}", made.json());
    let made = made.json();
    let (key, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    // From the first key on, nobody is let in without one.
    assert_eq!(problem(&harness.get("/v1/caller").await, 401)["code"], "control.unauthenticated");
    let get = |path: &str| harness.ask(Method::GET, path).basic(key, secret).send();
    assert_eq!(get("/v1/caller").await.json()["principal"], format!("User:{}", account["id"].as_str().unwrap()));
    let listed = get("/v1/keys").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(secret));
    let audit = get("/v1/audit?action=api-key").await;
    assert!(!String::from_utf8_lossy(&audit.body).contains(secret));
    problem(&harness.ask(Method::GET, "/v1/caller").basic(key, "wrong").send().await, 401);
    let gone = harness.ask(Method::DELETE, &format!("/v1/keys/{key}")).basic(key, secret).send().await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_ne!(get("/v1/caller").await.status, StatusCode::OK);
}

#[tokio::test]
async fn events_tell_what_connectors_do() {
    let harness = Harness::open().await;
    with_topic(&harness).await;
    let stream = tokio::net::TcpStream::connect(harness.server.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("/v1/events").header("host", harness.server.address().to_string());
    let answer =
        sender.send_request(request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let mut heard = String::new();
    let mut hear = async |wanted: &str| {
        let hearing = async {
            while !heard.contains(wanted) {
                let frame = body.frame().await.expect("it goes on").expect("it does not break off");
                heard.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
            }
        };
        tokio::time::timeout(Duration::from_secs(30), hearing).await.expect("it is told in time");
    };
    hear("retry: ").await;
    harness.post("/v1/connectors", &new_connector(&harness, "orders")).await;
    hear(r#""connector":"RUNNING""#).await;
    harness.ask(Method::DELETE, "/v1/connectors/orders").send().await;
    hear("event: deleted\ndata: {\"name\":\"orders\"}").await;
    connection.abort();
}

/// What one tenant has.
struct Tenant {
    environment: EnvironmentId,
    cluster: ClusterId,
    user: String,
    account: String,
    key: String,
    secret: String,
    integration: String,
    binding: String,
}

fn operator() -> Caller {
    let origin = Origin { address: None, request_id: "test".into(), surface: "cli" };
    Caller { principal: Principal::Operator, only_cluster: None, origin }
}

async fn tenant(harness: &Harness, name: &str) -> Tenant {
    let (plane, by) = (&harness.plane, operator());
    let environment = plane.create_environment(&by, name).await.expect("an environment").id;
    let config = [("bootstrap.servers".to_owned(), harness.broker.bootstrap())].into();
    let new = NewCluster { environment: environment.clone(), display_name: name.to_owned(), config };
    let cluster = plane.create_cluster(&by, new).await.expect("a cluster").id;
    let user = NewUser {
        email: format!("{name}@example.com"),
        full_name: String::new(),
        password: Secret::new("correct horse"),
    };
    let user = plane.create_user(&by, user).await.expect("a user").id;
    let account = plane.create_service_account(&by, &format!("{name}-ci"), "").await.expect("an account").id;
    let organization = plane.organization(&by).await.expect("there is one").id;
    let crn_pattern = format!("crn://confluent.cloud/organization={organization}/environment={environment}");
    let new = NewBinding { principal: format!("User:{user}"), role: "EnvironmentAdmin".to_owned(), crn_pattern };
    let binding = plane.create_role_binding(&by, new).await.expect("a role").id;
    let key = plane.create_api_key(&by, Principal::User(user.clone()), KeyScope::Cloud, "").await.expect("a key");
    let new = NewTrust { environment: environment.clone(), display_name: name.to_owned(), role: None };
    let integration = plane.create_integration(&by, new).await.expect("an integration").integration.id;
    // A connector, as this tenant: what it is made of may only be what tenants have.
    let path = format!("/v1/connectors?cluster={cluster}");
    let converters =
        ["key.converter", "value.converter"].map(|key| (key, "org.apache.kafka.connect.storage.StringConverter"));
    let body = json!({ "name": format!("{name}-orders"), "cluster": cluster, "config": harness.aiven(&converters), "target": "STOPPED" });
    let made =
        harness.ask(Method::POST, "/v1/connectors").basic(&key.key.id, key.secret.expose()).json(&body).send().await;
    assert_eq!(made.status, StatusCode::CREATED, "{path}: {:#}", made.json());
    let path = format!("/v1/connections/{name}-lake?environment={environment}");
    let put = harness.ask(Method::PUT, &path).basic(&key.key.id, key.secret.expose());
    let put = put.json(&json!({ "kind": "anonymous", "region": "eu-west-1" })).send().await;
    assert_eq!(put.status, StatusCode::CREATED, "{:#}", put.json());
    Tenant {
        environment,
        cluster,
        user: user.to_string(),
        account: account.to_string(),
        key: key.key.id,
        secret: key.secret.expose().to_owned(),
        integration: integration.to_string(),
        binding: binding.to_string(),
    }
}

/// What a request of a route is made with: things of one tenant, or things that are nobody's.
struct Named<'a> {
    environment: &'a str,
    cluster: &'a str,
    connector: &'a str,
    connection: &'a str,
    user: &'a str,
    account: &'a str,
    key: &'a str,
    integration: &'a str,
    binding: &'a str,
}

impl Named<'_> {
    fn path(&self, template: &str, operation: &Value) -> String {
        let noun = template.trim_start_matches("/v1/").split(['/', ':']).next().unwrap();
        let (name, query) = match noun {
            "environments" => (self.environment, None),
            "clusters" => (self.cluster, None),
            "connectors" => (self.connector, Some(("cluster", self.cluster))),
            "connections" => (self.connection, Some(("environment", self.environment))),
            "integrations" => (self.integration, Some(("environment", self.environment))),
            "users" => (self.user, None),
            "service-accounts" => (self.account, None),
            "keys" => (self.key, None),
            "role-bindings" => (self.binding, None),
            _ => ("nothing", None),
        };
        let mut path = template.replace("{id}", name).replace("{name}", name).replace("{code}", name);
        let takes = |name: &str| {
            operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name))
        };
        let query = query.or(Some(("cluster", self.cluster))).filter(|(name, _)| takes(name));
        let query = query.or(Some(("environment", self.environment))).filter(|(name, _)| takes(name));
        if let Some((name, value)) = query {
            path = format!("{path}?{name}={value}");
        }
        path
    }

    fn body(&self, id: &str) -> Option<Value> {
        Some(match id {
            // They name nothing.
            "createEnvironment" | "createServiceAccount" | "createUser" => return None,
            "createCluster" => {
                json!({ "display_name": "x", "environment": self.environment, "config": { "bootstrap.servers": "a:1" } })
            }
            "createConnector" => json!({ "name": self.connector, "cluster": self.cluster, "config": { "a": "b" } }),
            "validateConnector" | "putConnectorConfig" | "patchConnectorConfig" => {
                json!({ "connector.class": "x", "provider.integration.id": self.integration })
            }
            "alterConnectorOffsets" => json!({ "offsets": [{ "topic": "orders", "partition": 0, "offset": 1 }] }),
            "createConnection" => {
                json!({ "name": self.connection, "environment": self.environment, "spec": { "kind": "anonymous", "region": "eu-west-1" } })
            }
            "putConnection" => json!({ "kind": "anonymous", "region": "eu-west-1" }),
            "testConnection" => json!({ "depth": "offline" }),
            "testUnsavedConnection" => {
                json!({ "environment": self.environment, "depth": "offline", "spec": { "kind": "anonymous", "region": "eu-west-1" } })
            }
            "createIntegration" => json!({ "display_name": "x", "environment": self.environment }),
            "setIntegrationRole" => json!({ "role": "arn:aws:iam::111122223333:role/x" }),
            "setPassword" => json!({ "password": "correct horse battery" }),
            "createKey" => json!({ "owner": self.account, "cluster": self.cluster }),
            "createRoleBinding" => {
                json!({ "principal": self.user, "role": "DeveloperRead", "environment": self.environment, "cluster": self.cluster })
            }
            _ => return Some(Value::Null),
        })
    }

    /// An answer without what it was asked with.
    fn plain(&self, answer: &Answer) -> (StatusCode, String) {
        let mut text = String::from_utf8_lossy(&answer.body).into_owned();
        let request = answer.header("x-request-id");
        for (word, plain) in [
            (self.environment, "ENVIRONMENT"),
            (self.cluster, "CLUSTER"),
            (self.connector, "CONNECTOR"),
            (self.connection, "CONNECTION"),
            (self.user, "USER"),
            (self.account, "ACCOUNT"),
            (self.key, "KEY"),
            (self.integration, "INTEGRATION"),
            (self.binding, "BINDING"),
            (request, "REQUEST"),
        ] {
            text = text.replace(word, plain);
        }
        (answer.status, text)
    }
}

/// Byte for byte: what another tenant has is answered like what nobody has, by every route that there is.
#[tokio::test]
async fn two_tenants_cannot_see_each_other_through_any_route() {
    let harness = Harness::start(|settings, _| {
        settings.allowed_endpoints = vec!["127.0.0.1".to_owned()];
        settings.principal = Some("arn:aws:iam::999999999999:role/tidegate".to_owned());
    })
    .await;
    with_topic(&harness).await;
    let (ana, ben) = (tenant(&harness, "ana").await, tenant(&harness, "ben").await);
    let of_ana = Named {
        environment: ana.environment.as_str(),
        cluster: ana.cluster.as_str(),
        connector: "ana-orders",
        connection: "ana-lake",
        user: &ana.user,
        account: &ana.account,
        key: &ana.key,
        integration: &ana.integration,
        binding: &ana.binding,
    };
    let of_nobody = Named {
        environment: "env-zzzzzz",
        cluster: "lkc-zzzzzz",
        connector: "zzz-orders",
        connection: "zzz-lake",
        user: "u-zzzzzz",
        account: "sa-zzzzzz",
        key: "ZZZZZZZZZZZZZZZZ",
        integration: "cspi-zzzzzz",
        binding: "rb-zzzzzz",
    };
    let as_ben = |method: Method, path: &str| harness.ask(method, path).basic(&ben.key, &ben.secret);
    let document = as_ben(Method::GET, "/v1/openapi.json").send().await.json();
    let mut tried = 0;
    for (template, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id");
            if id == "streamEvents" {
                continue; // it does not end where it is allowed; the connectors that it tells are those of listConnectors
            }
            let method: Method = method.to_uppercase().parse().expect("a method");
            let path = of_ana.path(template, operation);
            let unknown = problem(&harness.ask(method.clone(), &path).send().await, 401);
            assert_eq!(unknown["code"], "control.unauthenticated", "{id}");
            let mut answers = Vec::new();
            for named in [&of_ana, &of_nobody] {
                let Some(body) = named.body(id) else { continue };
                let ask = as_ben(method.clone(), &named.path(template, operation));
                let answer = if body.is_null() { ask.send().await } else { ask.json(&body).send().await };
                assert!(!answer.status.is_server_error(), "{id}: {:#}", answer.json());
                answers.push(named.plain(&answer));
            }
            let [ana, nobody] = &answers[..] else { continue };
            assert_eq!(ana, nobody, "{id} of {template}");
            let told = &ana.1;
            assert!(!told.contains("ana-") && !told.contains("ana@"), "{id}: {told}");
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} routes were tried");
    // And nothing of hers was touched.
    let as_ana = |path: String| harness.ask(Method::GET, &path).basic(&ana.key, &ana.secret).send();
    for path in [
        of_ana.path("/v1/environments/{id}", &Value::Null),
        of_ana.path("/v1/clusters/{id}", &Value::Null),
        format!("/v1/connectors/ana-orders?cluster={}", ana.cluster),
        format!("/v1/connections/ana-lake?environment={}", ana.environment),
        format!("/v1/integrations/{}?environment={}", ana.integration, ana.environment),
        format!("/v1/users/{}", ana.user),
        format!("/v1/keys/{}", ana.key),
    ] {
        assert_eq!(as_ana(path.clone()).await.status, StatusCode::OK, "{path}");
    }
}
