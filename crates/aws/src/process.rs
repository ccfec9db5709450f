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
