use std::fmt::Write as _;
use std::io::IsTerminal as _;

use clap::ValueEnum;
use fault::printable;
use serde_json::Value;

use super::Failure;
use crate::screen::Screen;
use crate::stdout;

/// How a result looks on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    // No text of its own: one value with a text has clap spread the help of every command over two screens.
    #[default]
    #[value(alias = "text")]
    Table,
    Json,
    Yaml,
}

/// A column of a table: its head, and what is in it.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

pub(crate) fn say(text: &str) -> Result<(), Failure> {
    stdout::say(text).map_err(Failure::failed)
}

/// Prints a list.
pub(crate) fn list(what: &str, items: &[Value], columns: &[Column], form: Form) -> Result<(), Failure> {
    match form {
        Form::Table if items.is_empty() => say(&format!("there are no {what}\n")),
        Form::Table => say(&table(items, columns)),
        Form::Json => say(&format!("{:#}\n", Value::from(items.to_vec()))),
        Form::Yaml => say(&as_yaml(&Value::from(items.to_vec()))),
    }
}

/// Prints one thing; as a table, a line for each member.
pub(crate) fn one(item: &Value, form: Form) -> Result<(), Failure> {
    match form {
        Form::Table => say(&members(item)),
        Form::Json => say(&format!("{item:#}\n")),
        Form::Yaml => say(&as_yaml(item)),
    }
}

pub(crate) fn as_yaml(value: &Value) -> String {
    serde_yaml_ng::to_string(value).expect("JSON is YAML")
}

fn table(items: &[Value], columns: &[Column]) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| columns.iter().map(|(_, cell)| printable(&cell(item)).into_owned()).collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, (head, _))| {
            let cells = rows.iter().map(|row| row[at].chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    let heads: Vec<String> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let mut out = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:width$}  ").expect("writing to a String does not fail");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn members(item: &Value) -> String {
    let mut rows = Vec::new();
    flatten("", item, &mut rows);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    rows.iter().fold(String::new(), |mut out, (name, value)| {
        writeln!(out, "{:width$}  {}", printable(name), printable(value)).expect("writing to a String does not fail");
        out
    })
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let under = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                flatten(&under(key), value, rows);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (at, value) in list.iter().enumerate() {
                flatten(&format!("{name}[{at}]"), value, rows);
            }
        }
        other => rows.push((name.to_owned(), cell(other))),
    }
}

/// A value in a line of a table.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(|one| !one.is_object()) => {
            if list.is_empty() {
                "-".to_owned()
            } else {
                list.iter().map(cell).collect::<Vec<_>>().join(", ")
            }
        }
        Value::Object(object) if object.is_empty() => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Asks whoever sits at the terminal. Where nobody does, `--yes` is asked for.
pub(crate) fn confirmed(question: &str, yes: bool, screen: &Screen) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !(std::io::stdin().is_terminal() && screen.is_terminal()) {
        return Err(Failure::usage(format!("{question}? Nobody can answer here\n  hint: give --yes")));
    }
    screen.print(format!("{question}? [y/N] ").as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format!("could not read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_aligned_and_steer_no_terminal() {
        let columns: [Column; 2] = [("name", |item| cell(&item["name"])), ("state", |item| cell(&item["state"]))];
        let items = [json!({ "name": "a\u{1b}b", "state": "RUNNING" }), json!({ "name": "orders", "state": null })];
        assert_eq!(table(&items, &columns), "name      state\na\\u{1b}b  RUNNING\norders    -\n");
    }

    #[test]
    fn one_thing_is_shown_member_by_member() {
        let item =
            json!({ "name": "orders", "config": { "topics": "a" }, "tasks": ["RUNNING"], "hops": [{ "arn": "x" }] });
        assert_eq!(
            members(&item),
            "name           orders\nconfig.topics  a\ntasks          RUNNING\nhops[0].arn    x\n"
        );
    }
}
