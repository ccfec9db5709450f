//! Kafka, the embedded S3, and `tidegate run` as processes, and what tests wait with.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Map, Value, json};

use crate::witness::Witness;

/// Time for what takes a second or two on an idle machine.
pub(crate) const SOON: Duration = Duration::from_mins(1);

const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// The user who may do everything in the account of the buckets.
const ADMIN: (&str, &str) = ("AKIAADMINADMINADMIN0", "admin/admin/admin/admin/admin/admin/admi");
/// A user of another account who may do nothing but take on the roles.
pub(crate) const STRANGER: (&str, &str) = ("AKIASTRANGERSTRANGE0", "stranger/stranger/stranger/stranger/stra");
/// A role that may write nothing.
pub(crate) const POWERLESS: &str = "arn:aws:iam::444455556666:role/powerless";
/// A role that may do what a sink needs.
pub(crate) const WRITER: &str = "arn:aws:iam::444455556666:role/writer";
/// What they ask of whoever takes them on.
pub(crate) const EXTERNAL_ID: &str = "e2e-external-id";

/// A process that ends when its standard input closes, so also when the test process is killed.
struct Held {
    _process: Child,
    _stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Held {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command is there");
        let stdin = process.stdin.take().expect("piped");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Self { _process: process, _stdin: stdin, stdout }
    }
}

/// Where a file of the repository is.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A running cluster of Apache Kafka.
pub(crate) struct Kafka {
    port: u16,
    dir: PathBuf,
    _held: Held,
}

impl Kafka {
    /// Starts one, with these variables for `dev/kafka`.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        // `dev/kafka` removes it when it is done; here it would be too early.
        let dir = tempfile::tempdir().expect("a temporary directory").keep();
        let port = free_ports();
        let mut command = Command::new(repository("dev/kafka"));
        command.arg("hold").arg(&dir).env("KAFKA_PORT", port.to_string()).envs(variables.iter().copied());
        let mut held = Held::start(&mut command);
        let mut ready = String::new();
        held.stdout.read_line(&mut ready).expect("dev/kafka says where it is");
        assert!(!ready.is_empty(), "Kafka did not start; see above");
        Self { port, dir, _held: held }
    }

    /// `host:port` of a listener of node 1: see `dev/kafka` for the offsets.
    pub(crate) fn address(&self, offset: u16) -> String {
        format!("127.0.0.1:{}", self.port + offset)
    }

    /// The plaintext listeners of three nodes.
    pub(crate) fn addresses(&self) -> String {
        [0, 10, 20].map(|offset| self.address(offset)).join(",")
    }

    /// A file that `dev/kafka` made.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("temporary directories have plain names").to_owned()
    }

    /// Runs `dev/kafka COMMAND DIR ARGUMENTS`.
    pub(crate) fn script(&self, command: &str, arguments: &[&str]) {
        let status = Command::new(repository("dev/kafka"))
            .arg(command)
            .arg(&self.dir)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("dev/kafka can be run");
        assert!(status.success(), "dev/kafka {command} {arguments:?} failed");
    }
}

