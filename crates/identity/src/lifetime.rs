use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::DurationLimit;
use crate::{Error, Signer};

/// How long a role's session shall live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lifetime {
    /// AWS's own default: an hour, or what a Roles Anywhere profile says.
    #[default]
    Usual,
    /// This long.
    Exactly(Duration),
    /// As long as AWS allows: found out by asking, and remembered.
    Longest,
}

/// The shortest and the longest session that STS gives (STS API reference, `DurationSeconds`).
pub(crate) const SHORTEST: Duration = Duration::from_mins(15);
pub(crate) const LONGEST: Duration = Duration::from_hours(12);

/// The longest session of a role that is taken on by a role ("role chaining", IAM user guide).
pub(crate) const CHAINED: Duration = Duration::from_hours(1);

impl Lifetime {
    /// What is asked for; `None` leaves it to AWS.
    pub fn asked(self) -> Option<Duration> {
        match self {
            Self::Usual | Self::Longest => None,
            Self::Exactly(duration) => Some(duration),
        }
    }
}

impl From<Option<Duration>> for Lifetime {
    fn from(duration: Option<Duration>) -> Self {
        duration.map_or(Self::Usual, Self::Exactly)
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("an hour"),
            Self::Exactly(duration) => write!(f, "{} s", duration.as_secs()),
            Self::Longest => f.write_str("auto"),
        }
    }
}

/// What is tried, one after the other, where a role's maximum is not known: AWS does not tell it in the refusal, and to
/// read it (`iam:GetRole`) would need a right that nothing else here needs. These are the maxima that the IAM console
/// offers; an hour is the least that a role can have.
const RUNGS: [Duration; 5] =
    [LONGEST, Duration::from_hours(8), Duration::from_hours(4), Duration::from_hours(2), CHAINED];

/// The longest life that a role's sessions can have, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Ladder(Mutex<Option<Duration>>);

impl Ladder {
    /// What to ask for with `signer`, whose session is a role's own if `chained`.
    pub(crate) fn longest(&self, chained: bool, signer: Option<&Signer>) -> Duration {
        // The ARN of the last exchange shows a role's session where the kind of connection does not.
        let by_arn = signer.and_then(Signer::principal).is_some_and(|arn| arn.contains(":assumed-role/"));
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if chained || by_arn { CHAINED } else { LONGEST };
        known.map_or(limit, |known| known.min(limit))
    }

    /// What to ask for instead of `asked`, which `error` refused; `None` if that was not for its length. It is remembered.
    pub(crate) fn after(&self, asked: Duration, error: &Error) -> Option<Duration> {
        let next = match error.duration_limit()? {
            DurationLimit::Chained if asked > CHAINED => CHAINED,
            DurationLimit::Role => *RUNGS.iter().find(|rung| **rung < asked)?,
            DurationLimit::Chained => return None,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Some(next)
    }
}
