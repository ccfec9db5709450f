//! `tidegate doctor`, as a user calls it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use local::aws::{Effect, FaultRule};
use serde_json::Value;

use super::objects::{Desk, eventually};
use super::{text, tidegate};

/// A role that asks for no external ID, in another account.
const OPEN: &str = r#"
title = "a role that lets in every tenant"

[accounts.222222222222.users.vendor.policies.assume]
Version = "2012-10-17"
Statement = { Effect = "Allow", Action = "sts:AssumeRole", Resource = "*" }

[accounts.111111111111.roles.orders.trust]
Version = "2012-10-17"
Statement = { Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:user/vendor" }, Action = "sts:AssumeRole" }

[caller]
user = "222222222222/vendor"

[connections.lake]
region = "us-east-1"
roles = [{ arn = "arn:aws:iam::111111111111:role/orders", external_id = "${id}" }]
"#;

fn scenario(dir: &Path, expect: &str) -> String {
    let path = dir.join("scenario.toml");
    fs::write(&path, format!("{OPEN}{expect}")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_scenario_that_is_built_in_is_found_by_its_row_and_is_as_it_expects() {
    let output = tidegate(&["doctor", "--fake-aws", "F07-tag-session"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    assert!(stdout.contains("[trust.tag-session-not-allowed]") && stdout.contains("\"sts:TagSession\""), "{stdout}");
    assert!(stderr.contains("it is as the scenario expects"), "{stderr}");
    // A row that shows itself in several ways: the first of them, and it is said which there are.
    let output = tidegate(&["doctor", "--fake-aws", "f7"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("of f7 there are also "), "{}", text(&output.stderr));
    let listed = text(&tidegate(&["doctor", "--fake-aws", "list"]).stdout);
    assert!(listed.lines().any(|line| line.starts_with("F07-tag-session ")), "{listed}");
}

#[test]
fn a_scenario_without_expectations_ends_with_its_verdict_and_one_with_wrong_ones_with_three() {
    let dir = tempfile::tempdir().unwrap();
    let examine = |expect: &str| {
        let path = scenario(dir.path(), expect);
        tidegate(&["doctor", "--fake-aws", &path, "--variable", "id=c-7f3"])
    };
    let plain = examine("");
    assert_eq!(plain.status.code(), Some(3), "{}", text(&plain.stderr));
    assert!(text(&plain.stdout).contains("failed    external-id-required"), "{}", text(&plain.stdout));

    let right = examine("[expect]\ncheck = \"external-id-required\"\nrow = \"F02\"\nstatus = \"failed\"\n");
    assert_eq!(right.status.code(), Some(0), "{}", text(&right.stderr));
    let wrong = examine("[expect]\nverdict = \"passed\"\n");
    assert_eq!(wrong.status.code(), Some(3));
    let said = text(&wrong.stderr);
    assert!(
        said.contains("the verdict is failed, and was to be passed") && said.contains("F02 is diagnosed"),
        "{said}"
    );

    let misspelt = examine("[expect]\nverdikt = \"passed\"\n");
    assert_eq!(misspelt.status.code(), Some(1));
    assert!(text(&misspelt.stderr).contains("verdikt"), "{}", text(&misspelt.stderr));
    let unset = tidegate(&["doctor", "--fake-aws", &scenario(dir.path(), "")]);
    assert_eq!(unset.status.code(), Some(1));
    assert!(text(&unset.stderr).contains("${id}"), "{}", text(&unset.stderr));
}

#[test]
fn an_error_message_is_explained_from_a_log() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["doctor", "--explain", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let log = b"ERROR connector: User: arn:aws:iam::1:user/a is not authorized\n  to perform: sts:TagSession on resource: x \xff\n";
    child.stdin.take().unwrap().write_all(log).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["causes"][0]["cause"], "trust.tag-session-not-allowed", "{told:#}");
    let nothing = text(&tidegate(&["doctor", "--explain", "the printer is on fire"]).stdout);
    assert!(nothing.starts_with("nothing that is known says this"), "{nothing}");
}

#[test]
fn what_is_wrong_without_a_known_cause_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("connections.toml");
    let path = path.to_str().unwrap();
    fs::write(path, "[connections.lake]\nkind = \"instance-role\"\nregoin = \"eu-central-1\"\n").unwrap();
    let output = tidegate(&["doctor", "lake", "--connections", path]);
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stdout);
    assert!(told.contains("do       connections.lake.regoin: did you mean region?"), "{told}");
    // The file is no target: what is examined is one of its connections.
    let output = tidegate(&["doctor", path]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    assert!(told.contains(&format!("tidegate doctor NAME --connections {path}")), "{told}");

    let wrong = dir.path().join("wrong.toml");
    let keys = "kind = \"keys\"\naccess_key_id = \"${caller.access_key_id}\"\nsecret_access_key = \"wrong\"\n";
    fs::write(&wrong, OPEN.replace("[connections.lake]\n", &format!("[connections.lake]\n{keys}"))).unwrap();
    let output = tidegate(&["doctor", "--fake-aws", wrong.to_str().unwrap(), "--variable", "id=c-7f3"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{told}{}", text(&output.stderr));
    assert!(
        told.contains("SignatureDoesNotMatch") && told.contains("do       correct the secret access key"),
        "{told}"
    );
}

#[test]
fn a_watched_connection_is_told_once_until_it_changes_and_a_signal_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = scenario(dir.path(), "");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["doctor", "--fake-aws", &path, "--variable", "id=c-7f3", "--watch", "--every", "1", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&first["change"], &first["report"]["verdict"]), (&"began".into(), &"failed".into()));
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    assert_eq!(child.wait().unwrap().code(), Some(3), "the exit code is of the last result");
    let mut rest = String::new();
    lines.read_line(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing has changed");
}

/// Stops the doctor while S3 has done what it was asked, and has not answered yet.
#[test]
fn a_signal_in_the_middle_of_a_write_leaves_nothing_behind() {
    for (operation, signal) in
        [("PutObject", "-INT"), ("PutObject", "-TERM"), ("CreateMultipartUpload", "-INT"), ("UploadPart", "-TERM")]
    {
        let desk = Desk::new();
        let late = FaultRule::new(Effect::LateAnswer { millis: 1_500 }).operation(operation).key("*.tidegate-doctor*");
        desk.aws.faults().add(late).unwrap();
        assert!(desk.aws.holdings().is_empty());
        let child = desk.command(&["doctor", "lake", "--depth", "write", "-o", "json"]).spawn().unwrap();
        eventually(|| !desk.aws.holdings().is_empty());
        let signalled = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        let output = child.wait_with_output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{operation} {signal}: {told}");
        assert!(told.contains("what was written is deleted first"), "{operation} {signal}: {told}");
        assert!(desk.aws.holdings().is_empty(), "{operation} {signal}: {:?}", desk.aws.holdings());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let status = |name: &str| {
            let checks = report["checks"].as_array().unwrap();
            checks.iter().find(|check| check["check"] == name).map(|check| check["status"].clone())
        };
        assert_eq!(status("nothing-left-behind"), Some("passed".into()), "{operation} {signal}");
        assert_eq!(report["verdict"], "unproven", "{operation} {signal}");
    }
}

#[test]
fn what_cannot_be_examined_is_told_with_what_to_do() {
    let stdin = |given: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["doctor", "-", "--depth", "offline"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(given).unwrap();
        child.wait_with_output().unwrap()
    };
    for (given, what) in [
        (&b""[..], "error: stdin is empty\n  hint: give one JSON object"),
        (b"kind = \"instance-role\"\n", "error: stdin is TOML, and JSON is read here\n  hint: save it to a file"),
        (b"{\"connections\":{}}", "error: stdin holds no connection\n  hint: put one under"),
    ] {
        let output = stdin(given);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(text(&output.stderr).starts_with(what), "{}", text(&output.stderr));
    }
    let marked = stdin("\u{feff}{\"kind\":\"instance-role\",\"region\":\"eu-central-1\"}".as_bytes());
    assert_eq!(marked.status.code(), Some(0), "{}{}", text(&marked.stdout), text(&marked.stderr));
    let dir = tempfile::tempdir().unwrap();
    let connections = dir.path().join("connections.toml");
    fs::write(&connections, "[connections.lake]\nkind = \"instance-role\"\nregion = \"eu-central-1\"\n").unwrap();
    let connections = connections.to_str().unwrap();
    let connector = dir.path().join("orders.json");
    fs::write(&connector, "{").unwrap();
    for arguments in [
        &["doctor", ""][..],
        &["doctor", "lake"],
        &["doctor", "laek", "--connections", connections],
        &["doctor", connections],
        &["doctor", "cspi-7f3"],
        &["doctor", "lake", "--connections", connections, "--trust-policy", "absent.json"],
        &["doctor", "--fake-aws", "F07-tag-sesion"],
        &["doctor", "--fake-aws", connections],
        &["doctor", "--fake-aws", "F07-tag-session", "--variable", "a"],
    ] {
        let output = tidegate(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("\n  hint: "), "{arguments:?}: {told}");
    }
}

#[test]
fn of_many_causes_the_three_best_are_told_unless_all_are_asked_for() {
    let maybe = |more: &[&str]| {
        let told = text(&tidegate(&[&["doctor", "--fake-aws", "F03-other-principal"], more].concat()).stdout);
        (told.matches("\n    maybe ").count(), told)
    };
    let (few, told) = maybe(&[]);
    assert!(few == 3 && told.contains(" more: --all or -o json tells them"), "{told}");
    let (all, told) = maybe(&["--all"]);
    assert!(all > 6 && !told.contains("--all"), "{told}");
}

#[test]
fn a_report_is_as_the_published_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for arguments in [["F07-tag-session", "identity"], ["healthy-role-of-another-account", "write"]] {
        let [scenario, depth] = arguments;
        let output = tidegate(&["doctor", "--fake-aws", scenario, "--depth", depth, "-o", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let faults = Schema { whole: &schema }.faults("", &schema, &report);
        assert!(faults.is_empty(), "{scenario}: {}\n{report:#}", faults.join("\n"));
        // The schema would find something.
        let mut broken = report.clone();
        broken["checks"][0]["status"] = "well".into();
        broken["depth"] = Value::Null;
        assert_eq!(Schema { whole: &schema }.faults("", &schema, &broken).len(), 2);
    }
}

/// As much of JSON Schema as ours uses. Stricter in one thing: a member that the schema does not describe is a fault, unless
/// it says that there may be others, so that it is never old.
struct Schema<'a> {
    whole: &'a Value,
}

impl Schema<'_> {
    fn faults(&self, at: &str, schema: &Value, value: &Value) -> Vec<String> {
        if let Some(name) = schema["$ref"].as_str() {
            let named = self.whole.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("no {name}"));
            return self.faults(at, named, value);
        }
        let mut faults = Vec::new();
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if schema["type"].as_str().is_some_and(|wanted| wanted != kind) {
            return vec![format!("{at} is {kind}, not {}", schema["type"])];
        }
        if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
            faults.push(format!("{at} is {value}, none of {}", schema["enum"]));
        }
        if schema.get("const").is_some_and(|wanted| wanted != value) {
            faults.push(format!("{at} is {value}, not {}", schema["const"]));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            faults.extend(self.faults(&format!("{at}[{index}]"), &schema["items"], item));
        }
        let Some(members) = value.as_object() else { return faults };
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|name| !members.contains_key(*name));
        faults.extend(missing.map(|name| format!("{at} has no {name}")));
        for (name, member) in members {
            let at = format!("{at}.{name}");
            match schema["properties"].get(name) {
                Some(described) => faults.extend(self.faults(&at, described, member)),
                None if schema["additionalProperties"] == true => {}
                None => faults.push(format!("{at} is not described")),
            }
        }
        faults
    }
}
