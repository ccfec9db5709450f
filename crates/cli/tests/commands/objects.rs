//! `tidegate object` and `tidegate bucket`, against an embedded AWS in this process.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use local::aws::{Aws, AwsOptions, Effect, FaultRule, NewUser};
use serde_json::{Value, json};

const PART: usize = 5 << 20;

/// A user who may do everything in an account with a bucket, a connection, and a directory for files.
pub(super) struct Desk {
    // Before the AWS, which lives in it, so that it is dropped after.
    pub(super) aws: Aws,
    user: NewUser,
    dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Desk {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (aws, user) = runtime.block_on(async {
            let aws = Aws::start(AwsOptions::default()).await.unwrap();
            let account = aws.account("444455556666".parse().unwrap());
            let all =
                json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
            let user = account.user("ana").policy(&all.to_string()).create().await.unwrap();
            account.bucket("lake").region("eu-central-1").create().await.unwrap();
            (aws, user)
        });
        let desk = Self { aws, user, dir: tempfile::tempdir().unwrap(), _runtime: runtime };
        let endpoint = desk.aws.endpoint();
        let common = format!(
            "kind = \"keys\"\nregion = \"eu-central-1\"\naccess_key_id = {{ env = \"ID\" }}\n\
             secret_access_key = {{ env = \"SECRET\" }}\nendpoints = {{ s3 = \"{endpoint}\", sts = \"{endpoint}\" }}\n"
        );
        let lake = "fence = \"check\"\nbucket = \"lake\"\nprefix = \"in/\"\n";
        let two = "fence = \"check\"\nbuckets = [\"lake\", \"audit\"]\n";
        let text =
            format!("[connections.lake]\n{common}{lake}[connections.open]\n{common}[connections.two]\n{common}{two}");
        fs::write(desk.path("connections.toml"), text).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, size: usize) -> Vec<u8> {
        let content: Vec<u8> = (0..size).map(|n| (n ^ (n >> 8) ^ (n >> 16) ^ (n >> 20)) as u8).collect();
        fs::write(self.path(name), &content).unwrap();
        content
    }

    /// In the directory of files, so that paths are short.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("TIDEGATE_CONNECTIONS", self.path("connections.toml"))
            .env("TIDEGATE_CONNECTION", "lake")
            .env("TIDEGATE_STATE_DIR", self.path("state"))
            .env("ID", &self.user.access_key_id)
            .env("SECRET", self.user.secret_access_key.expose())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// What it prints; it must succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    fn with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    fn keys(&self) -> Vec<String> {
        let listed = self.json(&["object", "list", "s3://lake/", "--connection", "open"]);
        listed["objects"].as_array().unwrap().iter().map(|object| object["key"].as_str().unwrap().to_owned()).collect()
    }

    fn count(&self, operation: &str, outcome: &str) -> u64 {
        self.aws.requests().counts().get(&(operation.to_owned(), outcome.to_owned())).copied().unwrap_or_default()
    }

    fn stuck(&self, operation: &str, skip: u64) {
        let stuck = FaultRule::new(Effect::Delay { millis: 3_600_000 }).operation(operation).skip(skip);
        self.aws.faults().add(stuck).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "a real process is waited for: no clock of ours moves it")]
