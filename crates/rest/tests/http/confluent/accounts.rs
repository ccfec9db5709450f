use http::Method;
use serde_json::json;

use super::scene::Scene;

#[tokio::test]
async fn environments_and_clusters_are_read_at_both_places() {
    let scene = Scene::start().await;
    let (environment, cluster) = (&scene.environment, &scene.cluster);
    let list = scene.cli(Method::GET, "/org/v2/environments?page_size=100", None).await.json();
    assert_eq!(list["kind"], "EnvironmentList");
    assert_eq!(list["metadata"].get("next"), None);
    let one = &list["data"][0];
    assert_eq!(one["id"], *environment);
    assert_eq!(one["stream_governance_config"]["package"], "ESSENTIALS");
    let crn = format!("crn://confluent.cloud/organization={}/environment={environment}", scene.organization);
    assert_eq!(one["metadata"]["resource_name"], crn);
    let read = scene.terraform(Method::GET, &format!("/org/v2/environments/{environment}"), None).await.json();
    assert_eq!((&read["id"], &read["display_name"]), (&one["id"], &one["display_name"]));

    let path = format!("/cmk/v2/clusters/{cluster}?environment={environment}");
    let read = scene.cli(Method::GET, &path, None).await.json();
    assert_eq!(read["id"], *cluster);
    assert_eq!(read["status"]["phase"], "PROVISIONED");
    assert_eq!(read["spec"]["environment"]["id"], *environment);
    let endpoint = format!("PLAINTEXT://{}", scene.harness.broker.bootstrap());
    assert_eq!(read["spec"]["kafka_bootstrap_endpoint"], endpoint);
    assert_eq!(read["spec"]["http_endpoint"], format!("http://{}", scene.harness.server.address()));
    let path = format!("/cmk/v2/clusters?environment={environment}&page_size=99");
    assert_eq!(scene.terraform(Method::GET, &path, None).await.json()["data"][0]["id"], *cluster);
    let elsewhere = format!("/cmk/v2/clusters/{cluster}?environment=env-other");
    assert_eq!(scene.cli(Method::GET, &elsewhere, None).await.status, 404);

    let path = format!("/org/v2/organizations/{}", scene.organization);
    assert_eq!(scene.cli(Method::GET, &path, None).await.json()["kind"], "Organization");
}

