use std::fmt;

use crate::pattern::Pattern;

/// Which topics a connector reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicSelection {
    /// These.
    Named(Vec<String>),
    /// All whose whole name matches, new ones too.
    Matching(Pattern),
}

impl TopicSelection {
    /// Whether a topic is read.
    pub fn holds(&self, topic: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == topic),
            Self::Matching(pattern) => pattern.matches(topic),
        }
    }
}

impl fmt::Display for TopicSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) => f.write_str(&names.join(", ")),
            Self::Matching(pattern) => write!(f, "all that match {}", pattern.as_str()),
        }
    }
}
