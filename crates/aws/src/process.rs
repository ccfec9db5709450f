//! `credential_process`: a command that prints credentials.

use std::process::Stdio;
use std::time::Duration;

use identity::{Base, Error, Signer};
use tokio::process::Command;

use crate::ambient::{Document, failed, passing};

/// How long it may take: less than the session cache waits, so that its failure is told as what it is.
const LIMIT: Duration = Duration::from_secs(40);

/// Runs `command` in a shell, as AWS's SDKs do. What it prints is shown nowhere: it may be a secret even where it fails.
pub(crate) async fn session(base: &Base, command: &str) -> Result<Signer, Error> {
    let program = command.split_whitespace().next().unwrap_or_default();
    let by_hand = format!("run credential_process by hand to see what it says: {program} ..");
    let running =
        Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(LIMIT, running).await {
        Err(_) => {
            return Err(passing(
                base,
                format!("credential_process {program} did not end within {} s", LIMIT.as_secs()),
                by_hand,
            ));
        }
        Ok(Err(error)) => {
            return Err(failed(base, format!("credential_process {program} could not be started: {error}"), by_hand));
        }
        Ok(Ok(output)) => output,
    };
    // Of the program and its place alone it depends whether it works the next time; it is asked again.
    if !output.status.success() {
        return Err(passing(base, format!("credential_process {program} ended with {}", output.status), by_hand));
    }
    let read = Document::read(&output.stdout).and_then(|document| match document.number("Version") {
        Some(1) => document.signer("SessionToken"),
        Some(version) => Err(format!("its Version is {version}, and 1 is known")),
        None => Err("it lacks Version".to_owned()),
    });
    read.map_err(|why| {
        failed(base, format!("what credential_process {program} printed cannot be used: {why}"), by_hand)
    })
}

#[cfg(test)]
mod tests {
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
}
