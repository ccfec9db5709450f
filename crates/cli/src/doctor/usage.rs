use std::fmt;

/// What makes no sense on the command line or in what it names, and what to do about it: nothing was examined.
#[derive(Debug)]
pub(super) struct Usage {
    text: String,
    hint: String,
}

impl Usage {
    pub(super) fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into() }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  hint: {}", self.text, self.hint)
    }
}
