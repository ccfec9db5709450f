//! `${name}` in a scenario's texts. A name is of lower-case letters, digits, dots, dashes and underscores; what else may
//! stand in braces behind a dollar sign (`${aws:username}`, `${*}`) is a policy's own and stays.

use std::collections::BTreeMap;

use toml::Value;

use super::fault::ScenarioFault;

/// Values by name.
pub(super) type Variables = BTreeMap<String, String>;

/// Whether a variable of the scenario stands in a text.
pub(super) fn stands_in(text: &str) -> bool {
    pieces(text).any(|piece| matches!(piece, Piece::Variable(_)))
}

/// Replaces the variables in every text of `value`; unknown ones are faults. Keys of tables stay as they are.
pub(super) fn fill(value: &mut Value, path: &str, variables: &Variables, faults: &mut Vec<ScenarioFault>) {
    match value {
        Value::String(text) => {
            if stands_in(text) {
                *text = filled(text, path, variables, faults);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                fill(item, &format!("{path}[{at}]"), variables, faults);
            }
        }
        Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fill(value, &path, variables, faults);
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn filled(text: &str, path: &str, variables: &Variables, faults: &mut Vec<ScenarioFault>) -> String {
    let mut whole = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => whole.push_str(text),
            Piece::Variable(name) => {
                if let Some(value) = variables.get(name) {
                    whole.push_str(value);
                } else {
                    let mut fault = ScenarioFault::new(path, format!("names no variable that there is: ${{{name}}}"));
                    fault.among(name, variables.keys().map(String::as_str));
                    faults.push(fault);
                }
            }
        }
    }
    whole
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = variable_at_start(rest) {
            rest = after;
            return Some(Piece::Variable(name));
        }
        // The next variable, or the end.
        let starts = rest.char_indices().skip(1).map(|(at, _)| at);
        let end = starts.into_iter().find(|at| variable_at_start(&rest[*at..]).is_some()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn variable_at_start(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix("${")?.split_once('}')?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    (!name.is_empty() && name.bytes().all(fits)).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::{Piece, Variables, fill, pieces, stands_in};
    use toml::Value;

    #[test]
    fn variables_of_policies_are_left_alone() {
        use Piece::{Text, Variable};
        let all: Vec<Piece<'_>> = pieces("a${b.c}$${d}é${aws:username}${*}${").collect();
        assert_eq!(all, [Text("a"), Variable("b.c"), Text("$"), Variable("d"), Text("é${aws:username}${*}${")]);
        assert!(stands_in("x${y}") && !stands_in("${aws:y} ${Y} ${}"));
    }

    #[test]
    fn a_variable_that_there_is_not_is_told_with_its_place() {
        let mut value: Value = Value::Table("a = {b = ['${endpiont}', '${endpoint}/x']}".parse().unwrap());
        let variables = Variables::from([("endpoint".to_owned(), "http://h".to_owned())]);
        let mut faults = Vec::new();
        fill(&mut value, "", &variables, &mut faults);
        assert_eq!(value["a"]["b"][1].as_str(), Some("http://h/x"));
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let text = "a.b[0]: names no variable that there is: ${endpiont} (allowed: endpoint) (did you mean endpoint?)";
        assert_eq!(told, [text]);
    }
}
