use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use fault::printable;
use serde_json::Value;

use super::files::Wanted;

/// What stands for a secret: two or more asterisks.
pub(super) fn is_mask(text: &str) -> bool {
    text.len() >= 2 && text.bytes().all(|byte| byte == b'*')
}

/// The keys that differ, each a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    lines: Vec<(char, String)>,
    /// Secrets cannot be compared.
    pub(super) has_secrets: bool,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Between what a server has, if it has it, and what is wanted.
    pub(super) fn between(view: Option<&Value>, wanted: &Wanted) -> Self {
        let empty = serde_json::Map::new();
        let now = view.and_then(|view| view["config"].as_object()).unwrap_or(&empty);
        let now: BTreeMap<&str, &str> = now
            .iter()
            .filter(|(key, _)| key.as_str() != "name")
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect();
        let mut found = Self::default();
        let mut keys: Vec<&str> = now.keys().copied().chain(wanted.config.keys().map(String::as_str)).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            match (now.get(key).copied(), wanted.config.get(key).map(String::as_str)) {
                (Some(old), Some(_)) if is_mask(old) => found.has_secrets = true,
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => {
                    found.line('-', key, old);
                    found.line('+', key, new);
                }
                (Some(old), None) => found.line('-', key, old),
                (None, Some(new)) => found.line('+', key, new),
                (None, None) => {}
            }
        }
        let target = view.and_then(|view| view["target"].as_str());
        if let Some(wanted) = wanted.target
            && target.unwrap_or("RUNNING") != wanted
        {
            if let Some(target) = target {
                found.lines.push(('-', format!("({target})")));
            }
            found.lines.push(('+', format!("({wanted})")));
        }
        found
    }

    fn line(&mut self, sign: char, key: &str, value: &str) {
        // What is new may be a secret that the server would mask: it was typed into a file, not onto a screen.
        let is_secret = ["password", "secret", "token", "credential"].iter().any(|word| key.contains(word));
        let is_reference = value.starts_with("${") && value.ends_with('}');
        let shown = if is_secret && !is_reference { "****************" } else { value };
        self.lines.push((sign, format!("{}: {}", printable(key), printable(shown))));
    }

    /// Indented, with colours where somebody sees them.
    pub(super) fn text(&self) -> String {
        let colours = std::io::stdout().is_terminal();
        self.lines.iter().fold(String::new(), |mut out, (sign, line)| {
            let (on, off) = match (colours, sign) {
                (true, '-') => ("\u{1b}[31m", "\u{1b}[0m"),
                (true, _) => ("\u{1b}[32m", "\u{1b}[0m"),
                (false, _) => ("", ""),
            };
            writeln!(out, "  {on}{sign} {line}{off}").expect("writing to a String does not fail");
            out
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_names_keys_and_shows_no_secret() {
        let view = json!({
            "target": "RUNNING",
            "config": { "name": "a", "topics": "x", "same": "1", "gone": "2", "aws.secret.access.key": "****************" },
        });
        let config = [
            ("topics", "y"),
            ("same", "1"),
            ("aws.secret.access.key", "hunter2"),
            ("ssl.key.password", "hunter3"),
            ("sasl.password", "${env:P}"),
        ];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let wanted = Wanted { origin: String::new(), name: "a".to_owned(), config, target: Some("PAUSED") };
        let found = Difference::between(Some(&view), &wanted);
        assert_eq!(
            found.text(),
            "  - gone: 2\n  + sasl.password: ${env:P}\n  + ssl.key.password: ****************\n  - topics: x\n  + topics: y\n  \
             - (RUNNING)\n  + (PAUSED)\n"
        );
        assert!(found.has_secrets);
        assert!(!Difference::between(None, &wanted).is_empty());
    }
}
