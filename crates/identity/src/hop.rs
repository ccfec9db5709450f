use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;

use crate::lifetime::Ladder;
use crate::{
    AssumeRole, Base, Error, Exchange, Exchanged, ExternalIds, FetchSession, Identity, KeyRule, Lifetime, Session,
    Signer, StsEndpoint, WatchExchanges, WebIdentity,
};

/// Fetches what a base has now.
#[derive(Debug)]
pub(crate) struct FetchBase {
    pub(crate) base: Base,
    pub(crate) sts: StsEndpoint,
    pub(crate) exchange: Arc<dyn Exchange>,
    /// Who hears of each exchange; set late, or never.
    pub(crate) watcher: Arc<OnceLock<Arc<dyn WatchExchanges>>>,
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
        Box::pin(async {
            let answer = self.fetch().await;
            tell(&self.watcher, &answer, || (self.target(), None));
            answer
        })
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
    /// Who knows whether another external ID was issued since; set late, or never.
    pub(crate) external_ids: Arc<OnceLock<Arc<dyn ExternalIds>>>,
    pub(crate) watcher: Arc<OnceLock<Arc<dyn WatchExchanges>>>,
    /// Whether what is before is a role's session for certain.
    pub(crate) chained: bool,
    pub(crate) ladder: Ladder,
}

impl FetchRole {
    async fn fetch(&self) -> Result<Signer, Error> {
        let role = self.role_now().await;
        let signer = self.before.signer().await?;
        let answer = self.assume(&role, &signer).await;
        let Err(error) = answer else { return answer.map(Signer::from) };
        // The session before has died early (revoked, or the clock jumped): one fresh one, asked once.
        if !error.blames_signer() || !self.before.drop_session(&signer) {
            return Err(error);
        }
        let signer = self.before.signer().await?;
        self.assume(&role, &signer).await.map(Signer::from)
    }

    /// The role, with the external ID that is sent now.
    async fn role_now(&self) -> Cow<'_, AssumeRole> {
        let (Some(issued), Some(opened_with)) = (self.external_ids.get(), &self.role.external_id) else {
            return Cow::Borrowed(&self.role);
        };
        match issued.current(opened_with).await {
            Some(current) if current != *opened_with => {
                Cow::Owned(AssumeRole { external_id: Some(current), ..self.role.clone() })
            }
            _ => Cow::Borrowed(&self.role),
        }
    }

    async fn assume(&self, role: &AssumeRole, signer: &Signer) -> Result<Session, Error> {
        if role.duration != Lifetime::Longest {
            return self.exchange.assume_role(role, &self.sts, signer).await;
        }
        let mut asked = self.ladder.longest(self.chained, Some(signer));
        loop {
            let role = AssumeRole { duration: Lifetime::Exactly(asked), ..role.clone() };
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
        Box::pin(async {
            let answer = self.fetch().await;
            tell(&self.watcher, &answer, || (self.target(), self.role.external_id.clone()));
            answer
        })
    }

    fn target(&self) -> String {
        format!("role {}", self.role.role_arn)
    }
}

/// Tells of what was asked for and how that ended. The session itself stays out of it.
fn tell(
    watcher: &OnceLock<Arc<dyn WatchExchanges>>,
    answer: &Result<Signer, Error>,
    asked: impl FnOnce() -> (String, Option<String>),
) {
    let Some(watcher) = watcher.get() else { return };
    let result = match answer {
        Ok(Signer::Session(session)) => Ok(Some(session.expires_at())),
        Ok(Signer::Keys(_) | Signer::Anonymous) => Ok(None),
        Err(error) => Err(fault::Diagnose::code(error)),
    };
    let (target, external_id) = asked();
    watcher.exchanged(Exchanged { target, external_id, result });
}
