//! Plays a scenario for other tools: `cargo run -p local --example scenario FILE [NAME=VALUE ..]`.
//!
//! It prints the scenario's directory and plays until its standard input ends. In the directory are `connections.json`,
//! `connector.json` if the scenario has one, and `environment`, to be sourced by a shell.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use fault::Fault;
use local::scenario::{Scenario, Stage};

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give the file of a scenario")?;
    let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let variable = |argument: String| {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument} is no NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let variables = arguments.map(variable).collect::<Result<_, String>>()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(run(&file, &text, &variables)).map_err(|fault| fault::Chain(fault.as_error()).to_string())
}

async fn run(file: &str, text: &str, variables: &BTreeMap<String, String>) -> Result<(), Fault> {
    let stage = Scenario::parse(file, text)?.play(variables).await?;
    let written = write(&stage, stage.dir());
    if let Err(error) = written.and_then(|()| writeln!(std::io::stdout(), "{}", stage.dir().display())) {
        tracing::error!(%error, "cannot write down what there is");
        return Ok(());
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    if let Ok(Err(error)) = ended {
        tracing::warn!(%error, "cannot read the standard input");
    }
    Ok(())
}

fn write(stage: &Stage, dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join("connections.json"), stage.connections())?;
    if let Some(connector) = stage.connector() {
        std::fs::write(dir.join("connector.json"), connector)?;
    }
    let mut exports = Vec::new();
    for (name, value) in stage.environment().with_prefix("") {
        writeln!(exports, "export {name}='{}'", value.replace('\'', r"'\''"))?;
    }
    std::fs::write(dir.join("environment"), exports)
}
