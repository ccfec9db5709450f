use std::fmt;

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
