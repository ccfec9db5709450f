use std::time::Duration;

use aws::Clients;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use world::{Clock, Environment};

use crate::checks;
use crate::{Check, CheckResult, Depth, Facts, Report, Status, Target, Verdict, causes};

/// What an examination is made with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// AWS clients of their own: what is learnt from a refusal must not help what is examined next.
    pub clients: Clients,
    /// The variables of the process.
    pub environment: Environment,
    /// This machine's clock.
    pub clock: Clock,
}

/// Examines `target` down to `depth`. `begins` is told of each check as it begins.
///
/// Boxed, because it holds every check's future, and because what is behind it is too deep for the compiler to see that a
/// caller's future can be sent to another thread.
pub fn examine<'a>(
    target: &'a Target,
    depth: Depth,
    around: &'a Surroundings,
    begins: &'a (dyn Fn(&'static Check) + Sync),
) -> BoxFuture<'a, Report> {
    examine_until(target, depth, around, begins, &|| false)
}

/// The same, which makes no more checks once `is_over`, but for taking away what it has written.
pub fn examine_until<'a>(
    target: &'a Target,
    depth: Depth,
    around: &'a Surroundings,
    begins: &'a (dyn Fn(&'static Check) + Sync),
    is_over: &'a (dyn Fn() -> bool + Sync),
) -> BoxFuture<'a, Report> {
    Box::pin(examine_all(target, depth, around, begins, is_over))
}

async fn examine_all(
    target: &Target,
    depth: Depth,
    around: &Surroundings,
    begins: &(dyn Fn(&'static Check) + Sync),
    is_over: &(dyn Fn() -> bool + Sync),
) -> Report {
    // Sessions live as long as somebody holds them: held here, each is asked for once.
    let _held = hold(target, around);
    let mut x = Examination { target, depth, around, facts: Facts::default(), results: Vec::new(), begins, is_over };
    checks::input::run(&mut x);
    checks::policies::run(&mut x);
    checks::bucket::run_offline(&mut x);
    Box::pin(checks::network::run(&mut x)).await;
    checks::clock::run(&mut x);
    Box::pin(checks::anywhere::run(&mut x)).await;
    checks::identity::run(&mut x).await;
    checks::elsewhere::of_identity(&mut x).await;
    checks::expiry::run(&mut x);
    checks::trust::run(&mut x).await;
    checks::bucket::run(&mut x).await;
    checks::elsewhere::of_bucket(&mut x).await;
    checks::reading::run(&mut x).await;
    checks::writing::run(&mut x).await;
    checks::bucket::settle(&mut x);
    checks::bucket::look_for_reasons(&mut x).await;
    Box::pin(checks::kafka::run(&mut x)).await;
    x.report()
}

fn hold(target: &Target, around: &Surroundings) -> Vec<identity::Identity> {
    let Some(connection) = &target.connection else { return Vec::new() };
    let parts = (0..=connection.hops.len())
        .map(|length| identity::Connection { hops: connection.hops[..length].to_vec(), ..connection.clone() });
    parts.filter_map(|part| around.clients.sessions().open(&part).ok()).collect()
}

/// An examination on its way.
pub(crate) struct Examination<'a> {
    pub(crate) target: &'a Target,
    pub(crate) depth: Depth,
    pub(crate) around: &'a Surroundings,
    pub(crate) facts: Facts,
    results: Vec<CheckResult>,
    pub(crate) begins: &'a (dyn Fn(&'static Check) + Sync),
    is_over: &'a (dyn Fn() -> bool + Sync),
}

