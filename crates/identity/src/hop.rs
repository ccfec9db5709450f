use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::lifetime::Ladder;
use crate::{
    AssumeRole, Base, Error, Exchange, FetchSession, Identity, KeyRule, Lifetime, Session, Signer, StsEndpoint,
    WebIdentity,
};

/// Fetches what a base has now.
#[derive(Debug)]
pub(crate) struct FetchBase {
    pub(crate) base: Base,
    pub(crate) sts: StsEndpoint,
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) key_rule: KeyRule,
    pub(crate) ladder: Ladder,
}

impl FetchBase {
    async fn fetch(&self) -> Result<Signer, Error> {
        let signer = match &self.base {
            Base::WebIdentity(web) if web.duration == Lifetime::Longest => self.longest(web).await?,
            base => self.exchange.base(base, &self.sts).await?,
        };
        self.key_rule.check(&signer, &self.base)?;
        Ok(signer)
    }

    /// A web identity whose session shall live as long as it may.
    async fn longest(&self, web: &WebIdentity) -> Result<Signer, Error> {
        let mut asked = self.ladder.longest(false, None);
        loop {
            let base = Base::WebIdentity(WebIdentity { duration: Lifetime::Exactly(asked), ..web.clone() });
            let answer = self.exchange.base(&base, &self.sts).await;
            match answer.as_ref().err().and_then(|error| self.ladder.after(asked, error)) {
                Some(next) => asked = next,
                None => return answer,
            }
        }
    }
}

impl FetchSession for FetchBase {
    fn fetch_session(&self) -> BoxFuture<'_, Result<Signer, Error>> {
        Box::pin(self.fetch())
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
    /// Whether what is before is a role's session for certain.
    pub(crate) chained: bool,
    pub(crate) ladder: Ladder,
}

impl FetchRole {
    async fn fetch(&self) -> Result<Signer, Error> {
        let signer = self.before.signer().await?;
        let answer = self.assume(&signer).await;
        let Err(error) = answer else { return answer.map(Signer::from) };
        // The session before has died early (revoked, or the clock jumped): one fresh one, asked once.
        if !error.blames_signer() || !self.before.drop_session(&signer) {
            return Err(error);
        }
        let signer = self.before.signer().await?;
        self.assume(&signer).await.map(Signer::from)
    }

    async fn assume(&self, signer: &Signer) -> Result<Session, Error> {
        if self.role.duration != Lifetime::Longest {
            return self.exchange.assume_role(&self.role, &self.sts, signer).await;
        }
        let mut asked = self.ladder.longest(self.chained, Some(signer));
        loop {
            let role = AssumeRole { duration: Lifetime::Exactly(asked), ..self.role.clone() };
            let answer = self.exchange.assume_role(&role, &self.sts, signer).await;
            match answer.as_ref().err().and_then(|error| self.ladder.after(asked, error)) {
                Some(next) => asked = next,
                None => return answer,
            }
        }
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
