//! The verbs over a server's `/v1`, against `tidegate serve` with an embedded broker and AWS.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use local::aws::{Aws, AwsOptions, NewUser};
use local::broker::{Broker, BrokerOptions};
use serde_json::{Value, json};

use crate::text;

/// What servers of one test share, and what commands are called with.
struct Desk {
    runtime: tokio::runtime::Runtime,
    aws: Aws,
    broker: Broker,
    user: NewUser,
    dir: tempfile::TempDir,
}

/// A server that is ended with the test.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Served {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Desk {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (aws, broker, user) = runtime.block_on(async {
            let aws = Aws::start(AwsOptions::default()).await.unwrap();
            let account = aws.account("111111111111".parse().unwrap());
            let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
            let user = account.user("app").policy(all).create().await.unwrap();
            account.bucket("lake").region("eu-west-1").create().await.unwrap();
            let broker = Broker::start(BrokerOptions::default()).await.unwrap();
            broker.create_topic("orders", 2, &[]).await.unwrap();
            (aws, broker, user)
        });
        Self { runtime, aws, broker, user, dir: tempfile::tempdir().unwrap() }
    }

    fn serve(&self, name: &str, arguments: &[&str]) -> Served {
        // Free a moment ago; whoever takes it in between makes the test fail, and not lie.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = std::fs::File::create(self.dir.path().join(format!("{name}.log"))).unwrap();
        let child = self
            .command(&["serve", "--listen", &address.to_string(), "--set", "offset.flush.interval.ms=200"])
            .args(["--bootstrap-server", &self.broker.bootstrap()])
            .arg("--data-dir")
            .arg(self.dir.path().join(name))
            .args(arguments)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let served = Served { child, address };
        let up = async {
            while TcpStream::connect(address).is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let up = self.runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), up).await });
        let log = || std::fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap_or_default();
        assert!(up.is_ok(), "serve does not listen: {}", log());
        served
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL", self.aws.endpoint())
            .env("AWS_ACCESS_KEY_ID", &self.user.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", self.user.secret_access_key.expose())
            .stdin(Stdio::null());
        for name in
            ["TIDEGATE_SERVER", "TIDEGATE_API_KEY", "TIDEGATE_API_SECRET", "TIDEGATE_STORE", "TIDEGATE_CONNECTIONS"]
        {
            command.env_remove(name);
        }
        command
    }

    fn call(&self, served: &Served, arguments: &[&str]) -> Output {
        self.command(arguments).args(["--server", &served.url()]).output().expect("the binary starts")
    }

    /// stdout and stderr, of a call that ends with `code`.
    fn ends(&self, served: &Served, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.call(served, arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }

    fn json(&self, served: &Served, arguments: &[&str]) -> Value {
        let (stdout, _) = self.ends(served, 0, &[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    fn config(&self, more: &[(&str, &str)]) -> Value {
        let mut config = json!({
            "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
            "topics": "orders",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "format.output.type": "jsonl",
            "aws.s3.bucket.name": "lake",
            "aws.s3.region": "eu-west-1",
            "aws.s3.endpoint": self.aws.endpoint(),
            "aws.access.key.id": self.user.access_key_id,
            "aws.secret.access.key": self.user.secret_access_key.expose(),
        });
        for (key, value) in more {
            config[*key] = json!(value);
        }
        config
    }

    fn file(&self, name: &str, value: &Value) -> String {
        self.write(name, &value.to_string())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_connector_is_made_watched_changed_and_taken_away() {
    let desk = Desk::new();
    let served = desk.serve("one", &[]);
    let file = desk.file("orders.json", &json!({ "name": "orders", "config": desk.config(&[]) }));
    desk.ends(&served, 0, &["connector", "create", &file, "--wait=30"]);
    let (again, told) = desk.ends(&served, 2, &["connector", "create", &file]);
    assert!(again.is_empty() && told.contains("orders exists already"), "{told}");
    let (table, _) = desk.ends(&served, 0, &["connector", "list"]);
    assert!(table.starts_with("name    state") && table.contains("orders  RUNNING"), "{table}");
    let shown = desk.json(&served, &["connector", "show", "orders"]);
    assert_eq!(shown["config"]["aws.secret.access.key"], "****************");
    assert!(shown["moved"]["records"].is_u64(), "{shown:#}");
    let (yaml, _) = desk.ends(&served, 0, &["connector", "show", "orders", "-o", "yaml"]);
    assert!(yaml.contains("\ntarget: RUNNING\n"), "{yaml}");

    desk.ends(&served, 0, &["connector", "pause", "orders", "--wait=30"]);
    let (_, told) = desk.ends(&served, 2, &["connector", "offsets", "orders", "--set", "orders:0=0"]);
    assert!(told.contains("is not stopped") && told.contains("hint: tidegate connector stop orders --wait"), "{told}");
    desk.ends(&served, 0, &["connector", "stop", "orders", "--wait=30"]);
    let offsets = desk.json(&served, &["connector", "offsets", "orders", "--set", "orders:0=0"]);
    assert_eq!(offsets, json!([{ "topic": "orders", "partition": 0, "offset": 0 }]));
    desk.ends(&served, 0, &["connector", "resume", "orders", "--wait=30"]);
    desk.ends(&served, 0, &["connector", "logs", "orders"]);

    let (_, told) = desk.ends(&served, 1, &["connector", "delete", "orders"]);
    assert!(told.contains("give --yes"), "{told}");
    desk.ends(&served, 0, &["connector", "delete", "orders", "--yes"]);
    let (_, told) = desk.ends(&served, 2, &["connector", "show", "orders"]);
    assert!(told.contains("connector orders not found"), "{told}");
    drop(served);
    let nobody = Served { child: Command::new("true").spawn().unwrap(), address: "127.0.0.1:9".parse().unwrap() };
    let (_, told) = desk.ends(&nobody, 3, &["connector", "list"]);
    assert!(told.contains("could not reach") && told.contains("tidegate serve"), "{told}");
}

#[test]
fn files_are_applied_with_a_difference_and_pruned_by_a_pattern() {
    let desk = Desk::new();
    let served = desk.serve("one", &[]);
    desk.file("connectors/a.json", &json!({ "name": "shop-a", "config": desk.config(&[]) }));
    let config = serde_json::to_string(&desk.config(&[])).unwrap();
    desk.write(
        "connectors/b.yaml",
        &format!("apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaConnector\nmetadata:\n  name: shop-b\nspec:\n  tasksMax: 1\n  state: paused\n  config: {config}\n"),
    );
    let dir = desk.dir.path().join("connectors");
    let dir = dir.to_str().unwrap();
    let apply = |code, more: &[&str]| desk.ends(&served, code, &[&["connector", "apply", "-f", dir], more].concat());

    let (told, _) = apply(0, &["--dry-run"]);
    assert!(told.contains("shop-a: would be made\n") && told.contains("  + topics: orders\n"), "{told}");
    assert!(!told.contains(desk.user.secret_access_key.expose()), "{told}");
    assert_eq!(desk.json(&served, &["connector", "list"]), json!([]), "a dry run does nothing");
    let (told, _) = apply(0, &["--wait=30"]);
    assert!(told.contains("shop-a: made\n") && told.contains("shop-b: made\n"), "{told}");
    let (told, _) = apply(0, &[]);
    assert_eq!(told, "shop-a: unchanged\nshop-b: unchanged\n");

    desk.file(
        "connectors/a.json",
        &json!({ "name": "shop-a", "config": desk.config(&[("file.compression.type", "gzip")]) }),
    );
    let (told, _) = apply(0, &["--wait=30"]);
    assert_eq!(told, "shop-a: changed\n  + file.compression.type: gzip\nshop-b: unchanged\n");
    desk.file(
        "connectors/a.json",
        &json!({ "name": "shop-a", "config": desk.config(&[("file.compression.type", "rar")]) }),
    );
    let (told, errors) = apply(2, &["--dry-run"]);
    assert!(
        errors.contains("shop-a") && errors.contains("file.compression.type") && told == "shop-b: unchanged\n",
        "{told}{errors}"
    );

    // One that is not of this shop, and one whose file is gone.
    let other = desk.file("other.json", &json!({ "name": "other", "config": desk.config(&[]), "target": "STOPPED" }));
    desk.ends(&served, 0, &["connector", "create", &other]);
    std::fs::remove_file(desk.dir.path().join("connectors/a.json")).unwrap();
    let (told, _) = apply(0, &["--prune", "shop-*", "--dry-run"]);
    assert!(told.contains("shop-a: would be deleted"), "{told}");
    let b = std::fs::read_to_string(desk.dir.path().join("connectors/b.yaml")).unwrap();
    desk.write("connectors/b.yaml", &b.replace("tasksMax: 1", "tasksMax: 2"));
    let (told, errors) = apply(1, &["--prune", "shop-*"]);
    assert!(told.is_empty() && errors.contains("--yes"), "where nobody can answer, nothing is done by half: {told}");
    apply(0, &["--prune", "shop-*", "--yes"]);
    let listed = desk.json(&served, &["connector", "list"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["other", "shop-b"]);
}

#[test]
fn what_is_refused_is_shown_in_the_editor() {
    let desk = Desk::new();
    let served = desk.serve("one", &[]);
    let file = desk.file("orders.json", &json!({ "name": "orders", "config": desk.config(&[]), "target": "STOPPED" }));
    desk.ends(&served, 0, &["connector", "create", &file]);
    // Writes nonsense first, and something better once it is told what was wrong.
    let editor = desk.write(
        "editor.sh",
        "#!/bin/sh\ncp \"$1\" \"$1.seen\"; cat \"$1\" >> \"$SEEN\"\n\
         if grep -q '^# .*file.compression.type' \"$1\"; then sed -i 's/: rar/: gzip/' \"$1\"; \
         else echo 'file.compression.type: rar' >> \"$1\"; fi\n",
    );
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let seen = desk.dir.path().join("seen");
    let edit = |editor: &str| {
        let mut command = desk.command(&["connector", "edit", "orders", "--server", &served.url()]);
        command.env("EDITOR", editor).env("SEEN", &seen).output().unwrap()
    };
    let output = edit(&editor);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let seen = std::fs::read_to_string(&seen).unwrap();
    assert!(!seen.contains(desk.user.secret_access_key.expose()), "{seen}");
    let shown = desk.json(&served, &["connector", "show", "orders"]);
    assert_eq!(shown["config"]["file.compression.type"], "gzip");
    let output = edit("sed -i s/gzip/rar/");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("error: ") && told.contains("file.compression.type") && told.contains("given up"), "{told}");
    let output = edit("true");
    assert!(text(&output.stderr).contains("nothing was changed"), "{}", text(&output.stderr));
}

#[test]
fn who_may_do_what_is_managed_from_the_command_line() {
    let desk = Desk::new();
    let password = desk.write("password", "correct horse battery\n");
    let served = desk.serve("one", &["--init", "--init-email", "ana@example.com", "--password-file", &password]);
    let (_, told) = desk.ends(&served, 3, &["connector", "list"]);
    assert!(told.contains("hint: give credentials"), "{told}");
    // Wrong ones are found out when they are kept.
    let wrong = desk.write("wrong", "correct horse batterie\n");
    let add = |secret: &str| {
        let url = served.url();
        desk.command(&[
            "context",
            "add",
            "here",
            "--server",
            &url,
            "--user",
            "ana@example.com",
            "--secret-file",
            secret,
        ])
        .output()
        .unwrap()
    };
    assert_eq!(add(&wrong).status.code(), Some(3));
    let output = add(&password);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(mode(&desk.dir.path().join("config/tidegate/contexts.json")), 0o600);
    let used = |code: i32, arguments: &[&str]| {
        let output = desk.command(arguments).output().unwrap();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        assert!(!format!("{stdout}{stderr}").contains("correct horse"), "{stdout}{stderr}");
        stdout
    };
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&used(0, &[arguments, &["-o", "json"]].concat())).expect("JSON")
    };
    assert!(used(0, &["context", "list"]).contains("here"));
    let tenant = json(&["environment", "create", "shop"]);
    let environment = tenant["id"].as_str().unwrap();
    let account = json(&["service-account", "create", "ci"]);
    let account = account["id"].as_str().unwrap();
    let bound = json(&[
        "role-binding",
        "create",
        "--principal",
        account,
        "--role",
        "EnvironmentAdmin",
        "--environment",
        environment,
    ]);
    assert!(bound["crn_pattern"].as_str().unwrap().ends_with(&format!("/environment={environment}")), "{bound}");
    used(2, &["role-binding", "create", "--principal", account, "--role", "Admin"]);
    let key = json(&["key", "create", "--owner", account]);
    let (id, secret) = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    assert!(!used(0, &["key", "list", "-o", "yaml"]).contains(secret));

    let as_ci = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.args(["--server", &served.url()]).env("TIDEGATE_API_KEY", id).env("TIDEGATE_API_SECRET", secret);
        command.output().unwrap()
    };
    let seen = text(&as_ci(&["environment", "list", "-o", "json"]).stdout);
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen:#}");
    assert_eq!(seen[0]["id"], environment);
    let cluster = as_ci(&["cluster", "create", "shop", "--bootstrap-server", "kafka.example.com:9092", "-o", "json"]);
    assert_eq!(cluster.status.code(), Some(2), "a tenant's broker must be allowed: {}", text(&cluster.stderr));
    let log = used(0, &["audit", "list"]);
    assert!(log.contains("service-account.create") && !log.contains(secret), "{log}");
    used(0, &["key", "delete", id, "--yes"]);
    assert_eq!(as_ci(&["environment", "list"]).status.code(), Some(3));
    used(0, &["context", "remove", "here"]);
    assert!(used(0, &["context", "list"]).contains("there are no contexts"));
}

#[test]
fn connections_and_integrations_are_those_of_a_server_that_is_named_and_else_of_files() {
    let desk = Desk::new();
    let served = desk.serve("one", &[]);
    let spec = desk.write("lake.toml", "kind = \"default-chain\"\nregion = \"eu-west-1\"\n");
    desk.ends(&served, 0, &["connection", "put", "lake", "-f", &spec]);
    let listed = desk.json(&served, &["connection", "list"]);
    assert_eq!(listed[0]["name"], "lake", "{listed:#}");
    let file =
        desk.write("connections.toml", "[connections.local]\nkind = \"default-chain\"\nregion = \"eu-west-1\"\n");
    let here = desk.command(&["connection", "list", "--connections", &file, "-o", "yaml"]).output().unwrap();
    assert!(text(&here.stdout).contains("name: local"), "{}", text(&here.stdout));
    let nothing = desk.command(&["connection", "list"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("--connections FILE, or a server"), "{}", text(&nothing.stderr));
    desk.ends(&served, 0, &["connection", "delete", "lake", "--yes"]);

    // What is told to be done next reaches the server that this was done on.
    let (_, next) = desk.ends(&served, 0, &["integration", "create", "draft"]);
    assert!(next.contains(&format!("ROLE_ARN --server {}", served.url())), "{next}");
    let (_, next) = desk.ends(&served, 0, &["service-account", "create", "ci"]);
    assert!(next.contains("role-binding create --principal sa-"), "{next}");
    let made = desk.json(&served, &["integration", "create", "orders"]);
    let id = made["id"].as_str().unwrap();
    let (policy, _) = desk.ends(&served, 0, &["integration", "policy", id]);
    assert!(policy.contains(made["external_id"].as_str().unwrap()), "{policy}");
    let (terraform, _) = desk.ends(&served, 0, &["integration", "policy", id, "--format", "terraform"]);
    assert!(terraform.contains("aws_iam_role"), "{terraform}");
    let local = desk.command(&["integration", "list", "-o", "json"]).output().unwrap();
    assert!(!text(&local.stdout).contains(id), "{}", text(&local.stdout));
    desk.ends(&served, 0, &["integration", "delete", id, "--force"]);
}

#[test]
fn connectors_move_over_from_another_worker_with_their_offsets() {
    let desk = Desk::new();
    // Tidegate's own Kafka Connect surface plays the old worker: the embedded broker is the cluster of both.
    let (old, new) = (desk.serve("old", &[]), desk.serve("new", &[]));
    for (name, target) in [("orders", "STOPPED"), ("paused", "PAUSED")] {
        let mut config = desk.config(&[("file.name.prefix", name)]);
        // By the default chain: what a worker masks cannot be moved.
        for key in ["aws.access.key.id", "aws.secret.access.key"] {
            config.as_object_mut().unwrap().remove(key);
        }
        let file = desk.file("one.json", &json!({ "name": name, "config": config, "target": target }));
        desk.ends(&old, 0, &["connector", "create", &file, "--wait=30"]);
    }
    desk.ends(&old, 0, &["connector", "offsets", "orders", "--set", "orders:1=0"]);
    desk.ends(&old, 0, &["connector", "resume", "orders", "--wait=30"]);
    let file = desk.file("one.json", &json!({ "name": "keys", "config": desk.config(&[]), "target": "STOPPED" }));
    desk.ends(&old, 0, &["connector", "create", &file]);
    let from = old.url();
    let import =
        |code, more: &[&str]| desk.ends(&new, code, &[&["connector", "import", "--from", &from], more].concat());

    let (told, _) = import(2, &["--dry-run"]);
    assert!(told.contains("keys: stays, aws.access.key.id, aws.secret.access.key is masked there"), "{told}");
    assert!(told.contains("orders: RUNNING there, can move") && told.contains("paused: PAUSED there"), "{told}");
    assert_eq!(desk.json(&new, &["connector", "list"]), json!([]));
    import(2, &["--dry-run", "ordres"]);
    let silent = desk.ends(&new, 3, &["connector", "import", "--from", "http://127.0.0.1:1", "--dry-run"]);
    assert!(silent.1.contains("--from") && !silent.1.contains("--server"), "{}", silent.1);
    import(1, &["orders"]);
    let (told, _) = import(0, &["orders", "--yes"]);
    assert!(told.contains("orders: moved"), "{told}");
    let state =
        |served: &Served, name: &str| desk.json(served, &["connector", "show", name])["status"]["connector"].clone();
    assert_eq!((state(&old, "orders"), state(&new, "orders")), (json!("STOPPED"), json!("RUNNING")));
    assert_eq!(state(&old, "paused"), "PAUSED", "it was not asked for");
    let (told, _) = import(2, &["--dry-run"]);
    assert!(told.contains("orders: stays, there is one of this name here already"), "{told}");
}

#[test]
fn shells_complete_by_what_is_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = crate::tidegate(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("role-binding"), "{shell}");
    }
}