impl Examination<'_> {
    /// Whether `check` is to be made now. If another one stands before it, that is written down; if it is deeper than what
    /// was asked for, it is passed over.
    pub(crate) fn wants(&mut self, check: &'static Check) -> bool {
        if check.depth > self.depth {
            return false;
        }
        let unmet = check.needs.iter().find(|need| !self.holds(need));
        if let Some(need) = unmet {
            let mut result =
                CheckResult::new(check, Status::Skipped, Duration::ZERO, format!("{need} stands before it"));
            result.because_of = Some(need);
            self.results.push(result);
            return false;
        }
        if check != Check::CLEAN && (self.is_over)() {
            self.results.push(CheckResult::new(check, Status::Unproven, Duration::ZERO, "it was stopped before this"));
            return false;
        }
        (self.begins)(check);
        true
    }

    fn holds(&self, name: &str) -> bool {
        let found = self.results.iter().find(|result| result.check.name == name);
        let settles = |result: &CheckResult| result.check == Check::BUCKET && self.may_settle();
        found.is_some_and(|result| matches!(result.status, Status::Passed | Status::Warning) || settles(result))
    }

    /// Whether the bucket could not be looked at and may be there all the same: what comes after shows it.
    pub(crate) fn may_settle(&self) -> bool {
        let bucket = self.results.iter().find(|result| result.check == Check::BUCKET);
        bucket.is_some_and(|result| result.status == Status::Unproven)
            && self.facts.bucket.as_ref().is_some_and(crate::Trial::is_denied)
    }

    /// Writes down what a check came to in place of what it had come to before.
    pub(crate) fn put_again(&mut self, result: CheckResult) {
        self.results.retain(|before| before.check != result.check);
        self.results.push(result);
    }

    /// Writes down what a check came to.
    pub(crate) fn put(&mut self, result: CheckResult) {
        self.results.push(result);
    }

    /// What a check has come to.
    pub(crate) fn result(&self, check: &Check) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.check == check)
    }

    /// Writes down that another check stands before this one, which did not fail in every such case.
    pub(crate) fn stand_back(&mut self, check: &'static Check, before: &'static Check) {
        if check.depth <= self.depth {
            let text = format!("{} stands before it", before.name);
            let mut result = CheckResult::new(check, Status::Skipped, Duration::ZERO, text);
            result.because_of = Some(before.name);
            self.results.push(result);
        }
    }

    /// Writes down that a check does not apply.
    pub(crate) fn skip(&mut self, check: &'static Check, why: impl Into<String>) {
        if check.depth <= self.depth {
            self.results.push(CheckResult::new(check, Status::Skipped, Duration::ZERO, why));
        }
    }

    /// Writes down that a check was not made because of another one.
    pub(crate) fn skip_because(&mut self, check: &'static Check, other: &'static Check, why: impl Into<String>) {
        if check.depth <= self.depth {
            let mut result = CheckResult::new(check, Status::Skipped, Duration::ZERO, why);
            result.because_of = Some(other.name);
            self.results.push(result);
        }
    }

    fn report(self) -> Report {
        let Self { target, depth, facts, mut results, .. } = self;
        results.sort_by_key(|result| Check::ALL.iter().position(|check| *check == result.check));
        causes::explain(target, &facts, &mut results);
        let deeper = Check::ALL.iter().filter(|check| check.depth > depth && applies(target, check));
        let mut not_tested: Vec<String> =
            deeper.map(|check| format!("{} (from depth {} on)", check.claim, check.depth)).collect();
        let left_out = results.iter().filter(|result| result.status == Status::Skipped);
        not_tested.extend(left_out.map(|result| format!("{} ({})", result.check.claim, result.reason)));
        Report {
            version: 1,
            target: target.name.clone(),
            kind: target.kind,
            depth,
            verdict: Verdict::of(&results),
            checks: results,
            not_tested,
            facts: facts.shown(),
        }
    }
}

fn applies(target: &Target, check: &Check) -> bool {
    match check.area {
        crate::Area::S3 => target.place.is_some(),
        crate::Area::Kafka => target.connector.is_some(),
        crate::Area::Surroundings | crate::Area::Identity => target.connection.is_some(),
    }
}

/// A stopwatch for one check.
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn passed(&self, check: &'static Check, reason: impl Into<String>) -> CheckResult {
        CheckResult::new(check, Status::Passed, self.0.elapsed(), reason)
    }

    pub(crate) fn failed(&self, check: &'static Check, reason: impl Into<String>) -> CheckResult {
        CheckResult::new(check, Status::Failed, self.0.elapsed(), reason)
    }

    pub(crate) fn warning(&self, check: &'static Check, reason: impl Into<String>) -> CheckResult {
        CheckResult::new(check, Status::Warning, self.0.elapsed(), reason)
    }

    pub(crate) fn unproven(&self, check: &'static Check, reason: impl Into<String>) -> CheckResult {
        CheckResult::new(check, Status::Unproven, self.0.elapsed(), reason)
    }
}

impl CheckResult {
    pub(crate) fn new(check: &'static Check, status: Status, took: Duration, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let (code, request_id, host, identity, because_of) = (None, None, None, None, None);
        let (hints, diagnoses) = (Vec::new(), Vec::new());
        let threshold = None;
        Self { check, status, took, reason, code, request_id, host, identity, because_of, threshold, hints, diagnoses }
    }

