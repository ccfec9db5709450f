use std::time::Duration;

use control::{KeyScope, Principal};
use http::Method;
use local::aws::Account;
use serde_json::{Value, json};

use super::scene::Scene;

const CUSTOMER: &str = "222222222222";

fn role(name: &str) -> String {
    format!("arn:aws:iam::{CUSTOMER}:role/{name}")
}

/// As the CLI and Terraform send it.
fn v1(scene: &Scene, name: &str, arn: &str) -> String {
    json!({
        "config": { "kind": "AwsIntegrationConfig", "customer_iam_role_arn": arn },
        "display_name": name,
        "environment": { "id": scene.environment, "related": "", "resource_name": "" },
        "provider": "aws",
    })
    .to_string()
}

async fn create(scene: &Scene, name: &str, arn: &str) -> Value {
    let answer = scene.terraform(Method::POST, "/pim/v1/integrations", Some(&v1(scene, name, arn))).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.json()
}

fn customer(scene: &Scene) -> Account {
    scene.harness.aws.account(CUSTOMER.parse().unwrap())
}

fn trust(principal: &str, external_id: &str) -> String {
    json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Principal": { "AWS": principal },
        "Action": "sts:AssumeRole", "Condition": { "StringEquals": { "sts:ExternalId": external_id } } } })
    .to_string()
}

