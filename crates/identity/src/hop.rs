use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{AssumeRole, Base, Error, Exchange, FetchSession, Identity, Signer, StsEndpoint};

/// Fetches what a base has now.
#[derive(Debug)]
pub(crate) struct FetchBase {
    pub(crate) base: Base,
    pub(crate) sts: StsEndpoint,
    pub(crate) exchange: Arc<dyn Exchange>,
}

impl FetchSession for FetchBase {
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>> {
        self.exchange.base(&self.base, &self.sts)
    }

    fn target(&self) -> String {
        self.base.to_string()
    }
}

/// Takes a role on with the session of the hop before.
#[derive(Debug)]
pub(crate) struct FetchRole {
    pub(crate) before: Identity,
    pub(crate) role: AssumeRole,
    pub(crate) sts: StsEndpoint,
    pub(crate) exchange: Arc<dyn Exchange>,
}

impl FetchRole {
    async fn fetch(&self) -> Result<Signer, Error> {
        let signer = self.before.signer().await?;
        let answer = self.exchange.assume_role(&self.role, &self.sts, &signer).await;
        let Err(error) = answer else { return answer.map(Signer::from) };
        // The session before has died early (revoked, or the clock jumped): one fresh one, asked once.
        if !error.blames_signer() || !self.before.drop_session(&signer) {
            return Err(error);
        }
        let signer = self.before.signer().await?;
        self.exchange.assume_role(&self.role, &self.sts, &signer).await.map(Signer::from)
    }
}

impl FetchSession for FetchRole {
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>> {
        Box::pin(self.fetch())
    }

    fn target(&self) -> String {
        format!("role {}", self.role.role_arn)
    }
}