/// The first port of a range in which nothing listens. Below the ephemeral ports, so that no outgoing connection of a
/// test running beside this one takes one of them.
fn free_ports() -> u16 {
    let mut random = rand::rng();
    for _ in 0..1000 {
        let first = random.random_range(2000..3200) * 10;
        if (first..first + 30).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no 30 free ports in a row");
}

/// `tidegate local`, of which only S3 and STS are used here.
pub(crate) struct Local {
    pub(crate) endpoint: String,
    _held: Held,
}

impl Local {
    fn start() -> Self {
        // `dev/hold` removes it when it is done.
        let dir = tempfile::tempdir().expect("a temporary directory").keep();
        let aws = dir.join("aws");
        fs::create_dir(&aws).expect("a fresh directory");
        fs::write(aws.join("aws.json"), accounts().to_string()).expect("a fresh directory");
        let mut command = Command::new(repository("dev/hold"));
        command
            .arg(&dir)
            .args([env!("CARGO_BIN_EXE_tidegate"), "local", "--kafka-listen", "127.0.0.1:0"])
            .args(["--aws-listen", "127.0.0.1:0", "--dir"])
            .arg(&dir)
            .stderr(File::create(dir.join("log")).expect("a fresh directory"));
        let mut held = Held::start(&mut command);
        let mut line = String::new();
        let endpoint = loop {
            line.clear();
            let read = held.stdout.read_line(&mut line).expect("text");
            assert!(read > 0, "tidegate local did not start");
            if let Some(endpoint) = line.strip_prefix("export AWS_ENDPOINT_URL=") {
                break endpoint.trim().to_owned();
            }
        };
        Self { endpoint, _held: held }
    }

    /// Asks the fault plane and the counters.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) =
            http(self.endpoint.trim_start_matches("http://"), method, &format!("/_local/{path}"), &body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Adds a fault and gives its number.
    pub(crate) fn add_fault(&self, rule: &Value) -> u64 {
        self.ask("POST", "faults", rule)["number"].as_u64().expect("a number")
    }
}

/// What the sink calls.
const SINK: &[&str] = &["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];

fn accounts() -> Value {
    let allow = |action: &[&str], resource: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": resource}});
    let user = |(id, secret): (&str, &str), policy: Value| json!({"access_keys": [{"id": id, "secret": secret}], "policies": {"its": policy}});
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/stranger"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}}});
    json!({"accounts": {
        "111122223333": {"users": {"stranger": user(STRANGER, allow(&["sts:AssumeRole"], "*"))}},
        "444455556666": {
            "users": {"admin": user(ADMIN, allow(&["*"], "*"))},
            "roles": {
                "powerless": {"trust": trust, "policies": {"its": allow(&["s3:ListBucket"], "*")}},
                // It may not list: what is missing then looks forbidden.
                "writer": {"trust": trust, "policies": {"its": allow(SINK, "*")}}
            }
        }
    }})
}

/// One HTTP request over a connection of its own: status and body.
pub(crate) fn http(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    (status, body.to_owned())
}

/// What most tests of this binary share: a node with TLS and SASL listeners, and the embedded S3.
pub(crate) struct Shared {
    pub(crate) kafka: Kafka,
    pub(crate) local: &'static Local,
}

/// The shared processes; `None`, with a word to standard error, if tests with a real Kafka were not asked for.
#[must_use]
pub(crate) fn shared(test: &str) -> Option<&'static Shared> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    wanted(test)
        .then(|| SHARED.get_or_init(|| Shared { kafka: Kafka::start(&[("KAFKA_SECURE", "1")]), local: shared_local() }))
}

/// The embedded S3 alone, for tests with brokers of their own.
pub(crate) fn shared_local() -> &'static Local {
    static LOCAL: OnceLock<Local> = OnceLock::new();
    LOCAL.get_or_init(Local::start)
}

/// Whether tests with a real Kafka were asked for.
#[expect(clippy::print_stderr, reason = "the test runner shows it to who asks why nothing ran")]
pub(crate) fn wanted(test: &str) -> bool {
    let wanted = world::Environment::process().get("TIDEGATE_TEST_KAFKA").as_deref() == Some("1");
    if !wanted {
        eprintln!("{test}: left out, needs a real Kafka: set TIDEGATE_TEST_KAFKA=1");
    }
    wanted
}

impl Shared {
    /// A place for one test: a directory, a bucket of its own, and a witness.
    pub(crate) fn place(&'static self, name: &str) -> Place {
        Place::new(name, self.kafka.address(0), self.local)
    }
}

/// What one test has for itself. Everything that it started ends with it.
pub(crate) struct Place {
    /// Name of the bucket, and where names of topics and connectors begin.
    pub(crate) name: String,
    pub(crate) bootstrap: String,
    pub(crate) local: &'static Local,
    pub(crate) witness: Witness,
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new(name: &str, bootstrap: String, local: &'static Local) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let witness = Witness::start(&bootstrap, &local.endpoint, ADMIN);
        witness.ask("create_bucket", json!({"bucket": name}));
        Self { name, bootstrap, local, witness, dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Creates a topic of that many partitions and gives its name.
    pub(crate) fn topic(&self, partitions: u32) -> String {
        self.replicated_topic(partitions, 1)
    }

    pub(crate) fn replicated_topic(&self, partitions: u32, replicas: u32) -> String {
        let of = json!({"partitions": partitions, "replicas": replicas});
        self.witness.ask("create_topics", json!({"topics": {&self.name: of}}));
        self.name.clone()
    }

    /// Writes a connector file: the bucket, the topic of this place and string converters, over which `config` goes.
    pub(crate) fn connector(&self, name: &str, config: &Value) -> PathBuf {
        let mut all = json!({
            "connector.class": CLASS,
            "topics": self.name,
            "key.converter": STRING,
            "value.converter": STRING,
            "aws.s3.bucket.name": self.name,
            "aws.s3.endpoint": self.local.endpoint,
            "aws.access.key.id": ADMIN.0,
            "aws.secret.access.key": ADMIN.1,
            "format.output.type": "jsonl",
            "format.output.fields": "value,offset",
            "file.compression.type": "none",
            "file.name.template": "{{topic}}/{{partition}}/{{start_offset}}",
        });
        let all_keys = all.as_object_mut().expect("an object");
        for (key, value) in config.as_object().into_iter().flatten() {
            match value {
                Value::Null => all_keys.remove(key),
                value => all_keys.insert(key.clone(), value.clone()),
            };
        }
        self.write(&format!("{name}.json"), &json!({"name": name, "config": all}).to_string())
    }

    /// Writes a file of this test's own.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("a directory of our own");
        path
    }

    /// Starts `tidegate run`.
    pub(crate) fn run(&self, connectors: &[&Path], arguments: &[&str]) -> Run {
        self.run_as(connectors, arguments, &[])
    }

    /// Starts `tidegate run` with these variables, and nothing else that could lend it keys or brokers.
    pub(crate) fn run_as(&self, connectors: &[&Path], arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log = self.dir.path().join(format!("run-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("run").args(connectors).args(arguments);
        if !arguments.contains(&"--worker") {
            command.args(["--bootstrap-server", &self.bootstrap]);
        }
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a directory of our own"));
        Run { process: command.spawn().expect("the binary starts"), log }
    }

    /// Runs these connectors until all is committed, and demands that this works.
    #[track_caller]
    pub(crate) fn drain(&self, connectors: &[&Path]) {
        let mut run = self.run(connectors, &["--drain", "--drain-timeout", "60"]);
        let status = run.exit(SOON * 2);
        assert_eq!(status.code(), Some(0), "{}", run.log());
    }

    /// The committed offset of a connector in each partition of this place's topic.
    pub(crate) fn committed(&self, connector: &str) -> Vec<(i64, i64)> {
        let offsets = self.witness.ask("committed", json!({"group": format!("connect-{connector}")}));
        let mut offsets: Vec<(i64, i64)> = offsets
            .as_object()
            .expect("an object")
            .iter()
            .filter_map(|(key, offset)| {
                let partition = key.strip_prefix(&*self.name)?.strip_prefix('-')?;
                Some((partition.parse().ok()?, offset.as_i64()?))
            })
            .collect();
        offsets.sort_unstable();
        offsets
    }

    /// The end of each partition of this place's topic.
    pub(crate) fn ends(&self) -> Vec<(i64, i64)> {
        let ends = self.witness.ask("ends", json!({"topic": self.name}));
        let ends: &Map<String, Value> = ends.as_object().expect("an object");
        let mut ends: Vec<(i64, i64)> =
            ends.iter().map(|(key, end)| (key.parse().expect("a number"), end.as_i64().expect("an offset"))).collect();
        ends.sort_unstable();
        ends
    }

    /// Demands that each record of the topic is in exactly one object below `prefix`, and that nothing else is. For objects
    /// named `prefix/TOPIC/PARTITION/..` that hold lines with an `offset`.
    #[track_caller]
    pub(crate) fn each_record_is_in_one_object(&self, prefix: &str) {
        let mut found: Vec<(i64, i64)> = Vec::new();
        for (key, text) in self.witness.objects(&self.name, prefix, "none") {
            let partition =
                key[prefix.len()..].split('/').nth(1).and_then(|text| text.parse().ok()).expect("a partition");
            for line in text.lines() {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                found.push((partition, line["offset"].as_i64().expect("an offset")));
            }
        }
        found.sort_unstable();
        let expected: Vec<(i64, i64)> = self
            .ends()
            .into_iter()
            .flat_map(|(partition, end)| (0..end).map(move |offset| (partition, offset)))
            .collect();
        assert!(!expected.is_empty(), "nothing was produced");
        if found != expected {
            let lost: Vec<_> = expected.iter().filter(|place| found.binary_search(place).is_err()).take(5).collect();
            let doubled: Vec<_> =
                found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).take(5).collect();
            panic!("{} records, {} found; lost {lost:?}.., doubled {doubled:?}..", expected.len(), found.len());
        }
    }

    /// Demands that every upload that was begun has been completed or aborted. Not so after a kill: that leaves orphans,
    /// which are aborted when they are a day old.
    #[track_caller]
    pub(crate) fn no_upload_is_left(&self) {
        assert_eq!(self.witness.ask("uploads", json!({"bucket": self.name})), json!([]), "uploads were left behind");
    }
}

/// A running `tidegate run`. It is killed when dropped.
pub(crate) struct Run {
    process: Child,
    log: PathBuf,
}

impl Run {
    /// What it has said on stderr.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("its log is there")
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was ours");
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").arg(self.process.id().to_string()).status().expect("kill is there");
        assert!(status.success(), "{}", self.log());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("it was ours").is_none()
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn exit(&mut self, patience: Duration) -> ExitStatus {
        if let Some(status) = until(patience, || self.process.try_wait().expect("it was ours")) {
            return status;
        }
        let log = self.log();
        panic!("it did not end within {patience:?}: {log}");
    }

    /// Waits until a line of its log holds all of these.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) -> String {
        let line = until(SOON, || {
            self.log().lines().find(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("it does not say {texts:?}: {}", self.log()))
    }

    /// Asks what it serves, if it runs with `--metrics-addr 127.0.0.1:0`: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let line = self.says(&["serving metrics"]);
        let address = line.split("address=").nth(1).expect("an address").trim();
        http(address, "GET", path, "")
    }

    /// Its metrics.
    pub(crate) fn metrics(&self) -> Vec<(String, f64)> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
            .collect()
    }

    /// The sum of a metric over the labels that hold `label`.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        self.metrics()
            .iter()
            .filter(|(key, _)| key.split('{').next() == Some(name) && key.contains(label))
            .map(|(_, value)| value)
            .sum()
    }
}

impl Drop for Run {
    #[expect(clippy::print_stderr, reason = "the test runner shows it beside the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("tidegate run, process {}, said:\n{}", self.process.id(), self.log());
        }
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Looks until `condition` holds, at most for `patience`.
pub(crate) fn until<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let until = tokio::time::Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if tokio::time::Instant::now() >= until {
            return None;
        }
        pause();
    }
}

/// Between two looks.
#[expect(clippy::disallowed_methods, reason = "looking at other processes; there is no runtime here")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Waits until `condition` holds, or fails.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(until(SOON, || condition().then_some(())).is_some(), "not within {SOON:?}: {what}");
}
