//! Who gets into a role: the shapes of trust policies, in one account and across two.

use std::time::Duration;

use serde_json::{Value, json};
use world::Clock;

use super::client::Client;
use super::{CUSTOMER, VENDOR, World, allow, bounded, trust};
use crate::aws::AwsOptions;

const ROLE: &str = "arn:aws:iam::111111111111:role/orders";
const RIGHT: &str = "acme-7f3";

/// A statement that lets the vendor in under a condition.
fn open_if(condition: Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"});
    if condition != Value::Null {
        statement["Condition"] = condition;
    }
    statement
}

/// Whether the role lets the vendor in with the right, no, a random wrong and a wrong external ID of the same shape.
async fn probe(world: &World, vendor: &Client, statements: &[Value]) -> [bool; 4] {
    let customer = world.aws.account(CUSTOMER.parse().unwrap());
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    customer.update_trust("orders", &policy.to_string()).await.unwrap();
    let mut let_in = [false; 4];
    for (at, id) in [Some(RIGHT), None, Some("something"), Some("acme-000")].into_iter().enumerate() {
        let more: Vec<(&str, &str)> = id.map(|id| ("ExternalId", id)).into_iter().collect();
        let answer = vendor.assume(ROLE, &more).await;
        let_in[at] = answer.status.is_success();
        if !let_in[at] {
            assert_eq!(
                answer.refusal(),
                format!(
                    "403 AccessDenied: User: arn:aws:iam::{VENDOR}:user/app is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
                )
            );
        }
    }
    let_in
}

