use std::fs::File;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use world::Secret;

use super::Failure;

/// No secret is longer.
const LONGEST: u64 = 4096;

/// A secret: from a file (`-` is stdin), or asked for on the terminal without showing it. One line end is not part of it.
pub(crate) fn read_secret(file: Option<&Path>, what: &str) -> Result<Secret, Failure> {
    let read = |input: &mut dyn std::io::Read| {
        let mut text = String::new();
        input.take(LONGEST).read_to_string(&mut text).map(|_| text)
    };
    let text = match file {
        Some(path) if path.as_os_str() == "-" => read(&mut std::io::stdin().lock()),
        Some(path) => File::open(path).and_then(|mut file| read(&mut file)),
        None if std::io::stdin().is_terminal() => asked(what),
        None => {
            return Err(Failure::usage(format!(
                "the {what} is not given\n  hint: set TIDEGATE_API_SECRET, or give --secret-file FILE"
            )));
        }
    };
    let text = text.map_err(|error| Failure::usage(format!("could not read the {what}: {error}")))?;
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if secret.is_empty() || secret.contains('\n') {
        return Err(Failure::usage(format!("the {what} must be one line, and not empty")));
    }
    Ok(Secret::new(secret))
}

fn asked(what: &str) -> std::io::Result<String> {
    let stdin = std::io::stdin();
    let mut stderr = std::io::stderr();
    write!(stderr, "{what}: ")?;
    stderr.flush()?;
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    writeln!(stderr)?;
    read.map(|_| line)
}
