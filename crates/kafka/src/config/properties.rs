use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use world::Secret;

use super::{Problem, Problems, Warning};

/// Reads typed values out of Java properties and gathers every fault on the way, so that a person sees all of them at
/// once. A faulty value reads as its default.
#[derive(Debug)]
pub struct Properties<'a> {
    values: &'a BTreeMap<String, String>,
    known: BTreeSet<&'static str>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'a> Properties<'a> {
    /// Reads from `values`.
    pub fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self { values, known: BTreeSet::new(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// The value as it stands, without blanks around it; `None` if it is not set.
    pub fn get(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.insert(key);
        self.values.get(key).map(|value| value.trim())
    }

    /// The value, where an empty one means "not set".
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    /// A value never to be shown. Blanks around it belong to it.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.known.insert(key);
        self.values.get(key).map(|value| Secret::new(value.as_str()))
    }

    /// The parts of a comma separated value, blanks and empty parts dropped.
    pub fn list(&mut self, key: &'static str) -> Vec<&'a str> {
        self.get(key).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// A whole number.
    pub fn number(&mut self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(value) = self.get(key) else { return default };
        let allowed = || {
            let (least, most) = (range.start(), range.end());
            Some(if *most == i64::MAX { format!("{least} or more") } else { format!("{least} to {most}") })
        };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            Ok(_) => self.refuse(key, "out of range", allowed(), default),
            Err(_) => self.refuse(key, "not a whole number", allowed(), default),
        }
    }

    /// A time in milliseconds.
    pub fn millis(&mut self, key: &'static str, default: u32, least: i64) -> Duration {
        let millis = self.number(key, i64::from(default), least..=i64::MAX);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// `true` or `false`, in any case.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => self.refuse(key, "neither true nor false", Some("true, false".to_owned()), default),
        }
    }

    /// One of several words, in any case.
    pub fn choice<T: Clone>(&mut self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        let Some(value) = self.get(key) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)) {
            return choice.clone();
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.refuse(key, "not known", Some(words.join(", ")), default)
    }

    fn refuse<T>(&mut self, key: &'static str, problem: &str, allowed: Option<String>, default: T) -> T {
        self.problem_with(key, problem, allowed);
        default
    }

    /// Notes that the value of `key` is wrong, and what would be right.
    pub fn problem_with(&mut self, key: &'static str, problem: impl fmt::Display, allowed: Option<String>) {
        let value = self.values.get(key).filter(|_| !is_secret(key)).cloned();
        let problem = problem.to_string();
        self.problems.push(Problem { key: key.to_owned(), value, problem, allowed });
    }

    /// Notes that the value of `key` is wrong.
    pub fn problem(&mut self, key: &'static str, problem: impl fmt::Display) {
        self.problem_with(key, problem, None);
    }

    /// If `key` is set, warns that it changes nothing.
    pub fn ignore(&mut self, key: &'static str, reason: &str) {
        if self.get(key).is_some() {
            self.warnings.push(Warning { key: key.to_owned(), reason: reason.to_owned() });
        }
    }

    /// Warns about every set key that begins with `prefix` that it changes nothing.
    pub fn ignore_prefix(&mut self, prefix: &'static str, reason: &str) {
        for key in self.values.keys().filter(|key| key.starts_with(prefix) && !self.known.contains(key.as_str())) {
            self.warnings.push(Warning { key: key.clone(), reason: reason.to_owned() });
        }
    }

    /// What was found: the warnings, and the properties that nobody asked for or warned about.
    pub fn finish(self) -> Result<(Vec<Warning>, BTreeMap<String, String>), Problems> {
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let warned: BTreeSet<_> = self.warnings.iter().map(|warning| warning.key.as_str()).collect();
        let rest = self
            .values
            .iter()
            .filter(|(key, _)| !self.known.contains(key.as_str()) && !warned.contains(key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok((self.warnings, rest))
    }
}

/// Whether a property's value must not be shown. By the words that Kafka's own names of secrets have in common, so that
/// a key that we do not know yet is hidden too.
pub fn is_secret(key: &str) -> bool {
    ["password", "secret", "jaas", "keystore.key", "credential"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let values = of(&[("a.ms", "x"), ("b.ms", "-1"), ("c", "maybe"), ("d", "three"), ("e", "5")]);
        let mut properties = Properties::new(&values);
        assert_eq!(properties.millis("a.ms", 7, 0), Duration::from_millis(7));
        assert_eq!(properties.millis("b.ms", 7, 0), Duration::from_millis(7));
        assert!(properties.flag("c", true));
        assert_eq!(properties.choice("d", 0, &[("one", 1), ("two", 2)]), 0);
        assert_eq!(properties.number("e", 0, 0..=9), 5);
        let problems = properties.finish().unwrap_err().0;
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "a.ms=x: not a whole number (allowed: 0 or more)",
                "b.ms=-1: out of range (allowed: 0 or more)",
                "c=maybe: neither true nor false (allowed: true, false)",
                "d=three: not known (allowed: one, two)",
            ]
        );
    }

    #[test]
    fn a_secret_is_not_in_the_problem() {
        let values = of(&[("ssl.key.password", "hunter2")]);
        let mut properties = Properties::new(&values);
        properties.problem("ssl.key.password", "does not open the key");
        assert!(!format!("{:?}", properties.finish().unwrap_err()).contains("hunter2"));
    }

    #[test]
    fn what_nobody_reads_is_left_over() {
        let values = of(&[("a", "1"), ("b", "2"), ("metrics.x", "3")]);
        let mut properties = Properties::new(&values);
        properties.text("a");
        properties.ignore_prefix("metrics.", "there is no JMX here");
        let (warnings, rest) = properties.finish().unwrap();
        assert_eq!(warnings[0].key, "metrics.x");
        assert_eq!(rest, of(&[("b", "2")]));
    }
}
