use std::borrow::Cow;
use std::fmt;

use fault::{Blame, Code, Diagnose, Retry, printable};
use identity::{ConnectionFaults, SpecFault};

use crate::config::Config;

/// What stands for a secret in every text, as Kafka prints it.
pub(crate) const HIDDEN: &str = "[hidden]";

/// One thing wrong with one key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The key. Empty if the fault is of no key.
    pub key: String,
    /// Its text; `[hidden]` for a secret, `None` if it is not set.
    pub value: Option<String>,
    /// What is wrong. Where the connector that users come from finds the same fault, its very words.
    pub text: String,
    /// The values that would be right, if they can be listed.
    pub allowed: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl ConfigFault {
    pub(crate) fn new(key: impl Into<String>, value: Option<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), value, text: text.into(), allowed: Vec::new(), hint: None }
    }

    pub(crate) fn allowed<S: Into<String>>(mut self, allowed: impl IntoIterator<Item = S>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.key, &self.text)
    }
}

fn one_line(f: &mut fmt::Formatter<'_>, key: &str, text: &str) -> fmt::Result {
    if key.is_empty() {
        return f.write_str(&printable(text));
    }
    write!(f, "{}: {}", printable(key), printable(text))
}

/// Something that works, but probably not as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The key. Empty if it is of no key.
    pub key: String,
    /// What to know.
    pub text: String,
}

impl ConfigWarning {
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.key, &self.text)
    }
}

/// Everything wrong with a configuration, found in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFaults {
    name: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigWarning>,
}

impl ConfigFaults {
    pub(crate) fn new(name: impl Into<String>, faults: Vec<ConfigFault>, warnings: Vec<ConfigWarning>) -> Self {
        debug_assert!(!faults.is_empty(), "without a fault there is nothing to report");
        Self { name: name.into(), faults, warnings }
    }

    /// Whose configuration: the connector's name, or the file's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The faults, in the order of the key tables. Never empty.
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }

    /// What was noticed beside them.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration of {} is refused: ", self.name)?;
        for (n, fault) in self.faults.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}

impl From<ConnectionFaults> for ConfigFaults {
    fn from(found: ConnectionFaults) -> Self {
        let fault = |fault: SpecFault| {
            let SpecFault { key, text, allowed, hint } = fault;
            ConfigFault { key, value: None, text, allowed, hint }
        };
        let faults = found.faults.into_iter().map(fault).collect();
        let warnings =
            found.warnings.into_iter().map(|warning| ConfigWarning::new(warning.key, warning.text)).collect();
        Self::new(found.origin, faults, warnings)
    }
}

impl Diagnose for ConfigFaults {
    fn code(&self) -> Code {
        "config.refused"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        self.faults.iter().find_map(|fault| fault.hint.clone()).map(Cow::Owned)
    }
}

/// Faults and warnings while they are being collected.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<ConfigFault>,
    pub(crate) warnings: Vec<ConfigWarning>,
}

impl Findings {
    pub(crate) fn fault(&mut self, fault: ConfigFault) {
        self.faults.push(fault);
    }

    pub(crate) fn warn(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let warning = ConfigWarning::new(key, text);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Puts the faults into the order of `keys`, where Kafka Connect tells them: faults of one key in the order in which they
    /// were found, those of other keys behind.
    pub(crate) fn in_order_of(&mut self, keys: &[&str]) {
        self.faults.sort_by_key(|fault| keys.iter().position(|key| *key == fault.key).unwrap_or(keys.len()));
    }

    /// Takes secrets out of every text: whoever puts a password into the wrong key should not find it in a log.
    pub(crate) fn hide(&mut self, secrets: &[&str]) {
        let hide = |text: &mut String| {
            for secret in secrets {
                if text.contains(secret) {
                    *text = text.replace(secret, HIDDEN);
                }
            }
        };
        for fault in &mut self.faults {
            hide(&mut fault.text);
            fault.value.as_mut().map(hide);
            fault.hint.as_mut().map(hide);
        }
        self.warnings.iter_mut().for_each(|warning| hide(&mut warning.text));
    }
}

/// The secrets of a configuration: what `is_secret` says of its keys, and users and passwords inside URLs.
///
/// Texts under six characters are left: a password `1` would take every 1 out of every text, and is no secret anyway.
pub(crate) fn secrets(config: &Config, is_secret: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    for (key, value) in config.iter() {
        if is_secret(key) {
            found.push(value);
        } else {
            found.extend(users_in_urls(value));
        }
    }
    let mut found: Vec<&str> = found.into_iter().map(str::trim).filter(|secret| secret.len() >= 6).collect();
    // The longest first, so that a secret that holds another one goes whole.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

/// What is before the `@` of each URL: a user, or a user and a password.
fn users_in_urls(value: &str) -> impl Iterator<Item = &str> {
    value.split("://").skip(1).filter_map(|rest| {
        let authority = rest.split(['/', '?', '#']).next()?;
        authority.rsplit_once('@').map(|(user, _)| user)
    })
}

/// Whether a URL in it, or in a list of them, carries a password: then it is a secret, whatever its key is called.
pub fn has_url_password(value: &str) -> bool {
    users_in_urls(value).any(|user| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_wrong_place_is_hidden_there_too() {
        let config: Config = [
            ("aws.secret.access.key", "hunter2secret"),
            ("tasks.max", "hunter2secret"),
            ("aws.s3.endpoint", "http://user:pass9word@host/x"),
            ("ssl.key.password", "1"),
        ]
        .into_iter()
        .collect();
        let secrets = secrets(&config, |key| key.contains("secret") || key.contains("password"));
        assert_eq!(secrets, ["user:pass9word", "hunter2secret"]);
        let mut found = Findings::default();
        found.fault(ConfigFault::new("tasks.max", Some("hunter2secret".to_owned()), "hunter2secret is no number 1"));
        found.warn("x", "http://user:pass9word@host/x");
        found.hide(&secrets);
        assert_eq!(found.faults[0].value.as_deref(), Some(HIDDEN));
        assert_eq!(found.faults[0].text, "[hidden] is no number 1");
        assert_eq!(found.warnings[0].text, "http://[hidden]@host/x");
    }

    #[test]
    fn passwords_are_found_in_each_url_of_a_list() {
        for (value, expected) in [
            ("https://host/a@b:c", false),
            ("https://user@host", false),
            ("http://a:8081,b:8081", false),
            ("https://user:pw@host", true),
            ("http://a:8081,http://user:p,w@b:8081", true),
            ("http://user:pw@a:8081,http://b", true),
        ] {
            assert_eq!(has_url_password(value), expected, "{value}");
        }
    }

    #[test]
    fn a_fault_is_one_line_and_steers_no_terminal() {
        let fault = ConfigFault::new("name", None, "a\nb\u{1b}[31m \u{e9}");
        assert_eq!(fault.to_string(), "name: a\\nb\\u{1b}[31m \u{e9}");
    }
}
