//! A Kafka for the tests of this binary, and what they wait with.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka::admin::NewTopic;
use kafka::{ClientConfig, Cluster};
use rand::RngExt;

/// A running cluster. It stops when its standard input closes, so also when the test process is killed.
pub(crate) struct Kafka {
    port: u16,
    dir: PathBuf,
    _process: Child,
    _stdin: ChildStdin,
}

/// The node that all tests of this binary share, with TLS and SASL listeners; `None`, with a word to standard error,
/// if tests with a real Kafka were not asked for.
#[must_use]
pub(crate) fn kafka(test: &str) -> Option<&'static Kafka> {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    wanted(test).then(|| SHARED.get_or_init(|| Kafka::start(&[("KAFKA_SECURE", "1")])))
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

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka")
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

impl Kafka {
    /// Starts a cluster of its own, with these variables for `dev/kafka`.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        // `dev/kafka` removes it when it is done; here it would be too early.
        let dir = tempfile::tempdir().expect("a temporary directory").keep();
        let port = free_ports();
        let mut process = Command::new(script())
            .arg("hold")
            .arg(&dir)
            .env("KAFKA_PORT", port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("dev/kafka can be run");
        let stdin = process.stdin.take().expect("piped");
        let mut ready = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut ready)
            .expect("dev/kafka says where it is");
        assert!(!ready.is_empty(), "Kafka did not start; see above");
        Self { port, dir, _process: process, _stdin: stdin }
    }

    /// `host:port` of a listener of node 1: see `dev/kafka` for the offsets.
    pub(crate) fn address(&self, offset: u16) -> String {
        format!("127.0.0.1:{}", self.port + offset)
    }

    /// A file that `dev/kafka` made.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("temporary directories have plain names").to_owned()
    }

    /// Runs `dev/kafka COMMAND DIR ARGUMENTS` and gives back what it prints.
    pub(crate) fn script(&self, command: &str, arguments: &[&str]) -> String {
        self.run(command, arguments, Stdio::null())
    }

    /// Like [`Kafka::script`], with a file for standard input.
    pub(crate) fn script_with_input(&self, command: &str, arguments: &[&str], file: &str) -> String {
        self.run(command, arguments, std::fs::File::open(file).expect("the file is there").into())
    }

    fn run(&self, command: &str, arguments: &[&str], input: Stdio) -> String {
        let output = Command::new(script())
            .arg(command)
            .arg(&self.dir)
            .args(arguments)
            .stdin(input)
            .stderr(Stdio::inherit())
            .output()
            .expect("dev/kafka can be run");
        assert!(output.status.success(), "dev/kafka {command} {arguments:?} failed");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A client of the plaintext listener.
    pub(crate) async fn connect(&self) -> Cluster {
        Cluster::connect(ClientConfig::plaintext([self.address(0)])).await.expect("a cluster")
    }
}

/// A name that no other test uses.
pub(crate) fn fresh(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Creates a topic with a name of its own.
pub(crate) async fn topic(cluster: &Cluster, partitions: i32) -> String {
    let name = fresh("topic");
    let new = NewTopic { name: (*name).into(), partitions, replication_factor: 1, configs: BTreeMap::new() };
    cluster.create_topic(&new).await.expect("a new topic");
    name
}

/// Waits for `condition`, at most `patience`.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    patience: Duration,
    condition: impl Fn() -> F,
) -> T {
    let until = tokio::time::Instant::now() + patience;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < until, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