#[tokio::test]
async fn an_integration_lives_as_the_cli_and_terraform_ask() {
    let scene = Scene::start().await;
    let arn = role("orders");
    let made = scene.cli(Method::POST, "/pim/v1/integrations", Some(&v1(&scene, "orders", &arn))).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let location = made.header("location").to_owned();
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert!(location.ends_with(&format!("/api/pim/v1/integrations/{id}")), "{location}");
    assert!(id.starts_with("cspi-"));
    assert_eq!((&made["api_version"], &made["kind"]), (&json!("pim/v1"), &json!("Integration")));
    assert_eq!((&made["provider"], &made["display_name"]), (&json!("aws"), &json!("orders")));
    assert_eq!(made["config"]["customer_iam_role_arn"], arn);
    assert_eq!(made["config"]["iam_role_arn"], scene.harness.user.arn.as_str());
    assert_eq!(made["config"]["kind"], "AwsIntegrationConfig");
    assert_eq!(made["config"]["external_id"].as_str().unwrap().len(), 36);
    assert_eq!(made["usages"], json!([]));
    assert_eq!(made["environment"]["id"], scene.environment);

    let at = format!("/pim/v1/integrations/{id}?environment={}", scene.environment);
    for read in [scene.cli(Method::GET, &at, None).await, scene.terraform(Method::GET, &at, None).await] {
        let mut read = read.json();
        // What differs is where the client believes us to be.
        read["environment"] = made["environment"].clone();
        assert_eq!(read, made);
    }
    for list in [
        format!("/pim/v1/integrations?environment={}&page_size=100&provider=aws", scene.environment),
        format!("/pim/v1/integrations?environment={}&page_size=99", scene.environment),
    ] {
        let list = scene.terraform(Method::GET, &list, None).await.json();
        assert_eq!((&list["api_version"], &list["kind"]), (&json!("pim/v1"), &json!("IntegrationList")));
        assert_eq!((&list["metadata"]["total_size"], list["metadata"].get("next")), (&json!(1), None));
        assert_eq!(list["data"][0]["id"], id);
    }
    let others = format!("/pim/v1/integrations?environment={}&provider=gcp", scene.environment);
    assert_eq!(scene.cli(Method::GET, &others, None).await.json()["data"], json!([]));

    let gone = scene.cli(Method::DELETE, &at, None).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    for method in [Method::GET, Method::DELETE] {
        let gone = scene.cli(method, &at, None).await;
        assert_eq!((gone.status.as_u16(), &gone.json()["errors"][0]["status"]), (404, &json!("404")));
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_code() {
    let scene = Scene::start().await;
    let made = create(&scene, "orders", &role("orders")).await;
    let refused = async |body: Value, status: u16, code: &str, pointer: Option<&str>| {
        let answer = scene.terraform(Method::POST, "/pim/v1/integrations", Some(&body.to_string())).await;
        let error = answer.json()["errors"][0].clone();
        assert_eq!((answer.status.as_u16(), &error["code"]), (status, &json!(code)), "{body}: {error}");
        assert_eq!(error["status"], status.to_string());
        assert_eq!(error["source"]["pointer"].as_str(), pointer, "{body}: {error}");
        answer
    };
    let with = |pointer: &str, value: Value| {
        let mut body: Value = serde_json::from_str(&v1(&scene, "x", &role("x"))).unwrap();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let twice =
        refused(with("/config/customer_iam_role_arn", json!(role("orders"))), 409, "resource_already_exists", None);
    let twice = twice.await;
    assert!(twice.header("location").ends_with(&format!("/pim/v1/integrations/{}", made["id"].as_str().unwrap())));
    let invalid = "invalid_configuration";
    for arn in ["", "x", "arn:aws:iam::1:role/x", "arn:aws:s3:::lake", &"a".repeat(3000)] {
        let body = with("/config/customer_iam_role_arn", json!(arn));
        refused(body, 422, invalid, Some("/config/customer_iam_role_arn")).await;
    }
    refused(with("/display_name", json!("")), 422, invalid, Some("/display_name")).await;
    refused(with("/display_name", json!("x".repeat(61))), 422, invalid, Some("/display_name")).await;
    refused(with("/provider", json!("gcp")), 422, invalid, Some("/provider")).await;
    refused(with("/config/kind", json!("GcpIntegrationConfig")), 422, invalid, Some("/config/kind")).await;
    refused(with("/config", Value::Null), 422, invalid, Some("/config")).await;
    refused(with("/environment/id", json!("")), 422, invalid, Some("/environment/id")).await;
    refused(with("/environment/id", json!("env-other")), 404, "not_found", None).await;
    refused(with("/environment/id", json!("x")), 404, "not_found", None).await;
}

#[tokio::test]
async fn the_quota_is_402() {
    let scene = Scene::with(|settings, _, _, _| settings.integrations_per_organization = 2).await;
    create(&scene, "a", &role("a")).await;
    create(&scene, "b", &role("b")).await;
    let third = scene.terraform(Method::POST, "/pim/v1/integrations", Some(&v1(&scene, "c", &role("c")))).await;
    assert_eq!(third.status, 402);
    let error = &third.json()["errors"][0];
    assert_eq!(error["code"], "quota_exceeded");
    assert!(error["detail"].as_str().unwrap().contains("limited to 2"), "{error}");
}

#[tokio::test]
async fn a_draft_gets_its_role_and_is_proven() {
    let scene = Scene::start().await;
    let body = json!({ "display_name": "lake", "environment": { "id": scene.environment }, "provider": "AWS" });
    let draft = scene.terraform(Method::POST, "/pim/v2/integrations", Some(&body.to_string())).await;
    assert_eq!(draft.status, 201, "{:?}", draft.body);
    let draft = draft.json();
    let id = draft["id"].as_str().unwrap();
    assert_eq!((&draft["status"], &draft["provider"]), (&json!("DRAFT"), &json!("aws")));
    let external_id = draft["config"]["external_id"].as_str().unwrap();
    let principal = draft["config"]["iam_role_arn"].as_str().unwrap();
    let validate = async |more: Value| {
        let mut body =
            json!({ "id": id, "environment": { "id": scene.environment, "related": "", "resource_name": "" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scene.terraform(Method::POST, "/pim/v2/integrations:validate", Some(&body.to_string())).await
    };
    let early = validate(json!({})).await;
    assert_eq!(early.status, 400);
    assert!(early.json()["errors"][0]["detail"].as_str().unwrap().starts_with("Cloud provider setup incomplete"));

    // The role is made with what the draft says: no circle.
    customer(&scene).role("lake", &trust(principal, external_id)).create().await.unwrap();
    let body = json!({
        "config": { "kind": "AwsIntegrationConfig", "customer_iam_role_arn": role("lake") },
        "environment": { "id": scene.environment },
    });
    let at = format!("/pim/v2/integrations/{id}");
    let updated = scene.cli(Method::PATCH, &at, Some(&body.to_string())).await;
    assert_eq!((updated.status.as_u16(), &updated.json()["status"]), (200, &json!("CREATED")), "{:?}", updated.body);
    assert_eq!(updated.json()["config"]["external_id"], external_id);
    assert_eq!(scene.cli(Method::PATCH, &at, Some(&body.to_string())).await.status, 200, "the same again");
    let other = json!({ "config": { "kind": "AwsIntegrationConfig", "customer_iam_role_arn": role("other") },
        "environment": { "id": scene.environment } });
    assert_eq!(scene.cli(Method::PATCH, &at, Some(&other.to_string())).await.status, 409);

    let proven = validate(json!({})).await;
    assert_eq!((proven.status.as_u16(), proven.body.len()), (204, 0), "{:?}", proven.body);
    let exchanges = || scene.harness.aws.requests().counts();
    let before = exchanges();
    for _ in 0..5 {
        assert_eq!(validate(json!({ "config": other["config"] })).await.status, 400);
        assert_eq!(validate(json!({})).await.status, 204);
    }
    assert_eq!(exchanges(), before, "what was proven a moment ago is not tried again");
    let read = format!("/pim/v2/integrations/{id}?environment={}", scene.environment);
    assert_eq!(scene.terraform(Method::GET, &read, None).await.json()["status"], "CREATED");
    let list = |query: &str| format!("/pim/v2/integrations?environment={}&page_size=100{query}", scene.environment);
    for (query, count) in
        [("", 1), ("&status=CREATED", 1), ("&status=DRAFT", 0), ("&display_name=ak", 1), ("&provider=azure", 0)]
    {
        let found = scene.cli(Method::GET, &list(query), None).await.json();
        assert_eq!(found["data"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_role_that_is_not_as_it_must_be_is_400_with_what_to_paste() {
    let scene = Scene::start().await;
    let made = create(&scene, "orders", &role("orders")).await;
    let principal = made["config"]["iam_role_arn"].as_str().unwrap();
    let open = json!({ "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" } });
    customer(&scene).role("orders", &open.to_string()).create().await.unwrap();
    let body = json!({ "id": made["id"], "environment": { "id": scene.environment } }).to_string();
    let asked = scene.cli(Method::POST, "/pim/v2/integrations:validate", Some(&body));
    let answer = tokio::time::timeout(Duration::from_secs(90), asked).await.unwrap();
    assert_eq!(answer.status, 400);
    let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("without an external ID"), "{detail}");
    let external_id = made["config"]["external_id"].as_str().unwrap();
    assert!(detail.contains(external_id), "{detail}");
    // Mended as told, it is proven at once: only a good proof is not made again.
    customer(&scene).update_trust("orders", &trust(principal, external_id)).await.unwrap();
    let mended = scene.cli(Method::POST, "/pim/v2/integrations:validate", Some(&body)).await;
    assert_eq!(mended.status, 204, "{:?}", mended.body);
}

#[tokio::test]
async fn a_role_that_is_not_there_keeps_nobody_waiting_for_a_minute() {
    let scene = Scene::start().await;
    let made = create(&scene, "orders", &role("not-there-yet")).await;
    let body = json!({ "id": made["id"], "environment": { "id": scene.environment } }).to_string();
    let asked = scene.terraform(Method::POST, "/pim/v2/integrations:validate", Some(&body));
    let answer = tokio::time::timeout(Duration::from_secs(30), asked).await.expect("sooner");
    assert_eq!(answer.status, 400);
    let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("there is no role"), "{detail}");
}

#[tokio::test]
async fn azure_and_gcp_are_refused_by_name() {
    let scene = Scene::start().await;
    for provider in ["azure", "gcp", "GCP", "oracle"] {
        let body = json!({ "display_name": "x", "environment": { "id": scene.environment }, "provider": provider });
        let answer = scene.cli(Method::POST, "/pim/v2/integrations", Some(&body.to_string())).await;
        assert_eq!(answer.status, 422);
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(provider) && detail.contains("not served"), "{detail}");
    }
}

#[tokio::test]
async fn one_that_is_used_names_its_connectors_and_stays() {
    let scene = Scene::start().await;
    scene.harness.broker.create_topic("orders", 1, &[]).await.expect("a topic");
    let made = create(&scene, "lake", &role("lake")).await;
    let (id, config) = (made["id"].as_str().unwrap(), &made["config"]);
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    let trust = trust(config["iam_role_arn"].as_str().unwrap(), config["external_id"].as_str().unwrap());
    customer(&scene).role("lake", &trust).policy(policy).create().await.unwrap();
    customer(&scene).bucket("customers").region("eu-west-1").create().await.unwrap();
    let body = json!({ "id": id, "environment": { "id": scene.environment } }).to_string();
    assert_eq!(scene.cli(Method::POST, "/pim/v2/integrations:validate", Some(&body)).await.status, 204);

    let mut config = scene.harness.aiven(&[
        ("name", "orders-1"),
        ("aws.s3.bucket.name", "customers"),
        ("authentication.method", "IAM Roles"),
        ("provider.integration.id", id),
    ]);
    config.remove("aws.access.key.id");
    config.remove("aws.secret.access.key");
    let sent = json!({ "name": "orders-1", "config": config, "offsets": null });
    let answer = scene.cli(Method::POST, &scene.c("/connectors"), Some(&sent.to_string())).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    assert_eq!(answer.json()["config"], json!(config), "the keys that were sent, and no other");
    scene.until_state("orders-1", "RUNNING").await;

    let at = format!("/pim/v1/integrations/{id}?environment={}", scene.environment);
    let crn = format!(
        "crn://confluent.cloud/organization={}/environment={}/cloud-cluster={}/connector=orders-1",
        scene.organization, scene.environment, scene.cluster
    );
    assert_eq!(scene.cli(Method::GET, &at, None).await.json()["usages"], json!([crn]));
    let v2 = format!("/pim/v2/integrations/{id}?environment={}", scene.environment);
    assert_eq!(scene.cli(Method::GET, &v2, None).await.json()["status"], "ACTIVE");
    let used = scene.cli(Method::DELETE, &at, None).await;
    assert_eq!(used.status, 409);
    assert!(used.json()["errors"][0]["detail"].as_str().unwrap().contains("orders-1"));
    assert_eq!(scene.cli(Method::DELETE, &scene.c("/connectors/orders-1"), None).await.status, 200);
    assert_eq!(scene.cli(Method::DELETE, &at, None).await.status, 204);
}

#[tokio::test]
async fn tenants_do_not_learn_of_each_other() {
    let scene = Scene::start().await;
    let made = create(&scene, "orders", &role("orders")).await;
    let id = made["id"].as_str().unwrap();
    let tenant = scene.harness.plane.create_environment(&scene.admin(), "tenant").await.unwrap();
    let stranger = scene.stranger("tenant").await;
    let crn = format!("crn://confluent.cloud/organization={}/environment={}", scene.organization, tenant.id);
    let body =
        json!({ "principal": stranger.key.owner.to_string(), "role_name": "EnvironmentAdmin", "crn_pattern": crn });
    let bound = scene.terraform(Method::POST, "/iam/v2/role-bindings", Some(&body.to_string())).await;
    assert_eq!(bound.status, 201, "{:?}", bound.body);

    let theirs = async |method: Method, path: &str, body: Option<&str>| scene.by(&stranger, method, path, body).await;
    let same = async |method: Method, there: String, nowhere: String, body: Option<(String, String)>| {
        let (one, other) = match &body {
            Some((one, other)) => {
                (theirs(method.clone(), &there, Some(one)).await, theirs(method.clone(), &nowhere, Some(other)).await)
            }
            None => (theirs(method.clone(), &there, None).await, theirs(method.clone(), &nowhere, None).await),
        };
        assert_eq!(one.status, other.status, "{method} {there}");
        assert_eq!(one.status, 404, "{method} {there}: {:?}", one.body);
        let told = |answer: &crate::harness::Answer| {
            let body = answer.json();
            let text = body["errors"][0]["detail"].as_str().or(body["error"]["message"].as_str()).unwrap().to_owned();
            text.replace(id, "ID")
                .replace("cspi-nosuch", "ID")
                .replace(&scene.environment, "E")
                .replace("env-nosuch", "E")
                .replace(&scene.cluster, "C")
                .replace("lkc-nosuch", "C")
        };
        assert_eq!(told(&one), told(&other), "{method} {there}");
    };
    let (own, other) = (&scene.environment, &tenant.id);
    let at = |id: &str, environment: &str| format!("/pim/v1/integrations/{id}?environment={environment}");
    for method in [Method::GET, Method::DELETE] {
        same(method.clone(), at(id, own), at("cspi-nosuch", "env-nosuch"), None).await;
        same(method, at(id, other.as_str()), at("cspi-nosuch", other.as_str()), None).await;
    }
    let list = |environment: &str| format!("/pim/v1/integrations?environment={environment}");
    same(Method::GET, list(own), list("env-nosuch"), None).await;
    assert_eq!(theirs(Method::GET, &list(other.as_str()), None).await.json()["metadata"]["total_size"], 0);
    let validate = |id: &str, environment: &str| json!({ "id": id, "environment": { "id": environment } }).to_string();
    let path = || "/pim/v2/integrations:validate".to_owned();
    same(Method::POST, path(), path(), Some((validate(id, own), validate("cspi-nosuch", "env-nosuch")))).await;
    let theirs_env = other.as_str();
    same(Method::POST, path(), path(), Some((validate(id, theirs_env), validate("cspi-nosuch", theirs_env)))).await;
    let environment = |id: &str| format!("/org/v2/environments/{id}");
    same(Method::GET, environment(own), environment("env-nosuch"), None).await;
    let cluster = |cluster: &str, environment: &str| format!("/cmk/v2/clusters/{cluster}?environment={environment}");
    same(Method::GET, cluster(&scene.cluster, own), cluster("lkc-nosuch", "env-nosuch"), None).await;
    let connectors = |cluster: &str, environment: &str| {
        format!("/connect/v1/environments/{environment}/clusters/{cluster}/connectors")
    };
    same(Method::GET, connectors(&scene.cluster, own), connectors("lkc-nosuch", "env-nosuch"), None).await;
    same(Method::GET, connectors(&scene.cluster, theirs_env), connectors("lkc-nosuch", theirs_env), None).await;
    let list = theirs(Method::GET, "/org/v2/environments", None).await.json();
    assert_eq!(list["metadata"]["total_size"], 1);

    // The same role may be in two environments, and neither hears of the other.
    let body = v1(&scene, "orders", &role("orders")).replace(own.as_str(), other.as_str());
    assert_eq!(theirs(Method::POST, "/pim/v1/integrations", Some(&body)).await.status, 201);
    // A key of one cluster reaches nothing else.
    let admin = scene.admin();
    let only = scene.harness.plane.create_api_key(
        &admin,
        Principal::User(scene.user.id.clone()),
        KeyScope::Cluster(scene.cluster.parse().unwrap()),
        "",
    );
    let only = only.await.unwrap();
    assert_eq!(scene.by(&only, Method::GET, &environment(other.as_str()), None).await.status, 404);
}
