use std::fmt;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::{AssumeRole, Base, Error, Session, Signer, StsEndpoint};

/// One exchange with one AWS service. Never caches, never falls back.
///
/// Its answer is a session wherever AWS gives one; only the base of a default chain may turn out to be static keys.
pub trait FetchSession: fmt::Debug + Send + Sync {
    /// Exchanges.
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>>;

    /// What is exchanged for, for messages: `role arn:aws:iam::111111111111:role/orders`.
    fn target(&self) -> String;
}

/// An exchange that was made, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// What was asked for: `role arn:aws:iam::111111111111:role/orders`.
    pub target: String,
    /// The external ID that the connection was opened with. It is no secret: the role's trust policy has it.
    pub external_id: Option<String>,
    /// When the session ends (never: keys), or the kind of failure.
    pub result: Result<Option<SystemTime>, fault::Code>,
}

/// Hears of exchanges: for an audit log. It must not wait for anything.
pub trait WatchExchanges: fmt::Debug + Send + Sync {
    /// One was made.
    fn exchanged(&self, exchanged: Exchanged);
}

/// The calls that need an AWS client, which only the `aws` crate may build.
pub trait Exchange: fmt::Debug + Send + Sync {
    /// Asks a base for what it has now: instance metadata, a container's endpoint, a profile, a web identity's STS call.
    fn base<'a>(&'a self, base: &'a Base, sts: &'a StsEndpoint) -> BoxFuture<'a, Result<Signer, Error>>;

    /// Calls `sts:AssumeRole`, signed by `signer`.
    fn assume_role<'a>(
        &'a self,
        role: &'a AssumeRole,
        sts: &'a StsEndpoint,
        signer: &'a Signer,
    ) -> BoxFuture<'a, Result<Session, Error>>;
}
