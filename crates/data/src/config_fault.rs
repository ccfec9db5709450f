use std::fmt;

/// What is wrong with one entry of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The entry's key.
    pub key: String,
    /// Its value as given; `None` if it is missing.
    pub value: Option<String>,
    /// What is wrong, as Connect says it where Connect has a text for it.
    pub message: String,
    /// The values that would be right, if they can be counted.
    pub allowed: Vec<String>,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, message, allowed } = self;
        match value {
            Some(value) => write!(f, "invalid value {value} for configuration {key}: {message}")?,
            None => write!(f, "missing configuration {key}: {message}")?,
        }
        if !allowed.is_empty() {
            write!(f, " (allowed: {})", allowed.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFault {}
