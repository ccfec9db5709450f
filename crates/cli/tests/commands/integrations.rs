//! `tidegate integration`, against an embedded AWS in this process.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use local::aws::{Account, Aws, AwsOptions, NewUser};
use serde_json::{Value, json};

const CUSTOMER: &str = "444455556666";

/// What a person has at hand: a store, and who Tidegate is.
struct Desk {
    runtime: tokio::runtime::Runtime,
    aws: Aws,
    user: NewUser,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (aws, user) = runtime.block_on(async {
            let aws = Aws::start(AwsOptions::default()).await.unwrap();
            let policy = json!({"Version": "2012-10-17", "Statement":
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}});
            let ours = aws.account("111122223333".parse().unwrap());
            let user = ours.user("tidegate").policy(&policy.to_string()).create().await.unwrap();
            (aws, user)
        });
        Self { runtime, aws, user, dir: tempfile::tempdir().unwrap() }
    }

    fn customer(&self) -> Account {
        self.aws.account(CUSTOMER.parse().unwrap())
    }

    fn make_role(&self, name: &str, trust: &str) -> String {
        self.runtime.block_on(self.customer().role(name, trust).create()).unwrap().as_str().to_owned()
    }

    fn change_trust(&self, name: &str, trust: &str) {
        self.runtime.block_on(self.customer().update_trust(name, trust)).unwrap();
    }

    fn store(&self) -> &Path {
        self.dir.path()
    }

    fn call(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .arg("integration")
            .args(arguments)
            .env("TIDEGATE_STORE", self.store().join("state/tidegate.db"))
            .env("AWS_ENDPOINT_URL", self.aws.endpoint())
            .env("AWS_ACCESS_KEY_ID", &self.user.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", self.user.secret_access_key.expose())
            .env("AWS_REGION", "eu-central-1")
            .env_remove("AWS_ENDPOINT_URL_STS")
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts")
    }

    /// stdout, of a call that ends with `code`.
    fn text(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let (stdout, stderr) = (crate::text(&output.stdout), crate::text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        stdout
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(code, &[arguments, &["-o", "json"]].concat())).unwrap()
    }
}

#[test]
fn a_new_role_is_made_after_the_integration_and_proven() {
    let desk = Desk::new();
    let made = desk.json(0, &["create", "orders"]);
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["state"], &made["role"]), (&json!("pending"), &Value::Null));
    assert_eq!(made["principal"], desk.user.arn.as_str(), "as AWS says");
    assert_eq!(desk.call(&["verify", id]).status.code(), Some(2), "there is no role yet");

    let trust = desk.text(0, &["policy", id]);
    assert!(trust.contains(made["external_id"].as_str().unwrap()), "{trust}");
    let role = desk.make_role("orders-writer", &trust);
    desk.text(0, &["set-role", id, &role]);
    let proven = desk.json(0, &["verify", id]);
    assert_eq!((&proven["proof"]["verdict"], &proven["integration"]["state"]), (&json!("proven"), &json!("proven")));
    let probes = proven["proof"]["probes"].as_array().unwrap();
    assert_eq!(probes.len(), 4);
    assert!(probes.iter().all(|probe| probe["request_ids"].as_array().is_some_and(|ids| ids.len() == 1)), "{proven}");

    // A week later somebody tests something.
    let open = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": {"AWS": desk.user.arn.as_str()}, "Action": "sts:AssumeRole"}});
    desk.change_trust("orders-writer", &open.to_string());
    let found = desk.text(2, &["verify", id]);
    assert!(found.contains("LET IN") && found.contains("unsafe: the role lets in Tidegate without"), "{found}");
    assert!(found.contains(&trust), "what mends it is printed:\n{found}");
    assert_eq!(desk.json(0, &["show", id])["state"], "unsafe");
    assert!(desk.text(0, &["list"]).contains("unsafe"));
}

#[test]
fn a_role_that_was_there_first_gets_its_policy_after_the_integration() {
    let desk = Desk::new();
    let role = desk.make_role("orders-writer", &desk.text(0, &["policy", "--placeholder"]));
    let made = desk.json(0, &["create", "orders", "--role-arn", &role]);
    let id = made["id"].as_str().unwrap();
    let twin = desk.call(&["create", "twin", "--role-arn", &role]);
    assert_eq!(twin.status.code(), Some(2));
    assert!(crate::text(&twin.stderr).contains(&format!("integration {id} of environment default has role")));
    desk.change_trust("orders-writer", &desk.text(0, &["policy", id]));
    assert!(desk.text(0, &["verify", id]).contains("proven: "));

    desk.text(0, &["rotate", id]);
    let both = desk.text(0, &["policy", id]);
    let statements = serde_json::from_str::<Value>(&both).unwrap()["Statement"].as_array().map(Vec::len);
    assert_eq!(statements, Some(2), "{both}");
    assert_eq!(desk.call(&["rotate", id, "--finish"]).status.code(), Some(2), "the new one is not proven");
    desk.change_trust("orders-writer", &both);
    desk.text(0, &["verify", id]);
    desk.text(0, &["rotate", id, "--finish"]);
    assert!(!desk.text(0, &["policy", id]).contains(made["external_id"].as_str().unwrap()));

    let unasked = desk.call(&["delete", id]);
    assert_eq!(unasked.status.code(), Some(1), "nobody can answer");
    desk.text(0, &["delete", id, "--force"]);
    assert_eq!(desk.json(0, &["list"])["integrations"], json!([]));
    assert_eq!(desk.call(&["show", id]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_tried_is_unproven_and_nothing_secret_is_printed() {
    let desk = Desk::new();
    let role = desk.make_role("orders-writer", &desk.text(0, &["policy", "--placeholder"]));
    let made = desk.json(0, &["create", "orders", "--role-arn", &role]);
    let id = made["id"].as_str().unwrap();
    // Port 1 of the loopback: nobody listens there.
    let output = desk.call(&["verify", id, "--sts-endpoint", "http://127.0.0.1:1", "--log", "trace"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(crate::text(&output.stdout).starts_with("unproven: who Tidegate is to AWS could not be learnt"));

    let open = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": {"AWS": desk.user.arn.as_str()}, "Action": "sts:AssumeRole"}});
    desk.change_trust("orders-writer", &open.to_string());
    let output = desk.call(&["verify", id, "--log", "trace"]);
    assert_eq!(output.status.code(), Some(2));
    let all = crate::text(&output.stdout) + &crate::text(&output.stderr);
    assert!(all.contains("tidegate-proof-must-be-denied-wrong-id"), "the trace is one");
    assert!(!all.contains(desk.user.secret_access_key.expose()), "our own key");
    assert!(!all.contains("SecretAccessKey>") && !all.contains("SessionToken>"), "a session that was won");
    assert_eq!(desk.call(&["show", "orders"]).status.code(), Some(1), "a name is no id");
}
