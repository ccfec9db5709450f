use std::time::Duration;

use control::Logs;
use http::Method;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;
use world::Clock;

use super::scene::Scene;

#[tokio::test]
async fn the_log_of_a_connector_is_searched_by_its_resource_name() {
    let logs = Logs::default();
    // For the whole process, as in `serve`: what is said for the first time on a thread without a subscriber would be
    // taken for what nobody wants to hear. Other tests' connectors are kept apart by their ids.
    let subscriber = tracing_subscriber::registry().with(logs.layer(Clock::system()));
    tracing::subscriber::set_global_default(subscriber).expect("no other test of this process has one");
    let scene = Scene::with(|settings, _, _, _| settings.logs = logs).await;
    scene.harness.broker.create_topic("orders", 1, &[]).await.expect("a topic");
    let config = scene.harness.aiven(&[("name", "orders-1")]);
    let body = json!({ "name": "orders-1", "config": config, "offsets": null }).to_string();
    let made = scene.cli(Method::POST, &scene.c("/connectors"), Some(&body)).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    scene.until_state("orders-1", "RUNNING").await;

    let crn = format!(
        "crn://confluent.cloud/organization={}/environment={}/cloud-cluster={}/connector=",
        scene.organization, scene.environment, scene.cluster
    );
    let ask = |name: &str, search: Value| {
        json!({
            "crn": format!("{crn}{name}"),
            "search": search,
            "sort": "desc",
            "start_time": "2020-01-01T00:00:00Z",
            "end_time": "2099-01-01T00:00:00Z",
        })
        .to_string()
    };
    let path = "/logs/v1/search?page_size=200";
    let says = |line: &Value, part: &str| line["message"].as_str().unwrap().contains(part);
    let search = ask("orders-1", json!({ "level": ["INFO"] }));
    // What its group says comes from a task of the group's own.
    let assigned = async {
        loop {
            let found = scene.terraform(Method::POST, path, Some(&search)).await;
            assert_eq!(found.status, 200, "{:?}", found.body);
            if found.json()["data"].as_array().unwrap().iter().any(|line| says(line, "assigned")) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), assigned).await.expect("a line of its group");
    let lines = found.json()["data"].as_array().unwrap().clone();
    let is_state = |line: &Value| says(line, "state=\"running\"") && line["level"] == "INFO";
    assert!(lines.iter().any(is_state), "{lines:?}");
    assert_eq!(found.json()["metadata"].get("next"), None);
    let text = found.body.clone();
    let secret = scene.harness.user.secret_access_key.expose();
    assert!(!String::from_utf8_lossy(&text).contains(secret));

    // Page by page, as the CLI does with --next.
    let mut paged = Vec::new();
    let mut path = "/api/logs/v1/search?page_size=1".to_owned();
    loop {
        let ask = scene.harness.ask(Method::POST, &path).bearer(&scene.token);
        let body = ask.body(info(&crn)).send().await.json();
        paged.extend(body["data"].as_array().unwrap().clone());
        let Some(next) = body["metadata"].get("next").and_then(Value::as_str) else { break };
        path = next[next.find("/api").unwrap()..].to_owned();
    }
    assert_eq!(paged[paged.len() - lines.len()..], lines);

    let nothing = scene
        .terraform(Method::POST, "/logs/v1/search", Some(&ask("orders-1", json!({ "search_text": "zebra" }))))
        .await;
    assert_eq!(nothing.json()["data"], json!([]));
    let other = scene.terraform(Method::POST, "/logs/v1/search", Some(&ask("orders-2", json!({})))).await;
    assert_eq!(other.status, 404);
    let stranger = scene.stranger("stranger").await;
    let refused = scene.by(&stranger, Method::POST, "/logs/v1/search", Some(&ask("orders-1", json!({})))).await;
    assert_eq!(refused.status, 404, "who may not read a connector does not hear of it");
}

/// A search for what is no trouble.
fn info(crn: &str) -> String {
    json!({ "crn": format!("{crn}orders-1"), "search": { "level": ["INFO"] }, "sort": "desc" }).to_string()
}
