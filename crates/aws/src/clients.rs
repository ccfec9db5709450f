use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use identity::roles_anywhere::Pairs;
use identity::{AwsClock, Connection, Identity, KeyRule, Sessions, Signer, StsEndpoint};
use world::{Clock, Environment};

use crate::bounded::Bounded;
use crate::counters::Counters;
use crate::limiter::Limiter;
use crate::objects::{Bucket, BucketOptions};
use crate::s3::{S3Options, S3Sink};
use crate::sts::Sts;

/// What all AWS clients of the process share: connections, AWS's hour, sessions, counters, and one limiter a bucket.
/// Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: SharedHttpClient,
    clock: AwsClock,
    sts: Sts,
    sessions: Sessions,
    counters: Arc<Counters>,
    limiters: Mutex<HashMap<String, Weak<Limiter>>>,
}

/// An idle connection is closed by us before S3 closes it (after about 20 s without a request), so that no request is
/// sent into a connection that is being closed.
const IDLE: Duration = Duration::from_secs(15);

impl Clients {
    /// Clients that live by `clock` and find default credentials in `environment`. Opens no connection.
    pub fn new(clock: Clock, environment: Environment) -> Self {
        Self::with_keys(clock, environment, KeyRule::default())
    }

    /// The same, which take keys that never end only as `keys` says.
    pub fn with_keys(clock: Clock, environment: Environment, keys: KeyRule) -> Self {
        let http =
            Builder::new().pool_idle_timeout(IDLE).tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
        let http = SharedHttpClient::new(Bounded(http));
        let clock = AwsClock::new(clock);
        let sts = Sts { http: http.clone(), clock: clock.clone(), environment, pairs: Pairs::default(), keys };
        let sessions = Sessions::with_keys(clock.clone(), Arc::new(sts.clone()), keys);
        let (counters, limiters) = (Arc::default(), Mutex::default());
        Self(Arc::new(Inner { http, clock, sts, sessions, counters, limiters }))
    }

    /// A sink that writes to `options.bucket` as who we are at the end of `connection`. Makes no call.
    pub fn s3(&self, connection: &Connection, options: S3Options) -> Result<S3Sink, identity::Error> {
        let identity = self.0.sessions.open(connection)?;
        let limiter = self.limiter(&options);
        Ok(S3Sink::new(self, connection.sts.clone(), identity, limiter, options))
    }

    /// The objects of `options.s3.bucket`, as who we are at the end of `connection`. Makes no call.
    pub fn bucket(&self, connection: &Connection, options: BucketOptions) -> Result<Bucket, identity::Error> {
        let identity = self.0.sessions.open(connection)?;
        let limiter = self.limiter(&options.s3);
        Ok(Bucket::new(self, connection.sts.clone(), identity, limiter, options))
    }

    /// The sessions of all connections.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// The certificates that sessions are had for, and when each ends.
    pub fn certificates(&self) -> &Pairs {
        &self.0.sts.pairs
    }

    /// AWS's hour.
    pub fn clock(&self) -> &AwsClock {
        &self.0.clock
    }

    /// What was asked of AWS so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    /// Who `signer` is to the S3 at `endpoint`, for a message.
    pub(crate) async fn as_whom(
        &self,
        sts: &StsEndpoint,
        identity: &Identity,
        endpoint: Option<&str>,
        signer: &Signer,
    ) -> String {
        // A store of its own has no STS, and AWS's must not be told of its keys.
        let asks_aws = endpoint.is_none() || sts.endpoint.is_some();
        match signer.principal() {
            None if identity.is_anonymous() => "nobody (unsigned)".to_owned(),
            None if asks_aws => self.sts().as_whom(sts, signer).await,
            None => format!("access key {}", signer.access_key_id()),
            Some(principal) => principal.to_owned(),
        }
    }

    pub(crate) fn http(&self) -> &SharedHttpClient {
        &self.0.http
    }

    pub(crate) fn sts(&self) -> &Sts {
        &self.0.sts
    }

    fn limiter(&self, options: &S3Options) -> Arc<Limiter> {
        let bucket = format!("{} {}", options.endpoint.as_deref().unwrap_or(&options.region), options.bucket);
        let mut limiters = self.0.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = limiters.get(&bucket).and_then(Weak::upgrade) {
            return limiter;
        }
        limiters.retain(|_, limiter| limiter.strong_count() > 0);
        let limiter = Arc::new(Limiter::default());
        limiters.insert(bucket, Arc::downgrade(&limiter));
        limiter
    }
}
