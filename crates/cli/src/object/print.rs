use std::io::{ErrorKind, Write as _};
use std::sync::OnceLock;
use std::time::SystemTime;

use aws::objects::Error;
use fault::{Chain, Diagnose as _, printable};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What first kept the result from being written, other than a reader that has seen enough (`| head`).
static LOST: OnceLock<String> = OnceLock::new();

/// Writes to stdout. False if there is no use in going on; whether that is a failure, [`lost`] tells at the end.
pub(crate) fn out(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) else { return true };
    if error.kind() != ErrorKind::BrokenPipe {
        LOST.get_or_init(|| format!("could not write to stdout: {error}"));
    }
    false
}

/// Why the result could not be written, if it could not.
pub(crate) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Writes one JSON document to stdout.
pub(crate) fn json(value: &Value) {
    out(&format!("{value:#}\n"));
}

/// An error as JSON, on stderr: stdout is for what was asked for.
pub(crate) fn error(error: &Error) {
    let hint = error.hint();
    let value = json!({ "error": { "code": error.code(), "message": Chain(error).to_string(), "hint": hint } });
    // A closed stderr is no reason to fail in another way.
    writeln!(std::io::stderr(), "{value}").ok();
}

/// `2026-11-23T11:12:36Z`.
pub(crate) fn instant(time: Option<SystemTime>) -> Option<String> {
    let seconds = Timestamp::try_from(time?).ok()?;
    Some(Timestamp::from_second(seconds.as_second()).ok()?.to_string())
}

/// `1.5 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A name on a terminal or in a line: what would change the terminal or the line is escaped.
pub(crate) fn name(text: &str) -> String {
    printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_are_shown_for_people() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(name("a b"), "a b");
        assert_eq!(name("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
