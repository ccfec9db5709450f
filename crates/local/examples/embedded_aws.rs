//! An embedded AWS as a process, for trying clients of other languages: `dev/check-aws` runs it.
//!
//! It prints one line of JSON (endpoint, keys, role) and serves until its standard input ends. The first argument, if
//! any, is the directory that keeps its state, or `--discard` to count bodies and throw them away.

use std::io::Write;
use std::path::PathBuf;

use fault::Fault;
use local::aws::{Aws, AwsOptions, Bodies};
use serde_json::json;

const VENDOR: &str = "222222222222";
const CUSTOMER: &str = "111111111111";
const EXTERNAL_ID: &str = "acme-7f3";

fn main() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(run()).map_err(|fault| fault::Chain(fault.as_error()).to_string())
}

async fn run() -> Result<(), Fault> {
    let argument = std::env::args_os().nth(1);
    let (dir, bodies) = match argument {
        Some(flag) if flag == "--discard" => (None, Bodies::Discard),
        dir => (dir.map(PathBuf::from), Bodies::Keep),
    };
    let aws = Aws::start(AwsOptions { dir, bodies, ..AwsOptions::default() }).await?;
    let vendor = aws.account(VENDOR.parse()?);
    let customer = aws.account(CUSTOMER.parse()?);
    let assume = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}});
    let app = vendor.user("app").policy(&assume.to_string()).ensure().await?;
    let everything = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "*", "Resource": "*"}});
    let admin = customer.user("admin").policy(&everything.to_string()).ensure().await?;
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": app.arn.as_str()}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}}});
    let lake = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts"], "Resource": "arn:aws:s3:::lake/*"},
        {"Effect": "Allow", "Action": ["s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
            "Resource": "arn:aws:s3:::lake"}]});
    let role = customer.role("orders", &trust.to_string()).policy(&lake.to_string()).ensure().await?;
    customer.bucket("lake").ensure().await?;

    let said = json!({
        "endpoint": aws.endpoint(),
        "vendor": {"key": app.access_key_id, "secret": app.secret_access_key.expose()},
        "admin": {"key": admin.access_key_id, "secret": admin.secret_access_key.expose()},
        "role": role.as_str(),
        "external_id": EXTERNAL_ID,
        "bucket": "lake",
    });
    let mut out = std::io::stdout().lock();
    // Who started this and does not read it will not miss it.
    drop(writeln!(out, "{said}").and_then(|()| out.flush()));
    drop(out);
    drop(tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await);
    aws.stop().await;
    Ok(())
}
