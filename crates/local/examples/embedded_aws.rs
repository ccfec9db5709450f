//! An embedded AWS as a process, for trying clients of other languages: `dev/check-aws` runs it.
//!
//! It prints one line of JSON (endpoint, keys, role) and serves until its standard input ends. The first argument, if
//! any, is the directory that keeps its state, or `--discard` to count bodies and throw them away; `--trust-anchor` with a
//! file lets Roles Anywhere take the certificates of the authority in it.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use fault::Fault;
use local::aws::{Account, Algorithm, Aws, AwsOptions, Bodies};
use serde_json::{Value, json};

const VENDOR: &str = "222222222222";
const CUSTOMER: &str = "111111111111";
const ISSUER: &str = "https://oidc.tidegate.test";
const EXTERNAL_ID: &str = "acme-7f3";

fn main() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(run()).map_err(|fault| fault::Chain(fault.as_error()).to_string())
}

async fn run() -> Result<(), Fault> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let (dir, bodies) = match arguments.next_if(|argument| argument != "--trust-anchor") {
        Some(flag) if flag == "--discard" => (None, Bodies::Discard),
        dir => (dir.map(PathBuf::from), Bodies::Keep),
    };
    let authority = arguments.nth(1).map(PathBuf::from);
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

    let keyless = keyless(&aws, &customer, &lake.to_string(), authority).await?;
    let said = json!({
        "keyless": keyless,
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

/// The ways to a session without a key, all of them to one role.
async fn keyless(aws: &Aws, account: &Account, policy: &str, authority: Option<PathBuf>) -> Result<Value, Fault> {
    let provider = format!("arn:aws:iam::{CUSTOMER}:oidc-provider/{}", ISSUER.trim_start_matches("https://"));
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "rolesanywhere.amazonaws.com"]}},
        {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}]});
    let role = account.role("host", &trust.to_string()).policy(policy).ensure().await?;
    aws.instance().attach(&role);
    let task = aws.task(&role);
    let mut ways = json!({"role": role.as_str(), "container": {"uri": task.full_uri, "token": task.token.expose()}});
    if let Some(issuer) = aws.issuer(ISSUER) {
        account.oidc_provider(&issuer, &["sts.amazonaws.com"]).await?;
        let life = Duration::from_hours(1);
        let token = issuer.token(Algorithm::Rs256, "system:serviceaccount:a:b", "sts.amazonaws.com", life, &json!({}));
        ways["web_identity"] = json!(token.expose());
    }
    if let Some(pem) = authority.and_then(|file| std::fs::read_to_string(file).ok()) {
        let anchor = account.trust_anchor(&pem).create()?;
        let profile = account.anywhere_profile(&[&role]).accept_session_name().create()?;
        ways["roles_anywhere"] = json!({"trust_anchor": anchor.as_str(), "profile": profile.as_str()});
    }
    Ok(ways)
}
