use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use fault::{Chain, Diagnose as _, Retry};
use iam::Partition;
use identity::Signer;
use tokio::time::Instant;

use crate::failure::{Answer, Failure, Loss};
use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::s3::Refusal;
use crate::s3::operation::Operation;
use crate::s3::verdict::{Verdict, verdict};

/// Why a call was given up.
pub(super) enum GaveUp {
    /// There is no session, and waiting brings none.
    Session(identity::Error),
    /// S3 said no, or the request could not be built.
    Failure(Failure, Signer),
    /// Its time is over.
    Spent { tried_for: Duration, last: String, answered: bool },
}

impl GaveUp {
    /// S3's answer, if it was a no.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Failure(Failure::Answered(answer), _) => Some(answer),
            Self::Failure(Failure::Lost(_) | Failure::Unsent(_), _) | Self::Session(_) | Self::Spent { .. } => None,
        }
    }

    /// Whether S3 answered with `code`.
    pub(super) fn is(&self, code: &str) -> bool {
        self.answer().is_some_and(|answer| answer.code == code)
    }

    /// Whether S3 answered with `status`.
    pub(super) fn has_status(&self, status: u16) -> bool {
        self.answer().is_some_and(|answer| answer.status == status)
    }
}

/// The attempts at one request, and what each failure leads to.
///
/// | S3 says | what follows |
/// | --- | --- |
/// | 5xx, no answer, an error within a 200 | a pause, again |
/// | SlowDown | the same, with half as many requests under way |
/// | another region | asked there, once |
/// | ExpiredToken | a new session, at once; no other kind of refused session twice |
/// | RequestTimeTooSkewed | signed by S3's clock, at once |
/// | anything else | over |
pub(super) struct Tries<'a> {
    bucket: &'a Bucket,
    operation: Operation,
    name: &'a str,
    failures: u32,
    /// When the attempt under way began, or last moved.
    moved_at: Instant,
    /// Since when nothing has succeeded or moved: the time for it runs from here.
    since: Option<Instant>,
    renewals: u32,
    clock_set: bool,
    moved: bool,
}

/// The least time that is left to an attempt, so that it can say more than that its time was over.
const LEAST: Duration = Duration::from_secs(1);

impl<'a> Tries<'a> {
    pub(super) fn new(bucket: &'a Bucket, operation: Operation, name: &'a str) -> Self {
        let moved_at = Instant::now();
        Self {
            bucket,
            operation,
            name,
            failures: 0,
            moved_at,
            since: None,
            renewals: 0,
            clock_set: false,
            moved: false,
        }
    }

    /// Begins an attempt: how long it may take, or its body stand still. `None` where nothing but the attempt's own limits
    /// bounds it, as what is tried once is not tried in no time.
    pub(super) fn begin(&mut self) -> Option<Duration> {
        self.moved_at = Instant::now();
        let limit = self.bucket.options().tries_for;
        let spent = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        (limit > Duration::ZERO).then(|| limit.saturating_sub(spent).max(LEAST.min(limit)))
    }

    /// What signs the next attempt.
    pub(super) async fn signer(&mut self) -> Result<Signer, GaveUp> {
        loop {
            let within = self.begin();
            let asked = self.bucket.identity().signer();
            let answer = match within {
                None => Ok(asked.await),
                Some(within) => tokio::time::timeout(within, asked).await.map_err(|_| within),
            };
            let answer = answer.map_err(|tried_for| {
                let last = format!("no session came for {} s", tried_for.as_secs());
                GaveUp::Spent { tried_for, last, answered: false }
            })?;
            match answer {
                Ok(signer) => return Ok(signer),
                Err(error) if error.retry() == Retry::Never => return Err(GaveUp::Session(error)),
                Err(error) => {
                    let why = Chain(&error).to_string();
                    self.pause(why, false, self.moved_at).await?;
                }
            }
        }
    }

    /// Something has moved: what failed before does not count any more.
    pub(super) fn progressed(&mut self) {
        self.moved_at = Instant::now();
        self.failures = 0;
        self.since = None;
        self.renewals = 0;
    }

