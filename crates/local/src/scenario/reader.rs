use std::fmt;
use std::str::FromStr;

use iam::{Document, PolicyKind};
use toml::{Table, Value};

use super::fault::ScenarioFault;
use super::variable;

/// Reads one table, key by key, and remembers what is wrong. A text in which a variable still stands is held to no form:
/// it is read again when the variables are known.
pub(super) struct Reader<'a> {
    /// `accounts.111111111111`.
    path: String,
    pub(super) table: &'a Table,
    faults: &'a mut Vec<ScenarioFault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Table, faults: &'a mut Vec<ScenarioFault>) -> Self {
        Self { path: String::new(), table, faults }
    }

    /// The full name of a key.
    pub(super) fn at(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (_, true) => self.path.clone(),
            _ => format!("{}.{}", self.path, quoted(key)),
        }
    }

    pub(super) fn fault(&mut self, key: &str, text: impl Into<String>) -> &mut ScenarioFault {
        let fault = ScenarioFault::new(self.at(key), text);
        self.faults.push(fault);
        self.faults.last_mut().expect("just pushed")
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Refuses every key but these.
    pub(super) fn only(&mut self, known: &[&str]) {
        for key in self.table.keys().filter(|key| !known.contains(&key.as_str())) {
            let fault = ScenarioFault::new(self.at(key), "is not known here");
            self.faults.push(fault);
            self.faults.last_mut().expect("just pushed").among(key, known.iter().copied());
        }
    }

    /// Another table, with this one's place before its name.
    pub(super) fn inside<'b>(&'b mut self, key: &str, table: &'b Table) -> Reader<'b> {
        let path = self.at(key);
        Reader { path, table, faults: self.faults }
    }

    /// The table at `key`, if there is one.
    pub(super) fn child(&mut self, key: &str) -> Option<Reader<'_>> {
        let table: &'a Table = self.table;
        match table.get(key)? {
            Value::Table(inner) => Some(self.inside(key, inner)),
            other => {
                self.fault(key, format!("must be a table, and is {}", kind_of(other)));
                None
            }
        }
    }

    /// Each table of the table at `key`, with its name.
    pub(super) fn each(&mut self, key: &str, mut read: impl FnMut(&str, &mut Reader<'_>)) {
        let Some(mut outer) = self.child(key) else { return };
        let table = outer.table;
        for name in table.keys() {
            if let Some(mut inner) = outer.child(name) {
                read(name, &mut inner);
            }
        }
    }

    /// Each table of the list at `key`.
    pub(super) fn list(&mut self, key: &str, mut read: impl FnMut(&mut Reader<'_>)) {
        let table: &'a Table = self.table;
        let Some(value) = table.get(key) else { return };
        let Value::Array(items) = value else {
            self.fault(key, format!("must be a list of tables, and is {}", kind_of(value)));
            return;
        };
        for (at, item) in items.iter().enumerate() {
            match item {
                Value::Table(inner) => {
                    let path = format!("{}[{at}]", self.at(key));
                    read(&mut Reader { path, table: inner, faults: self.faults });
                }
                other => {
                    self.fault(&format!("{key}[{at}]"), format!("must be a table, and is {}", kind_of(other)));
                }
            }
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        let table: &'a Table = self.table;
        match table.get(key)? {
            Value::String(text) => Some(text),
            other => {
                self.fault(key, format!("must be a text, and is {}", kind_of(other)));
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &str) -> Option<&'a str> {
        if !self.has(key) {
            self.fault(key, "is missing");
        }
        self.text(key)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.table.get(key)? {
            Value::Boolean(flag) => Some(*flag),
            other => {
                let text = format!("must be true or false, and is {}", kind_of(other));
                self.fault(key, text);
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        match self.table.get(key)? {
            Value::Integer(number) if *number >= 0 => Some(number.unsigned_abs()),
            other => {
                let text = format!("must be a whole number from 0, and is {}", shown(other));
                self.fault(key, text);
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Vec<&'a str> {
        let table: &'a Table = self.table;
        let Some(value) = table.get(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.fault(key, format!("must be a list of texts, and is {}", kind_of(value)));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.as_str()),
                other => {
                    self.fault(&format!("{key}[{at}]"), format!("must be a text, and is {}", kind_of(other)));
                }
            }
        }
        texts
    }

    /// A table of texts.
    pub(super) fn pairs(&mut self, key: &str) -> Vec<(&'a str, &'a str)> {
        let table: &'a Table = self.table;
        let inner = match table.get(key) {
            None => return Vec::new(),
            Some(Value::Table(inner)) => inner,
            Some(other) => {
                self.fault(key, format!("must be a table of texts, and is {}", kind_of(other)));
                return Vec::new();
            }
        };
        let mut pairs = Vec::new();
        for (name, value) in inner {
            match value {
                Value::String(text) => pairs.push((name.as_str(), text.as_str())),
                other => {
                    let text = format!("must be a text, and is {}", kind_of(other));
                    self.inside(key, inner).fault(name, text);
                }
            }
        }
        pairs
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() && !variable::stands_in(text) {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(key, format!("is {text:?}, which is none that is known")).among(text, names);
        }
        found
    }

    /// A text that reads as something.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        self.parse(key, text)
    }

    /// The same of a text that is at hand.
    pub(super) fn parse<T: FromStr<Err: fmt::Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) if variable::stands_in(text) => None,
            Err(error) => {
                self.fault(key, error.to_string());
                None
            }
        }
    }

    /// A policy, as a table or as a text of JSON; its JSON.
    pub(super) fn policy(&mut self, key: &str, kind: PolicyKind) -> Option<String> {
        let text = match self.table.get(key)? {
            Value::String(text) => text.clone(),
            table @ Value::Table(_) => as_json(table).to_string(),
            other => {
                let text = format!("must be a policy, as a table or as a text of JSON, and is {}", kind_of(other));
                self.fault(key, text);
                return None;
            }
        };
        match Document::parse_as(kind, &text) {
            Ok(_) => Some(text),
            Err(_) if variable::stands_in(&text) => Some(text),
            Err(error) => {
                self.fault(key, format!("is no {} policy: {error}", kind.name()));
                None
            }
        }
    }
}

/// A key as TOML writes it: one with dots in quotes.
fn quoted(key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'[' | b']');
    if key.bytes().all(bare) { key.to_owned() } else { format!("{key:?}") }
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        other => kind_of(other).to_owned(),
    }
}

/// The same value in JSON.
pub(super) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(items) => items.iter().map(as_json).collect::<Vec<_>>().into(),
        Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), as_json(value))).collect(),
    }
}
