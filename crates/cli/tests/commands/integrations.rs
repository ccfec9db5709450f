//! `tidegate integration`, against an embedded AWS in this process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use kafka::produce::{Producer, ProducerConfig, Record};
use kafka::{ClientConfig, Cluster};
use local::aws::{Account, Aws, AwsOptions, NewUser};
use local::broker::{Broker, BrokerOptions};
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
        self.command(&[&["integration"], arguments].concat()).output().expect("the binary starts")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(arguments)
            .env("TIDEGATE_STORE", self.store().join("state/tidegate.db"))
            .env("AWS_ENDPOINT_URL", self.aws.endpoint())
            .env("AWS_ACCESS_KEY_ID", &self.user.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", self.user.secret_access_key.expose())
            .env("AWS_REGION", "eu-central-1")
            .env_remove("AWS_ENDPOINT_URL_STS")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("TIDEGATE_BOOTSTRAP_SERVERS")
            .stdin(Stdio::null());
        command
    }

    /// A connector that names an integration, written to a file.
    fn connector(&self, integration: &str, more: &Value) -> String {
        let mut config = json!({
            "connector.class": "AivenKafkaConnectS3SinkConnector",
            "topics": "orders",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "format.output.type": "jsonl",
            "aws.s3.bucket.name": "orders-archive",
            "aws.s3.region": "eu-central-1",
            "aws.s3.endpoint": self.aws.endpoint(),
            "provider.integration.id": integration,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = self.dir.path().join("orders.json");
        std::fs::write(&path, json!({"name": "orders", "config": config}).to_string()).unwrap();
        path.to_str().unwrap().to_owned()
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
    assert!(all.contains(&format!("tidegate-{id}")), "the trace is one");
    assert!(!all.contains(desk.user.secret_access_key.expose()), "our own key");
    assert!(!all.contains("SecretAccessKey>") && !all.contains("SessionToken>"), "a session that was won");
    assert_eq!(desk.call(&["show", "orders"]).status.code(), Some(1), "a name is no id");
}

#[test]
fn everything_that_is_wrong_with_a_new_integration_is_told_at_once_and_no_store_is_made() {
    let desk = Desk::new();
    let role = "arn:aws-cn:iam::444455556666:role/orders";
    let principal = "arn:aws:iam::111122223333:user/tidegate";
    let made = ["create", "orders", "--principal", principal];
    let flags = ["--region", "x y", "--sts-endpoint", "file:///etc/hosts"];
    let output = desk.call(&[&made[..], &["--role-arn", role], &flags].concat());
    assert_eq!(output.status.code(), Some(1));
    let stderr = crate::text(&output.stderr);
    for words in
        ["is in partition aws-cn, and our principal", "region: \"x y\"", "endpoints.sts: must begin with https://"]
    {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    let list = desk.call(&["list"]);
    assert_eq!((list.status.code(), crate::text(&list.stdout).as_str()), (Some(0), "there are no integrations\n"));
    for looking in [&["show", "cspi-4xg0qa"][..], &["policy", "cspi-4xg0qa"], &["delete", "cspi-4xg0qa", "--force"]] {
        let output = desk.call(looking);
        let stderr = crate::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{looking:?}: {stderr}");
        assert!(stderr.contains("there is no store ") && stderr.contains("hint: "), "{looking:?}: {stderr}");
    }
    assert!(!desk.store().join("state").exists());
    // What is in the environment is not needed where --principal is given.
    let output = desk.command(&[&["integration"], &made[..]].concat()).env("AWS_REGION", "x y").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", crate::text(&output.stderr));
}

/// The integration of a role that may write to bucket orders-archive, which is there.
fn integrated(desk: &Desk) -> String {
    let made = desk.json(0, &["create", "orders"]);
    let id = made["id"].as_str().unwrap().to_owned();
    let trust = desk.text(0, &["policy", &id]);
    let permissions = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let role = desk.runtime.block_on(async {
        desk.customer().bucket("orders-archive").region("eu-central-1").create().await.unwrap();
        desk.customer().role("orders-writer", &trust).policy(&permissions.to_string()).create().await.unwrap()
    });
    desk.text(0, &["set-role", &id, role.as_str()]);
    id
}

#[test]
fn a_connector_is_refused_until_its_integration_is_proven() {
    let desk = Desk::new();
    let id = integrated(&desk);
    let refused = |file: &str, words: &str| {
        for verb in ["check", "run"] {
            let output = desk.command(&[verb, file]).output().unwrap();
            let all = crate::text(&output.stdout) + &crate::text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{all}");
            assert!(all.contains("provider.integration.id") && all.contains(words), "{verb}: {all}");
            assert!(all.matches("integration cspi-").count() <= 1, "its ID once: {all}");
        }
    };
    let file = desk.connector(&id, &json!({}));
    refused(&file, &format!("integration {id} is pending and not proven"));
    // Its role needs its policies before that.
    for (arguments, words) in [
        (&["--permission", "--format", "cli"][..], "aws iam put-role-policy --role-name orders-writer"),
        (&["--trust", "--principal", "arn:aws:iam::111111111111:user/tidegate"], "sts:ExternalId"),
    ] {
        let generate = [&["policy", "generate", "--connector", &file], arguments].concat();
        let output = desk.command(&generate).output().unwrap();
        let policy = crate::text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", crate::text(&output.stderr));
        assert!(policy.contains(words), "{policy}");
    }
    desk.text(0, &["verify", &id]);
    let output = desk.command(&["check", &file]).output().unwrap();
    let plan = crate::text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{plan}");
    assert!(plan.contains("role/orders-writer"), "{plan}");

    refused(
        &desk.connector(&id, &json!({"aws.sts.role.arn": "arn:aws:iam::1:role/x"})),
        "stands beside provider.integration.id",
    );
    refused(&desk.connector("cspi-nowhere", &json!({})), "integration cspi-nowhere is not in the store");
    refused(&desk.connector("orders", &json!({})), "integration orders is not in the store");
    let elsewhere = desk.dir.path().join("elsewhere.db");
    let output = desk.command(&["check", &file, "--store", elsewhere.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!elsewhere.exists(), "looking makes no store");
}

#[test]
fn a_connector_moves_records_as_its_integrations_role_and_metrics_show_the_state() {
    let desk = Desk::new();
    let id = integrated(&desk);
    desk.text(0, &["verify", &id]);
    let broker = desk.runtime.block_on(async {
        let broker = Broker::start(BrokerOptions::default()).await.unwrap();
        broker.create_topic("orders", 1, &[]).await.unwrap();
        let cluster = Cluster::connect(ClientConfig::plaintext([broker.bootstrap()])).await.unwrap();
        let producer = Producer::new(cluster, ProducerConfig::default());
        let topic: Arc<str> = "orders".into();
        let record =
            Record { topic: &topic, partition: None, key: None, value: Some(b"one"), headers: &[], timestamp: None };
        let delivery = producer.send(&record).await.unwrap();
        producer.flush().await;
        delivery.acked().await.unwrap();
        broker
    });
    let file = desk.connector(&id, &json!({}));
    let servers = broker.bootstrap();
    let drained = desk.command(&["run", &file, "--bootstrap-server", &servers, "--drain"]).output().unwrap();
    let said = crate::text(&drained.stderr);
    assert_eq!(drained.status.code(), Some(0), "{said}");
    assert!(said.contains("records=1 objects=1 ") && !said.contains("why="), "{said}");
    assert_eq!(desk.aws.tally().objects, 1);

    // What there is to say of a drain that writes nothing.
    let drain = |name: &str, more: &Value| {
        let mut connector: Value = serde_json::from_slice(&std::fs::read(desk.connector(&id, more)).unwrap()).unwrap();
        connector["name"] = json!(name);
        std::fs::write(&file, connector.to_string()).unwrap();
        let output = desk.command(&["run", &file, "--bootstrap-server", &servers, "--drain"]).output().unwrap();
        (output.status.code(), crate::text(&output.stderr))
    };
    let (code, said) = drain("orders", &json!({}));
    assert!(code == Some(0) && said.contains("records=0 objects=0 ") && said.contains("nothing was left"), "{said}");
    let (code, said) = drain(
        "unfit",
        &json!({"value.converter": "org.apache.kafka.connect.json.JsonConverter", "errors.tolerance": "all"}),
    );
    assert!(code == Some(0) && said.contains("objects=0 skipped=1 ") && said.contains("no record could be"), "{said}");
    let (code, said) = drain("refused", &json!({"aws.s3.bucket.name": "not-theirs"}));
    assert!(code == Some(3) && said.contains("records=0 objects=0 ") && said.contains("not all that was"), "{said}");
    desk.connector(&id, &json!({}));

    let mut running = desk
        .command(&[
            "run",
            &file,
            "--bootstrap-server",
            &servers,
            "--metrics-addr",
            "127.0.0.1:0",
            "--log-format",
            "json",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            line["message"]
                .as_str()?
                .starts_with("serving metrics")
                .then(|| line["address"].as_str().unwrap().to_owned())
        })
        .expect("it says where it serves metrics");
    let wanted = format!("tidegate_integration_state{{integration=\"{id}\",state=\"proven\"}} 1");
    // The guard reads the store first: looked at for ten seconds at most.
    let shown = (0..1000).any(|_| {
        desk.runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(10)).await });
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.contains(&wanted) && text.contains("tidegate_integration_proof_age_seconds{")
    });
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(shown, "{wanted} is not among the metrics");
    desk.runtime.block_on(async { broker.shutdown().await.unwrap() });
}
