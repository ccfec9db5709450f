use std::time::Duration;

use identity::roles_anywhere::Pairs;
use identity::{Base, Connections, KeyRule, Purpose};
use serde_json::Value;

use super::super::{Scenario, Stage};
use super::{bounded, caller, connection, outcome, play, usual_with, variables};
use crate::aws::tests::client::{Answer, Client};

/// A role that one of AWS's services may have, and a connection that leaves open who we are.
fn machine(service: &str, more: &str) -> String {
    let text = format!(
        r#"
        title = "A machine with a role"
        [accounts.222222222222.roles.base]
        trust = {{ Statement = {{ Effect = "Allow", Principal = {{ Service = "{service}" }}, Action = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] }} }}
        policies.all = {{ Statement = {{ Effect = "Allow", Action = "*", Resource = "*" }} }}
        [connections.lake]
        region = "us-east-1"
        {more}
        "#
    );
    text
}

/// A client for what is not signed.
fn plain(stage: &Stage) -> Client {
    let now = stage.clock().now();
    let (key_id, secret, region) = (String::new(), String::new(), "us-east-1".to_owned());
    Client { address: stage.aws().address(), key_id, secret, token: None, region, now }
}

async fn send(stage: &Stage, method: &str, url: &str, headers: &str, body: &str) -> Answer {
    let path = url.strip_prefix(&stage.aws().endpoint()).unwrap_or(url);
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n");
    plain(stage).send(&head, body.as_bytes()).await.unwrap()
}

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";

