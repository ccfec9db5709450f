use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use world::{Environment, Secret};

use super::fault::{Findings, SpecFault};
use crate::Lifetime;
use crate::template::Template;

/// Reads one table, key by key, and remembers what is wrong.
pub(super) struct Reader<'a> {
    /// `connections.orders`.
    pub(super) path: String,
    pub(super) table: &'a Map<String, Value>,
    pub(super) found: &'a mut Findings,
    pub(super) environment: &'a Environment,
}

impl Reader<'_> {
    /// The full name of a key.
    pub(super) fn at(&self, key: &str) -> String {
        let dot = if self.path.is_empty() || key.is_empty() { "" } else { "." };
        format!("{}{dot}{key}", self.path)
    }

    pub(super) fn fault(&mut self, key: &str, text: impl Into<String>) -> &mut SpecFault {
        let key = self.at(key);
        self.found.faults.push(SpecFault::new(key, text));
        self.found.faults.last_mut().expect("just pushed")
    }

    pub(super) fn warn(&mut self, key: &str, text: impl Into<String>) {
        let key = self.at(key);
        self.found.warn(key, text);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.table.get(key)? {
            Value::String(text) if text.trim().is_empty() => {
                self.fault(key, "is empty").hint = Some("leave it out, or fill it in".to_owned());
                None
            }
            Value::String(text) => Some(text.clone()),
            other => {
                self.fault(key, format!("must be a text, and is {}", kind_of(other)));
                None
            }
        }
    }

    /// The same, which must be there.
    pub(super) fn required(&mut self, key: &str) -> Option<String> {
        if !self.has(key) {
            self.fault(key, "is missing");
            return None;
        }
        self.text(key)
    }

    /// A file's path, which must be absolute: a service is started from anywhere.
    pub(super) fn file(&mut self, key: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(key)?);
        if path.is_absolute() {
            return Some(path);
        }
        self.fault(key, "must be an absolute path");
        None
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.table.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.fault(key, format!("must be true or false, and is {}", kind_of(other)));
                false
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names = || words.iter().map(|(word, _)| *word);
        let hint = fault::suggest(&text, names()).map(|close| format!("did you mean {close}?"));
        let fault = self.fault(key, format!("is {text:?}, which is none that is known"));
        *fault = fault.clone().allowed(names());
        fault.hint = hint;
        None
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        match self.table.get(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let mut texts = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    match item {
                        Value::String(text) if !text.trim().is_empty() => texts.push(text.clone()),
                        other => {
                            let wrong = if other.is_string() { "is empty" } else { "must be a text" };
                            self.fault(&format!("{key}[{at}]"), wrong);
                        }
                    }
                }
                texts
            }
            Some(_) => self.text(key).into_iter().collect(),
        }
    }

    /// A table of texts: `{ team = "data" }`.
    pub(super) fn pairs(&mut self, key: &str) -> Vec<(String, String)> {
        match self.table.get(key) {
            None => Vec::new(),
            Some(Value::Object(members)) => {
                let mut pairs = Vec::new();
                for (name, value) in members {
                    match value {
                        Value::String(text) => pairs.push((name.clone(), text.clone())),
                        other => {
                            self.fault(&format!("{key}.{name}"), format!("must be a text, and is {}", kind_of(other)));
                        }
                    }
                }
                pairs
            }
            Some(other) => {
                self.fault(key, format!("must be a table of texts, and is {}", kind_of(other)));
                Vec::new()
            }
        }
    }

    pub(super) fn template(&mut self, key: &str) -> Option<Template> {
        let text = self.text(key)?;
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(why) => {
                self.fault(key, format!("{text:?} {why}"));
                None
            }
        }
    }

    /// Seconds, `"45m"`, `"12h"`, or `"auto"`.
    pub(super) fn lifetime(&mut self, key: &str) -> Lifetime {
        const FORM: &str =
            "must be seconds (3600), a text as \"45m\" or \"1h\", or \"auto\" for the longest that AWS allows";
        let parsed = match self.table.get(key) {
            None => return Lifetime::Usual,
            Some(Value::Number(number)) => number.as_u64().map(Duration::from_secs).map(Lifetime::Exactly),
            Some(Value::String(text)) if text == "auto" => Some(Lifetime::Longest),
            Some(Value::String(text)) => duration(text).map(Lifetime::Exactly),
            Some(_) => None,
        };
        parsed.unwrap_or_else(|| {
            self.fault(key, FORM);
            Lifetime::Usual
        })
    }

    /// A secret: a text, `{ env = "NAME" }` or `{ file = "/path" }`. Whatever is wrong, its text is not shown.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        const FORM: &str = "must be a text, { env = \"NAME\" } or { file = \"/path\" }";
        let value = self.table.get(key)?;
        let read = match value {
            Value::String(text) => {
                // An access key's ID is no secret.
                if self.found.open_to_all && key != "access_key_id" {
                    self.warn(
                        key,
                        "stands in a file that every user of this machine can read: chmod 600 it, or write \
                         { env = \"NAME\" } or { file = \"/path\" }",
                    );
                }
                Ok(text.clone())
            }
            Value::Object(members) => match members.iter().next() {
                Some((name, Value::String(text))) if members.len() == 1 && name == "env" => {
                    self.environment.get(text).ok_or_else(|| format!("environment variable {text} is not set"))
                }
                Some((name, Value::String(path))) if members.len() == 1 && name == "file" => {
                    let read = super::read::read_file(Path::new(path));
                    // Editors put a line break at the end.
                    read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                        .map_err(|error| format!("could not read {path}: {error}"))
                }
                _ => Err(FORM.to_owned()),
            },
            _ => Err(FORM.to_owned()),
        };
        match read {
            Ok(text) if text.is_empty() => {
                self.fault(key, "is empty");
                None
            }
            Ok(text) => Some(Secret::new(text)),
            Err(why) => {
                self.fault(key, why);
                None
            }
        }
    }

    /// Refuses what is not known. `elsewhere` says where a key that is known in another place belongs.
    pub(super) fn refuse_unknown(&mut self, known: &[&str], elsewhere: impl Fn(&str) -> Option<String>) {
        let unknown: Vec<&str> = self.table.keys().map(String::as_str).filter(|key| !known.contains(key)).collect();
        for key in unknown {
            let hint = elsewhere(key)
                .or_else(|| fault::suggest(key, known.iter().copied()).map(|close| format!("did you mean {close}?")));
            let fault = self.fault(key, "is not known here");
            if hint.is_none() {
                *fault = fault.clone().allowed(known.iter().copied());
            }
            fault.hint = hint;
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_secs)
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
