use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use world::Clock;

use super::client::{Answer, Client};
use super::{CUSTOMER, World, allow, bounded, service_trust};
use crate::aws::{AwsOptions, time};

const TOKEN: &str = "/latest/api/token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";

/// Asks as one who signs nothing.
async fn ask(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", world.aws.address());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    world.client().send(&(head + "content-length: 0\r\n\r\n"), b"").await.unwrap()
}

async fn token(world: &World, seconds: &str) -> String {
    let answer = ask(world, "PUT", TOKEN, &[(TTL, seconds)]).await;
    assert_eq!((answer.status.as_u16(), answer.header(TTL)), (200, seconds));
    answer.text()
}

async fn get(world: &World, path: &str) -> Answer {
    ask(world, "GET", path, &[("x-aws-ec2-metadata-token", &token(world, "60").await)]).await
}

async fn credentials(world: &World) -> Value {
    let answer = get(world, &format!("{CREDENTIALS}machine")).await;
    assert_eq!(answer.status.as_u16(), 200, "whatever it says");
    serde_json::from_slice(&answer.body).unwrap()
}

fn client(world: &World, document: &Value, now: std::time::SystemTime) -> Client {
    Client { now, ..world.client().with_keys(document, ["AccessKeyId", "SecretAccessKey", "Token"]) }
}

async fn attach(world: &World, service: &str) {
    let account = world.aws.account(CUSTOMER.parse().unwrap());
    let trust = service_trust(service, &["sts:AssumeRole"], &json!({}));
    let role = account.role("machine", &trust).policy(&allow("*")).ensure().await.unwrap();
    world.aws.instance().attach(&role);
}

#[tokio::test]
async fn an_instance_has_a_session_of_its_role() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        assert_eq!(get(&world, CREDENTIALS).await.status.as_u16(), 404, "no role");
        attach(&world, "ec2.amazonaws.com").await;
        assert_eq!(get(&world, CREDENTIALS).await.text(), "machine");
        assert_eq!(get(&world, &format!("{CREDENTIALS}other")).await.status.as_u16(), 404);
        let first = credentials(&world).await;
        assert_eq!((&first["Code"], &first["Type"]), (&json!("Success"), &json!("AWS-HMAC")));
        let machine = client(&world, &first, clock.now());
        assert!(machine.put("/lake/k", "x").await.status.is_success());
        let arn = machine.sts(&[("Action", "GetCallerIdentity")]).await.element("Arn");
        assert_eq!(arn, format!("arn:aws:sts::{CUSTOMER}:assumed-role/machine/{}", world.aws.instance().id()));

        // It is given out again until its end is near, and replaced well before.
        assert_eq!(credentials(&world).await, first);
        clock.advance(Duration::from_mins(331));
        let second = credentials(&world).await;
        assert_ne!(second["AccessKeyId"], first["AccessKeyId"]);
        // A role of an instance is not taken on by another role, so that the next one may last longer than an hour..
        let account = world.aws.account(CUSTOMER.parse().unwrap());
        let next = super::trust(&format!("arn:aws:iam::{CUSTOMER}:role/machine"), &["sts:AssumeRole"]);
        let next = account.role("next", &next).max_session(Duration::from_hours(12)).create().await.unwrap();
        let machine = client(&world, &second, clock.now());
        let long = machine.assume(next.as_str(), &[("DurationSeconds", "3601")]).await;
        // .. but it is itself a role's session: what it takes on is chained.
        assert_eq!(long.code(), "ValidationError");
        assert!(machine.assume(next.as_str(), &[]).await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_told_without_a_token_that_is_good() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        attach(&world, "ec2.amazonaws.com").await;
        let get = |token: Option<String>| {
            let world = &world;
            async move {
                let header = token.as_deref().map(|token| ("x-aws-ec2-metadata-token", token));
                ask(world, "GET", CREDENTIALS, header.as_slice()).await.status.as_u16()
            }
        };
        assert_eq!(get(None).await, 401);
        assert_eq!(get(Some("made-up".into())).await, 401);
        let good = token(&world, "30").await;
        assert_eq!(get(Some(good.clone())).await, 200);
        clock.advance(Duration::from_secs(30));
        assert_eq!(get(Some(good)).await, 401, "expired");
        token(&world, "21600").await;
        let post = ask(&world, "POST", CREDENTIALS, &[("x-aws-ec2-metadata-token", &token(&world, "9").await)]).await;
        assert_eq!(post.status.as_u16(), 405);
    })
    .await;
}

#[tokio::test]
async fn a_token_is_given_only_for_a_proper_wish() {
    bounded(async {
        let world = World::new().await;
        for (path, headers, status) in [
            (TOKEN, &[][..], 400),
            (TOKEN, &[(TTL, "0")], 400),
            (TOKEN, &[(TTL, "21601")], 400),
            (TOKEN, &[(TTL, "soon")], 400),
            (TOKEN, &[(TTL, "60"), ("x-forwarded-for", "10.0.0.1")], 403),
            ("/2021-03-23/api/token", &[(TTL, "60")], 403),
        ] {
            assert_eq!(ask(&world, "PUT", path, headers).await.status.as_u16(), status, "{path} {headers:?}");
        }
        assert_eq!(ask(&world, "GET", TOKEN, &[(TTL, "60")]).await.status.as_u16(), 405);
        world.aws.instance().set_enabled(false);
        assert_eq!(ask(&world, "PUT", TOKEN, &[(TTL, "60")]).await.status.as_u16(), 403, "switched off");
    })
    .await;
}

#[tokio::test]
async fn a_role_that_cannot_be_had_is_told_under_status_200() {
    bounded(async {
        let world = World::new().await;
        attach(&world, "lambda.amazonaws.com").await;
        let document = credentials(&world).await;
        assert_eq!(document["Code"], "AssumeRoleUnauthorizedAccess", "it does not trust ec2.amazonaws.com");
        assert!(document.get("AccessKeyId").is_none());
        world.aws.instance().set_failing(Some(("Failed", "Something else")));
        assert_eq!(credentials(&world).await["Message"], "Something else");
    })
    .await;
}

#[tokio::test]
async fn in_an_outage_of_its_own_it_gives_out_what_it_has_past_its_end() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let world = World::with(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await;
        attach(&world, "ec2.amazonaws.com").await;
        let first = credentials(&world).await;
        world.aws.instance().set_stale(true);
        clock.advance(Duration::from_hours(7));
        let stale = credentials(&world).await;
        assert_eq!(stale, first);
        assert!(*stale["Expiration"].as_str().unwrap() < *time::iso_seconds(clock.now()));
        assert_eq!(client(&world, &stale, clock.now()).get("/lake/k").await.code(), "ExpiredToken");
        world.aws.instance().set_stale(false);
        assert_ne!(credentials(&world).await, first);
    })
    .await;
}

#[tokio::test]
async fn a_bucket_may_be_called_latest() {
    bounded(async {
        let world = World::new().await;
        world.aws.account(CUSTOMER.parse().unwrap()).bucket("latest").create().await.unwrap();
        assert!(world.client().put("/latest/api/token", "an object").await.status.is_success());
        assert_eq!(world.client().get("/latest/api/token").await.text(), "an object");
    })
    .await;
}