#[tokio::test]
async fn each_shape_of_trust_lets_in_whom_it_says_and_nobody_else() {
    bounded(async {
        let world = World::new().await;
        let vendor = world.vendor().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        customer.role("orders", &trust(VENDOR, &["sts:AssumeRole"])).create().await.unwrap();
        let id = "sts:ExternalId";
        let right = open_if(json!({"StringEquals": {id: RIGHT}}));
        let deny = |condition: Value| {
            json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition})
        };
        for (what, statements, expected) in [
            ("equals", vec![right.clone()], [true, false, false, false]),
            ("any of equals", vec![open_if(json!({"ForAnyValue:StringEquals": {id: [RIGHT]}}))], [true, false, false, false]),
            ("none", vec![open_if(Value::Null)], [true, true, true, true]),
            ("a second statement", vec![right, open_if(Value::Null)], [true, true, true, true]),
            ("equals if exists", vec![open_if(json!({"StringEqualsIfExists": {id: RIGHT}}))], [true, true, false, false]),
            ("all of equals", vec![open_if(json!({"ForAllValues:StringEquals": {id: RIGHT}}))], [true, true, false, false]),
            ("like *", vec![open_if(json!({"StringLike": {id: "*"}}))], [true, false, true, true]),
            ("like acme-*", vec![open_if(json!({"StringLike": {id: "acme-*"}}))], [true, false, false, true]),
            ("not equals another", vec![open_if(json!({"StringNotEquals": {id: "other"}}))], [true, true, true, true]),
            ("not null", vec![open_if(json!({"Null": {id: "false"}}))], [true, false, true, true]),
            (
                "deny null",
                vec![open_if(Value::Null), deny(json!({"Null": {id: "true"}}))],
                [true, false, true, true],
            ),
            (
                "deny not equals",
                vec![open_if(Value::Null), deny(json!({"StringNotEquals": {id: RIGHT}}))],
                [true, false, false, false],
            ),
            (
                "deny not equals if exists",
                vec![open_if(Value::Null), deny(json!({"StringNotEqualsIfExists": {id: RIGHT}}))],
                [true, false, false, false],
            ),
            (
                "equals ignoring case",
                vec![open_if(json!({"StringEqualsIgnoreCase": {id: RIGHT.to_uppercase()}}))],
                [true, false, false, false],
            ),
        ] {
            assert_eq!(probe(&world, &vendor, &statements).await, expected, "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_let_in_needs_the_consent_of_both_sides() {
    bounded(async {
        let world = World::new().await;
        let vendor_account = world.aws.account(VENDOR.parse().unwrap());
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        let with = vendor_account.user("with").policy(&allow("sts:*")).create().await.unwrap();
        let without = vendor_account.user("without").create().await.unwrap();
        let own_with = customer.user("with").policy(&allow("sts:*")).create().await.unwrap();
        let own_without = customer.user("without").create().await.unwrap();
        let assume = ["sts:AssumeRole"];
        customer.role("orders", &trust(VENDOR, &assume)).create().await.unwrap();
        let same = |text: &str| format!(" because no {text} policy allows the sts:AssumeRole action");
        let base = |user: &str| {
            format!("403 AccessDenied: User: {user} is not authorized to perform: sts:AssumeRole on resource: {ROLE}")
        };
        let root = format!("arn:aws:iam::{CUSTOMER}:root");
        for (user, trusted, expected) in [
            // In one account, to be named is enough; to have one's account named is not.
            (&own_without, own_without.arn.as_str(), None),
            (&own_without, "*", None),
            (&own_without, &*root, Some(same("identity-based"))),
            (&own_with, &*root, None),
            (&own_with, CUSTOMER, None),
            (&own_with, VENDOR, Some(same("role trust"))),
            // Across accounts both must say so, and the answer does not say which did not.
            (&without, without.arn.as_str(), Some(String::new())),
            (&without, VENDOR, Some(String::new())),
            (&without, "*", Some(String::new())),
            (&with, with.arn.as_str(), None),
            (&with, VENDOR, None),
            (&with, "*", None),
            (&with, CUSTOMER, Some(String::new())),
        ] {
            customer.update_trust("orders", &trust(trusted, &assume)).await.unwrap();
            let answer = Client::new(&world.aws, user).assume(ROLE, &[]).await;
            match expected {
                None => assert!(answer.status.is_success(), "{} by {trusted}: {}", user.arn, answer.text()),
                Some(because) => assert_eq!(answer.refusal(), base(user.arn.as_str()) + &because, "by {trusted}"),
            }
        }
        let missing = Client::new(&world.aws, &with).assume(&format!("{ROLE}-2"), &[]).await;
        assert_eq!(missing.refusal(), base(with.arn.as_str()) + "-2", "no oracle of which roles there are");
    })
    .await;
}

#[tokio::test]
async fn a_role_does_not_trust_itself() {
    bounded(async {
        let world = World::new().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        let admin = world.admin.arn.as_str();
        customer.role("orders", &trust(admin, &["sts:AssumeRole"])).policy(&allow("sts:*")).create().await.unwrap();
        let client = world.client();
        let session = client.with_session(&client.assume(ROLE, &[]).await);
        assert_eq!(session.assume(ROLE, &[]).await.code(), "AccessDenied");
        customer.update_trust("orders", &trust(ROLE, &["sts:AssumeRole"])).await.unwrap();
        assert!(session.assume(ROLE, &[]).await.status.is_success());
    })
    .await;
}

#[tokio::test]
async fn a_denial_wins_over_every_allowance() {
    bounded(async {
        let world = World::new().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        let deny = |condition: Value| {
            json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}]})
            .to_string()
        };
        world.client().put("/lake/k", "1").await;
        for (name, condition, denied) in [
            ("present", json!({"StringEquals": {"aws:username": "present"}}), true),
            ("absent", json!({"StringEquals": {"aws:username": "other"}}), false),
            // A key that is missing, and an operator that says not.
            ("negated", json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), true),
            ("exists", json!({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}), true),
            ("positive", json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}), false),
        ] {
            let user = customer.user(name).policy(&deny(condition)).create().await.unwrap();
            let answer = Client::new(&world.aws, &user).get("/lake/k").await;
            let expected = format!("403 AccessDenied: User: {} is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::lake/k\" with an explicit deny in an identity-based policy", user.arn);
            if denied { assert_eq!(answer.refusal(), expected) } else { assert_eq!(answer.body, b"1", "{name}") }
        }
    })
    .await;
}

#[tokio::test]
async fn an_edit_of_trust_takes_effect_when_it_has_propagated() {
    bounded(async {
        let clock = Clock::manual(Clock::system().now());
        let options = AwsOptions { clock: clock.clone(), ..AwsOptions::default() };
        let world = World::with(options).await;
        let mut vendor = world.vendor().await;
        let customer = world.aws.account(CUSTOMER.parse().unwrap());
        world.aws.set_propagation(Duration::from_secs(10));
        let under = |id: &str| {
            json!({"Version": "2012-10-17", "Statement": open_if(json!({"StringEquals": {"sts:ExternalId": id}}))})
                .to_string()
        };
        let mut let_in = async |after: u64, id: &str| {
            clock.advance(Duration::from_secs(after));
            vendor.now = clock.now();
            vendor.assume(ROLE, &[("ExternalId", id)]).await.code()
        };
        customer.role("orders", &under("old")).policy(&allow("s3:*")).create().await.unwrap();
        assert_eq!(let_in(9, "old").await, "AccessDenied", "a new role is not there at once");
        assert_eq!(let_in(1, "old").await, "");
        customer.update_trust("orders", &under("new")).await.unwrap();
        assert_eq!((let_in(9, "old").await, let_in(0, "new").await), (String::new(), "AccessDenied".to_owned()));
        assert_eq!((let_in(1, "old").await, let_in(0, "new").await), ("AccessDenied".to_owned(), String::new()));
    })
    .await;
}
