use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::cache::WeakCache;
use crate::hop::{FetchBase, FetchRole};
use crate::lifetime::Ladder;
use crate::{
    AssumeRole, AwsClock, Base, Connection, Error, Exchange, ExternalIds, Identity, KeyRule, SessionCache,
    SessionStats, StsEndpoint, WatchExchanges,
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
    keys: KeyRule,
    external_ids: Arc<OnceLock<Arc<dyn ExternalIds>>>,
    watcher: Arc<OnceLock<Arc<dyn WatchExchanges>>>,
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
        Self::with_keys(clock, exchange, KeyRule::default())
    }

    /// The same, which takes keys that never end only as `keys` says.
    pub fn with_keys(clock: AwsClock, exchange: Arc<dyn Exchange>, keys: KeyRule) -> Self {
        Self(Arc::new(Inner {
            clock,
            exchange,
            keys,
            external_ids: Arc::default(),
            watcher: Arc::default(),
            caches: Mutex::default(),
        }))
    }

    /// From now on, asks `issued` before each exchange which external ID is to be sent. What was given first stays.
    pub fn ask_for_external_ids(&self, issued: Arc<dyn ExternalIds>) {
        // Whoever comes second has the same store.
        self.0.external_ids.set(issued).ok();
    }

    /// From now on, tells `watcher` of each exchange. The first one that is given stays.
    pub fn watch(&self, watcher: Arc<dyn WatchExchanges>) {
        self.0.watcher.set(watcher).ok();
    }

    /// The identity at the end of `connection`. Makes no call; refuses only what needs none to be refused.
    pub fn open(&self, connection: &Connection) -> Result<Identity, Error> {
        let flaws = connection.flaws();
        if !flaws.is_empty() {
            return Err(Error::Flawed(flaws.into()));
        }
        let (sts, key_rule) = (&connection.sts, self.0.keys);
        let mut identity = match &connection.base {
            Base::Anonymous => Identity::anonymous(),
            Base::Keys(keys) if keys.token.is_none() && !key_rule.allows() => {
                return Err(Error::StaticKeys { base: connection.base.to_string() });
            }
            Base::Keys(keys) => Identity::keys(keys.clone()),
            base => self.shared(Request { base: base.clone(), hops: Vec::new(), sts: sts.clone() }, || {
                let (base, sts, exchange) = (base.clone(), sts.clone(), Arc::clone(&self.0.exchange));
                let watcher = Arc::clone(&self.0.watcher);
                Box::new(FetchBase { base, sts, exchange, watcher, key_rule, ladder: Ladder::default() })
            }),
        };
        for (index, role) in connection.hops.iter().enumerate() {
            let hops = connection.hops[..=index].to_vec();
            let request = Request { base: connection.base.clone(), hops, sts: sts.clone() };
            let before = identity;
            let chained = index > 0 || connection.base.is_role();
            identity = self.shared(request, || {
                let (role, sts, exchange) = (role.clone(), sts.clone(), Arc::clone(&self.0.exchange));
                let external_ids = Arc::clone(&self.0.external_ids);
                let watcher = Arc::clone(&self.0.watcher);
                let ladder = Ladder::default();
                Box::new(FetchRole { before, role, sts, exchange, external_ids, watcher, chained, ladder })
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
    use crate::{AccessKeyId, Lifetime, Refusal, Session, Signer, StaticKeys};

    /// An STS that gives sessions of an hour, and refuses callers whose key is in `expired`.
    #[derive(Debug, Default)]
    struct Sts {
        base_calls: AtomicUsize,
        role_calls: AtomicUsize,
        expired: Mutex<Vec<String>>,
        /// The most that a role's session may have, and the seconds that were asked for.
        maximum: Option<Duration>,
        asked: Mutex<Vec<u64>>,
        /// Whether the base is keys that never end.
        gives_keys: bool,
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
            Box::pin(async move {
                if self.gives_keys {
                    let access_key_id = AccessKeyId::new("AKIA");
                    return Ok(StaticKeys { access_key_id, secret: Secret::new("s"), token: None }.into());
                }
                Ok(Self::session(format!("BASE{number}")).into())
            })
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
                let refuse = |code: &str, message: &str| {
                    Err(Error::Refused(Arc::new(Refusal {
                        operation: "sts:AssumeRole",
                        target: role.role_arn.clone(),
                        as_whom: caller.into(),
                        endpoint: "test".into(),
                        status: 400,
                        code: code.into(),
                        message: message.into(),
                        request_id: None,
                        with_external_id: false,
                    })))
                };
                if let Some(asked) = role.duration.asked() {
                    self.asked.lock().unwrap().push(asked.as_secs());
                    if asked > Duration::from_hours(1) && caller.contains("BASE") {
                        return refuse(
                            "ValidationError",
                            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
                        );
                    }
                    if self.maximum.is_some_and(|maximum| asked > maximum) {
                        return refuse(
                            "ValidationError",
                            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                        );
                    }
                }
                if self.expired.lock().unwrap().iter().any(|id| id == caller) {
                    return refuse("ExpiredToken", "The security token included in the request is expired");
                }
                Ok(Self::session(format!("{caller}>{}", role.session_name)))
            })
        }
    }

    fn connection(names: &[&str]) -> Connection {
        let role = |name: &&str| AssumeRole::new(format!("arn:aws:iam::111111111111:role/{name}"), *name);
        let sts = StsEndpoint::new("eu-central-1");
        Connection { base: Base::Instance, hops: names.iter().map(role).collect(), sts }
    }

    fn sessions() -> (Sessions, Arc<Sts>) {
        sessions_of(Sts::default())
    }

    fn sessions_of(sts: Sts) -> (Sessions, Arc<Sts>) {
        let sts = Arc::new(sts);
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

    #[cfg(feature = "static-keys")]
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
        chained.hops[1].duration = Lifetime::Exactly(Duration::from_hours(2));
        let error = sessions.open(&chained).unwrap_err();
        assert_eq!(error.code(), "identity.flawed-request");
        assert_eq!(sts.base_calls.load(Ordering::SeqCst), 0);
    }

    fn user(id: &str) -> Base {
        Base::Keys(StaticKeys { access_key_id: AccessKeyId::new(id), secret: Secret::new("s"), token: None })
    }

    #[cfg(feature = "static-keys")]
    #[tokio::test]
    async fn the_longest_session_is_found_by_asking_and_remembered() {
        let (sessions, sts) = sessions_of(Sts { maximum: Some(Duration::from_hours(6)), ..Sts::default() });
        let mut longest = Connection { base: user("AKIA"), ..connection(&["orders"]) };
        longest.hops[0].duration = Lifetime::Longest;
        let identity = sessions.open(&longest).unwrap();
        let first = identity.signer().await.unwrap();
        assert_eq!(*sts.asked.lock().unwrap(), [43_200, 28_800, 14_400]);
        identity.drop_session(&first);
        identity.signer().await.unwrap();
        assert_eq!(*sts.asked.lock().unwrap(), [43_200, 28_800, 14_400, 14_400], "what is known is not asked again");
    }

    #[tokio::test]
    async fn the_longest_session_of_a_chained_role_is_an_hour() {
        let (sessions, sts) = sessions();
        let mut longest = connection(&["orders"]);
        longest.hops[0].duration = Lifetime::Longest;
        sessions.open(&longest).unwrap().signer().await.unwrap();
        assert_eq!(*sts.asked.lock().unwrap(), [3600], "an instance is a role: nothing else is tried");
        // A profile may be one too, which shows in AWS's answer alone.
        longest.base = Base::Profile(crate::Profile::default());
        sessions.open(&longest).unwrap().signer().await.unwrap();
        assert_eq!(*sts.asked.lock().unwrap(), [3600, 43_200, 3600]);
    }

    #[tokio::test]
    async fn keys_that_never_end_are_refused_wherever_they_come_from() {
        let sts = Arc::new(Sts { gives_keys: true, ..Sts::default() });
        let clock = AwsClock::new(Clock::manual(UNIX_EPOCH));
        let sessions = Sessions::with_keys(clock, Arc::clone(&sts) as Arc<dyn Exchange>, KeyRule::Refused);
        let named = sessions.open(&Connection { base: user("AKIA"), ..connection(&[]) }).unwrap_err();
        assert_eq!(named.code(), "identity.static-keys");
        for base in [Base::Environment, Base::DefaultChain, Base::Profile(crate::Profile::default())] {
            let found = sessions.open(&Connection { base, ..connection(&["orders"]) }).unwrap();
            assert_eq!(found.signer().await.unwrap_err().code(), "identity.static-keys");
        }
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 0, "no role is taken on with them either");
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_tasks_that_share_a_role_make_one_call_a_renewal() {
        let clock = Clock::manual(UNIX_EPOCH);
        let sts = Arc::new(Sts::default());
        let sessions = Sessions::new(AwsClock::new(clock.clone()), Arc::clone(&sts) as Arc<dyn Exchange>);
        let tasks: Vec<_> = (0..1000).map(|_| sessions.open(&connection(&["orders"])).unwrap()).collect();
        let ask_all = || {
            let asking: Vec<_> =
                tasks.iter().cloned().map(|task| tokio::spawn(async move { task.signer().await })).collect();
            async move {
                for asked in asking {
                    asked.await.unwrap().unwrap();
                }
            }
        };
        ask_all().await;
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 1);
        // In the window in which it is renewed ahead: the live session is served, and one call is made.
        clock.advance(Duration::from_mins(50));
        ask_all().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(sts.role_calls.load(Ordering::SeqCst), 2);
        assert_eq!(sessions.stats().len(), 2, "the instance and the role: one cache each");
    }
}
