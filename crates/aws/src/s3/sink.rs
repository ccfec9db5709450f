use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::Client;
use fault::{Chain, Diagnose as _, Retry};
use iam::Partition;
use identity::{Identity, Signer, StsEndpoint};
use tokio::time::Instant;

use crate::Clients;
use crate::counters::Counters;
use crate::failure::{Answer, Failure, Loss};
use crate::limiter::Limiter;
use crate::s3::client;
use crate::s3::error::{Error, Refusal};
use crate::s3::operation::Operation;
use crate::s3::options::S3Options;
use crate::s3::verdict::{Verdict, verdict};

/// Writes objects to one bucket. Cloning shares it.
///
/// Every call retries what waiting can mend, for as long as it takes; see [`transit::Sink`].
#[derive(Debug, Clone)]
pub struct S3Sink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    clients: Clients,
    sts: StsEndpoint,
    identity: Identity,
    limiter: Arc<Limiter>,
    options: S3Options,
    /// What the last attempt failed of: one line of log a change of state, not one an attempt.
    trouble: Mutex<Option<Trouble>>,
    proof: AtomicU8,
}

/// What keeps requests from succeeding now, though they are tried on.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Since when.
    pub since: Instant,
    /// What happened last: `UploadPart: SlowDown (503) Please reduce your request rate.`
    pub why: String,
}

/// What is known of reading back what we wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing yet.
    Open,
    /// An object of ours has been seen with its mark: we may read here, and the store keeps metadata.
    Seen,
    /// We may not read here.
    Denied,
}

/// Why a call was given up.
pub(super) enum GaveUp {
    /// There is no session, and waiting brings none.
    Session(identity::Error),
    /// S3 said no, or the request could not be built.
    Failure(Failure, Signer),
}

