use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::{Blame, Code, Diagnose, Retry};

/// Any failure that can describe itself, where its concrete type no longer matters.
///
/// Keeps the text, the source chain and the diagnosis of the error it was made from.
pub struct Fault(Box<dyn Diagnose>);

impl Fault {
    /// Boxes `error`.
    pub fn new(error: impl Diagnose) -> Self {
        Self(Box::new(error))
    }

    /// The kind of failure.
    pub fn code(&self) -> Code {
        self.0.code()
    }

    /// Who can mend it.
    pub fn blame(&self) -> Blame {
        self.0.blame()
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        self.0.retry()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        self.0.hint()
    }

    /// The error as `std` knows it, for walking its sources.
    pub fn as_error(&self) -> &(dyn Error + 'static) {
        &*self.0
    }
}

// Not `impl Error for Fault`: then `From<E: Diagnose>` below would overlap with `From<Fault> for Fault`.
impl<E: Diagnose> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
