//! The embedded AWS over real TCP, with a client that can do what a proper one never does.

mod anywhere;
mod buckets;
mod chunked;
pub(crate) mod client;
mod container;
mod faults;
mod iam;
mod imds;
mod kms;
mod requests;
mod roles;
mod store;
mod sts;
mod trust;
mod versions;
mod web_identity;

use std::time::Duration;

use serde_json::json;

use super::{Aws, AwsOptions, NewUser};
use client::{Answer, Client};

const VENDOR: &str = "222222222222";
const CUSTOMER: &str = "111111111111";

/// One AWS with a user who may do everything and a bucket `lake`.
struct World {
    aws: Aws,
    admin: NewUser,
}

impl World {
    async fn new() -> Self {
        Self::with(AwsOptions::default()).await
    }

    async fn with(options: AwsOptions) -> Self {
        let aws = Aws::start(options).await.unwrap();
        let customer = aws.account(CUSTOMER.parse().unwrap());
        let admin = customer.user("admin").policy(&allow("*")).ensure().await.unwrap();
        customer.bucket("lake").ensure().await.unwrap();
        Self { aws, admin }
    }

    /// A user of the vendor who may do everything.
    async fn vendor(&self) -> Client {
        let vendor = self.aws.account(VENDOR.parse().unwrap());
        Client::new(&self.aws, &vendor.user("app").policy(&allow("*")).ensure().await.unwrap())
    }

    fn client(&self) -> Client {
        Client::new(&self.aws, &self.admin)
    }

    /// Begins an upload of `key` and gives its id.
    async fn begin(&self, key: &str) -> String {
        let answer = self.client().post(&format!("/lake/{key}?uploads"), "").await;
        answer.element("UploadId")
    }

    async fn complete(&self, key: &str, upload: &str, etag: &str) -> Answer {
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        self.client().post(&format!("/lake/{key}?uploadId={upload}"), &body).await
    }
}

/// An identity policy that allows `actions` on everything.
fn allow(actions: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}).to_string()
}

/// A trust policy that lets `principal` do `actions`.
fn trust(principal: &str, actions: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions}})
    .to_string()
}

/// A trust policy that lets one of AWS's services do `actions` on `conditions`.
fn service_trust(service: &str, actions: &[&str], conditions: &serde_json::Value) -> String {
    json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"Service": service}, "Action": actions, "Condition": conditions}})
    .to_string()
}

/// No test may wait longer than this.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), Box::pin(work)).await.expect("a test takes a minute at most")
}