impl GaveUp {
    /// S3's answer, if there was one.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Failure(Failure::Answered(answer), _) => Some(answer),
            Self::Failure(Failure::Lost(_) | Failure::Unsent(_), _) | Self::Session(_) => None,
        }
    }

    /// Whether S3 answered with `code`.
    pub(super) fn is(&self, code: &str) -> bool {
        self.answer().is_some_and(|answer| answer.code == code)
    }

    /// Whether what was asked for is not there, and S3 does not say so for want of `s3:ListBucket`: it says what for, which
    /// of an object that is there would be `s3:GetObject`. A permission to list under a prefix does not count here.
    pub(super) fn wants_list(&self) -> bool {
        self.is("AccessDenied") && self.answer().is_some_and(|answer| answer.message.contains("s3:ListBucket"))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl S3Sink {
    pub(crate) fn new(
        clients: &Clients,
        sts: StsEndpoint,
        identity: Identity,
        limiter: Arc<Limiter>,
        options: S3Options,
    ) -> Self {
        Self(Arc::new(Inner {
            client: client::build(clients, &identity, &options.region, &options),
            clients: clients.clone(),
            sts,
            identity,
            limiter,
            options,
            trouble: Mutex::default(),
            proof: AtomicU8::new(Proof::Open as u8),
        }))
    }

    /// Where it writes to, and how.
    pub fn options(&self) -> &S3Options {
        &self.0.options
    }

    /// The account that must own the bucket, as a request says it.
    pub(super) fn owner(&self) -> Option<String> {
        self.options().owner.map(|account| account.to_string())
    }

    /// Who it writes as.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// How many requests may be under way against the bucket now.
    pub fn concurrency_limit(&self) -> f64 {
        self.0.limiter.limit()
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    /// What was asked of AWS so far, by this sink and all others of its [`Clients`].
    pub fn counters(&self) -> &Counters {
        self.0.clients.counters()
    }

    /// What keeps requests from succeeding now; `None` while all is well.
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.lock().clone()
    }

    pub(super) fn proof(&self) -> Proof {
        match self.0.proof.load(Ordering::Relaxed) {
            seen if seen == Proof::Seen as u8 => Proof::Seen,
            denied if denied == Proof::Denied as u8 => Proof::Denied,
            _ => Proof::Open,
        }
    }

    pub(super) fn set_proof(&self, proof: Proof) {
        self.0.proof.store(proof as u8, Ordering::Relaxed);
    }

    pub(super) fn clock(&self) -> &identity::AwsClock {
        self.0.clients.clock()
    }

    /// Makes a call until it succeeds or waiting does not help.
    ///
    /// `attempt` is one request; what it needs it must hold itself. A small request's attempts are bounded in time here;
    /// one with a body bounds itself by its progress.
    pub(super) async fn persist<T, Fut>(
        &self,
        operation: Operation,
        name: &str,
        attempt: impl Fn() -> Fut,
    ) -> Result<T, GaveUp>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        let mut failures = 0;
        let mut renewals_in_a_row = 0;
        let mut clock_set = false;
        loop {
            let signer = match self.0.identity.signer().await {
                Ok(signer) => signer,
                Err(error) if error.retry() == Retry::Never => return Err(GaveUp::Session(error)),
                Err(error) => {
                    failures += 1;
                    self.note(operation, name, &Chain(&error));
                    tokio::time::sleep(self.0.options.backoff.pause(failures)).await;
                    continue;
                }
            };
            let outcome = self.attempt(operation, &attempt).await;
            let failure = match outcome {
                Ok(value) => {
                    self.0.limiter.succeeded();
                    let trouble = self.0.lock().take();
                    if let Some(trouble) = trouble {
                        let seconds = trouble.since.elapsed().as_secs();
                        tracing::info!(
                            bucket = self.0.options.bucket,
                            after_seconds = seconds,
                            "S3 does as asked again"
                        );
                    }
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            let verdict = verdict(operation, &failure);
            if !matches!(verdict, Verdict::Renew { .. }) {
                renewals_in_a_row = 0;
            }
            match verdict {
                Verdict::Refused => return Err(GaveUp::Failure(failure, signer)),
                Verdict::Retry => {}
                Verdict::Throttled => self.0.limiter.throttled(),
                Verdict::Renew { for_ever } => {
                    let another = self.0.identity.drop_session(&signer);
                    renewals_in_a_row += 1;
                    if !another || (renewals_in_a_row > 1 && !for_ever) {
                        return Err(GaveUp::Failure(failure, signer));
                    }
                    if renewals_in_a_row == 1 {
                        self.counters().retry();
                        continue;
                    }
                }
                Verdict::Clock => {
                    if let Failure::Answered(Answer { date: Some(date), .. }) = &failure {
                        self.clock().learn(*date);
                        tracing::warn!(ahead_millis = self.clock().ahead_millis(), "took over AWS's time");
                        if !clock_set {
                            clock_set = true;
                            self.counters().retry();
                            continue;
                        }
                    }
                }
            }
            failures += 1;
            self.note(operation, name, &failure);
            tokio::time::sleep(self.0.options.backoff.pause(failures)).await;
        }
    }

    /// As [`S3Sink::persist`], with the error for a person.
    pub(super) async fn call<T, Fut>(
        &self,
        operation: Operation,
        name: &str,
        attempt: impl Fn() -> Fut,
    ) -> Result<T, Error>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        match self.persist(operation, name, attempt).await {
            Ok(value) => Ok(value),
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    async fn attempt<T, Fut>(&self, operation: Operation, attempt: &impl Fn() -> Fut) -> Result<T, Failure>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        let _place = self.0.limiter.place().await;
        // Made only now and in a box: a request of the SDK is a future of many kilobytes, and a thousand of them may wait for
        // their place.
        let attempt = Box::pin(attempt());
        let outcome = match operation.answer_limit() {
            None => attempt.await,
            Some(limit) => match tokio::time::timeout(limit, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::Lost(Loss::Silent(limit))),
            },
        };
        let name = outcome.as_ref().err().map_or_else(|| "OK".to_owned(), Failure::name);
        self.counters().request_of(self.identity().name(), &self.options().bucket, operation.name(), &name);
        outcome
    }

    fn note(&self, operation: Operation, name: &str, why: &dyn std::fmt::Display) {
        self.counters().retry();
        let why = format!("{}: {why}", operation.name());
        let mut trouble = self.0.lock();
        if let Some(trouble) = &mut *trouble {
            trouble.why = why;
        } else {
            tracing::warn!(bucket = self.0.options.bucket, object = name, why, "S3 does not do as asked; trying on");
            *trouble = Some(Trouble { since: Instant::now(), why });
        }
    }

    /// The error for a person; finds out as whom S3 was asked.
    pub(super) async fn explain(&self, operation: Operation, name: &str, gave_up: GaveUp) -> Error {
        let bucket = self.0.options.bucket.clone();
        let (answer, signer) = match gave_up {
            GaveUp::Session(source) => return Error::Session { bucket, source },
            GaveUp::Failure(Failure::Answered(answer), signer) => (answer, signer),
            GaveUp::Failure(Failure::Unsent(source), _) => {
                return Error::Unsent { operation: operation.name(), bucket, name: name.to_owned(), source };
            }
            GaveUp::Failure(Failure::Lost(loss), _) => {
                let source = Arc::new(loss);
                return Error::Unsent { operation: operation.name(), bucket, name: name.to_owned(), source };
            }
        };
        Error::Refused(Box::new(Refusal {
            operation: operation.name(),
            permission: operation.permission(),
            resource: self.resource(operation, name),
            region: self.0.options.region.clone(),
            as_whom: self.as_whom(&signer).await,
            status: answer.status,
            code: answer.name(),
            message: answer.message,
            request_id: answer.request_id,
            actual_region: answer.region.clone().filter(|region| *region != self.0.options.region),
            told_region: answer.region,
            bucket,
        }))
    }

    /// Who `signer` is, for a message.
    pub(super) async fn as_whom(&self, signer: &Signer) -> String {
        let Inner { clients, sts, identity, options, .. } = &*self.0;
        clients.as_whom(sts, identity, options.endpoint.as_deref(), signer).await
    }

    fn resource(&self, operation: Operation, name: &str) -> String {
        let S3Options { bucket, region, .. } = &self.0.options;
        let partition = Partition::of_region(region).name();
        if operation.on_bucket() || name.is_empty() {
            format!("arn:{partition}:s3:::{bucket}")
        } else {
            format!("arn:{partition}:s3:::{bucket}/{name}")
        }
    }
}
