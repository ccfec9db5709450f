use crate::define::Value;

/// What a value must be, beyond being readable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    Anything,
    /// A number that is there, within bounds. Kafka's `ConfigDef.Range`.
    Range(Option<i64>, Option<i64>),
    /// One of these texts exactly. Kafka's `ConfigDef.ValidString`.
    OneOf(&'static [&'static str]),
    /// Absent or not empty. Kafka's `ConfigDef.NonEmptyString`.
    NonEmpty,
    /// A rule of its own. `None` stands for a value that is not set or not readable.
    Rule(fn(Option<&Value>) -> Result<(), Complaint>),
    /// A rule that lets only these pass.
    RuleOf(fn(Option<&Value>) -> Result<(), Complaint>, &'static [&'static str]),
}

/// What a check says: Kafka's `ConfigException`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// `Invalid value v for configuration k: why`.
    Why(String),
    /// The same with another text in the value's place.
    WhyShowing(String, String),
    /// Nothing but this.
    Whole(String),
}

impl Complaint {
    pub(crate) fn why(why: impl Into<String>) -> Self {
        Self::Why(why.into())
    }

    /// The whole text, as Kafka prints it.
    pub(crate) fn text(&self, key: &str, value: Option<&Value>) -> String {
        let shown = || value.map_or_else(|| "null".to_owned(), Value::shown);
        match self {
            Self::Why(why) => format!("Invalid value {} for configuration {key}: {why}", shown()),
            Self::WhyShowing(shown, why) => format!("Invalid value {shown} for configuration {key}: {why}"),
            Self::Whole(text) => text.clone(),
        }
    }
}

impl Check {
    pub(crate) fn run(self, value: Option<&Value>) -> Result<(), Complaint> {
        match self {
            Self::Anything => Ok(()),
            Self::Range(min, max) => {
                let Some(Value::Number(number)) = value else {
                    return Err(Complaint::why("Value must be non-null"));
                };
                if let Some(min) = min.filter(|min| number < min) {
                    return Err(Complaint::why(format!("Value must be at least {min}")));
                }
                match max.filter(|max| number > max) {
                    Some(max) => Err(Complaint::why(format!("Value must be no more than {max}"))),
                    None => Ok(()),
                }
            }
            Self::OneOf(allowed) => match value {
                Some(Value::Text(text)) if allowed.contains(&text.as_str()) => Ok(()),
                _ => Err(Complaint::why(format!("String must be one of: {}", allowed.join(", ")))),
            },
            Self::NonEmpty => match value {
                Some(Value::Text(text)) if text.is_empty() => Err(Complaint::why("String must be non-empty")),
                _ => Ok(()),
            },
            Self::Rule(rule) | Self::RuleOf(rule, _) => rule(value),
        }
    }

    /// The values that pass, if they can be listed.
    pub(crate) fn allowed(self) -> Vec<String> {
        match self {
            Self::OneOf(allowed) | Self::RuleOf(_, allowed) => allowed.iter().map(|&text| text.to_owned()).collect(),
            Self::Range(min, max) => match (min, max) {
                (Some(min), Some(max)) => vec![format!("{min} to {max}")],
                (Some(min), None) => vec![format!("{min} or more")],
                (None, Some(max)) => vec![format!("{max} or less")],
                (None, None) => Vec::new(),
            },
            Self::Anything | Self::NonEmpty | Self::Rule(_) => Vec::new(),
        }
    }
}
