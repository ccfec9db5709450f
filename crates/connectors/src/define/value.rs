use std::collections::HashMap;

use world::Secret;

use crate::define::Kind;

/// A text, read by its [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Boolean(bool),
    Text(String),
    Number(i64),
    List(Vec<String>),
    Password(Secret),
}

impl Value {
    /// Reads a text as Kafka's `ConfigDef.parseType` does; the error is the reason as it prints it.
    pub(crate) fn read(kind: Kind, text: &str) -> Result<Self, String> {
        let trimmed = java_trim(text);
        let number = |min: i64, max: i64| {
            // i64's own reader takes "+5" as Java's does, and nothing that Java's refuses but digits of other scripts.
            match trimmed.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(Self::Number(number)),
                _ => Err(format!("Not a number of type {}", kind.name())),
            }
        };
        match kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Self::Boolean(true)),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Self::Boolean(false)),
            Kind::Boolean => Err("Expected value to be either true or false".to_owned()),
            Kind::String | Kind::Class => Ok(Self::Text(trimmed.to_owned())),
            Kind::Short => number(i16::MIN.into(), i16::MAX.into()),
            Kind::Int => number(i32::MIN.into(), i32::MAX.into()),
            Kind::Long => number(i64::MIN, i64::MAX),
            Kind::List if trimmed.is_empty() => Ok(Self::List(Vec::new())),
            Kind::List => Ok(Self::List(trimmed.split(',').map(|item| java_trim(item).to_owned()).collect())),
            Kind::Password => Ok(Self::Password(Secret::new(trimmed))),
        }
    }

    /// The value as Kafka prints it in an error.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Boolean(flag) => flag.to_string(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::List(items) => format!("[{}]", items.join(", ")),
            Self::Password(_) => crate::faults::HIDDEN.to_owned(),
        }
    }
}

/// Java's `String.trim`: what is not above the blank goes.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// The values of a configuration by key: what was set, or the default. A value that was refused is absent.
#[derive(Debug, Default)]
pub(crate) struct Values {
    values: HashMap<&'static str, Value>,
    set: std::collections::HashSet<&'static str>,
}

impl Values {
    pub(crate) fn put(&mut self, key: &'static str, value: Option<Value>, is_set: bool) {
        if let Some(value) = value {
            self.values.insert(key, value);
        }
        if is_set {
            self.set.insert(key);
        }
    }

    /// Whether the configuration names the key.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.set.contains(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        match self.values.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.values.get(key) {
            Some(Value::Boolean(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[String]> {
        match self.values.get(key) {
            Some(Value::List(items)) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn secret(&self, key: &str) -> Option<&Secret> {
        match self.values.get(key) {
            Some(Value::Password(secret)) => Some(secret),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_kafka_reads_them() {
        assert_eq!(Value::read(Kind::Int, " +5 "), Ok(Value::Number(5)));
        assert_eq!(Value::read(Kind::Int, "2147483648"), Err("Not a number of type INT".to_owned()));
        assert_eq!(Value::read(Kind::Long, "1e3"), Err("Not a number of type LONG".to_owned()));
        assert_eq!(Value::read(Kind::Short, "40000"), Err("Not a number of type SHORT".to_owned()));
        assert_eq!(Value::read(Kind::Boolean, "TRUE"), Ok(Value::Boolean(true)));
        assert_eq!(Value::read(Kind::Boolean, "yes"), Err("Expected value to be either true or false".to_owned()));
        let list = Value::read(Kind::List, " key , ,value ").unwrap();
        assert_eq!(list.shown(), "[key, , value]");
        assert_eq!(Value::read(Kind::List, " "), Ok(Value::List(Vec::new())));
        assert_eq!(Value::read(Kind::Password, "x").unwrap().shown(), "[hidden]");
    }
}
