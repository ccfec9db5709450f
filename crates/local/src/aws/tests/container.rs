use serde_json::{Value, json};

use super::client::Answer;
use super::{CUSTOMER, World, allow, bounded, service_trust};
use crate::aws::{Container, PodIdentity};

const KEYS: [&str; 3] = ["AccessKeyId", "SecretAccessKey", "Token"];

async fn get(world: &World, uri: &str, token: Option<&str>) -> Answer {
    let path = uri.strip_prefix(&world.aws.endpoint()).unwrap();
    let token = token.map(|token| format!("authorization: {token}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{token}\r\n", world.aws.address());
    world.client().send(&head, b"").await.unwrap()
}

async fn credentials(world: &World, container: &Container) -> Value {
    let answer = get(world, &container.full_uri, Some(container.token.expose())).await;
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_task_has_a_session_of_its_role() {
    bounded(async {
        let world = World::new().await;
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let trust = service_trust("ecs-tasks.amazonaws.com", &["sts:AssumeRole"], &json!({}));
        let role = account.role("task", &trust).policy(&allow("s3:*")).create().await.unwrap();
        let document = credentials(&world, &world.aws.task(&role)).await;
        assert_eq!((&document["RoleArn"], &document["AccountId"]), (&json!(role.as_str()), &json!(CUSTOMER)));
        let client = world.client().with_keys(&document, KEYS);
        assert!(client.put("/lake/k", "x").await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_pod_has_a_session_with_tags_that_go_on() {
    bounded(async {
        let world = World::new().await;
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let both = ["sts:AssumeRole", "sts:TagSession"];
        let trust = service_trust("pods.eks.amazonaws.com", &both, &json!({}));
        let role = account.role("pod", &trust).policy(&allow("*")).create().await.unwrap();
        let pod = PodIdentity {
            cluster: "shop".into(),
            namespace: "orders".into(),
            service_account: "writer".into(),
            pod: "writer-0".into(),
        };
        let document = credentials(&world, &world.aws.pod(&role, &pod)).await;
        let client = world.client().with_keys(&document, KEYS);
        assert!(client.put("/lake/k", "x").await.status.is_success());

        let tagged = json!({"StringEquals": {"aws:PrincipalTag/kubernetes-namespace": "orders"}});
        let next = |actions: &[&str]| {
            json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": role.as_str()},
                "Action": actions, "Condition": tagged}})
            .to_string()
        };
        let plain = account.role("plain", &next(&["sts:AssumeRole"])).create().await.unwrap();
        let tagging = account.role("tagging", &next(&both)).create().await.unwrap();
        assert!(client.assume(plain.as_str(), &[]).await.text().contains("sts:TagSession"));
        assert!(client.assume(tagging.as_str(), &[]).await.status.is_success());

        let half = service_trust("pods.eks.amazonaws.com", &["sts:AssumeRole"], &json!({}));
        let half = account.role("half", &half).create().await.unwrap();
        let document = credentials(&world, &world.aws.pod(&half, &pod)).await;
        assert_eq!(document["code"], "AccessDeniedException");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_given_without_the_token_of_that_very_container() {
    bounded(async {
        let world = World::new().await;
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let trust = service_trust("ecs-tasks.amazonaws.com", &["sts:AssumeRole"], &json!({}));
        let role = account.role("task", &trust).create().await.unwrap();
        let (one, other) = (world.aws.task(&role), world.aws.task(&role));
        let with = |token: &str| token.to_owned();
        for (what, token) in [
            ("none", None),
            ("made up", Some(with("made-up"))),
            ("another's", Some(with(other.token.expose()))),
            ("with a prefix", Some(format!("Bearer {}", one.token.expose()))),
        ] {
            let answer = get(&world, &one.full_uri, token.as_deref()).await;
            assert_eq!(answer.status.as_u16(), 401, "{what}");
            assert!(!answer.text().contains("SecretAccessKey"));
        }
        let untrusting =
            account.role("not-a-task", &service_trust("ec2.amazonaws.com", &["sts:AssumeRole"], &json!({})));
        let untrusting = untrusting.create().await.unwrap();
        let document = credentials(&world, &world.aws.task(&untrusting)).await;
        assert_eq!(document["code"], "AccessDeniedException");
    })
    .await;
}