pub(super) fn eventually(state: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !state() {
        assert!(Instant::now() < end, "the state does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_object_goes_up_and_comes_down_with_all_that_is_said_of_it() {
    let desk = Desk::new();
    let content = desk.file("report.csv", 3000);
    let put = ["object", "put", "report.csv", "--folder", "2026", "--content-type", "text/csv"];
    let more = ["--metadata", "run=7", "--tag", "team=x", "--sse", "sse-s3", "--storage-class", "STANDARD_IA"];
    let told = desk.done(&[&put[..], &more].concat());
    assert!(told.starts_with("put s3://lake/in/2026/report.csv  2.9 KiB, CRC64NVME "), "{told}");
    let heading = ["object", "head", "--folder", "/2026/", "--file-name", "report.csv"];
    let head = desk.json(&heading);
    let quiet = desk.call(&[heading.as_slice(), &["-o", "json"]].concat());
    assert_eq!(text(&quiet.stderr), "", "stderr is for progress and errors");
    assert_eq!((&head["content_type"], &head["metadata"]["run"]), (&json!("text/csv"), &json!("7")));
    assert_eq!((&head["storage_class"], &head["encryption"]), (&json!("STANDARD_IA"), &json!("AES256")));
    assert_eq!(desk.done(&["object", "tag", "get", "s3://lake/in/2026/report.csv"]), "team=x\n");
    // Without a file to write to: the key's last name, here. The original is in the way, and is replaced whole.
    desk.done(&["object", "get", "--key", "in/2026/report.csv"]);
    assert_eq!(fs::read(desk.path("report.csv")).unwrap(), content);
    fs::create_dir(desk.path("down")).unwrap();
    desk.done(&["object", "get", "s3:///in/2026/report.csv", "down"]);
    assert_eq!(fs::read(desk.path("down/report.csv")).unwrap(), content);
    assert_eq!(desk.call(&["object", "cat", "--key", "in/2026/report.csv"]).stdout, content);
    assert_eq!(desk.call(&["object", "get", "--key", "in/2026/report.csv", "-"]).stdout, content);
}

#[test]
fn standard_input_is_put_and_may_be_empty() {
    let desk = Desk::new();
    for (name, size) in [("empty", 0), ("small", 10), ("large", 2 * PART + 1)] {
        let content = vec![7; size];
        let put = ["object", "put", "-", "--file-name", name, "--part-size", "5MiB"];
        let output = desk.with_input(&put, &content);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(desk.call(&["object", "cat", "--file-name", name]).stdout == content, "{name}");
    }
    assert_eq!(desk.count("UploadPart", "200"), 3);
    // Nothing is written under a name that nobody gave.
    let output = desk.with_input(&["object", "put", "-"], b"x");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("hint: give --key"), "{}", text(&output.stderr));
}

#[test]
fn a_put_that_is_killed_shows_no_object_and_is_resumed() {
    let desk = Desk::new();
    let content = desk.file("big", 4 * PART + 9);
    desk.stuck("UploadPart", 2);
    let put = ["object", "put", "big", "s3://lake/in/", "--part-size", "5MiB", "--parallel", "3", "--resume"];
    let mut child = desk.command(&put).spawn().unwrap();
    eventually(|| desk.count("UploadPart", "200") == 2);
    kill(&mut child);
    assert_eq!(desk.keys(), [""; 0]);
    desk.aws.faults().clear();
    let sent = desk.count("UploadPart", "200");
    let stored = desk.json(&put);
    assert_eq!((&stored["parts"], &stored["resumed_parts"]), (&json!(5), &json!(2)));
    assert_eq!(desk.count("UploadPart", "200") - sent, 3);
    assert!(desk.call(&["object", "cat", "--key", "in/big"]).stdout == content);
    assert_eq!(fs::read_dir(desk.path("state")).unwrap().count(), 0);
    assert_eq!(desk.count("CreateMultipartUpload", "200"), 1);
}

#[test]
fn a_get_that_is_killed_leaves_no_file_under_the_final_name_and_is_resumed() {
    let desk = Desk::new();
    let content = desk.file("big", 4 * PART + 9);
    desk.done(&["object", "put", "big", "--key", "in/big"]);
    fs::remove_file(desk.path("big")).unwrap();
    desk.stuck("GetObject", 2);
    let get = ["object", "get", "--key", "in/big", "--part-size", "5MiB", "--parallel", "3", "--resume"];
    let mut child = desk.command(&get).spawn().unwrap();
    let noted =
        || fs::read_to_string(desk.path("big.tidegate-part.notes")).is_ok_and(|notes| notes.lines().count() == 3);
    eventually(noted);
    kill(&mut child);
    assert!(!desk.path("big").exists());
    desk.aws.faults().clear();
    let fetched = desk.json(&get);
    assert_eq!((&fetched["resumed_bytes"], &fetched["verified"]), (&json!(2 * PART), &json!("CRC64NVME")));
    assert!(fs::read(desk.path("big")).unwrap() == content);
    assert!(!desk.path("big.tidegate-part").exists() && !desk.path("big.tidegate-part.notes").exists());
}

#[test]
fn ctrl_c_takes_back_what_was_begun() {
    let desk = Desk::new();
    desk.file("big", 4 * PART);
    desk.stuck("UploadPart", 2);
    let child = desk.command(&["object", "put", "big", "--key", "in/big", "--part-size", "5MiB"]).spawn().unwrap();
    eventually(|| desk.count("UploadPart", "200") == 2);
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("error: stopped; nothing was written"), "{}", text(&output.stderr));
    assert_eq!(desk.count("AbortMultipartUpload", "204"), 1);
    assert_eq!((desk.keys().len(), fs::read_dir(desk.path("state")).unwrap().count()), (0, 0));
}

