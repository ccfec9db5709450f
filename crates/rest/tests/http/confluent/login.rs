use base64::Engine as _;
use http::Method;
use serde_json::{Value, json};

use super::scene::{EMAIL, PASSWORD, Scene};

#[tokio::test]
async fn the_cli_logs_in_and_finds_its_environment() {
    let scene = Scene::start().await;
    let harness = &scene.harness;
    let realm = "/api/login/realm?XXX_sizecache=0&client_id=oX2nvSKl5jvBKVgwehZfvR4K8RhsZIEs&email=ada%40example.com";
    for _ in 0..2 {
        let answer = harness.get(realm).await;
        assert_eq!(answer.json(), json!({ "realm": "", "is_sso": false, "mfa_required": false }));
    }
    let login = harness.post("/api/sessions", &json!({ "email": EMAIL, "password": PASSWORD })).await;
    assert_eq!(login.status, 200);
    let login = login.json();
    assert_eq!(login["organization"]["id"], 1);
    assert_eq!(login["organization"]["resource_id"], scene.organization);
    let token = login["token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert!(claims["exp"].is_number(), "the CLI reads when it ends");

    let me = harness.ask(Method::GET, "/api/me").bearer(token).send().await;
    assert_eq!(me.status, 200);
    let me = me.json();
    assert_eq!(me["user"]["email"], EMAIL);
    assert_eq!((&me["user"]["first_name"], &me["user"]["last_name"]), (&json!("Ada King"), &json!("Lovelace")));
    assert_eq!(me["user"]["resource_id"], scene.user.id.as_str());
    assert!(me["user"]["id"].is_i64());
    assert_eq!(me["accounts"][0]["id"], scene.environment);
    assert_eq!(me["accounts"][0]["organization_id"], 1);

    // A GET with a body.
    let trial = harness.ask(Method::GET, "/api/growth/v1/free-trial-info").bearer(token).json(&json!({ "orgId": 1 }));
    assert_eq!(trial.send().await.json()["promo_code_claims"], json!([]));

    let bye = harness.ask(Method::DELETE, "/api/sessions").bearer(token).send().await;
    assert_eq!((bye.status.as_u16(), bye.json()), (200, json!({})));
    let me = harness.ask(Method::GET, "/api/me").bearer(token).send().await;
    assert_eq!(me.status, 401, "the login has ended");
    let bye = harness.ask(Method::DELETE, "/api/sessions").bearer(token).send().await;
    assert_eq!(bye.status, 200, "to end what has ended is no error");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let scene = Scene::start().await;
    let wrong = scene.harness.post("/api/sessions", &json!({ "email": EMAIL, "password": "x" })).await;
    let unknown = scene.harness.post("/api/sessions", &json!({ "email": "b@example.com", "password": "x" })).await;
    assert_eq!(wrong.status, 403);
    assert_eq!(wrong.json()["error"]["code"], 403);
    assert_eq!((wrong.status, wrong.json()), (unknown.status, unknown.json()));
    let empty = scene.harness.post("/api/sessions", &json!({ "email": EMAIL })).await;
    assert_eq!(empty.status, 400);
}

#[tokio::test]
async fn a_login_is_refreshed_once() {
    let scene = Scene::start().await;
    let login = scene.harness.post("/api/sessions", &json!({ "email": EMAIL, "password": PASSWORD })).await.json();
    let refresh = json!({ "refresh_token": login["refresh_token"], "org_resource_id": scene.organization });
    let second = scene.harness.post("/api/sessions", &refresh).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.json()["token"], login["token"]);
    let again = scene.harness.post("/api/sessions", &refresh).await;
    assert_eq!(again.status, 403, "it is used up");
}

#[tokio::test]
async fn the_data_plane_token_is_that_of_the_login() {
    let scene = Scene::start().await;
    let answer = scene.cli(Method::POST, "/access_tokens", Some("{}")).await;
    assert_eq!(answer.json()["token"], scene.token);
    let key = &scene.key;
    let ask = scene.harness.ask(Method::POST, "/api/access_tokens").basic(&key.key.id, key.secret.expose());
    assert_eq!(ask.json(&json!({})).send().await.status, 400, "a key has none");
}
