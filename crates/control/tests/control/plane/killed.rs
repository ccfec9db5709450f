//! A process that is killed at any moment leaves a store that is whole, and holds all that it has said it holds.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ::world::Clock;
use connectors::{Config, WorkerConfig};
use control::{AuditQuery, KeyScope, Principal};
use rand::RngExt as _;

use super::{eventually_open, new, no_environment, operator, settings, sink};

const DIR: &str = "TIDEGATE_KILL_TEST_DIR";
const RUNS: usize = 100;
/// The child needs longer to be up while other tests run beside it.
const PATIENCE: Duration = Duration::from_mins(1);

fn worker() -> WorkerConfig {
    let config: Config = [
        ("bootstrap.servers", "127.0.0.1:9"),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
    ]
    .into_iter()
    .collect();
    WorkerConfig::from_config(config, &no_environment()).unwrap()
}

/// Not a test: what the test below starts and kills. It says what was accepted, line by line.
#[tokio::test]
#[ignore = "started by the test that kills it"]
#[expect(clippy::print_stdout, reason = "it tells its parent")]
async fn child() {
    let Some(dir) = ::world::Environment::process().get(DIR) else { return };
    // What the parent has closed may be held for a moment yet.
    let plane = eventually_open(settings(dir.as_ref(), worker(), Clock::system())).await;
    let caller = operator();
    let cluster = plane.default_cluster(&caller).await.unwrap();
    println!("open");
    for number in 0.. {
        let name = format!("c{}-{number}", std::process::id());
        plane.create_connector(&caller, &cluster, new(&name, sink(&[]))).await.unwrap();
        println!("connector {name}");
        let patch = [("tasks.max".to_owned(), Some("7".to_owned()))].into();
        plane.patch_config(&caller, &cluster, &name, patch, None).await.unwrap();
        println!("patched {name}");
        let key = plane.create_api_key(&caller, Principal::Operator, KeyScope::Cloud, &name).await.unwrap();
        println!("key {}", key.key.id);
        if number % 2 == 0 {
            plane.delete_connector(&caller, &cluster, &name, None).await.unwrap();
            println!("deleted {name}");
        }
    }
}

/// Runs a child and kills it after a while; what it has said until then.
fn run_and_kill(dir: &std::path::Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "plane::killed::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for line in out.lines() {
            let Ok(line) = line else { return };
            // The test harness's own words come before the first.
            let line = line.rsplit("... ").next().unwrap_or_default().to_owned();
            if said.send(line).is_err() {
                return;
            }
        }
    });
    let mut lines = Vec::new();
    while lines.last().is_none_or(|last| last != "open") {
        lines.push(heard.recv_timeout(PATIENCE).expect("it opens its store"));
    }
    // After any number of writes, and at any moment of the next.
    let wanted = lines.len() + rand::rng().random_range(0..8);
    while lines.len() < wanted {
        lines.push(heard.recv_timeout(PATIENCE).expect("it writes on"));
    }
    let moment = tokio::time::Instant::now() + Duration::from_micros(rand::rng().random_range(0..30_000));
    while let Some(left) = moment.checked_duration_since(tokio::time::Instant::now()) {
        match heard.recv_timeout(left) {
            Ok(line) => lines.push(line),
            Err(_) => break,
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    lines.extend(heard.try_iter());
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_process_is_killed_a_hundred_times_holds_every_accepted_write() {
    let dir = tempfile::tempdir().unwrap();
    let (mut there, mut patched, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut gone = BTreeSet::new();
    let mut accepted = 0;
    for _ in 0..RUNS {
        let path = dir.path().to_owned();
        for line in tokio::task::spawn_blocking(move || run_and_kill(&path)).await.unwrap() {
            let Some((what, name)) = line.split_once(' ') else { continue };
            let name = name.to_owned();
            match what {
                "connector" => drop(there.insert(name)),
                "patched" => drop(patched.insert(name)),
                "key" => drop(keys.insert(name)),
                "deleted" => drop((there.remove(&name), patched.remove(&name), gone.insert(name))),
                _ => continue,
            }
            accepted += 1;
        }
        // SQLite looks at every page, and at every row that names another.
        let plane = eventually_open(settings(dir.path(), worker(), Clock::system())).await;
        let caller = operator();
        let cluster = plane.default_cluster(&caller).await.unwrap();
        let views = plane.connectors(&caller, &cluster).await.unwrap();
        let names: BTreeSet<String> = views.iter().map(|view| view.name.clone()).collect();
        // Beyond what was said, there may be one write that was done and not said yet, and one deletion.
        let missing: Vec<_> = there.difference(&names).cloned().collect();
        assert!(missing.len() <= 1, "{missing:?}");
        let back: Vec<_> = gone.intersection(&names).collect();
        assert!(back.is_empty(), "{back:?}");
        for name in &missing {
            // Deleted, and killed before it could say so: the audit log knows.
            let query =
                AuditQuery { size: 10, resource: Some(format!("connector {name} of")), ..AuditQuery::default() };
            let lines = plane.audit(&caller, query).await.unwrap().items;
            assert_eq!(lines[0].action, "connector.delete", "{name}");
            there.remove(name);
            patched.remove(name);
            gone.insert(name.clone());
        }
        for view in views {
            // Whole: made or not, patched or not; with its secret, and in its history.
            assert_eq!(view.config.len(), sink(&[]).len() + 1 + usize::from(view.revision > 1), "{view:?}");
            assert_eq!(view.config["aws.secret.access.key"], control::MASK);
            assert!(!patched.contains(&view.name) || view.config["tasks.max"] == "7");
            there.insert(view.name);
        }
        let held: BTreeSet<String> = plane.api_keys(&caller).await.unwrap().into_iter().map(|key| key.id).collect();
        assert!(keys.is_subset(&held));
        let audit = plane.audit(&caller, AuditQuery { size: 1, ..AuditQuery::default() }).await.unwrap();
        assert_eq!(audit.items[0].number, audit.total as u64, "no number is left out");
        plane.close().await;
    }
    assert!(accepted > RUNS, "the kills must hit writes: {accepted}");
}
