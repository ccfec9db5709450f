use std::sync::Arc;

use crate::{Error, SessionCache, SessionStats, Signer, StaticKeys};

/// Who we are at the end of a connection: ask it for what signs the next request. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Identity(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Anonymous,
    Keys(Arc<StaticKeys>),
    Cache(SessionCache),
}

impl Identity {
    /// One that is nobody: its requests go unsigned.
    pub fn anonymous() -> Self {
        Self(Kind::Anonymous)
    }

    /// Whether its requests go unsigned.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.0, Kind::Anonymous)
    }

    /// One that is these keys, for ever.
    pub fn keys(keys: StaticKeys) -> Self {
        Self(Kind::Keys(Arc::new(keys)))
    }

    /// One that is whatever session `cache` holds.
    pub fn cached(cache: SessionCache) -> Self {
        Self(Kind::Cache(cache))
    }

    /// What signs the next request: from the cache, or after the one exchange that everyone waits for. Ask anew for each
    /// request; nothing is gained by keeping it. Cancel safe.
    pub async fn signer(&self) -> Result<Signer, Error> {
        match &self.0 {
            Kind::Anonymous => Ok(Signer::Anonymous),
            Kind::Keys(keys) => Ok(Signer::Keys(Arc::clone(keys))),
            Kind::Cache(cache) => cache.session().await,
        }
    }

    /// AWS did not accept `signer` (`ExpiredToken`): the next call of [`Identity::signer`] gives another one. True if
    /// that can be so; false for keys, of which there is no other.
    pub fn drop_session(&self, signer: &Signer) -> bool {
        match &self.0 {
            Kind::Anonymous | Kind::Keys(_) => false,
            Kind::Cache(cache) => {
                cache.drop_session(signer);
                true
            }
        }
    }

    /// What its cache has to say; `None` for keys.
    pub fn stats(&self) -> Option<SessionStats> {
        match &self.0 {
            Kind::Anonymous | Kind::Keys(_) => None,
            Kind::Cache(cache) => Some(cache.stats()),
        }
    }

    /// What it is, for messages where no ARN is known: `role arn:aws:iam::111111111111:role/orders`, `access key AKIA..`.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Anonymous => "nobody".to_owned(),
            Kind::Keys(keys) => format!("access key {}", keys.access_key_id),
            Kind::Cache(cache) => cache.target(),
        }
    }
}