    /// The same with what to do where no cause is known.
    pub(crate) fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// The same with the last step that it is past, where it warns in steps.
    pub(crate) fn past(mut self, threshold: Option<&'static str>) -> Self {
        self.threshold = threshold;
        self
    }

    /// The same with what AWS knows the request by.
    pub(crate) fn request(mut self, id: Option<String>) -> Self {
        self.request_id = id;
        self
    }

    /// The same with who was asked.
    pub(crate) fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The same with as whom.
    pub(crate) fn identity(mut self, identity: Option<String>) -> Self {
        self.identity = identity;
        self
    }

    /// The same with AWS's code.
    pub(crate) fn code(mut self, code: Option<String>) -> Self {
        self.code = code;
        self
    }

    /// What an error of the way to a session came to: a refusal fails; no answer, a throttle or an outage proves nothing.
    pub(crate) fn of_identity(watch: &Watch, check: &'static Check, error: &identity::Error) -> Self {
        use fault::{Diagnose as _, Retry};
        let text = fault::Chain(error).to_string();
        let result = match error.retry() {
            Retry::Never => watch.failed(check, text),
            Retry::Backoff | Retry::Throttled | Retry::After(_) => watch.unproven(check, text),
        };
        let result = result.hints(error.hint().map(Into::into));
        match error {
            identity::Error::Refused(refusal) => result
                .code(Some(refusal.code.clone()))
                .request(refusal.request_id.clone())
                .host(refusal.endpoint.clone())
                .identity(Some(refusal.as_whom.clone())),
            error => result.code(Some(error.code().to_owned())),
        }
    }

    /// What a request to S3 came to, if it did not succeed.
    pub(crate) fn of_s3(watch: &Watch, check: &'static Check, error: &aws::s3::ProbeError) -> Self {
        use aws::s3::ProbeError;
        match error {
            ProbeError::Refused(refusal) => {
                let passing = refusal.status >= 500 || refusal.status == 429;
                let text = error.to_string();
                let result = if passing { watch.unproven(check, text) } else { watch.failed(check, text) };
                result
                    .code(Some(refusal.code.clone()))
                    .request(refusal.request_id.clone())
                    .identity(Some(refusal.as_whom.clone()))
            }
            ProbeError::Session(error) => Self::of_identity(watch, check, error),
            ProbeError::Lost { host, .. } => watch.unproven(check, fault::Chain(error).to_string()).host(host.clone()),
            ProbeError::Unsent { .. } => watch.failed(check, fault::Chain(error).to_string()),
        }
    }
}

impl Facts {
    fn shown(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut shown = serde_json::Map::new();
        let mut show = |name: &str, value: Option<serde_json::Value>| {
            if let Some(value) = value {
                shown.insert(name.to_owned(), value);
            }
        };
        show("clock_offset_ms", self.clock_offset_ms.map(Into::into));
        show("base", self.base_arn.clone().map(Into::into));
        show("caller", self.hop_arns.last().or(self.base_arn.as_ref()).cloned().map(Into::into));
        show("bucket_region", self.bucket_region.clone().map(Into::into));
        show("provider", self.provider().map(|(provider, what)| format!("{}: {what}", provider.name()).into()));
        show("instance_metadata", self.metadata.as_ref().map(|metadata| metadata.state.to_string().into()));
        show(
            "proxy",
            self.proxies.proxies.first().map(|(variable, proxy)| format!("{variable}={proxy}, not used").into()),
        );
        let reached = [&self.sts, &self.s3, &self.kms].into_iter().flatten();
        let issuers = reached
            .filter_map(|reached| Some((reached.host.clone(), reached.certificates.first()?.issuer.clone().into())));
        let issuers: serde_json::Map<_, _> = issuers.collect();
        show("certificates_by", (!issuers.is_empty()).then(|| issuers.into()));
        let seconds = |time: std::time::SystemTime| {
            jiff::Timestamp::try_from(time).ok().map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
        };
        show("packed_policy_percent", self.packed_percent.map(Into::into));
        show("session_ends_at", self.expires_at.and_then(seconds));
        show("longest_session_seconds", self.longest.map(|longest| longest.as_secs().into()));
        show("encrypted_with", self.put_encryption.as_ref().map(|(kind, _)| kind.clone().into()));
        show("encrypted_by_key", self.put_encryption.as_ref().and_then(|(_, key)| key.clone()).map(Into::into));
        show(
            "touches",
            Some(&self.touches).filter(|touches| !touches.is_empty()).map(|touches| touches.clone().into()),
        );
        show("deletes", self.deletes.clone().map(Into::into));
        shown
    }
}
