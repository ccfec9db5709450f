//! Scenarios, played and asked over real TCP.

mod accounts;
mod ambient;
mod buckets;
mod network;
mod organization;
mod regions;
mod slips;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Scenario, Stage};
use crate::aws::tests::client::{Answer, Ask, Client};

/// Two accounts: the vendor's, who holds a key, and the customer's, with a role that trusts him and a bucket.
const USUAL: &str = r#"
title = "A role over a user's key"

[accounts.222222222222.users.vendor.policies.all]
Statement = { Effect = "Allow", Action = "*", Resource = "*" }

[accounts.111111111111.roles.orders]
trust = { Statement = { Effect = "Allow", Principal = { AWS = "222222222222" }, Action = "sts:AssumeRole", Condition = { StringEquals = { "sts:ExternalId" = "${external_id}" } } } }
policies.all = { Statement = { Effect = "Allow", Action = "*", Resource = "*" } }

[buckets.lake]
account = "111111111111"
objects = { "topics/a" = "one", "topics/b" = "two" }

[caller]
user = "222222222222/vendor"

[connections.lake]
region = "us-east-1"
bucket = "lake"
roles = [{ arn = "arn:aws:iam::111111111111:role/orders", external_id = "${external_id}" }]
"#;

const ROLE: &str = "arn:aws:iam::111111111111:role/orders";

/// The usual scenario with other tables in place of its own, or beside them.
fn usual_with(more: &str) -> String {
    let mut table: toml::Table = USUAL.parse().unwrap();
    merge(&mut table, more.parse().unwrap_or_else(|error| panic!("{error}: {more}")));
    serde_json::to_string(&table).unwrap()
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) if !["caller", "trust"].contains(&&*key) => {
                merge(old, new);
            }
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn variables() -> BTreeMap<String, String> {
    BTreeMap::from([("external_id".to_owned(), "c-7f3".to_owned())])
}

async fn play(text: &str) -> Stage {
    let scenario = Scenario::parse("test.toml", text).unwrap();
    scenario.play(&variables()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The faults of a scenario, each as one line.
fn slips(text: &str) -> Vec<String> {
    let refused = Scenario::parse("test.toml", text).unwrap_err();
    refused.faults.iter().map(ToString::to_string).collect()
}

fn connection(stage: &Stage) -> Value {
    serde_json::from_str::<Value>(stage.connections()).unwrap()["connections"]["lake"].clone()
}

/// Whoever the connection is at first.
fn caller(stage: &Stage) -> Client {
    let connection = connection(stage);
    let text = |name: &str| connection[name].as_str().map(str::to_owned);
    Client {
        address: stage.aws().address(),
        key_id: text("access_key_id").unwrap(),
        secret: text("secret_access_key").unwrap(),
        token: text("session_token"),
        region: text("region").unwrap(),
        now: stage.clock().now(),
    }
}

async fn assumed(stage: &Stage) -> Client {
    let caller = caller(stage);
    let answer = caller.assume(ROLE, &[("ExternalId", "c-7f3")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    caller.with_session(&answer)
}

/// Status, code and text of a refusal; `ok` of what is none.
fn outcome(answer: &Answer) -> String {
    if answer.status.is_success() {
        "ok".to_owned()
    } else if answer.body.is_empty() {
        answer.status.as_u16().to_string()
    } else {
        answer.refusal()
    }
}

async fn asked(client: &Client, method: &'static str, target: &str) -> String {
    outcome(&client.ask(Ask::new(method, target, "")).await.unwrap())
}

/// No test may wait longer than this.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), Box::pin(work)).await.expect("a test takes a minute at most")
}
