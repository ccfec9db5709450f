//! The built binary, as a user calls it.

#[path = "commands/doctor.rs"]
mod doctor;
#[path = "commands/integrations.rs"]
mod integrations;
#[path = "commands/objects.rs"]
mod objects;
#[path = "commands/remote.rs"]
mod remote;
#[path = "commands/serve.rs"]
mod serve;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn tidegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .env_remove("TIDEGATE_BOOTSTRAP_SERVERS")
        .env_remove("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        .env_remove("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_demo_moves_every_record_once_and_shows_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().to_str().unwrap();
    let output = tidegate(&["demo", "--records", "5000", "--dir", kept]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("5000 orders produced, 5000 in 4 objects: nothing lost, nothing doubled"), "{stdout}");
    assert!(stdout.contains("  proven: the role lets in Tidegate with the right external ID"), "{stdout}");
    assert!(
        stdout.contains("  refused: the role lets in Tidegate without an external ID and with a wrong one"),
        "{stdout}"
    );
    assert!(stdout.contains("it is not used until its trust policy is:"), "{stdout}");
    // And the one that fails, explained.
    assert!(stdout.contains("tidegate doctor, of a connection whose external ID"), "{stdout}");
    assert!(stdout.contains("[trust.external-id-differs]"), "{stdout}");
    // Counted once more, from the files that were kept, without the demo's own code.
    let mut lines = 0;
    for entry in fs::read_dir(dir.path().join("orders")).unwrap() {
        let mut content = String::new();
        let file = fs::File::open(entry.unwrap().path()).unwrap();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut content).unwrap();
        lines += content.lines().count();
    }
    assert_eq!(lines, 5000);
}

#[test]
fn no_secret_is_printed_by_the_demo() {
    let output = tidegate(&["demo", "--records", "100", "--log", "trace"]);
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{all}");
    // The answers of STS hold both secrets; the SDK's own traces name them, and hide them.
    assert!(!all.contains("SecretAccessKey>") && !all.contains("SessionToken>"), "an answer of STS is in the output");
    let hidden = "** redacted";
    for name in ["secret_access_key: \"", "session_token: \"", "x-amz-security-token:"] {
        for (at, _) in all.match_indices(name) {
            assert!(all[at + name.len()..].trim_start().starts_with(hidden), "a secret follows {name}");
        }
    }
}

