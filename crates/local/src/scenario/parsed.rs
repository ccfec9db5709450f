use toml::{Table, Value};

use super::fault::{ScenarioFault, ScenarioFaults};
use super::script::{Headline, Script};

/// A scenario as it is written, free of slips as far as that can be told before its variables are known.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) origin: String,
    pub(super) table: Table,
    headline: Headline,
}

impl Scenario {
    /// Reads a scenario in TOML, or in JSON if it begins with a brace; `origin` is the file's name, for messages. Everything
    /// that is wrong is told at once.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ScenarioFaults> {
        let refuse = |faults| ScenarioFaults { origin: origin.to_owned(), faults };
        let table = read(text).map_err(|reason| refuse(vec![ScenarioFault::new("", reason)]))?;
        let mut faults = Vec::new();
        let (headline, _) = Script::read(&table, &mut faults);
        if faults.is_empty() { Ok(Self { origin: origin.to_owned(), table, headline }) } else { Err(refuse(faults)) }
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        &self.headline.title
    }

    /// The row of the catalogue of failures that it shows: `F07`.
    pub fn row(&self) -> Option<&str> {
        self.headline.row.as_deref()
    }

    /// What it is about, for people.
    pub fn about(&self) -> Option<&str> {
        self.headline.about.as_deref()
    }

    /// The name of the connection under examination; `None` if there is a connector alone.
    pub fn target(&self) -> Option<&str> {
        self.headline.target.as_deref()
    }

    /// What the examination is expected to find, as it is written. Nothing of it is played.
    pub fn expect(&self) -> Option<&Value> {
        self.table.get("expect")
    }
}

fn read(text: &str) -> Result<Table, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("is no scenario in JSON: {error}"));
    }
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        format!("is no TOML: {} at line {line}", error.message().lines().next().unwrap_or_default())
    })
}
