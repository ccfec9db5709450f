use http::Method;
use serde_json::json;

use super::scene::Scene;

#[tokio::test]
async fn a_wrong_key_is_401_with_a_detail() {
    let scene = Scene::start().await;
    let path = format!("/pim/v1/integrations?environment={}", scene.environment);
    let answer = scene.harness.ask(Method::GET, &path).basic("ABCDEFGHIJKLMNOP", "x").send().await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("www-authenticate").starts_with("Basic "));
    let error = &answer.json()["errors"][0];
    assert_eq!((&error["status"], &error["code"]), (&json!("401"), &json!("user_unauthenticated")));
    assert!(!error["detail"].as_str().unwrap().is_empty());
    assert_eq!(error["id"], answer.header("x-request-id"));
    let none = scene.harness.get(&path).await;
    assert_eq!(none.status, 401);
    let connect = scene.harness.get(&scene.c("/connectors")).await;
    assert_eq!((connect.status.as_u16(), &connect.json()["error"]["code"]), (401, &json!(401)));
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_have_each_ones_shape() {
    let scene = Scene::start().await;
    for (method, path, status, shape) in [
        (Method::GET, "/pim/v9/integrations", 404, "errors"),
        (Method::GET, "/api/pim/v1/nothing", 404, "errors"),
        (Method::GET, "/connect/v1/nothing", 404, "error"),
        (Method::GET, "/api/nothing", 404, "error"),
        (Method::PUT, "/pim/v1/integrations", 405, "errors"),
        (Method::PATCH, "/pim/v1/integrations/cspi-abc123", 405, "errors"),
        (Method::DELETE, "/connect/v1/environments/env-a/clusters/lkc-a/connectors", 405, "error"),
    ] {
        let answer = scene.terraform(method.clone(), path, None).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        assert!(answer.json().get(shape).is_some(), "{method} {path}: {:?}", answer.body);
        assert_eq!(answer.header("allow").is_empty(), status != 405, "{method} {path}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_clear_refusals() {
    let scene = Scene::start().await;
    let deep = "[".repeat(100_000);
    for body in
        ["", "{", "[]", "null", "\"x\"", "{\"config\":1}", "{\"config\":{}}", deep.as_str(), "{\"a\":1,\"a\":2}"]
    {
        for path in [
            "/pim/v1/integrations",
            "/pim/v2/integrations",
            "/pim/v2/integrations:validate",
            "/iam/v2/api-keys",
            "/iam/v2/service-accounts",
            "/iam/v2/role-bindings",
            "/org/v2/environments",
            "/logs/v1/search",
            &scene.c("/connectors"),
        ] {
            let answer = scene.terraform(Method::POST, path, Some(body)).await;
            assert!([400, 422].contains(&answer.status.as_u16()), "{path} {body:.20}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn odd_paths_name_nothing() {
    let scene = Scene::start().await;
    let environment = &scene.environment;
    for path in [
        format!("/pim/v1/integrations/..%2f..%2fetc?environment={environment}"),
        format!("/pim/v1/integrations/%ff?environment={environment}"),
        format!("/pim/v1/integrations/%00?environment={environment}"),
        format!("/pim/v1/integrations/{}?environment={environment}", "x".repeat(5000)),
        "/org/v2/environments/%2e%2e".to_owned(),
        "/org/v2/environments/ENV-A".to_owned(),
        "/iam/v2/api-keys/%27%20or%201=1".to_owned(),
        scene.c("/connectors/%ff"),
        scene.c("/connectors/no/status"),
        scene.c("/connectors/no%2fsuch"),
    ] {
        let answer = scene.terraform(Method::GET, &path, None).await;
        assert_eq!(answer.status, 404, "{path:.80}: {answer:?}");
        assert!(answer.body.len() < 1000, "{path:.80}");
    }
    assert_eq!(scene.terraform(Method::GET, "/pim/v1/integrations", None).await.status, 400, "no environment");
}
