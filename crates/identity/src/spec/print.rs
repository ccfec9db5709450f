//! Connections written as TOML.

use std::fmt::Write;

/// A table of TOML under construction.
#[derive(Debug, Default)]
pub(super) struct Table(String);

impl Table {
    pub(super) fn header(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        writeln!(self.0, "{name}").expect("writing to a String does not fail");
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    /// A value that is TOML already.
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        writeln!(self.0, "{key} = {value}").expect("writing to a String does not fail");
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A basic string (TOML 1.0).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a String does not fail"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key, in quotes where it must be.
pub(super) fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { name.to_owned() } else { quoted(name) }
}
