//! From a request to its caller.

use std::sync::Arc;

use control::{Caller, Refusal};

/// The id that was drawn for a request: in its answer, in the log, in the audit log.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Who asks, as far as that is known: an extension of every request.
#[derive(Debug, Clone)]
pub(crate) struct Asker(Arc<Result<Caller, Refusal>>);

impl Asker {
    /// The caller, or why there is none.
    pub(crate) fn caller(&self) -> Result<&Caller, &Refusal> {
        self.0.as_ref().as_ref()
    }
}