#[tokio::test]
async fn environments_are_made_and_taken_away() {
    let scene = Scene::start().await;
    let made = scene.terraform(Method::POST, "/org/v2/environments", Some(r#"{"display_name":"staging"}"#)).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let at = format!("/org/v2/environments/{id}");
    assert!(made.header("location").ends_with(&at), "{}", made.header("location"));
    assert_eq!(scene.terraform(Method::GET, &at, None).await.status, 200);
    assert_eq!(scene.terraform(Method::DELETE, &at, None).await.status, 204);
    assert_eq!(scene.terraform(Method::GET, &at, None).await.status, 404);
}

#[tokio::test]
async fn a_service_account_gets_a_key_and_a_role() {
    let scene = Scene::start().await;
    let body = r#"{"display_name":"loader","description":"loads"}"#;
    let account = scene.terraform(Method::POST, "/iam/v2/service-accounts", Some(body)).await;
    assert_eq!(account.status, 201);
    let account = account.json();
    let id = account["id"].as_str().unwrap();
    assert_eq!((&account["kind"], &account["description"]), (&json!("ServiceAccount"), &json!("loads")));

    let at = format!("/iam/v2/service-accounts/{id}");
    let described = scene.terraform(Method::PATCH, &at, Some(r#"{"description":"loads the lake"}"#)).await;
    assert_eq!((described.status.as_u16(), &described.json()["description"]), (200, &json!("loads the lake")));

    let body = json!({
        "spec": {
            "display_name": "", "description": "for the loader",
            "owner": { "id": id, "api_version": "iam/v2", "kind": "ServiceAccount", "related": "", "resource_name": "" },
            "resource": { "id": scene.cluster, "api_version": "cmk/v2", "kind": "Cluster", "environment": scene.environment,
                "related": "", "resource_name": "" },
        }
    });
    let key = scene.terraform(Method::POST, "/iam/v2/api-keys", Some(&body.to_string())).await;
    assert_eq!(key.status, 202);
    let key = key.json();
    let key_id = key["id"].as_str().unwrap();
    let secret = key["spec"]["secret"].as_str().unwrap();
    assert!(secret.len() >= 32);
    let resource = &key["spec"]["resource"];
    assert_eq!((&resource["kind"], &resource["environment"]), (&json!("Cluster"), &json!(scene.environment)));
    let read = scene.cli(Method::GET, &format!("/iam/v2/api-keys/{key_id}"), None).await.json();
    assert_eq!(read["spec"].get("secret"), None, "it is shown once");
    assert_eq!((&read["spec"]["owner"]["id"], &read["spec"]["owner"]["kind"]), (&json!(id), &json!("ServiceAccount")));
    let of_owner = format!("/iam/v2/api-keys?spec.owner={id}&page_size=100");
    assert_eq!(scene.cli(Method::GET, &of_owner, None).await.json()["data"].as_array().unwrap().len(), 1);

    // One that is good for all that its owner may do: no resource, as Terraform sends it.
    let body = json!({ "spec": { "owner": { "id": id, "related": "", "resource_name": "" }, "description": "" } });
    let cloud = scene.terraform(Method::POST, "/iam/v2/api-keys", Some(&body.to_string())).await.json();
    assert_eq!(
        (&cloud["spec"]["resource"]["id"], &cloud["spec"]["resource"]["kind"]),
        (&json!("cloud"), &json!("Cloud"))
    );
    assert_eq!(scene.cli(Method::DELETE, &format!("/iam/v2/api-keys/{key_id}"), None).await.status, 204);
    let (key_id, secret) = (cloud["id"].as_str().unwrap(), cloud["spec"]["secret"].as_str().unwrap());

    let connectors = scene.c("/connectors");
    let asked = || scene.harness.ask(Method::GET, &connectors).basic(key_id, secret).send();
    assert_eq!(asked().await.status, 404, "it may not even know of the cluster");
    let crn = format!(
        "crn://confluent.cloud/organization={}/environment={}/cloud-cluster={}",
        scene.organization, scene.environment, scene.cluster
    );
    let body = json!({ "principal": format!("User:{id}"), "role_name": "CloudClusterAdmin", "crn_pattern": crn });
    let binding = scene.terraform(Method::POST, "/iam/v2/role-bindings", Some(&body.to_string())).await;
    assert_eq!(binding.status, 201, "{:?}", binding.body);
    let binding = binding.json();
    assert_eq!(binding["role_name"], "CloudClusterAdmin");
    assert_eq!(asked().await.json(), json!([]));

    let filter = format!(
        "/iam/v2/role-bindings?crn_pattern={crn}&principal=User%3A{id}&role_name=CloudClusterAdmin&page_size=100"
    );
    let list = scene.cli(Method::GET, &filter, None).await.json();
    assert_eq!(list["data"][0]["id"], binding["id"]);
    let at = format!("/iam/v2/role-bindings/{}", binding["id"].as_str().unwrap());
    let gone = scene.cli(Method::DELETE, &at, None).await;
    assert_eq!((gone.status.as_u16(), &gone.json()["id"]), (200, &binding["id"]));
    assert_eq!(asked().await.status, 404);
    assert_eq!(scene.cli(Method::DELETE, &format!("/iam/v2/api-keys/{key_id}"), None).await.status, 204);
    assert_eq!(asked().await.status, 401);
}

#[tokio::test]
async fn lists_have_pages_that_follow_one_another() {
    let scene = Scene::start().await;
    for n in 0..5 {
        let body = json!({ "display_name": format!("account {n}") }).to_string();
        scene.terraform(Method::POST, "/iam/v2/service-accounts", Some(&body)).await;
    }
    let mut path = "/iam/v2/service-accounts?page_size=2".to_owned();
    let mut names = Vec::new();
    loop {
        let page = scene.terraform(Method::GET, &path, None).await.json();
        assert_eq!(page["metadata"]["total_size"], 5);
        names.extend(
            page["data"].as_array().unwrap().iter().map(|one| one["display_name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["metadata"].get("next") else { break };
        let next = next.as_str().expect("never null");
        path = next[next.find("/iam").unwrap()..].to_owned();
    }
    names.sort();
    assert_eq!(names, ["account 0", "account 1", "account 2", "account 3", "account 4"]);
    for wrong in ["page_size=0", "page_size=101", "page_size=x", "page_token=zzz"] {
        let answer = scene.terraform(Method::GET, &format!("/iam/v2/service-accounts?{wrong}"), None).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.json()["errors"][0]["source"]["parameter"].is_string(), "{wrong}");
    }
}