    /// Learns of a failure, and comes back when it is time for the next attempt.
    pub(super) async fn failed(&mut self, failure: Failure, signer: Signer) -> Result<(), GaveUp> {
        let verdict = verdict(self.operation, &failure);
        match verdict {
            Verdict::Refused => {
                return if self.follows(&failure) { Ok(()) } else { Err(GaveUp::Failure(failure, signer)) };
            }
            Verdict::Retry => {}
            Verdict::Throttled => self.bucket.limiter().throttled(),
            // HEAD without a body may mean a wrong region as well.
            Verdict::Renew { .. } if self.follows(&failure) => return Ok(()),
            Verdict::Renew { for_ever } => {
                let another = self.bucket.identity().drop_session(&signer);
                self.renewals += 1;
                if !another || (self.renewals > 1 && !for_ever) {
                    return Err(GaveUp::Failure(failure, signer));
                }
                if self.renewals == 1 {
                    self.bucket.counters().retry();
                    return Ok(());
                }
            }
            Verdict::Clock => {
                if let Failure::Answered(Answer { date: Some(date), .. }) = &failure {
                    let clock = self.bucket.clients().clock();
                    clock.learn(*date);
                    tracing::warn!(ahead_millis = clock.ahead_millis(), "took over AWS's time");
                    if !std::mem::replace(&mut self.clock_set, true) {
                        self.bucket.counters().retry();
                        return Ok(());
                    }
                }
            }
        }
        let answered = matches!(failure, Failure::Answered(_));
        let since = match &failure {
            // How long a body moved before it failed does not count, only how long it has stood still.
            Failure::Lost(Loss::Stalled(quiet) | Loss::Silent(quiet)) if self.operation.answer_limit().is_none() => {
                Instant::now().checked_sub(*quiet).unwrap_or(self.moved_at)
            }
            _ if self.operation.answer_limit().is_none() => Instant::now(),
            _ => self.moved_at,
        };
        self.pause(failure.to_string(), answered, since).await
    }

    /// Whether S3 named another region, which is asked from now on.
    fn follows(&mut self, failure: &Failure) -> bool {
        let Failure::Answered(Answer { status: 301 | 307 | 400, region: Some(region), .. }) = failure else {
            return false;
        };
        if std::mem::replace(&mut self.moved, true) || !identity::is_region(region) {
            return false;
        }
        // Somebody else may have moved it since this request was built: then it is to be built anew all the same.
        self.bucket.move_to(region);
        self.bucket.counters().retry();
        true
    }

