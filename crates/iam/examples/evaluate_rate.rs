//! How many requests a second one core decides: `cargo run --release -p iam --example evaluate_rate`.
//!
//! The request is a typical one: a role session asks for an object; its role has a policy of four statements with
//! conditions and variables, it has a session policy, and the bucket has a policy. Documents are read once.

use std::hint::black_box;
use std::time::Duration;

use iam::{Caller, Context, Document, Policies, PolicyKind, Request, ResourcePolicy, evaluate};

const IDENTITY: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::lake",
   "Condition": {"StringLike": {"s3:prefix": ["orders/*", "orders"]}}},
  {"Sid": "Key", "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
   "Resource": "arn:aws:kms:eu-west-1:111111111111:key/*",
   "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}},
  {"Sid": "Write", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
   "Resource": "arn:aws:s3:::lake/${aws:PrincipalTag/team}/*",
   "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}, "Bool": {"aws:SecureTransport": "true"}}},
  {"Sid": "Secret", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::lake/*/secret/*"}]}"#;
const SESSION: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": "arn:aws:s3:::lake/orders/*"}]}"#;
const BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
   "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program that measures reads the clock and tells"
)]
fn main() {
    let read = |kind, text| Document::parse_as(kind, text).expect("the policies above are sound");
    let identity = read(PolicyKind::Identity, IDENTITY);
    let session = read(PolicyKind::Session, SESSION);
    let bucket = read(PolicyKind::Resource, BUCKET);
    let caller = Caller::parse("arn:aws:sts::111111111111:assumed-role/orders/task-0").expect("a session's ARN");
    let mut context = Context::new();
    for (key, value) in [
        ("aws:CurrentTime", "2026-01-01T12:00:00Z"),
        ("aws:PrincipalArn", "arn:aws:iam::111111111111:role/orders"),
        ("aws:PrincipalAccount", "111111111111"),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:RequestedRegion", "eu-west-1"),
        ("aws:userid", "AROA0000000000000000:task-0"),
        ("aws:PrincipalTag/team", "orders"),
        ("s3:x-amz-server-side-encryption", "aws:kms"),
    ] {
        context.set(key, value);
    }
    let request = Request {
        caller: &caller,
        action: "s3:PutObject",
        resource: "arn:aws:s3:::lake/orders/year=2026/month=01/orders+3+0000001234.parquet",
        resource_account: "111111111111".parse().expect("an account"),
        context: &context,
    };
    let identity = [&identity];
    let policies = Policies {
        identity: &identity,
        session: Some(&session),
        resource: Some(ResourcePolicy::Other(&bucket)),
        ..Policies::default()
    };
    assert!(evaluate(&request, &policies).is_allowed());
    let batch = 100_000;
    for round in 1..=5 {
        let start = std::time::Instant::now();
        for _ in 0..batch {
            black_box(evaluate(black_box(&request), black_box(&policies)));
        }
        let each: Duration = start.elapsed() / batch;
        println!("round {round}: {:.2} million a second, {} ns each", 1e3 / each.as_nanos() as f64, each.as_nanos());
    }
}