#[tokio::test]
async fn an_instance_is_as_it_is_said_to_be() {
    bounded(async {
        let stage = |more: &str| {
            let text = machine("ec2.amazonaws.com", &format!("[instance]\n{more}"));
            async move { play(&text).await }
        };
        let good = stage("role = '222222222222/base'").await;
        assert_eq!(connection(&good)["kind"], "instance-role");
        assert_eq!(good.environment().get("AWS_EC2_METADATA_SERVICE_ENDPOINT"), Some(good.aws().endpoint()));
        let token = send(&good, "PUT", "/latest/api/token", TTL, "").await.text();
        let shown = format!("x-aws-ec2-metadata-token: {token}\r\n");
        assert_eq!(send(&good, "GET", CREDENTIALS, &shown, "").await.text(), "base");
        assert_eq!(send(&good, "GET", CREDENTIALS, "", "").await.status, 401);

        let bare = stage("").await;
        let token = send(&bare, "PUT", "/latest/api/token", TTL, "").await.text();
        let shown = format!("x-aws-ec2-metadata-token: {token}\r\n");
        assert_eq!(send(&bare, "GET", CREDENTIALS, &shown, "").await.status, 404);

        let off = stage("metadata = 'disabled'").await;
        assert_eq!(send(&off, "PUT", "/latest/api/token", TTL, "").await.status, 403);

        let old = stage("role = '222222222222/base'\nmetadata = 'v1'").await;
        assert_eq!(send(&old, "PUT", "/latest/api/token", TTL, "").await.status, 404);
        assert_eq!(send(&old, "GET", CREDENTIALS, "", "").await.text(), "base");

        // The answer that brings a token is lost, every other one comes.
        let far = stage("role = '222222222222/base'\nmetadata = 'hop-limit-exceeded'").await;
        let token = send(&far, "PUT", "/latest/api/token", TTL, "");
        assert!(tokio::time::timeout(Duration::from_millis(300), token).await.is_err());
        assert_eq!(send(&far, "GET", CREDENTIALS, "", "").await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_container_finds_its_role_by_its_environment() {
    bounded(async {
        for (service, more, expected) in [
            ("ecs-tasks.amazonaws.com", "service = 'ecs'", 200),
            ("pods.eks.amazonaws.com", "service = 'eks'\npod = 'p-1'", 200),
            ("pods.eks.amazonaws.com", "service = 'ecs'", 400),
            ("ecs-tasks.amazonaws.com", "token = 'wrong'", 401),
        ] {
            let text = machine(service, &format!("[container]\nrole = '222222222222/base'\n{more}"));
            let stage = play(&text).await;
            assert_eq!(connection(&stage)["kind"], "container");
            let environment = stage.environment();
            let url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap();
            let token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").unwrap();
            let answer = send(&stage, "GET", &url, &format!("authorization: {token}\r\n"), "").await;
            assert_eq!(answer.status.as_u16(), expected, "{service} {more}: {}", answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn a_web_identity_s_token_is_good_or_has_one_fault() {
    bounded(async {
        for (token, expected) in [
            ("good", "ok"),
            ("expired", "400 ExpiredTokenException"),
            ("not-yet-valid", "400 InvalidIdentityToken: The ID Token is not yet valid"),
            ("rotated", "400 InvalidIdentityToken: Couldn't retrieve verification key"),
            ("damaged", "400 InvalidIdentityToken"),
        ] {
            let text = format!(
                r#"
                title = "A pod with a token"
                [accounts.222222222222.oidc_providers."oidc.example/id/1"]
                client_ids = ["sts.amazonaws.com"]
                [accounts.222222222222.roles.base]
                trust = {{ Statement = {{ Effect = "Allow", Principal = {{ Federated = "arn:aws:iam::222222222222:oidc-provider/oidc.example/id/1" }}, Action = "sts:AssumeRoleWithWebIdentity" }} }}
                [web_identity]
                issuer = "https://oidc.example/id/1"
                subject = "system:serviceaccount:data:tidegate"
                role = "222222222222/base"
                token = "{token}"
                [connections.lake]
                region = "us-east-1"
                "#
            );
            let stage = play(&text).await;
            let connection = connection(&stage);
            assert_eq!(connection["kind"], "web-identity");
            let text = std::fs::read_to_string(connection["token_file"].as_str().unwrap()).unwrap();
            let body = format!(
                "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=test&RoleArn={}&WebIdentityToken={text}",
                connection["role_arn"].as_str().unwrap()
            );
            let answer = send(&stage, "POST", "/", "content-type: application/x-www-form-urlencoded\r\n", &body).await;
            assert!(outcome(&answer).starts_with(expected), "{token}: {}", outcome(&answer));
        }
    })
    .await;
}

/// What Roles Anywhere says to the connection's certificate; or what is wrong with it before anybody is asked.
async fn session(stage: &Stage) -> String {
    let connections = Connections::read("c", stage.connections(), &stage.environment(), KeyRule::default()).unwrap();
    let bound = connections.get("lake").unwrap().bind("test", Purpose::S3);
    let Base::RolesAnywhere(declared) = bound.base else { panic!("is not of that kind") };
    let now = stage.clock().now();
    let request = match Pairs::default().pair(&declared, now).await {
        Ok(pair) => declared.request(&pair, now).unwrap(),
        Err(error) => return fault::Chain(&error).to_string(),
    };
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (length, headers) = (request.body.len(), headers.concat());
    let head = format!("POST /sessions HTTP/1.1\r\ncontent-length: {length}\r\n{headers}\r\n");
    let answer = plain(stage).send(&head, &request.body).await.unwrap();
    let said: Value = answer.json();
    format!("{} {}", answer.status.as_u16(), said["message"].as_str().unwrap_or("ok"))
}

#[tokio::test]
async fn a_certificate_its_anchor_and_its_profile_are_good_or_have_one_fault() {
    bounded(async {
        for (row, more, expected) in [
            ("good", "", "201 ok"),
            ("F96", "certificate = 'expired'", "expired"),
            ("F96", "certificate = 'not-yet-valid'", "not"),
            ("F96", "certificate = 'authority'", "authority"),
            ("F96", "certificate = 'no-digital-signature'", "digitalSignature"),
            ("F93", "certificate = 'other-key'", "key"),
            ("F89", "certificate = 'other-authority'", "403 Untrusted signing certificate"),
            ("F89", "certificate = 'no-intermediate'", "403 Untrusted signing certificate"),
            ("F92", "certificate = 'encrypted-key'", "pass"),
            ("F92", "certificate = 'damaged'", "certificate"),
            ("F97", "certificate = 'revoked'", "403 The certificate has been revoked"),
            ("F97", "trust_anchor.enabled = false", "403 The trust anchor is disabled"),
            ("F97", "profile.enabled = false", "403 The profile is disabled"),
            ("F97", "profile.roles = ['other']", "403 Unable to assume role for arn:aws:iam::222222222222:role/base. The role is not in the profile"),
            ("F90", "trust_anchor.expired = true", "403 Untrusted signing certificate"),
        ] {
            let anywhere = format!(
                "[accounts.222222222222.roles.other.trust]\nStatement = {{ Effect = 'Allow', Principal = {{ AWS = '222222222222' }}, Action = 'sts:AssumeRole' }}\n[roles_anywhere]\naccount = '222222222222'\nrole = 'base'\n{more}"
            );
            let stage = play(&machine("rolesanywhere.amazonaws.com", &anywhere)).await;
            let told = session(&stage).await;
            assert!(told.contains(expected), "{row} {more}: {told}");
            assert!(row == "good" || !told.ends_with(" ok"), "{row} {more}: {told}");
        }
        // F88: one of three actions is missing.
        let stage = play(&machine("ec2.amazonaws.com", "[roles_anywhere]\naccount = '222222222222'\nrole = 'base'")).await;
        assert_eq!(session(&stage).await, "403 Unable to assume role for arn:aws:iam::222222222222:role/base");
    })
    .await;
}

#[tokio::test]
async fn of_several_ways_to_be_somebody_one_is_named() {
    bounded(async {
        let both = usual_with(
            "[accounts.222222222222.roles.base]\ntrust = { Statement = { Effect = 'Allow', Principal = { Service = 'ec2.amazonaws.com' }, Action = 'sts:AssumeRole' } }\n[instance]\nrole = '222222222222/base'",
        );
        let refused = Scenario::parse("x", &both).unwrap().play(&variables()).await.unwrap_err().to_string();
        assert!(refused.contains("connections.lake.kind: is missing") && refused.contains("keys, instance-role"), "{refused}");
        let mut table: toml::Table = serde_json::from_str(&both).unwrap();
        table["connections"]["lake"].as_table_mut().unwrap().insert("kind".to_owned(), "keys".into());
        let stage = play(&serde_json::to_string(&table).unwrap()).await;
        assert!(caller(&stage).key_id.starts_with("AKIA"));
    })
    .await;
}
