use fault::Code;
use serde::Serialize;

/// A cause of failure that is known: one row of the catalogue. `docs/errors/` has a page for each code, made from these.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its number in the catalogue: `F07`.
    pub row: &'static str,
    /// Its stable name: `trust.tag-session-not-allowed`. Several rows may share one.
    pub code: Code,
    /// The cause as one clause: `the trust policy does not allow sts:TagSession`.
    pub title: &'static str,
    /// What one sees of it.
    pub symptom: &'static str,
    /// Why it is so.
    pub why: &'static str,
    /// What tells it from other causes of the same symptom.
    pub apart: &'static str,
    /// What to do, in general; a [`Diagnosis`] says it with names.
    pub cure: &'static str,
    /// What error messages that it is behind hold, of any product, in lower case: a message with one of them may be of it.
    pub texts: &'static [&'static str],
}

/// How sure a diagnosis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The facts leave no other cause.
    Decided,
    /// The likeliest of those that the facts leave.
    Likely,
    /// It may be, and the facts neither say so nor speak against it.
    Possible,
}

impl Certainty {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// A cause of this failure, with the evidence, and what to do.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// Which.
    pub cause: &'static Cause,
    /// How sure.
    pub certainty: Certainty,
    /// What points to it (if decided or likely), or what would tell it apart (if possible). One sentence.
    pub because: String,
    /// What to do, with names; the first that fits is the best.
    pub remedies: Vec<Remedy>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// As an action: `replace the trust policy of role orders by this`.
    pub action: String,
    /// The text to paste, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paste: Option<Paste>,
}

/// A text to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "text", rename_all = "snake_case")]
pub enum Paste {
    /// A whole trust policy.
    TrustPolicy(String),
    /// One statement of a trust policy.
    TrustStatement(String),
    /// A whole permission policy, or a statement of one.
    PermissionPolicy(String),
    /// A statement of a bucket's or a key's policy.
    ResourceStatement(String),
    /// A command of a shell.
    Command(String),
    /// A setting of ours: `region = "eu-central-1"`.
    Setting(String),
}

impl Paste {
    /// The text.
    pub fn text(&self) -> &str {
        match self {
            Self::TrustPolicy(text)
            | Self::TrustStatement(text)
            | Self::PermissionPolicy(text)
            | Self::ResourceStatement(text)
            | Self::Command(text)
            | Self::Setting(text) => text,
        }
    }
}

impl Remedy {
    /// One without a text to paste.
    pub fn to(action: impl Into<String>) -> Self {
        Self { action: action.into(), paste: None }
    }

    /// One with a text to paste.
    pub fn paste(action: impl Into<String>, paste: Paste) -> Self {
        Self { action: action.into(), paste: Some(paste) }
    }
}

impl Diagnosis {
    /// A cause that the facts decide.
    pub fn decided(cause: &'static Cause, because: impl Into<String>) -> Self {
        Self::new(cause, Certainty::Decided, because)
    }

    /// The likeliest cause.
    pub fn likely(cause: &'static Cause, because: impl Into<String>) -> Self {
        Self::new(cause, Certainty::Likely, because)
    }

    /// A cause that may be; `apart` says what would tell.
    pub fn possible(cause: &'static Cause, apart: impl Into<String>) -> Self {
        Self::new(cause, Certainty::Possible, apart)
    }

    fn new(cause: &'static Cause, certainty: Certainty, because: impl Into<String>) -> Self {
        Self { cause, certainty, because: because.into(), remedies: Vec::new() }
    }

    /// The same with one more thing to do.
    #[must_use]
    pub fn cure(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }
}
