//! YAML, as far as templates need it: block style, every string in double quotes, so that no date, number, boolean or
//! anchor is read where a text was meant (YAML 1.1 and 1.2 alike).

use std::fmt::Write as _;

use serde_json::Value;

/// `value` as a YAML document.
pub(super) fn print(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

/// Writes what stands in lines of its own; scalars end theirs.
fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    indent(out, depth);
                }
                let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric());
                out.push_str(&if plain { name.clone() } else { text(name) });
                out.push(':');
                member(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    indent(out, depth);
                }
                out.push_str("- ");
                write(out, item, depth + 1);
            }
        }
        Value::String(string) => {
            out.push_str(&text(string));
            out.push('\n');
        }
        scalar => {
            writeln!(out, "{scalar}").ok();
        }
    }
}

fn member(out: &mut String, value: &Value, depth: usize) {
    let nested = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if nested {
        out.push('\n');
        indent(out, depth + 1);
    } else {
        out.push(' ');
    }
    write(out, value, depth + 1);
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A double-quoted scalar.
fn text(string: &str) -> String {
    let mut out = String::from("\"");
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Line breaks to YAML 1.1, though not to JSON, and characters that it calls not printable.
            '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                write!(out, "\\u{:04x}", u32::from(c)).ok();
            }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_stay_strings_and_nesting_is_indentation() {
        let value = json!({"Version": "2012-10-17", "List": ["no", {"a": 1, "aws:x": "${y}\n\"z\""}], "Empty": {}});
        let expected = "Version: \"2012-10-17\"\nList:\n  - \"no\"\n  - a: 1\n    \"aws:x\": \"${y}\\u000a\\\"z\\\"\"\nEmpty: {}\n";
        assert_eq!(print(&value), expected);
    }
}
