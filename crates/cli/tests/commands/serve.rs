//! `tidegate serve` and `tidegate backup`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::text;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for name in ["TIDEGATE_DATA_DIR", "TIDEGATE_LISTEN", "TIDEGATE_AUTH", "TIDEGATE_BOOTSTRAP_SERVERS", "NOTIFY_SOCKET"]
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A serve that answers; ended with the value.
struct Serve {
    child: Child,
    address: String,
}

impl Serve {
    fn start(data_dir: &Path, more: &[&str]) -> Self {
        let dir = data_dir.to_str().unwrap();
        let mut child = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir]).args(more).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap();
            if let Some((_, rest)) = line.split_once("url=\"http://") {
                break rest.split('"').next().unwrap().to_owned();
            }
            said += &line;
        };
        // Read on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Status and body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// As a service manager ends it.
    fn end(mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn call(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
}

#[test]
fn a_connector_outlives_the_process_that_was_told_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let serve = Serve::start(&data, &["--bootstrap-server", "127.0.0.1:1"]);
    let connector = r#"{"name":"orders","initial_state":"STOPPED","config":{
        "connector.class":"io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector","topics":"orders",
        "key.converter":"org.apache.kafka.connect.storage.StringConverter",
        "value.converter":"org.apache.kafka.connect.storage.StringConverter",
        "format.output.type":"jsonl","aws.s3.bucket.name":"archive","aws.s3.region":"eu-central-1"}}"#;
    let (status, body) = serve.ask("POST", "/connectors", connector);
    assert_eq!(status, 201, "{body}");
    assert_eq!(serve.ask("GET", "/readyz", "").0, 200);

    // Two on one directory, and two on one address.
    let dir_of = |path: &Path| path.to_str().unwrap().to_owned();
    let (held, other) = (dir_of(&data), dir_of(&dir.path().join("other")));
    refused(
        &call(&["serve", "--listen", "127.0.0.1:0", "--data-dir", &held]),
        3,
        &["is held by another process", "--data-dir"],
    );
    refused(
        &call(&["serve", "--listen", &serve.address, "--data-dir", &other]),
        3,
        &["could not listen on", "--listen"],
    );

    // A copy, while it goes on; and not over what is there.
    let copy = dir_of(&dir.path().join("copy.db"));
    refused(&call(&["backup", &copy, "--data-dir", &held]), 0, &["tidegate.key"]);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    refused(&call(&["backup", &copy, "--data-dir", &held]), 3, &["exists", "another name"]);
    refused(&call(&["backup", &dir_of(&dir.path().join("none.db")), "--data-dir", &other]), 3, &["error:"]);
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);

    assert_eq!(serve.end(), Some(0));
    let serve = Serve::start(&data, &[]);
    assert_eq!(serve.ask("GET", "/connectors", ""), (200, r#"["orders"]"#.to_owned()));
    drop(serve);
    // The copy is a store.
    let restored = dir.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    std::fs::copy(&copy, restored.join("tidegate.db")).unwrap();
    std::fs::copy(data.join("tidegate.key"), restored.join("tidegate.key")).unwrap();
    let serve = Serve::start(&restored, &[]);
    let (_, status) = serve.ask("GET", "/connectors/orders/status", "");
    assert!(status.contains(r#""state":"STOPPED""#), "{status}");
}

#[test]
fn the_first_user_ends_it_that_everybody_may_do_everything() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    // Nobody is let in from the network without a user, unless somebody says so.
    let outside = call(&["serve", "--listen", "0.0.0.0:0", "--data-dir", data]);
    refused(&outside, 2, &["can be reached over the network", "serve --init", "--auth none"]);
    let required = call(&["serve", "--listen", "127.0.0.1:0", "--auth", "required", "--data-dir", data]);
    refused(&required, 2, &["there is no user", "serve --init"]);
    // A drawn password is for eyes alone.
    refused(&call(&["serve", "--init", "--data-dir", data]), 1, &["stdout is none", "--password-file"]);
    let password = dir.path().join("password");
    std::fs::write(&password, "short\n").unwrap();
    let file = password.to_str().unwrap();
    let init = ["serve", "--init", "--init-email", "ops@example.com", "--password-file", file, "--data-dir", data];
    assert_eq!(call(&init).status.code(), Some(2));
    std::fs::write(&password, "correct horse battery\n").unwrap();
    let made = call(&init);
    refused(&made, 0, &["made the first user", "ops@example.com"]);
    assert_eq!(text(&made.stdout), "");
    assert!(!text(&made.stderr).contains("correct horse"));
    refused(&call(&init), 2, &["there is a user already: ops@example.com"]);

    let serve = Serve::start(Path::new(data), &[]);
    assert_eq!(serve.ask("GET", "/connectors", "").0, 401);
    // Who keeps it alive needs no credentials.
    assert_eq!(serve.ask("GET", "/healthz", "").0, 200);
    let open = Serve::start(&dir.path().join("other"), &["--auth", "none"]);
    assert_eq!(open.ask("GET", "/connectors", "").0, 200);
}
