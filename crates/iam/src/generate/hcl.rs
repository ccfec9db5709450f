//! Terraform's language, as far as policies need it (HCL native syntax specification, "Template Literals").

use std::fmt::Write as _;

use serde_json::Value;

use crate::Document;
use crate::generate::form::value;

/// A `resource` block.
pub(super) fn block(out: &mut String, kind: &str, label: &str, arguments: &[(&str, String)]) {
    // Aligned as `terraform fmt` has it: up to the first argument of more than one line.
    let width = |(name, text): &(&str, String)| if text.contains('\n') { None } else { Some(name.len()) };
    let widest = arguments.iter().filter_map(width).max().unwrap_or_default();
    writeln!(out, "resource \"{kind}\" \"{label}\" {{").ok();
    for (name, text) in arguments {
        let pad = if text.contains('\n') { name.len() } else { widest };
        writeln!(out, "  {name:pad$} = {text}").ok();
    }
    out.push_str("}\n");
}

/// A name for a block: letters, digits, `_` and `-`, beginning with a letter or `_`.
pub(super) fn label(name: &str) -> String {
    let mut label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if !label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        label.insert(0, '_');
    }
    label
}

/// `jsonencode({..})`.
pub(super) fn document(document: &Document) -> String {
    let mut out = String::from("jsonencode(");
    write(&mut out, &value(document), 1);
    out.push(')');
    out
}

fn write(out: &mut String, value: &Value, depth: usize) {
    let indent = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("  ", depth));
    match value {
        Value::Object(members) => {
            out.push_str("{\n");
            let members: Vec<(String, &Value)> = members.iter().map(|(name, value)| (key(name), value)).collect();
            // Aligned as `terraform fmt` has it: lines that follow each other, up to a value of several lines.
            for run in members.chunk_by(|(_, a), (_, b)| !is_nested(a) && !is_nested(b)) {
                let width = run.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
                for (name, value) in run {
                    indent(out, depth + 1);
                    write!(out, "{name:width$} = ").ok();
                    write(out, value, depth + 1);
                    out.push('\n');
                }
            }
            indent(out, depth);
            out.push('}');
        }
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push_str("[\n");
            for item in items {
                indent(out, depth + 1);
                write(out, item, depth + 1);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push(']');
        }
        Value::String(string) => out.push_str(&text(string)),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// A member's name: bare where it is an identifier.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { name.to_owned() } else { text(name) }
}

/// Whether a value takes several lines.
fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A quoted template that stands for `string` and nothing else.
pub(super) fn text(string: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = string.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `$${` is a literal `${`. What stands before other marks is written by its number, so that no two of them
            // can be read together.
            '$' | '%' => match chars.peek() {
                Some('{') => out.extend([c, c]),
                Some(next) if next.is_ascii_alphanumeric() || *next == ' ' => out.push(c),
                Some(_) | None => {
                    write!(out, "\\u{:04x}", u32::from(c)).ok();
                }
            },
            c if c.is_control() => {
                write!(out, "\\u{:04x}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_a_template() {
        for (string, written) in [
            ("plain $5 and 7% of it", r#""plain $5 and 7% of it""#),
            ("${aws:username}/%{x}", r#""$${aws:username}/%%{x}""#),
            ("$${a}", r#""\u0024$${a}""#),
            ("ends in $", r#""ends in \u0024""#),
            ("\"quoted\" \\ \u{fc} \u{1f512} 'x'\n", "\"\\\"quoted\\\" \\\\ \u{fc} \u{1f512} 'x'\\n\""),
            ("\u{7}", r#""\u0007""#),
        ] {
            assert_eq!(text(string), written, "{string}");
        }
    }

    #[test]
    fn labels_are_identifiers() {
        assert_eq!((label("orders@eu.1"), label("1st")), ("orders_eu_1".to_owned(), "_1st".to_owned()));
    }
}
