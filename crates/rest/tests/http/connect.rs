//! Kafka Connect's surface.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

fn running(answer: &Answer) -> bool {
    answer.status == 200
        && answer.json()["connector"]["state"] == "RUNNING"
        && answer.json()["tasks"].as_array().is_some_and(|tasks| tasks.iter().all(|task| task["state"] == "RUNNING"))
}

fn error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body["error_code"], answer.status.as_u16());
    (answer.status.as_u16(), body["message"].as_str().unwrap_or_default().to_owned())
}

async fn topic(harness: &Harness, name: &str) {
    harness.broker.create_topic(name, 1, &[]).await.expect("a topic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_is_made_read_changed_and_deleted() {
    let harness = Harness::open().await;
    topic(&harness, "orders").await;
    let config = harness.aiven(&[]);
    let made = harness.post("/connectors", &json!({ "name": "orders", "config": config })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let base = format!("http://{}", harness.server.address());
    assert_eq!(made.header("location"), format!("{base}/connectors/orders"));
    assert_eq!(made.json()["tasks"], json!([]));
    assert_eq!(made.json()["type"], "sink");
    assert_eq!(made.json()["config"]["name"], "orders");
    assert_eq!(made.json()["config"]["aws.secret.access.key"], "****************", "no secret comes back");
    let status = harness.until("/connectors/orders/status", running).await.json();
    assert_eq!(status["tasks"][0]["id"], 0);
    assert_eq!(status["tasks"][0]["version"], "3.4.2");
    assert_eq!(harness.get("/connectors").await.json(), json!(["orders"]));
    let again = harness.post("/connectors", &json!({ "name": "orders", "config": config })).await;
    assert_eq!(error(&again), (409, "Connector orders already exists".to_owned()));
    let merged =
        harness.ask(Method::PATCH, "/connectors/orders/config").json(&json!({ "tasks.max": 2, "extra": true }));
    let merged = merged.send().await;
    assert_eq!((merged.status.as_u16(), merged.json()["config"]["extra"].clone()), (200, json!("true")));
    let config = harness.get("/connectors/orders/config").await.json();
    assert_eq!(config["tasks.max"], "2");
    let put = harness.put("/connectors/orders/config", &json!({ "connector.class": "Nope" })).await;
    assert!(
        error(&put).1.starts_with("Failed to find any class that implements Connector and which name matches Nope")
    );
    assert_eq!(harness.get("/connectors/orders/config").await.json(), config, "what was there stays");
    harness.until("/connectors/orders/status", |answer| running(answer) && answer.json()["tasks"][1]["id"] == 1).await;
    assert_eq!(harness.ask(Method::DELETE, "/connectors/orders").send().await.status, 204);
    for (method, path, text) in [
        (Method::GET, "/connectors/orders", "Connector orders not found"),
        (Method::DELETE, "/connectors/orders", "Connector orders not found"),
        (Method::GET, "/connectors/orders/status", "No status found for connector orders"),
        (Method::PUT, "/connectors/orders/pause", "Unknown connector orders"),
        (Method::POST, "/connectors/orders/restart", "Unknown connector: orders"),
        (Method::POST, "/connectors/orders/tasks/0/restart", "Unknown connector: orders"),
        (Method::GET, "/connectors/orders/tasks/0/status", "No status found for task orders-0"),
        (Method::GET, "/connectors/orders/offsets", "Connector orders not found"),
    ] {
        assert_eq!(error(&harness.ask(method, path).send().await), (404, text.to_owned()), "{path}");
    }
    assert_eq!(harness.get("/connectors/orders/topics").await.json(), json!({ "orders": { "topics": [] } }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_is_paused_stopped_and_restarted() {
    let harness = Harness::open().await;
    topic(&harness, "orders").await;
    let new = json!({ "name": "o", "config": harness.aiven(&[]), "initial_state": "stopped" });
    assert_eq!(harness.post("/connectors", &new).await.status, 201);
    let is = |state: &'static str| move |answer: &Answer| answer.json()["connector"]["state"] == state;
    let status = harness.until("/connectors/o/status", is("STOPPED")).await.json();
    assert_eq!(status["tasks"], json!([]));
    assert_eq!(harness.get("/connectors/o/tasks").await.json(), json!([]));
    assert_eq!(harness.ask(Method::PUT, "/connectors/o/resume").send().await.status, 202);
    harness.until("/connectors/o/status", running).await;
    let tasks = harness.get("/connectors/o/tasks").await.json();
    assert_eq!(tasks[0]["id"], json!({ "connector": "o", "task": 0 }));
    assert_eq!(tasks[0]["config"]["task.class"], "io.aiven.kafka.connect.s3.S3SinkTask");
    assert_eq!(harness.ask(Method::PUT, "/connectors/o/pause/").send().await.status, 202);
    let paused = harness.until("/connectors/o/status", is("PAUSED")).await.json();
    assert_eq!(paused["tasks"][0]["state"], "PAUSED");
    assert_eq!(harness.ask(Method::PUT, "/connectors/o/resume").send().await.status, 202);
    harness.until("/connectors/o/status", running).await;
    assert_eq!(harness.ask(Method::POST, "/connectors/o/restart").send().await.status, 204);
    harness.until("/connectors/o/status", running).await;
    let restarted = harness.ask(Method::POST, "/connectors/o/restart?includeTasks=true").send().await;
    assert_eq!(restarted.status, 202);
    assert_eq!(restarted.json()["tasks"][0]["state"], "RESTARTING");
    harness.until("/connectors/o/status", running).await;
    let nothing = harness.ask(Method::POST, "/connectors/o/restart?includeTasks=true&onlyFailed=true").send().await;
    assert_eq!((nothing.status.as_u16(), nothing.json()["connector"]["state"].clone()), (202, json!("RUNNING")));
    assert_eq!(harness.ask(Method::POST, "/connectors/o/tasks/0/restart").send().await.status, 204);
    let unknown = harness.ask(Method::POST, "/connectors/o/tasks/7/restart").send().await;
    assert_eq!(error(&unknown), (404, "Unknown task: o-7".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_configuration_is_told_in_connects_words() {
    let harness = Harness::open().await;
    let refused = |name: &'static str, config: Value| {
        let harness = &harness;
        async move { error(&harness.post("/connectors", &json!({ "name": name, "config": config })).await) }
    };
    let wrong = harness.aiven(&[("tasks.max", "abc")]);
    let lines = "Connector configuration is invalid and contains the following 2 error(s):\n\
                 Invalid value abc for configuration tasks.max: Not a number of type INT\n\
                 Invalid value null for configuration tasks.max: Value must be non-null\n\
                 You can also find the above list of errors at the endpoint \
                 `/connector-plugins/{connectorType}/config/validate`";
    assert_eq!(refused("c", json!(wrong)).await, (400, lines.to_owned()));
    assert_eq!(
        refused("c", json!({ "a": "secret" })).await,
        (400, "Connector config {a} contains no connector type".to_owned())
    );
    assert_eq!(
        refused("c", json!(harness.aiven(&[("name", "other")]))).await,
        (400, "Connector name configuration (other) doesn't match connector name in the URL (c)".to_owned())
    );
    let (status, text) = refused("", json!(harness.aiven(&[]))).await;
    let nameless =
        "contains the following 1 error(s):\nInvalid value  for configuration name: String may not be empty\n";
    assert!(status == 400 && text.contains(nameless), "{text}");
    let (status, text) = refused("a\u{7}b", json!(harness.aiven(&[("tasks.max", "0")]))).await;
    let two = "contains the following 2 error(s):\nInvalid value a\u{7}b for configuration name: String may not contain \
               control sequences but had the following ASCII chars: 7\nInvalid value 0 for configuration tasks.max";
    assert!(status == 400 && text.contains(two), "{text}");
    assert_eq!(
        refused("", json!(harness.aiven(&[("name", "x")]))).await,
        (400, "Connector name configuration (x) doesn't match connector name in the URL ()".to_owned())
    );
    let mut null = json!(harness.aiven(&[]));
    null["file.max.records"] = Value::Null;
    let (status, text) = refused("c", null).await;
    assert!(
        status == 400 && text.contains("contains the following 1 error(s):\nNull value can not be supplied"),
        "{text}"
    );
    for raw in ["{bad", "", "[]", "\u{feff}{}", "{\"name\": \"c\", \"config\": {\"a\": 1e999}}"] {
        let bad =
            harness.ask(Method::POST, "/connectors").header("content-type", "application/json").body(raw.to_owned());
        assert_eq!(error(&bad.send().await).0, 400, "{raw}");
    }
    assert_eq!(harness.get("/connectors").await.json(), json!([]));
    let class = "AivenKafkaConnectS3SinkConnector";
    let validated = harness.put(&format!("/connector-plugins/{class}/config/validate"), &json!(wrong)).await;
    let body = validated.json();
    assert_eq!(validated.status, 200);
    // The name is missing, too.
    assert_eq!(body["error_count"], 3, "{body}");
    let configs = body["configs"].as_array().unwrap();
    let key = |name: &str| configs.iter().find(|config| config["value"]["name"] == name).unwrap();
    assert_eq!(key("tasks.max")["value"]["errors"].as_array().unwrap().len(), 2);
    assert_eq!(key("aws.secret.access.key")["value"]["value"], "[hidden]");
    assert_eq!(key("aws.s3.region")["definition"]["order"], 7);
    let mismatch = harness.put("/connector-plugins/Other/config/validate", &json!(wrong)).await;
    assert!(error(&mismatch).1.ends_with("does not match request type Other"));
    let unknown = harness.put("/connector-plugins/Nope/config/validate", &json!({ "connector.class": "Nope" })).await;
    assert_eq!(error(&unknown).0, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_changed_of_stopped_connectors_only() {
    let harness = Harness::open().await;
    topic(&harness, "orders").await;
    let new = json!({ "name": "o", "config": harness.aiven(&[]) });
    assert_eq!(harness.post("/connectors", &new).await.status, 201);
    harness.until("/connectors/o/status", running).await;
    let patch =
        |offsets: Value| harness.ask(Method::PATCH, "/connectors/o/offsets").json(&json!({ "offsets": offsets }));
    let place = json!({ "kafka_topic": "orders", "kafka_partition": "0" });
    let not_stopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for \
                       the specified connector by issuing a 'PUT' request to the '/connectors/o/stop' endpoint";
    for offsets in [json!([{ "partition": place, "offset": { "kafka_offset": 0 } }]), json!([{ "partition": {} }])] {
        assert_eq!(error(&patch(offsets).send().await), (400, not_stopped.to_owned()));
    }
    assert_eq!(
        error(&harness.ask(Method::DELETE, "/connectors/o/offsets").send().await),
        (400, not_stopped.to_owned())
    );
    assert_eq!(harness.ask(Method::PUT, "/connectors/o/stop").send().await.status, 204);
    harness.until("/connectors/o/status", |answer| answer.json()["connector"]["state"] == "STOPPED").await;
    let set = patch(json!([{ "partition": place, "offset": { "kafka_offset": 0 } }])).send().await;
    assert_eq!(set.json(), json!({ "message": "The offsets for this connector have been altered successfully" }));
    let found = harness.get("/connectors/o/offsets").await.json();
    let partition = json!({ "kafka_topic": "orders", "kafka_partition": 0 });
    assert_eq!(found, json!({ "offsets": [{ "partition": partition, "offset": { "kafka_offset": 0 } }] }));
    let reset = harness.ask(Method::DELETE, "/connectors/o/offsets").send().await;
    assert_eq!(reset.json(), json!({ "message": "The offsets for this connector have been reset successfully" }));
    assert_eq!(harness.get("/connectors/o/offsets").await.json(), json!({ "offsets": [] }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_characters_can_be_made_and_deleted() {
    let harness = Harness::open().await;
    for (name, path) in [
        ("a b", "a%20b"),
        ("grün☃", "gr%C3%BCn%E2%98%83"),
        ("100%", "100%25"),
        ("a/b", "a%2Fb"),
        ("a?b#c;d", "a%3Fb%23c;d"),
    ] {
        let new = json!({ "name": name, "config": harness.aiven(&[]), "initial_state": "STOPPED" });
        let made = harness.post("/connectors", &new).await;
        assert_eq!(made.status, 201, "{name}: {made:?}");
        let found = harness.get(&format!("/connectors/{path}")).await;
        assert_eq!(found.json()["name"], name);
        let place = made.header("location").split_once("/connectors/").expect("a place").1.to_owned();
        assert_eq!(harness.get(&format!("/connectors/{place}/config")).await.json()["name"], name);
        assert_eq!(harness.ask(Method::DELETE, &format!("/connectors/{path}")).send().await.status, 204);
    }
    // Most clients take these out of a path before they send it: such a connector could be made, and not deleted.
    for name in [".", ".."] {
        let new = json!({ "name": name, "config": harness.aiven(&[]), "initial_state": "STOPPED" });
        assert_eq!(harness.post("/connectors", &new).await.status, 400, "{name}");
    }
    assert_eq!(harness.get("/connectors").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_tells_what_it_is_and_whether_it_works() {
    let harness = Harness::open().await;
    let root = harness.get("/").await.json();
    assert_eq!(root["version"], "4.1.0");
    assert_eq!(harness.get("/health").await.json()["status"], "healthy");
    assert_eq!(harness.get("/healthz").await.status, 200);
    assert_eq!(harness.get("/readyz").await.status, 200, "nothing is wanted, so all that is wanted runs");
    let plugins = harness.get("/connector-plugins").await.json();
    let class = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
    assert_eq!(plugins, json!([{ "class": class, "type": "sink", "version": "3.4.2" }]));
    let all = harness.get("/connector-plugins?connectorsOnly=false").await.json();
    assert!(all.as_array().unwrap().len() > 15);
    let keys = harness.get("/connector-plugins/JsonConverter/config").await.json();
    assert_eq!(keys[1]["name"], "schemas.enable");
    assert_eq!(
        error(&harness.get("/connector-plugins/com.example.Nope/config").await),
        (404, "Unknown plugin com.example.Nope.".to_owned())
    );
    assert_eq!(harness.get("/admin/loggers").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_shows_no_credentials_sees_only_that_there_is_something() {
    let harness = Harness::start(|_, _| ()).await;
    for path in ["/connectors", "/connectors/x", "/connector-plugins", "/admin/loggers"] {
        let answer = harness.get(path).await;
        assert_eq!(error(&answer), (401, "User cannot access the resource.".to_owned()), "{path}");
        assert!(answer.header("www-authenticate").starts_with("Basic"), "{path}");
        assert_eq!(harness.ask(Method::GET, path).basic("nobody", "nothing").send().await.status, 401);
    }
    assert_eq!(harness.get("/").await.status, 200);
    assert_eq!(harness.get("/health").await.status, 200);
    let open = Harness::open().await;
    let wrong = open.ask(Method::GET, "/connectors").basic("nobody", "nothing").send().await;
    assert_eq!(wrong.status, 401, "wrong credentials are wrong also where none are needed");
}