    /// Waits for the next attempt; nothing has moved from `since` on.
    async fn pause(&mut self, why: String, answered: bool, since: Instant) -> Result<(), GaveUp> {
        self.failures += 1;
        self.bucket.counters().retry();
        let since = *self.since.get_or_insert(since);
        let limit = self.bucket.options().tries_for;
        let pause = self.bucket.options().s3.backoff.pause(self.failures);
        if since.elapsed() + pause >= limit {
            return Err(GaveUp::Spent { tried_for: since.elapsed(), last: why, answered });
        }
        if self.failures == 1 {
            let (bucket, object) = (self.bucket.name(), self.name);
            tracing::warn!(bucket, object, why, "{} did not succeed; trying on", self.operation.name());
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Bucket {
    /// Makes a call until it succeeds, waiting does not help, or its time is over.
    pub(super) async fn persist<T, Fut>(
        &self,
        operation: Operation,
        name: &str,
        attempt: impl Fn(Client) -> Fut,
    ) -> Result<T, GaveUp>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        self.persist_sending(operation, name, |client, _| attempt(client)).await
    }

    /// The same for what sends a body, which bounds itself: it is told how long it may stand still.
    pub(super) async fn persist_sending<T, Fut>(
        &self,
        operation: Operation,
        name: &str,
        attempt: impl Fn(Client, Option<Duration>) -> Fut,
    ) -> Result<T, GaveUp>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        let mut tries = Tries::new(self, operation, name);
        loop {
            let signer = tries.signer().await?;
            let place = self.limiter().place().await;
            let within = tries.begin();
            match self.attempt(operation, within, attempt(self.client(), within)).await {
                Ok(value) => return Ok(value),
                Err(failure) => {
                    drop(place);
                    tries.failed(failure, signer).await?;
                }
            }
        }
    }

    /// As [`Bucket::persist`], with the error for a person.
    pub(super) async fn call<T, Fut>(
        &self,
        operation: Operation,
        name: &str,
        attempt: impl Fn(Client) -> Fut,
    ) -> Result<T, Error>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        match self.persist(operation, name, attempt).await {
            Ok(value) => Ok(value),
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    /// One attempt, counted, and bounded in time where it does not bound itself: by what such an answer takes, and by what
    /// [`Tries::begin`] leaves it.
    pub(super) async fn attempt<T>(
        &self,
        operation: Operation,
        within: Option<Duration>,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // A request of the SDK is a future of many kilobytes.
        let attempt = Box::pin(attempt);
        let outcome = match operation.answer_limit().map(|limit| within.map_or(limit, |within| within.min(limit))) {
            None => attempt.await,
            Some(limit) => match tokio::time::timeout(limit, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::Lost(Loss::Silent(limit))),
            },
        };
        let name = outcome.as_ref().err().map_or_else(|| "OK".to_owned(), Failure::name);
        self.counters().request_of(self.identity().name(), self.name(), operation.name(), &name);
        if outcome.is_ok() {
            self.limiter().succeeded();
        }
        outcome
    }

    /// The error for a person; finds out as whom S3 was asked.
    pub(super) async fn explain(&self, operation: Operation, name: &str, gave_up: GaveUp) -> Error {
        let (bucket, name) = (self.name().to_owned(), name.to_owned());
        let operation_name = operation.name();
        let (answer, signer) = match gave_up {
            GaveUp::Session(source) => return Error::Session { bucket, source },
            GaveUp::Spent { tried_for, last, answered } => {
                return Error::Spent { operation: operation_name, bucket, name, tried_for, last, answered };
            }
            GaveUp::Failure(Failure::Answered(answer), signer) => (answer, signer),
            GaveUp::Failure(Failure::Unsent(source), _) => {
                return Error::Unsent { operation: operation_name, bucket, name, source };
            }
            GaveUp::Failure(Failure::Lost(loss), _) => {
                return Error::Unsent { operation: operation_name, bucket, name, source: Arc::new(loss) };
            }
        };
        match (answer.code.as_str(), answer.status) {
            ("NoSuchBucket", _) => return Error::NoBucket { bucket },
            ("NoSuchKey", _) => return Error::Missing { what: "object".into(), bucket, name },
            ("NoSuchVersion", _) => return Error::Missing { what: "such version of object".into(), bucket, name },
            ("PreconditionFailed", _) | (_, 412) => return Error::ObjectChanged { bucket, name },
            // HEAD has no body: the SDK makes a code of the status.
            (_, 404) if operation == Operation::HeadObject => {
                return Error::Missing { what: "object".into(), bucket, name };
            }
            _ => {}
        }
        let region = self.region();
        let partition = Partition::of_region(&region).name();
        let resource = match operation {
            Operation::ListBuckets => format!("arn:{partition}:s3:::*"),
            _ if operation.on_bucket() || name.is_empty() => format!("arn:{partition}:s3:::{bucket}"),
            _ => format!("arn:{partition}:s3:::{bucket}/{name}"),
        };
        let endpoint = self.options().s3.endpoint.as_deref();
        Error::Refused(Box::new(Refusal {
            operation: operation_name,
            permission: operation.permission(),
            resource,
            as_whom: self.clients().as_whom(self.sts(), self.identity(), endpoint, &signer).await,
            status: answer.status,
            code: answer.name(),
            message: answer.message,
            request_id: answer.request_id,
            actual_region: answer.region.clone().filter(|actual| *actual != region),
            told_region: answer.region,
            region,
            bucket,
        }))
    }

    pub(super) fn malformed(&self, operation: Operation, name: &str, missing: &'static str) -> Error {
        let bucket = self.name().to_owned();
        Error::Malformed { operation: operation.name(), bucket, name: name.to_owned(), missing }
    }
}
