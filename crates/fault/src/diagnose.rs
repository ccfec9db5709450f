use std::borrow::Cow;
use std::time::Duration;

/// The stable name of a kind of failure, as in `s3.access-denied`: area, full stop, what happened.
///
/// Users search for it and `docs/errors/` has a page for it, so a code is never renamed.
pub type Code = &'static str;

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The configuration, a policy or a record is wrong: a person must change something.
    Operator,
    /// The far side does not answer or says "later": waiting may mend it.
    Remote,
    /// We are wrong: this is to be reported.
    Bug,
}

/// Whether trying the same thing again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It will fail the same way until something is changed.
    Never,
    /// Try again after a back-off with jitter.
    Backoff,
    /// Slow down first: the far side asks for fewer requests (S3 `SlowDown`, a Kafka quota).
    Throttled,
    /// Try again no sooner than this.
    After(Duration),
}

/// What an error says beyond its text; one loop reads it and obeys.
pub trait Diagnose: std::error::Error + Send + Sync + 'static {
    /// The kind of failure.
    fn code(&self) -> Code;
    /// Who can mend it.
    fn blame(&self) -> Blame;
    /// Whether trying again can help.
    fn retry(&self) -> Retry;
    /// What to do, as an action: `add "sts:ExternalId": "c-7f3" to the trust policy of role orders`.
    fn hint(&self) -> Option<Cow<'static, str>> {
        None
    }
}