#[test]
fn bad_input_gets_one_error_with_a_hint_and_is_refused_before_a_call() {
    let desk = Desk::new();
    desk.file("f", 10);
    desk.done(&["object", "put", "f", "--file-name", "f"]);
    fs::create_dir(desk.path("d")).unwrap();
    fs::write(desk.path("keys"), "in/a\nin/b\tc\n").unwrap();
    fs::write(desk.path("none"), "\n\n").unwrap();
    fs::write(desk.path("bytes"), b"in/\xff\n").unwrap();
    let before = desk.aws.requests().counts();
    let long = "x".repeat(1025);
    let eleven: Vec<String> = (0..11).map(|n| format!("--tag=k{n}=v")).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let cases: &[(&[&str], &str)] = &[
        (&["put", "f"], "names no object"),
        (&["put", "missing", "--key", "in/k"], "could not read missing"),
        (&["put", "d", "--key", "in/k"], "is a directory"),
        (&["put", "f", "--key", &long], "more than 1024 bytes"),
        (&["put", "f", "--key", "in/a\nb"], "control characters"),
        (&["put", "f", "--key", "out/k"], "outside the fence"),
        (&["put", "f", "s3://lake/in/k", "--key", "in/l"], "named twice"),
        (&["put", "f", "f"], "two files are named"),
        (&["put", "f", "--key", "in/k", "--metadata", "a=\u{fc}"], "not printable ASCII"),
        (&[&["put", "f", "--key", "in/k"], &eleven[..]].concat(), "11 tags"),
        (&["put", "f", "--key", "in/k", "--sse", "sse-c"], "needs a key"),
        (&["put", "f", "--key", "in/k", "--kms-key", "k"], "counts only with --sse sse-kms"),
        (&["put", "f", "--key", "in/k", "--sse", "sse-kms", "--kms-key", "a\u{1b}[31m"], "KMS key is empty, or has"),
        (&["put", "f", "--key", "in/k", "--storage-class", "COLD\n"], "storage class is empty, or has"),
        (&["put", "f", "--key", "in/k", "--region", "\u{1b}[31m"], r#""\u{1b}[31m" is no region"#),
        (&["put", "-", "--key", "in/k", "--resume"], "cannot be resumed"),
        (&["get", "--key", "in/f", "--bucket", "arn:aws:s3:eu-west-1:1:accesspoint/ap"], "ARN of something else"),
        (&["get", "--key", "in/f", "--bucket", "https://lake.s3.amazonaws.com"], "is an URL"),
        (&["get", "--key", "in/f", "--connection", "open"], "no bucket is named"),
        (&["get", "--key", "in/f", "--connection", "two"], "has several"),
        (&["head", "in/f"], "is not an address of S3"),
        (&["delete", "s3://lake/in/"], "looks like a folder"),
        (&["delete", "--recursive"], "nobody is there to confirm"),
        (&["delete", "--from-file", "keys"], "line 2"),
        (&["delete", "--from-file", "none"], "names no key"),
        (&["delete", "--from-file", "bytes"], "line 1: is not UTF-8"),
        (&["delete", "--from-file", "/dev/zero"], "line 1: is far too long"),
        (&["delete", "s3://lake/in/a", "s3://audit/b"], "several buckets"),
        (&["move", "s3://lake/in/f", "s3://lake/in/f"], "cannot be moved to itself"),
        (&["copy", "s3://lake/in/f"], "no target is named"),
        (&["presign", "--key", "in/f", "--expires-in", "8d"], "seven days"),
        (&["list", "s3://lake/i"], "outside the fence"),
    ];
    for (arguments, why) in cases {
        let output = desk.call(&[&["object"], *arguments].concat());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(why) && stderr.contains("\n  hint: "), "{arguments:?}: {stderr}");
        assert_eq!(stderr.matches("error: ").count(), 1, "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(desk.aws.requests().counts(), before);
    // The command line itself makes no sense.
    for arguments in [&["put"][..], &["get", "--retry-for", "soon"], &["put", "f", "--key", "k", "--folder", "f"]] {
        assert_eq!(desk.call(&[&["object"], arguments].concat()).status.code(), Some(1), "{arguments:?}");
    }
    assert_eq!(desk.keys(), ["in/f"]);
    assert_eq!(desk.call(&["object", "get", "--key", "in/none"]).status.code(), Some(3));
    let unknown = desk.call(&["object", "list", "--connection", "lak"]);
    assert!(text(&unknown.stderr).contains("did you mean lake?"), "{}", text(&unknown.stderr));
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_disk_that_takes_no_more_leaves_no_half_file() {
    let desk = Desk::new();
    desk.file("big", 4 * PART);
    desk.done(&["object", "put", "big", "--key", "in/big"]);
    fs::write(desk.path("big"), "what was there").unwrap();
    // A limit on the size of files stands for a full disk: the system refuses the write in the same place.
    let get = format!("ulimit -f 2048; trap '' XFSZ; exec {} object get --key in/big", env!("CARGO_BIN_EXE_tidegate"));
    let mut limited = Command::new("bash");
    limited.args(["-c", &get]);
    for (name, value) in desk.command(&[]).get_envs() {
        limited.env(name, value.unwrap());
    }
    let output = limited.current_dir(desk.dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("could not write big.tidegate-part"), "{}", text(&output.stderr));
    assert_eq!(fs::read(desk.path("big")).unwrap(), b"what was there");
    assert!(!desk.path("big.tidegate-part").exists());
    // Standard output on a full device.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["object", "cat", "--key", "in/big"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("could not write the output"), "{}", text(&output.stderr));
    for verb in [vec!["object", "list", "s3://lake/in/"], vec!["object", "head", "--key", "in/big", "-o", "json"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = desk.command(&verb).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{verb:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("could not write to stdout"), "{verb:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_store_that_does_not_answer_is_exit_code_4() {
    let desk = Desk::new();
    let connections = fs::read_to_string(desk.path("connections.toml")).unwrap();
    fs::write(desk.path("connections.toml"), connections.replace(&desk.aws.endpoint(), "http://127.0.0.1:9")).unwrap();
    let output = desk.call(&["object", "head", "--key", "in/k", "--retry-for", "0", "-o", "json"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let told = text(&output.stderr);
    let error: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "object.unreachable");
    assert!(error["error"]["hint"].is_string());
}

#[test]
fn a_recursive_delete_never_takes_more_than_was_named() {
    let desk = Desk::new();
    for name in ["b/1", "c"] {
        assert_eq!(desk.with_input(&["object", "put", "-", "--file-name", name], b"x").status.code(), Some(0));
    }
    for narrower in [["--folder", "b"], ["--prefix", "in/b/"]] {
        let output =
            desk.call(&[&["object", "delete", "--recursive", "--yes", "s3://lake/in/"], &narrower[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        assert!(text(&output.stderr).contains("named twice"), "{}", text(&output.stderr));
    }
    assert_eq!(desk.keys(), ["in/b/1", "in/c"]);
    // An address is a folder, with or without its slash; any beginning of keys is named by an option.
    for name in ["b-old/1", "b"] {
        assert_eq!(desk.with_input(&["object", "put", "-", "--file-name", name], b"x").status.code(), Some(0));
    }
    let tried = desk.json(&["object", "delete", "--recursive", "--dry-run", "--prefix", "in/b-"]);
    assert_eq!(tried["would_delete"], json!([{"key": "in/b-old/1"}]));
    let done = desk.json(&["object", "delete", "--recursive", "--yes", "s3://lake/in/b"]);
    assert_eq!((&done["deleted"], &done["failed"]), (&json!(1), &json!([])));
    assert_eq!(desk.keys(), ["in/b", "in/b-old/1", "in/c"]);
}

#[test]
fn a_list_of_keys_that_does_not_end_is_refused_before_memory_does() {
    let desk = Desk::new();
    let key = format!("in/{}", "k".repeat(1000));
    let mut endless = Command::new("yes").arg(key).stdout(Stdio::piped()).spawn().unwrap();
    let lines = endless.stdout.take().unwrap();
    let output = desk.command(&["object", "delete", "--from-file", "-"]).stdin(lines).output().unwrap();
    endless.kill().ok();
    endless.wait().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("64.0 MiB"), "{}", text(&output.stderr));
}

#[test]
fn many_are_listed_and_deleted() {
    let desk = Desk::new();
    for name in ["a", "b/1", "b/2", "c"] {
        assert_eq!(desk.with_input(&["object", "put", "-", "--file-name", name], b"x").status.code(), Some(0));
    }
    let listed = desk.json(&["object", "list", "--delimiter", "/"]);
    let keys: Vec<&Value> = listed["objects"].as_array().unwrap().iter().map(|object| &object["key"]).collect();
    assert_eq!((keys, &listed["folders"]), (vec![&json!("in/a"), &json!("in/c")], &json!(["in/b/"])));
    assert_eq!(desk.done(&["object", "list", "--limit", "2"]).lines().count(), 2);
    assert!(desk.done(&["object", "list", "-o", "table", "--start-after", "in/b/2"]).trim_end().ends_with("1  in/c"));
    let tried = desk.json(&["object", "delete", "--recursive", "--folder", "b", "--dry-run"]);
    assert_eq!(tried["would_delete"], json!([{"key": "in/b/1"}, {"key": "in/b/2"}]));
    let output = desk.with_input(&["object", "delete", "--from-file", "-"], b"in/a\r\nin/none\n");
    assert_eq!(text(&output.stdout), "deleted s3://lake/in/a\ndeleted s3://lake/in/none\n");
    let done = desk.json(&["object", "delete", "--recursive", "--folder", "b", "--yes"]);
    assert_eq!((&done["deleted"], &done["failed"]), (&json!(2), &json!([])));
    assert_eq!(desk.keys(), ["in/c"]);
    desk.done(&["object", "move", "--key", "in/c", "--to-key", "in/d/"]);
    assert_eq!(desk.keys(), ["in/d/c"]);
    desk.done(&["object", "copy", "s3://lake/in/d/c", "s3:///in/e"]);
    assert_eq!(desk.keys(), ["in/d/c", "in/e"]);
    assert_eq!(desk.done(&["bucket", "locate", "lake"]), "eu-central-1\n");
    assert_eq!(desk.json(&["bucket", "list", "--connection", "open"])["buckets"][0]["name"], "lake");
    let link = desk.json(&["object", "presign", "--key", "in/e", "--put", "--content-type", "text/csv"]);
    assert_eq!((&link["method"], &link["headers"]["content-type"]), (&json!("PUT"), &json!("text/csv")));
}

#[test]
fn a_get_replaces_files_and_never_a_pipe_or_a_device() {
    let desk = Desk::new();
    desk.file("f", 10);
    desk.done(&["object", "put", "f", "--file-name", "f"]);
    make_pipe(&desk.path("pipe"));
    fs::write(desk.path("old"), "old").unwrap();
    std::os::unix::fs::symlink("old", desk.path("link")).unwrap();
    let output = desk.call(&["object", "get", "--key", "in/f", "pipe"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("pipe is a device or a pipe, no file\n  hint: "), "{stderr}");
    assert!(fs::metadata(desk.path("pipe")).unwrap().file_type().is_fifo());
    desk.done(&["object", "get", "--key", "in/f", "link"]);
    assert!(desk.path("link").is_symlink());
    assert_eq!(fs::read(desk.path("old")).unwrap(), fs::read(desk.path("f")).unwrap());
}

#[test]
fn a_put_that_waits_for_a_pipe_can_be_stopped() {
    let desk = Desk::new();
    make_pipe(&desk.path("pipe"));
    let mut child = desk.command(&["object", "put", "pipe", "--key", "in/k"]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    // SIGTERM is caught from when on it is listened for: bit 14 of the mask.
    eventually(|| {
        let status = fs::read_to_string(&status).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        u64::from_str_radix(mask, 16).unwrap() & (1 << 14) != 0
    });
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = std::cell::RefCell::new(&mut child);
    eventually(|| ended.borrow_mut().try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("stopped; nothing was written"), "{}", text(&output.stderr));
}

#[test]
fn a_server_that_says_200_to_everything_has_taken_nothing() {
    let desk = Desk::new();
    desk.file("f", 10);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    let text_of = fs::read_to_string(desk.path("connections.toml")).unwrap();
    fs::write(desk.path("other.toml"), text_of.replace(&desk.aws.endpoint(), &format!("http://{address}"))).unwrap();
    let output =
        desk.call(&["object", "put", "f", "--key", "in/k", "--connections", "other.toml", "--retry-for", "1s"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("lacks an ETag"), "{stderr}");
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
