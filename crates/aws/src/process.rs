//! `credential_process`: a command that prints credentials.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use identity::{Base, Error, Signer};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::ambient::{Document, failed, passing};

/// How long it may take: less than the session cache waits, so that its failure is told as what it is.
const LIMIT: Duration = Duration::from_secs(40);

/// The most that it may print; a session's document has 2 KiB.
const LARGEST: u64 = 64 << 10;

/// Runs `command` in a shell, as AWS's SDKs do. What it prints is shown nowhere: it may be a secret even where it fails.
pub(crate) async fn session(base: &Base, command: &str) -> Result<Signer, Error> {
    let program = program(command);
    let by_hand = format!("run credential_process by hand to see what it says: {program} ..");
    let (status, printed) = match tokio::time::timeout(LIMIT, run(command)).await {
        Err(_) => {
            return Err(passing(
                base,
                format!("credential_process {program} did not end within {} s", LIMIT.as_secs()),
                by_hand,
            ));
        }
        Ok(Err(error)) => {
            return Err(failed(base, format!("credential_process {program} could not be run: {error}"), by_hand));
        }
        Ok(Ok(ended)) => ended,
    };
    // Of the program and its place alone it depends whether it works the next time; it is asked again.
    if !status.success() {
        return Err(passing(base, format!("credential_process {program} ended with {status}"), by_hand));
    }
    let read = Document::read(&printed).and_then(|document| match document.number("Version") {
        Some(1) => document.signer("SessionToken"),
        Some(version) => Err(format!("its Version is {version}, and 1 is known")),
        None => Err("it lacks Version".to_owned()),
    });
    read.map_err(|why| {
        failed(base, format!("what credential_process {program} printed cannot be used: {why}"), by_hand)
    })
}

/// What stands first in `command`. Of a variable that is set for it only the name: its value may be a secret.
fn program(command: &str) -> String {
    let first = command.split_whitespace().next().unwrap_or_default();
    first.split_once('=').map_or_else(|| first.to_owned(), |(variable, _)| format!("{variable}=.."))
}

/// How `command` ended, and what it printed.
async fn run(command: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut shell = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group(shell.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let mut printed = Vec::new();
    if let Some(stdout) = shell.stdout.take() {
        stdout.take(LARGEST + 1).read_to_end(&mut printed).await?;
    }
    if printed.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it prints more than {} KiB", LARGEST >> 10)));
    }
    let status = shell.wait().await?;
    // Once the shell is reaped its number may be another's.
    group.0 = None;
    Ok((status, printed))
}

/// A shell and all that it has started, ended together when whoever waits for them goes away.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Whoever has ended by itself need not be ended.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use fault::Diagnose as _;

    use super::*;

    async fn run(command: &str) -> Result<Signer, Error> {
        session(&Base::Environment, command).await
    }

    #[tokio::test]
    async fn a_process_prints_a_session() {
        let document = r#"{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-23T14:00:00Z"}"#;
        let signer = run(&format!("echo '{document}'")).await.unwrap();
        assert!(signer.access_key_id().as_str() == "ASIAP" && signer.expires_at().is_some());
        let keys = run(r#"echo '{"Version":1,"AccessKeyId":"AKIAP","SecretAccessKey":"s"}'"#).await.unwrap();
        assert_eq!(keys.expires_at(), None);
    }

    #[tokio::test]
    async fn what_a_process_prints_is_shown_nowhere() {
        for (command, expected) in [
            ("echo hunter2; exit 3", "ended with exit status: 3"),
            ("echo hunter2", "it is no JSON"),
            (r#"echo '{"AccessKeyId":"hunter2"}'"#, "it lacks Version"),
            (r#"echo '{"Version":2,"SecretAccessKey":"hunter2"}'"#, "its Version is 2"),
            (r#"echo '{"Version":1,"SecretAccessKey":"hunter2"}'"#, "it lacks AccessKeyId"),
        ] {
            let error = run(command).await.unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn variables_that_are_set_before_a_process_are_shown_nowhere() {
        let error = run("TOKEN=hunter2 false").await.unwrap_err();
        let shown = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test]
    async fn a_process_that_prints_without_end_is_ended_itself() {
        let began = tokio::time::Instant::now();
        let error = run("yes").await.unwrap_err().to_string();
        assert!(error.contains("more than 64 KiB") && began.elapsed() < LIMIT / 2, "{error}");
    }

    #[tokio::test]
    async fn what_a_process_has_started_ends_with_it() {
        // The shell waits for both ends of the pipe, and whoever waits is cancelled: nobody is left behind.
        let file = tempfile::NamedTempFile::new().unwrap();
        let place = file.path().display();
        let command = format!("(sh -c 'echo $$ > {place}; exec sleep 300') | cat");
        let running = tokio::spawn(async move { run(&command).await });
        let started = || std::fs::read_to_string(file.path()).unwrap().trim().to_owned();
        let pid = bounded(async || Some(started()).filter(|pid| !pid.is_empty())).await;
        running.abort();
        // Gone, or a zombie that nobody of ours has to reap.
        let is_over = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        bounded(async || is_over().then_some(())).await;
    }

    async fn bounded<T>(mut state: impl AsyncFnMut() -> Option<T>) -> T {
        for _ in 0..500 {
            if let Some(state) = state().await {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not within 5 s")
    }
}