#[test]
fn every_fault_of_every_file_is_told_at_once_and_the_exit_code_says_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let broken = write("broken.json", "{\"name\":");
    let wrong = write(
        "wrong.json",
        r#"{"name":"wrong","config":{"connector.class":"AivenKafkaConnectS3SinkConnector","topics":"t",
            "key.converter":"org.apache.kafka.connect.storage.StringConverter",
            "value.converter":"org.apache.kafka.connect.storage.StringConverter",
            "aws.s3.bucket.name":"B_ad","format.output.type":"xml","file.max.records":"many"}}"#,
    );
    let output = tidegate(&["check", &broken, &wrong, "-o", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let connectors = report["connectors"].as_array().unwrap();
    assert_eq!(connectors.len(), 2);
    let errors = connectors[1]["errors"].as_object().unwrap();
    for key in ["aws.s3.bucket.name", "format.output.type", "file.max.records"] {
        assert!(errors.contains_key(key), "{key} is not among {errors:?}");
    }
    // `run` does the same first, and moves nothing.
    assert_eq!(tidegate(&["run", &broken, &wrong]).status.code(), Some(2));
}

#[test]
fn faults_of_the_worker_the_connector_its_clients_and_its_name_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = |more: &str| {
        format!(
            r#"{{"name":"same","connector.class":"AivenKafkaConnectS3SinkConnector","topics":"t",
                "key.converter":"org.apache.kafka.connect.storage.StringConverter",
                "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
                "aws.s3.bucket.name":"bucket","aws.access.key.id":"AKIAEXAMPLE","aws.secret.access.key":"hunter2secret"{more}}}"#
        )
    };
    let first = write("first.json", &config(""));
    let second = write("second.json", &config(""));
    let third = write(
        "third.json",
        &config(r#","file.max.records":"hunter2secret","consumer.override.fetch.min.bytes":"many""#),
    );
    let worker = write("w.properties", "offset.flush.interval.ms=soon\nrequest.timeout.ms=later\n");
    let output = tidegate(&["check", "--worker", &worker, &first, &second, &third, "-o", "json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |at: usize| -> Vec<String> {
        report["connectors"][at]["errors"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(0), ["offset.flush.interval.ms"]);
    // Under the key as it was written, by the worker for all clients.
    assert_eq!(keys(1), ["request.timeout.ms"]);
    assert_eq!(keys(2), ["name", "request.timeout.ms"]);
    let third = keys(3);
    for key in ["consumer.override.fetch.min.bytes", "file.max.records", "request.timeout.ms"] {
        assert!(third.iter().any(|found| found == key), "{key} is not among {third:?}");
    }
    assert!(!text(&output.stdout).contains("hunter2secret"), "{}", text(&output.stdout));
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_1() {
    assert_eq!(tidegate(&["run"]).status.code(), Some(1));
    assert_eq!(tidegate(&["fly"]).status.code(), Some(1));
    assert_eq!(tidegate(&["demo", "--records", "0"]).status.code(), Some(1));
    assert_eq!(tidegate(&["--help"]).status.code(), Some(0));
    assert_eq!(tidegate(&["--version"]).status.code(), Some(0));
}

/// A connector that writes below `sales/` as role orders, with an external ID.
const SALES: &str = r#"{"name":"sales","config":{"connector.class":"AivenKafkaConnectS3SinkConnector","topics":"orders",
    "key.converter":"org.apache.kafka.connect.storage.StringConverter",
    "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
    "aws.s3.bucket.name":"shop-data","aws.s3.region":"eu-central-1",
    "file.name.template":"sales/{{topic}}/{{partition}}-{{start_offset}}",
    "aws.sts.role.arn":"arn:aws:iam::111111111111:role/orders","aws.sts.role.session.name":"sales",
    "aws.sts.role.external.id":"c-7f3a91"}}"#;

fn tidegate_with(stdin: &str, arguments: &[&str]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    process.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("it reads all of it");
    process.wait_with_output().expect("it ends")
}

#[test]
fn policies_for_a_connector_are_generated_linted_clean_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let connector = dir.path().join("sales.json");
    fs::write(&connector, SALES).unwrap();
    let connector = connector.to_str().unwrap();
    let generate = |arguments: &[&str]| {
        let output = tidegate(&[&["policy", "generate", "--connector", connector], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let permission = generate(&["--permission"]);
    assert!(permission.contains("arn:aws:s3:::shop-data/sales/orders/*"), "{permission}");
    assert!(!permission.contains("\"*\""), "{permission}");
    // The external ID and the role's name are the connector's.
    let principal = ["--trust", "--principal", "arn:aws:iam::222222222222:role/tidegate"];
    let trust = generate(&principal);
    assert!(trust.contains(r#""sts:ExternalId": "c-7f3a91""#), "{trust}");
    let commands = generate(&[&principal[..], &["--permission", "--format", "cli"]].concat());
    assert!(
        commands.starts_with("aws iam create-role --role-name orders --assume-role-policy-document '{"),
        "{commands}"
    );
    assert_eq!(commands.lines().count(), 2, "{commands}");
    // A whole role would be made anew, in place of a change to the one that is there.
    let existing = ["policy", "generate", "--connector", connector, "--existing-role", "--format", "cloudformation"];
    let output = tidegate(&[&existing, &principal[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    for policy in [&permission, &trust] {
        let output = tidegate_with(policy, &["policy", "lint", "-", "--strict", "--account", "111111111111"]);
        assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), "stdin: nothing to say\n"));
    }
    let file = dir.path().join("permission.json");
    fs::write(&file, &permission).unwrap();
    let file = file.to_str().unwrap();
    let compact: serde_json::Value = serde_json::from_str(&permission).unwrap();
    assert_eq!(tidegate_with(&compact.to_string(), &["policy", "diff", file, "-"]).status.code(), Some(0));
    let other = permission.replace("s3:GetObject", "s3:DeleteObject");
    let output = tidegate_with(&other, &["policy", "diff", file, "-"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("+ Action s3:DeleteObject"), "{}", text(&output.stdout));
    let output = tidegate(&["policy", "explain", file]);
    assert!(text(&output.stdout).starts_with("1. (WriteObjects) Whoever has this policy may abort uploads"));
    // Both as JSON would be two documents in one.
    let both = tidegate(&[&["policy", "generate", "--permission", "--bucket", "shop-data"], &principal[..]].concat());
    assert_eq!(both.status.code(), Some(1));
}

#[test]
fn what_is_no_text_of_a_policy_is_said_in_words() {
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    // As editors on Windows save it.
    let output = tidegate_with(&format!("\u{feff}{policy}"), &["policy", "explain", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for (input, files, exit, said) in [
        ("", &["-"][..], 2, "error: stdin: is empty, and a policy is a JSON object with a Statement\n"),
        (policy, &["-", "-"], 1, "error: only one of the policies can come from stdin\n"),
    ] {
        let output = tidegate_with(input, &[&["policy", "lint"], files].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(exit), said));
    }
}

#[test]
fn a_policy_is_refused_for_its_errors_and_mended() {
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:role/v"},
        "Action":"sts:AssumeRole","Condition":{"StringLike":{"sts:ExternalId":"*"}}}]}"#;
    let output = tidegate_with(open, &["policy", "lint", "-", "-o", "json", "--external-id", "c-7f3a91"]);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &report["policies"][0]["findings"][0];
    assert_eq!((&finding["rule"], &finding["statement"]), (&"external-id-any".into(), &1.into()));
    let fixed = tidegate_with(open, &["policy", "lint", "-", "--fix", "--external-id", "c-7f3a91"]);
    let fixed = text(&fixed.stdout);
    assert_eq!(report["policies"][0]["mended"], serde_json::from_str::<serde_json::Value>(&fixed).unwrap());
    assert_eq!(tidegate_with(&fixed, &["policy", "lint", "-"]).status.code(), Some(0));
    // A warning is no error, unless it is asked to be.
    let wide = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
    assert_eq!(tidegate_with(wide, &["policy", "lint", "-"]).status.code(), Some(0));
    assert_eq!(tidegate_with(wide, &["policy", "lint", "-", "--strict"]).status.code(), Some(2));
    let broken = tidegate_with("{\"Version\": 7}", &["policy", "lint", "-"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).contains("stdin: line 1, column"), "{}", text(&broken.stderr));
    assert_eq!(tidegate(&["policy", "lint"]).status.code(), Some(1));
    assert_eq!(tidegate(&["policy", "generate", "--permission", "--connector", "nowhere.json"]).status.code(), Some(2));
}

#[test]
fn a_drain_that_reaches_no_broker_ends_with_exit_code_4() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.json");
    let config = r#"{"name":"c","config":{"connector.class":"AivenKafkaConnectS3SinkConnector","topics":"t",
        "key.converter":"org.apache.kafka.connect.storage.StringConverter",
        "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
        "aws.s3.bucket.name":"bucket","aws.s3.region":"eu-central-1"}}"#;
    fs::write(&path, config).unwrap();
    // Port 1 of the loopback: nobody listens there.
    let output = tidegate(&[
        "run",
        path.to_str().unwrap(),
        "--bootstrap-server",
        "127.0.0.1:1",
        "--drain",
        "--drain-timeout",
        "2",
    ]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

/// `tidegate local` without a directory, until it is dropped.
struct Local {
    process: std::process::Child,
    variables: Vec<(String, String)>,
    connector: serde_json::Value,
    connection: String,
}

impl Local {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["local", "--kafka-listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let (mut variables, mut connector, mut connection) = (Vec::new(), String::new(), String::new());
        for line in BufReader::new(process.stdout.take().expect("piped")).lines() {
            let line = line.expect("UTF-8");
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                variables.push((name.to_owned(), value.to_owned()));
            } else if let Some(line) = line.strip_prefix("#   ") {
                let ended = connector.ends_with("\n}\n");
                let text = if ended { &mut connection } else { &mut connector };
                text.push_str(line);
                text.push('\n');
            } else if !connection.is_empty() {
                break;
            }
        }
        let connector = serde_json::from_str(&connector).expect("the connector is JSON");
        Self { process, variables, connector, connection }
    }

    fn tidegate(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(arguments)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts")
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn a_drain_of_topics_that_do_not_exist_fails_and_one_that_stops_says_nothing_alarming() {
    let local = Local::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.json");
    let drain = |topics: &str| {
        let mut connector = local.connector.clone();
        connector["config"]["topics"] = topics.into();
        fs::write(&path, connector.to_string()).unwrap();
        local.tidegate(&["run", path.to_str().unwrap(), "--drain", "--drain-timeout", "30"])
    };
    let output = drain("odrers");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("odrers does not exist") && stderr.contains("correct topics"), "{stderr}");
    // One that is there and one that is not: the first is drained, the other is named.
    let output = drain("orders,odrers");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("the topic does not exist"), "{stderr}");
    // A pattern may match nothing today; it is said.
    let mut connector = local.connector.clone();
    connector["config"]["topics.regex"] = "odrers.*".into();
    connector["config"].as_object_mut().unwrap().remove("topics");
    fs::write(&path, connector.to_string()).unwrap();
    let output = local.tidegate(&["run", path.to_str().unwrap(), "--drain", "--drain-timeout", "30"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("no topic matches topics.regex"), "{stderr}");
    let output = drain("orders");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("WARN") && !stderr.contains("ERROR"), "{stderr}");
}

/// Starts `tidegate local` on ports of its own, and asks it to end as soon as it is up: what it printed, and how it ended.
fn local_once(dir: &Path) -> (String, Option<i32>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["local", "--kafka-listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0", "--dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut printed = String::new();
    let mut lines = BufReader::new(process.stdout.take().expect("piped"));
    // The last line of the connector; or it has ended.
    while !printed.ends_with("#   }\n") && lines.read_line(&mut printed).expect("UTF-8") > 0 {}
    let killed = Command::new("kill").arg(process.id().to_string()).status().expect("kill is there");
    let status = process.wait().expect("it was ours");
    assert!(killed.success(), "it had ended by itself with {status}: {printed}");
    (printed, status.code())
}

#[test]
fn the_connection_that_local_prints_leads_to_its_role() {
    let local = Local::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("connections.toml");
    fs::write(&path, &local.connection).unwrap();
    let output = local.tidegate(&["connection", "test", "local", "--connections", path.to_str().unwrap()]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("444455556666:assumed-role/orders-writer/tidegate-local"), "{stdout}");
}

#[test]
fn an_embedded_aws_that_is_up_is_made_to_misbehave() {
    let local = Local::start();
    let ask = |arguments: &[&str]| {
        let output = local.tidegate(&[&["local"], arguments].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, number, _) = ask(&["fault", "add", "error=SlowDown", "--operation", "PutObject", "--count", "3"]);
    assert_eq!((code, &*number), (Some(0), "1\n"));
    let (_, listed, _) = ask(&["fault", "list"]);
    assert_eq!(listed, "1\terror=SlowDown\tPutObject * *\tstruck 0 of 3\n");
    assert_eq!(ask(&["fault", "clear", "1"]).0, Some(0));
    assert_eq!(ask(&["fault", "list"]).1, "");
    assert_eq!(ask(&["propagation", "10"]).0, Some(0));
    assert_eq!(ask(&["revoke", "arn:aws:iam::444455556666:role/orders-writer"]).0, Some(0));
    let (code, _, said) = ask(&["revoke", "arn:aws:iam::444455556666:role/none"]);
    assert!(code == Some(3) && said.contains("there is no role none"), "{said}");
    let (code, _, said) = ask(&["fault", "add", "error=Tired"]);
    assert!(code == Some(1) && said.contains("aws has no error Tired"), "{said}");
}

#[test]
fn local_with_a_directory_comes_back_with_the_same_keys() {
    let dir = tempfile::tempdir().unwrap();
    let key = |printed: &str| {
        printed.lines().find_map(|line| line.strip_prefix("export AWS_ACCESS_KEY_ID=").map(str::to_owned))
    };
    let (first, ended) = local_once(dir.path());
    assert_eq!(ended, Some(0), "{first}");
    assert!(key(&first).is_some(), "{first}");
    let (second, ended) = local_once(dir.path());
    assert_eq!(ended, Some(0), "{second}");
    assert_eq!(key(&second), key(&first));
}

#[test]
fn connections_are_listed_checked_tested_and_imported() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Port 9 is closed: nobody is asked but this machine.
    let file = write(
        "connections.toml",
        "[connections.lake]\nkind = \"keys\"\nregion = \"eu-central-1\"\naccess_key_id = \"AKIA1\"\n\
         secret_access_key = \"hunter2hunter2\"\nendpoints = { sts = \"http://127.0.0.1:9\" }\n\
         [connections.task]\nkind = \"container\"\nregion = \"eu-central-1\"\nbucket = \"lake\"\n\
         [[connections.task.roles]]\narn = \"arn:aws:iam::111111111111:role/orders\"\n",
    );
    let run = |arguments: &[&str]| {
        let output = tidegate(&[arguments, &["--connections", &file]].concat());
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains("hunter2"), "{all}");
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, listed, _) = run(&["connection", "list"]);
    assert_eq!(code, 0);
    assert!(
        listed.contains("the container's credentials endpoint -> role arn:aws:iam::111111111111:role/orders"),
        "{listed}"
    );
    let (code, checked, _) = run(&["connection", "check", "task", "--connector", "orders"]);
    assert!(code == 0 && checked.contains("tidegate-task of arn:aws:iam::111111111111:role/orders"), "{checked}");
    assert!(checked.contains("may touch     s3://lake/") && checked.contains("\"arn:aws:s3:::lake/*\""), "{checked}");
    let (code, _, told) = run(&["connection", "check", "lakes"]);
    assert!(code == 2 && told.contains("did you mean lake?"), "{told}");
    // No answer proves nothing; a place that is not there is a failure.
    let (code, tested, _) = run(&["connection", "test", "lake"]);
    assert!(code == 4 && tested.contains("[identity.unreachable]"), "{code} {tested}");
    let (code, tested, _) = run(&["connection", "test", "task"]);
    assert!(code == 3 && tested.contains("ECS and EKS set one of them"), "{code} {tested}");
    let (code, _, told) = run(&["connection", "list", "--no-static-keys"]);
    assert!(code == 2 && told.contains("connections.lake.kind: is keys, which never end"), "{code} {told}");

    let export = write(
        "export.json",
        r#"{"Connection Name": "S3", "Access Key": "AKIA1", "Secret Key": "hunter2hunter2",
        "Folder Path": "lake/in", "Region Name": "eu-central-1"}"#,
    );
    let (code, imported, told) = {
        let output = tidegate(&["connection", "import", &export]);
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    assert!(code == 0 && imported.contains("secret_access_key = { env = \"S3_SECRET_ACCESS_KEY\" }"), "{imported}");
    assert!(!(imported + &told).contains("hunter2") && told.contains("Best use a role"), "{told}");

    let endless = write("endless.json", &"x".repeat((1 << 20) + 1));
    for (export, said) in [(&*format!("{endless}.none"), "No such file"), (&*endless, "larger than 1 MiB")] {
        let output = tidegate(&["connection", "import", export]);
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }

    let connector = write(
        "orders.json",
        r#"{"name": "orders", "connector.class": "AivenKafkaConnectS3Sink", "topics": "orders",
            "aws.s3.bucket.name": "other", "tidegate.connection": "task",
            "key.converter": "ByteArrayConverter", "value.converter": "ByteArrayConverter"}"#,
    );
    let (code, refused, _) = run(&["check", &connector]);
    assert!(
        code == 2 && refused.contains("bucket other is outside the fence of connection task: s3://lake/"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_that_has_enough_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = write(
        "policy.json",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#,
    );
    let connections = write("c.toml", "[connections.a]\nkind = \"default-chain\"\nregion = \"eu-central-1\"\n");
    let commands: [&[&str]; 9] = [
        &["--help"],
        &["policy", "lint", &policy],
        &["policy", "explain", &policy],
        &["policy", "diff", "-o", "json", &policy, &policy],
        &["policy", "generate", "--permission", "--bucket", "lake"],
        &["connection", "list", "--connections", &connections],
        &["connection", "check", "--connections", &connections],
        &["integration", "policy", "--placeholder"],
        &["demo", "--records", "1"],
    ];
    for arguments in commands {
        let call = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
            command.args(arguments).stdin(Stdio::null()).stdout(stdout).output().unwrap()
        };
        let full = call(fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
        let stderr = text(&full.stderr);
        assert_eq!(full.status.code(), Some(3), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("error: could not write to stdout: No space left on device"),
            "{arguments:?}: {stderr}"
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = call(writer.into());
        assert_eq!(gone.status.code(), Some(0), "{arguments:?}: {}", text(&gone.stderr));
    }
}

#[test]
fn an_export_may_come_through_a_pipe() {
    let mut importing = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["connection", "import", "-", "--from", "informatica"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    importing.stdin.take().unwrap().write_all(b"no export").unwrap();
    let output = importing.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.starts_with("error: stdin: "), "it was read: {stderr}");
}

#[test]
fn a_policy_lets_a_connector_into_its_msk_cluster_and_takes_what_its_session_brings_along() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let connections = |kafka: &str| {
        let text = format!(
            r#"
            [connections.lake]
            kind = "roles-anywhere"
            region = "eu-central-1"
            trust_anchor_arn = "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/t"
            profile_arn = "arn:aws:rolesanywhere:eu-central-1:111111111111:profile/p"
            role_arn = "arn:aws:iam::111111111111:role/edge"
            certificate = "/nowhere.pem"
            [[connections.lake.roles]]
            arn = "arn:aws:iam::111111111111:role/orders"
            external_id = "c-7f3"
            [connections.edge]
            kind = "roles-anywhere"
            region = "eu-central-1"
            trust_anchor_arn = "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/t"
            profile_arn = "arn:aws:rolesanywhere:eu-central-1:111111111111:profile/p"
            role_arn = "arn:aws:iam::111111111111:role/edge"
            certificate = "/nowhere.pem"
            [connections.msk]
            kind = "default-chain"
            region = "eu-central-1"
            [[connections.msk.roles]]
            arn = "arn:aws:iam::111111111111:role/{kafka}"
            "#
        );
        write("connections.toml", &text)
    };
    let connector = |connection: &str| {
        let text = format!(
            r#"{{"name":"orders","connector.class":"AivenKafkaConnectS3SinkConnector","topics":"orders",
                "key.converter":"org.apache.kafka.connect.storage.StringConverter",
                "value.converter":"org.apache.kafka.connect.converters.ByteArrayConverter",
                "aws.s3.bucket.name":"shop-data","aws.s3.region":"eu-central-1","tidegate.connection":"{connection}",
                "errors.tolerance":"all","errors.deadletterqueue.topic.name":"lost"}}"#
        );
        write("orders.json", &text)
    };
    let generate = |connection: &str, kafka: &str, more: &[&str]| {
        let (connector, connections) = (connector(connection), connections(kafka));
        let signed = [
            "--set=security.protocol=SASL_SSL",
            "--set=sasl.mechanism=AWS_MSK_IAM",
            "--set=sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;",
            "--set=tidegate.kafka.connection=msk",
            "--set=bootstrap.servers=b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098",
        ];
        let given = ["policy", "generate", "--connector", &connector, "--connections", &connections];
        let output = tidegate(&[&given[..], &signed, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let cluster = "arn:aws:kafka:eu-central-1:111111111111:cluster/shop/6f1a-2";
    let head = "arn:aws:kafka:eu-central-1:111111111111";
    let (policy, said) = generate("lake", "orders", &["--permission"]);
    assert!(!policy.contains("kafka-cluster:") && said.contains("give --msk-cluster"), "{said}");
    let (policy, said) = generate("lake", "orders", &["--permission", "--msk-cluster", cluster]);
    for words in [
        "s3:PutObject",
        "kafka-cluster:ReadData",
        "kafka-cluster:WriteDataIdempotently",
        &format!("{head}:topic/shop/6f1a-2/orders"),
        &format!("{head}:topic/shop/6f1a-2/lost"),
        &format!("{head}:group/shop/6f1a-2/connect-orders"),
    ] {
        assert!(policy.contains(words), "{words}: {policy}");
    }
    assert_eq!(said, "", "one role for both");
    let (policy, said) = generate("lake", "reader", &["--permission", "--msk-cluster", cluster]);
    assert!(policy.contains("kafka-cluster:ReadData") && !policy.contains("s3:"), "{policy}");
    assert!(said.contains("this is for role arn:aws:iam::111111111111:role/reader, which signs for Kafka"), "{said}");

    // A certificate's subject is its session's source identity, which goes on to the next role.
    let edge = "arn:aws:iam::111111111111:role/edge";
    let (trust, _) = generate("lake", "orders", &["--trust", "--principal", edge]);
    assert!(trust.contains("sts:SetSourceIdentity") && !trust.contains("sts:TagSession"), "{trust}");
    let (trust, _) = generate("edge", "orders", &["--trust"]);
    for words in ["rolesanywhere.amazonaws.com", "sts:SetSourceIdentity", "sts:TagSession", "trust-anchor/t"] {
        assert!(trust.contains(words), "{words}: {trust}");
    }
}

#[test]
fn the_largest_policy_with_a_remark_on_each_statement_is_linted_in_little_memory() {
    let statement = |number: usize| {
        serde_json::json!({"Sid": format!("S{number}"), "Effect": if number.is_multiple_of(2) { "Allow" } else { "Deny" },
            "Action": ["s3:Get*", "s3:Put*"], "Resource": [format!("arn:aws:s3:::b{number}/*"), "*"]})
    };
    let statements: Vec<_> = (0..300).map(statement).collect();
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.json");
    fs::write(&path, policy).unwrap();
    // 1 GiB of address space: a copy of the policy with each remark took ten.
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1048576; exec \"$0\" policy lint \"$1\"", env!("CARGO_BIN_EXE_tidegate")])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stdout).matches("shadowed-by-deny").count() >= 100);
}
