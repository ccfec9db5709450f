use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::WeakCache;
use crate::hop::{FetchBase, FetchRole};
use crate::{
    AssumeRole, AwsClock, Base, Connection, Error, Exchange, Identity, SessionCache, SessionStats, StsEndpoint,
};

/// Makes the caches: one per distinct request, shared by every connection that asks for the same.
///
/// Two connections that differ only in their last role share the session of what comes before it. A cache lives as long
/// as somebody holds an [`Identity`] of it. Cloning shares the registry.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: AwsClock,
    exchange: Arc<dyn Exchange>,
    caches: Mutex<HashMap<Request, WeakCache>>,
}

/// What makes two sessions exchangeable: all that goes into the exchanges up to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Request {
    base: Base,
    hops: Vec<AssumeRole>,
    sts: StsEndpoint,
}

impl Sessions {
    /// An empty registry whose exchanges go through `exchange`, by the hour of `clock`.
    pub fn new(clock: AwsClock, exchange: Arc<dyn Exchange>) -> Self {
        Self(Arc::new(Inner { clock, exchange, caches: Mutex::default() }))
    }

    /// The identity at the end of `connection`. Makes no call; refuses only what needs none to be refused.
    pub fn open(&self, connection: &Connection) -> Result<Identity, Error> {
        let flaws = connection.flaws();
        if !flaws.is_empty() {
            return Err(Error::Flawed(flaws.into()));
        }
        let sts = &connection.sts;
        let mut identity = match &connection.base {
            Base::Keys(keys) => Identity::keys(keys.clone()),
            base => self.shared(Request { base: base.clone(), hops: Vec::new(), sts: sts.clone() }, || {
                Box::new(FetchBase { base: base.clone(), sts: sts.clone(), exchange: Arc::clone(&self.0.exchange) })
            }),
        };
        for (index, role) in connection.hops.iter().enumerate() {
            let hops = connection.hops[..=index].to_vec();
            let request = Request { base: connection.base.clone(), hops, sts: sts.clone() };
            let before = identity;
            identity = self.shared(request, || {
                let exchange = Arc::clone(&self.0.exchange);
                Box::new(FetchRole { before, role: role.clone(), sts: sts.clone(), exchange })
            });
        }
        Ok(identity)
    }

    /// What each living cache has to say, by target.
    pub fn stats(&self) -> Vec<SessionStats> {
        let caches: Vec<SessionCache> = {
            let caches = self.0.caches.lock().unwrap_or_else(PoisonError::into_inner);
            caches.values().filter_map(WeakCache::upgrade).collect()
        };
        let mut stats: Vec<_> = caches.iter().map(SessionCache::stats).collect();
        stats.sort_by(|a, b| a.target.cmp(&b.target));
        stats
    }

    fn shared(&self, request: Request, fetch: impl FnOnce() -> Box<dyn crate::FetchSession>) -> Identity {
        let mut caches = self.0.caches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = caches.get(&request).and_then(WeakCache::upgrade) {
            return Identity::cached(cache);
        }
        caches.retain(|_, cache| cache.upgrade().is_some());
        let cache = SessionCache::new(fetch(), self.0.clock.clone());
        caches.insert(request, cache.downgrade());
        Identity::cached(cache)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, UNIX_EPOCH};

    use fault::Diagnose as _;
    use futures_util::future::BoxFuture;
    use world::{Clock, Secret};

    use super::*;
    use crate::{AccessKeyId, Refusal, Session, Signer, StaticKeys};

    /// An STS that gives sessions of an hour, and refuses callers whose key is in `expired`.
    #[derive(Debug, Default)]
    struct Sts {
        base_calls: AtomicUsize,
        role_calls: AtomicUsize,
        expired: Mutex<Vec<String>>,
    }

    impl Sts {
        fn session(id: String) -> Session {
            let end = UNIX_EPOCH + Duration::from_hours(1);
            Session::new(AccessKeyId::new(id), Secret::new("s"), Secret::new("t"), end)
        }
    }

