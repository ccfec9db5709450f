use std::collections::BTreeMap;

use control::MASK;
use http::Method;
use serde_json::{Value, json};

use super::scene::Scene;

const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";

async fn scene() -> Scene {
    let scene = Scene::start().await;
    scene.harness.broker.create_topic("orders", 1, &[]).await.expect("a topic");
    scene
}

fn config(scene: &Scene, name: &str) -> BTreeMap<String, String> {
    scene.harness.aiven(&[("name", name), ("tasks.max", "2")])
}

async fn create(scene: &Scene, name: &str) -> Value {
    let body = json!({ "name": name, "config": config(scene, name), "offsets": null });
    let answer = scene.cli(Method::POST, &scene.c("/connectors"), Some(&body.to_string())).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_connector_lives_as_the_cli_and_terraform_ask() {
    let scene = scene().await;
    // Terraform validates first.
    let validate = scene.c(&format!("/connector-plugins/{CLASS}/config/validate"));
    let sent = json!(config(&scene, "orders-1")).to_string();
    let found = scene.terraform(Method::PUT, &validate, Some(&sent)).await;
    assert_eq!(found.status, 200, "{:?}", found.body);
    assert_eq!(found.json()["error_count"], 0, "{}", found.json());

    let made = create(&scene, "orders-1").await;
    assert_eq!((&made["name"], &made["type"]), (&json!("orders-1"), &json!("sink")));
    assert_eq!(made.get("id"), None);
    let status = scene.terraform(Method::GET, &scene.c("/connectors/orders-1/status"), None).await.json();
    let state = status["connector"]["state"].as_str().unwrap();
    assert!(["PROVISIONING", "RUNNING"].contains(&state), "{state}");
    let status = scene.until_state("orders-1", "RUNNING").await;
    assert_eq!(status["tasks"].as_array().unwrap().len(), 2);
    assert_eq!((&status["tasks"][1]["id"], &status["tasks"][1]["msg"]), (&json!(1), &json!("")));

    // The CLI finds it by its id: expand arrives twice, each a list with commas.
    let list = scene.c("/connectors?expand=info%2Cstatus%2Cid&expand=id%2Cinfo%2Cstatus");
    let all = scene.cli(Method::GET, &list, None).await.json();
    let one = &all["orders-1"];
    assert!(one["id"]["id"].as_str().unwrap().starts_with("lcc-"));
    assert_eq!(one["id"]["id_type"], "ID");
    assert_eq!(one["status"]["connector"]["state"], "RUNNING");
    let mut shown = config(&scene, "orders-1");
    shown.insert("aws.secret.access.key".into(), MASK.into());
    let returned: BTreeMap<String, String> = serde_json::from_value(one["info"]["config"].clone()).unwrap();
    assert_eq!(
        returned.keys().collect::<Vec<_>>(),
        shown.keys().collect::<Vec<_>>(),
        "the keys that were sent, and no other"
    );
    assert_eq!(returned["aws.secret.access.key"], MASK);
    let terraforms = scene.terraform(Method::GET, &scene.c("/connectors?expand=info%2Cstatus%2Cid"), None).await;
    assert_eq!(terraforms.json(), all);
    let only = scene.terraform(Method::GET, &scene.c("/connectors?expand=id"), None).await.json();
    assert_eq!(only["orders-1"].as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
    assert_eq!(scene.terraform(Method::GET, &scene.c("/connectors"), None).await.json(), json!(["orders-1"]));

    // An update as the CLI sends it: secrets as they were listed.
    let mut update = returned.clone();
    update.insert("tasks.max".into(), "1".into());
    let at = scene.c("/connectors/orders-1/config");
    let answer = scene.cli(Method::PUT, &at, Some(&json!(update).to_string())).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.json()["config"]["tasks.max"], "1");
    let status = scene.until_state("orders-1", "RUNNING").await;
    assert_eq!(status["connector"]["trace"], "", "the stored secret still works");

    for (verb, state) in [("pause", "PAUSED"), ("resume", "RUNNING")] {
        let answer = scene.terraform(Method::PUT, &scene.c(&format!("/connectors/orders-1/{verb}")), None).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
        scene.until_state("orders-1", state).await;
    }
    let answer = scene.terraform(Method::POST, &scene.c("/connectors/orders-1/restart"), None).await;
    assert_eq!(answer.status, 202);
    scene.until_state("orders-1", "RUNNING").await;
    let tasks = scene.terraform(Method::GET, &scene.c("/connectors/orders-1/tasks"), None).await.json();
    assert_eq!(tasks[0]["id"], json!({ "connector": "orders-1", "task": 0 }));

    let gone = scene.cli(Method::DELETE, &scene.c("/connectors/orders-1"), None).await;
    assert_eq!((gone.status.as_u16(), gone.json()), (200, json!({ "error": null })));
    assert_eq!(gone.json().as_object().unwrap().len(), 1);
    let gone = scene.cli(Method::DELETE, &scene.c("/connectors/orders-1"), None).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["error"]["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn offsets_are_changed_while_it_runs() {
    let scene = scene().await;
    create(&scene, "orders-1").await;
    scene.until_state("orders-1", "RUNNING").await;
    let status_at = scene.c("/connectors/orders-1/offsets/request/status");
    assert_eq!(scene.cli(Method::GET, &status_at, None).await.status, 404, "none was asked for");
    // Terraform's form: numbers as texts.
    let body = r#"{"type":"PATCH","offsets":[{"partition":{"kafka_partition":"0","kafka_topic":"orders"},"offset":{"kafka_offset":"0"}}]}"#;
    let asked = scene.terraform(Method::POST, &scene.c("/connectors/orders-1/offsets/request"), Some(body)).await;
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    assert_eq!(asked.json()["type"], "PATCH");
    assert!(asked.json()["requested_at"].is_string());
    let mut progress = Value::Null;
    for _ in 0..1000 {
        progress = scene.cli(Method::GET, &status_at, None).await.json();
        if progress["status"]["phase"] != "PENDING" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(progress["status"]["phase"], "APPLIED", "{progress}");
    assert!(progress["previous_offsets"].is_array(), "never null");
    assert!(progress["applied_at"].is_string());
    let at = json!({ "partition": { "kafka_topic": "orders", "kafka_partition": 0 }, "offset": { "kafka_offset": 0 } });
    assert_eq!(progress["request"]["offsets"], json!([at]));
    scene.until_state("orders-1", "RUNNING").await;
    let read = scene.cli(Method::GET, &scene.c("/connectors/orders-1/offsets"), None).await.json();
    assert_eq!(read["offsets"], json!([at]));
    assert!(read["metadata"]["observed_at"].is_string());
    for wrong in ["{}", r#"{"type":"PATCH"}"#, r#"{"type":"PUT","offsets":[]}"#, r#"{"type":"PATCH","offsets":[{}]}"#] {
        let answer = scene.cli(Method::POST, &scene.c("/connectors/orders-1/offsets/request"), Some(wrong)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!(400)), "{wrong}");
    }
}

#[tokio::test]
async fn plugins_are_described_with_nothing_but_their_class() {
    let scene = scene().await;
    let plugins = scene.cli(Method::GET, &scene.c("/connector-plugins"), None).await.json();
    assert!(plugins.as_array().unwrap().iter().any(|plugin| plugin["class"] == CLASS && plugin["type"] == "sink"));
    let body = json!({ "connector.class": CLASS }).to_string();
    let path = scene.c(&format!("/connector-plugins/{CLASS}/config/validate"));
    let found = scene.cli(Method::PUT, &path, Some(&body)).await;
    assert_eq!(found.status, 200);
    let found = found.json();
    assert!(found["error_count"].as_u64().unwrap() > 0);
    let configs = found["configs"].as_array().unwrap();
    let bucket = configs.iter().find(|key| key["value"]["name"] == "aws.s3.bucket.name").expect("its keys");
    assert!(bucket["definition"]["documentation"].is_string());
    assert!(bucket["definition"]["required"].is_boolean());
    assert!(bucket["definition"]["default_value"].is_string());
    let kinds = ["NONE", "BOOLEAN", "INT", "SHORT", "LONG", "DOUBLE", "STRING", "LIST", "ENUM", "PASSWORD"];
    for key in configs.iter().filter(|key| !key["definition"].is_null()) {
        let kind = key["definition"]["type"].as_str().unwrap();
        assert!(kinds.contains(&kind), "{kind}");
    }
    let unknown = scene.c("/connector-plugins/S3_SINK_X/config/validate");
    let answer = scene.cli(Method::PUT, &unknown, Some(r#"{"connector.class":"S3_SINK_X"}"#)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn what_is_refused_is_told_in_confluents_shape() {
    let scene = scene().await;
    let refused = async |body: Value, status: u16, part: &str| {
        let answer = scene.cli(Method::POST, &scene.c("/connectors"), Some(&body.to_string())).await;
        assert_eq!(answer.status, status, "{body}: {:?}", answer.body);
        assert_eq!(answer.json()["error"]["code"], status);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{message}");
    };
    let mut unknown = config(&scene, "x");
    unknown.insert("connector.class".into(), "NoSuchSink".into());
    refused(json!({ "name": "x", "config": unknown }), 400, "NoSuchSink").await;
    let mut missing = config(&scene, "x");
    missing.remove("aws.s3.bucket.name");
    refused(json!({ "name": "x", "config": missing }), 400, "aws.s3.bucket.name").await;
    refused(json!({ "name": "y", "config": config(&scene, "x") }), 400, "name").await;
    refused(json!({ "config": config(&scene, "x") }), 400, "name").await;
    refused(json!({ "name": "x" }), 400, "config").await;
    refused(json!({ "name": "x", "config": { "a": {} } }), 400, "a").await;
    create(&scene, "x").await;
    refused(json!({ "name": "x", "config": config(&scene, "x") }), 409, "x").await;
    let wrong = scene.c("/connectors").replace(&scene.environment, "env-other");
    let answer = scene.cli(Method::GET, &wrong, None).await;
    assert_eq!(answer.status, 404);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    let nowhere = scene.c("/connectors").replace(&scene.cluster, "lkc-other");
    let other = scene.cli(Method::GET, &nowhere, None).await.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message.replace(&scene.cluster, "lkc-other"), other, "whether it is elsewhere is not told");
}

#[tokio::test]
async fn an_update_that_is_refused_leaves_what_runs() {
    let scene = scene().await;
    create(&scene, "orders-1").await;
    scene.until_state("orders-1", "RUNNING").await;
    let mut broken = config(&scene, "orders-1");
    broken.insert("tasks.max".into(), "none".into());
    let at = scene.c("/connectors/orders-1/config");
    assert_eq!(scene.cli(Method::PUT, &at, Some(&json!(broken).to_string())).await.status, 400);
    let status = scene.terraform(Method::GET, &scene.c("/connectors/orders-1/status"), None).await.json();
    assert_eq!(status["connector"]["state"], "RUNNING");
    assert_eq!(scene.cli(Method::GET, &at, None).await.json()["tasks.max"], "2");
}
