//! Kafka's and S3's clients that are not ours, as a process: see `dev/witness.py`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use crate::support::repository;

/// It ends when dropped, and when the test process is killed.
pub(crate) struct Witness {
    process: Child,
    pipes: Mutex<(Option<ChildStdin>, BufReader<ChildStdout>)>,
}

/// A record as the witness produces it.
pub(crate) fn record(topic: &str, partition: u32, key: &str, value: &str) -> Value {
    json!({"topic": topic, "partition": partition, "key": key, "value": value})
}

/// That many records, spread over the partitions, whose values are JSON objects with a number `n` of their own.
pub(crate) fn numbered(topic: &str, partitions: u32, numbers: std::ops::Range<u32>) -> Vec<Value> {
    numbers
        .map(|n| {
            record(topic, n % partitions, &format!("k{}", n % 7), &json!({"n": n, "pad": "x".repeat(50)}).to_string())
        })
        .collect()
}

impl Witness {
    pub(crate) fn start(bootstrap: &str, endpoint: &str, keys: (&str, &str)) -> Self {
        let mut process = Command::new(python())
            .arg(repository("dev/witness.py"))
            .args([bootstrap, endpoint, keys.0, keys.1])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("dev/python gave a Python");
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, pipes: Mutex::new((stdin, stdout)) }
    }

    /// Has it do something, and demands that it works.
    #[track_caller]
    pub(crate) fn ask(&self, what: &str, mut parameters: Value) -> Value {
        parameters["do"] = what.into();
        let mut pipes = self.pipes.lock().expect("no panic while it is held");
        let stdin = pipes.0.as_mut().expect("open until dropped");
        writeln!(stdin, "{parameters}").expect("it reads");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("UTF-8");
        drop(pipes);
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{what}: {error}: {line:?}"));
        assert!(answer.get("error").is_none(), "{what}: {}", answer["error"].as_str().unwrap_or_default());
        answer["ok"].take()
    }

    #[track_caller]
    pub(crate) fn produce(&self, records: &[Value]) {
        self.ask("produce", json!({"records": records}));
    }

    /// Names and decompressed contents of the objects whose names begin with `prefix`.
    #[track_caller]
    pub(crate) fn objects(&self, bucket: &str, prefix: &str, codec: &str) -> BTreeMap<String, String> {
        let objects = self.ask("objects", json!({"bucket": bucket, "prefix": prefix, "codec": codec}));
        let objects = objects.as_object().expect("an object").iter();
        objects.map(|(key, text)| (key.clone(), text.as_str().expect("UTF-8").to_owned())).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Ok(mut pipes) = self.pipes.lock() {
            pipes.0.take();
        }
        // A flow may be under way; nobody needs it any more.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The Python that `dev/python` makes.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new(repository("dev/python"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("dev/python is there");
        assert!(output.status.success(), "dev/python failed; see above");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    })
}