    impl Exchange for Sts {
        fn base<'a>(&'a self, _: &'a Base, _: &'a StsEndpoint) -> BoxFuture<'a, Result<Signer, Error>> {
            let number = self.base_calls.fetch_add(1, Ordering::SeqCst) + 1;
            Box::pin(async move { Ok(Self::session(format!("BASE{number}")).into()) })
        }

        fn assume_role<'a>(
            &'a self,
            role: &'a AssumeRole,
            _: &'a StsEndpoint,
            signer: &'a Signer,
        ) -> BoxFuture<'a, Result<Session, Error>> {
            self.role_calls.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                let caller = signer.access_key_id().as_str();
                if self.expired.lock().unwrap().iter().any(|id| id == caller) {
                    return Err(Error::Refused(Arc::new(Refusal {
                        operation: "sts:AssumeRole",
                        target: role.role_arn.clone(),
                        as_whom: caller.into(),
                        endpoint: "test".into(),
                        status: 403,
                        code: "ExpiredToken".into(),
                        message: "The security token included in the request is expired".into(),
                        request_id: None,
                        with_external_id: false,
                    })));
                }
                Ok(Self::session(format!("{caller}>{}", role.session_name)))
            })
        }
    }

    fn connection(names: &[&str]) -> Connection {
        let role = |name: &&str| AssumeRole::new(format!("arn:aws:iam::111111111111:role/{name}"), *name);
        let sts = StsEndpoint { region: "eu-central-1".into(), endpoint: None };
        Connection { base: Base::Instance, hops: names.iter().map(role).collect(), sts }
    }

    fn sessions() -> (Sessions, Arc<Sts>) {
        let sts = Arc::new(Sts::default());
        (Sessions::new(AwsClock::new(Clock::manual(UNIX_EPOCH)), Arc::clone(&sts) as Arc<dyn Exchange>), sts)
    }

    #[tokio::test]
    async fn connections_that_ask_for_the_same_share_one_session() {
        let (sessions, sts) = sessions();
        let first = sessions.open(&connection(&["jump", "orders"])).unwrap();
        let second = sessions.open(&connection(&["jump", "orders"])).unwrap();
        let other = sessions.open(&connection(&["jump", "stock"])).unwrap();
        let signer = first.signer().await.unwrap();
        assert_eq!(signer.access_key_id().as_str(), "BASE1>jump>orders");
        assert!(signer.is_same(&second.signer().await.unwrap()));
        assert_eq!(other.signer().await.unwrap().access_key_id().as_str(), "BASE1>jump>stock");
        // instance, jump, orders, stock: each once.
        assert_eq!((sts.base_calls.load(Ordering::SeqCst), sts.role_calls.load(Ordering::SeqCst)), (1, 3));
        assert_eq!(sessions.stats().len(), 4);
    }

    #[tokio::test]
    async fn a_different_external_id_is_a_different_request() {
        let (sessions, sts) = sessions();
        let mut other = connection(&["orders"]);
        other.hops[0].external_id = Some("c-7f3".into());
        let (first, second) = (sessions.open(&connection(&["orders"])).unwrap(), sessions.open(&other).unwrap());
        assert!(!first.signer().await.unwrap().is_same(&second.signer().await.unwrap()));
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn cache_goes_with_its_last_holder() {
        let (sessions, sts) = sessions();
        drop(sessions.open(&connection(&["orders"])).unwrap().signer().await.unwrap());
        assert_eq!(sessions.stats(), []);
        sessions.open(&connection(&["orders"])).unwrap().signer().await.unwrap();
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn expired_session_of_the_hop_before_is_dropped_and_the_role_asked_for_once_more() {
        let (sessions, sts) = sessions();
        sts.expired.lock().unwrap().push("BASE1".into());
        let identity = sessions.open(&connection(&["orders"])).unwrap();
        assert_eq!(identity.signer().await.unwrap().access_key_id().as_str(), "BASE2>orders");
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn expired_keys_of_a_user_are_not_asked_with_again() {
        let (sessions, sts) = sessions();
        sts.expired.lock().unwrap().push("AKIA".into());
        let keys = StaticKeys { access_key_id: AccessKeyId::new("AKIA"), secret: Secret::new("s"), token: None };
        let identity = sessions.open(&Connection { base: Base::Keys(keys), ..connection(&["orders"]) }).unwrap();
        let error = identity.signer().await.unwrap_err();
        assert_eq!(error.code(), "identity.signer-not-accepted");
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_session_longer_than_a_chained_role_may_have_is_refused_before_any_call() {
        let (sessions, sts) = sessions();
        let mut chained = connection(&["jump", "orders"]);
        chained.hops[1].duration = Some(Duration::from_hours(2));
        let error = sessions.open(&chained).unwrap_err();
        assert_eq!(error.code(), "identity.flawed-request");
        assert_eq!(sts.base_calls.load(Ordering::SeqCst), 0);
    }
}
