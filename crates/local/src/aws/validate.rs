use std::time::Duration;

use super::api_error::ApiError;
use super::uri::Query;

/// Collects what is wrong with a request's parameters: AWS names all of it at once.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn text(
        &mut self,
        name: &str,
        value: Option<&str>,
        required: bool,
        length: std::ops::RangeInclusive<usize>,
        allowed: impl Fn(char) -> bool,
        pattern: &str,
    ) {
        let Some(value) = value else {
            if required {
                self.add("null", name, "Member must not be null");
            }
            return;
        };
        let characters = value.chars().count();
        if characters > *length.end() {
            self.add(value, name, &format!("Member must have length less than or equal to {}", length.end()));
        }
        if characters < *length.start() {
            self.add(value, name, &format!("Member must have length greater than or equal to {}", length.start()));
        }
        if !value.chars().all(allowed) {
            self.add(value, name, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
    }

    /// A number of seconds; any number where it is not within `bounds`, as the result is then an error.
    pub(super) fn seconds(&mut self, name: &str, text: &str, bounds: std::ops::RangeInclusive<u64>) -> Duration {
        match text.parse::<u64>() {
            Ok(seconds) if bounds.contains(&seconds) => return Duration::from_secs(seconds),
            Ok(seconds) if seconds < *bounds.start() => {
                let constraint = format!("Member must have value greater than or equal to {}", bounds.start());
                self.add(text, name, &constraint);
            }
            Ok(_) => self.add(text, name, &format!("Member must have value less than or equal to {}", bounds.end())),
            Err(_) => self.add(text, name, "Member must be an integer"),
        }
        Duration::ZERO
    }

    pub(super) fn add(&mut self, value: &str, name: &str, constraint: &str) {
        // AWS quotes the value; a null stands without quotes.
        let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
        self.0.push(format!("Value {value} at '{name}' failed to satisfy constraint: {constraint}"));
    }

    pub(super) fn result(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let count = self.0.len();
        let plural = if count == 1 { "error" } else { "errors" };
        Err(ApiError::of("ValidationError")
            .saying(format!("{count} validation {plural} detected: {}", self.0.join("; "))))
    }
}

/// The members `NAME.member.1.FIELD`, `NAME.member.2.FIELD`, ..
pub(super) fn members<'a>(form: &'a Query, name: &'a str, field: &'a str) -> impl Iterator<Item = &'a str> {
    let dot = if field.is_empty() { "" } else { "." };
    (1..).map_while(move |n| form.get(&format!("{name}.member.{n}{dot}{field}")))
}

/// `\w` in AWS's patterns: ASCII, whatever the language.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
