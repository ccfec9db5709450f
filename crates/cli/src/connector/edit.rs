use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use world::Environment;

use super::{At, WaitArguments, wait};
use crate::args::Exit;
use crate::remote::{Failure, as_yaml, say};
use crate::screen::Screen;

/// Opens a configuration in the user's editor until the server takes it, or the user leaves it as it is.
pub(super) async fn edit(
    at: &At,
    name: &str,
    waits: WaitArguments,
    environment: &Environment,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let answer = at.api.get(&at.path(name, "")).await?;
    let tag = answer.etag.unwrap_or_default();
    let target = answer.body["target"].as_str().unwrap_or("RUNNING").to_owned();
    let mut config = answer.body["config"].clone();
    if let Some(config) = config.as_object_mut() {
        config.remove("name");
    }
    let file = Scratch::new(environment)?;
    let intro = format!(
        "# The configuration of connector {name}. Lines that begin with # are not read.\n\
         # ******** stands for a secret: left as it is, it stays. Leave everything as it is to change nothing.\n"
    );
    let mut before = as_yaml(&config);
    let mut faults = String::new();
    loop {
        file.write(&format!("{intro}{faults}{before}"))?;
        run_editor(&file.path, environment).await?;
        let text = file.read()?;
        let after = without_comments(&text);
        if after == without_comments(&before) {
            if faults.is_empty() {
                screen.print(b"nothing was changed\n");
                return Ok(Exit::Done);
            }
            // The editor's file is gone by then, and who cannot see it (a script) has not read it.
            let why = faults.lines().map(|line| line.trim_start_matches("# ").trim_start_matches('#'));
            let why: Vec<_> = why.filter(|line| !line.is_empty()).collect();
            screen.print(format!("error: {}\ngiven up; nothing was changed\n", why.join("\n")).as_bytes());
            return Ok(Exit::Refused);
        }
        faults = match read(&after) {
            Err(why) => format!("#\n# This cannot be read: {}\n#\n", why.replace('\n', "\n# ")),
            Ok(wanted) => {
                match at.api.ask("PUT", &at.path(name, "/config"), Some(&wanted), &[("if-match", &tag)]).await {
                    Ok(_) => {
                        say(&format!("changed connector {name}\n"))?;
                        return wait::wait(at, name, &target, waits.wait, screen).await;
                    }
                    Err(failure) if failure.exit == Exit::Refused && !failure.faults.is_empty() => told(&failure),
                    Err(failure) => return Err(failure),
                }
            }
        };
        before = after;
    }
}

/// What the server refused, as comments.
fn told(failure: &Failure) -> String {
    failure.text.lines().fold("#\n".to_owned(), |mut out, line| {
        writeln!(out, "# {line}").expect("writing to a String does not fail");
        out
    }) + "#\n"
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).fold(String::new(), |out, line| out + line + "\n")
}

fn read(text: &str) -> Result<Value, String> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("it is no list of keys and values".to_owned()) }
}

/// A file of the user's own in a directory of its own, gone afterwards: it may hold what is not for others.
struct Scratch {
    dir: PathBuf,
    path: PathBuf,
}

impl Scratch {
    fn new(environment: &Environment) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let base = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().find_map(|name| environment.get(name));
        let dir = PathBuf::from(base.unwrap_or_else(|| "/tmp".to_owned()))
            .join(format!("tidegate-edit-{:016x}", rand::random::<u64>()));
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|error| Failure::failed(format!("could not make {}: {error}", dir.display())))?;
        let path = dir.join("connector.yaml");
        Ok(Self { dir, path })
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| Failure::failed(format!("could not write {}: {error}", self.path.display())))
    }

    fn read(&self) -> Result<String, Failure> {
        let read = fs::read_to_string(&self.path);
        read.map_err(|error| Failure::failed(format!("could not read {}: {error}", self.path.display())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.dir).ok();
    }
}

async fn run_editor(path: &Path, environment: &Environment) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| environment.get(name).filter(|text| !text.is_empty()));
    let editor = named.unwrap_or_else(|| "vi".to_owned());
    // By a shell, as everybody does: EDITOR may be `code --wait`. The path is handed over, not pasted in.
    let status = tokio::process::Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status()
        .await
        .map_err(|error| Failure::failed(format!("could not start {editor}: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!("{editor} ended with {status}; nothing was changed")))
}
