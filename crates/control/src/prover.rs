use std::sync::Arc;
use std::time::Duration;

use iam::Arn;
use identity::{AssumeRole, Lifetime};
use jiff::Timestamp;
use rand::RngExt;
use tokio::time::Instant;
use world::Clock;

use crate::probe::{request_id, session_name};
use crate::sts::acts_as;
use crate::{
    AwsCaller, Error, ExternalId, Integration, IntegrationId, Outcome, Probe, ProbeKind, Proof, Sts, Verdict, words,
};

/// Tries whom a role lets in.
///
/// All probes of a proof are made as one caller, with the same session: first the right external ID, at once after it what
/// the role must refuse. A session that is won is thrown away unread, and it could do nothing: each is asked for with a
/// session policy that denies everything, for the shortest time that STS gives.
#[derive(Debug, Clone)]
pub struct Prover {
    sts: Arc<dyn Sts>,
    clock: Clock,
    patience: Patience,
}

/// How long a proof waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the right external ID is tried again while the role refuses it: a trust policy that was just saved takes
    /// seconds to tens of seconds to reach all of STS.
    pub propagation: Duration,
    /// How long after such a wait everything is tried once more: while some of STS still has the old trust policy, a
    /// refusal may come from there.
    pub settle: Duration,
    /// How far apart the right external ID and a refusal may be; beyond it the right one is tried again behind them.
    pub together: Duration,
    /// How often a probe is tried again that got no answer, or was throttled.
    pub retries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            propagation: Duration::from_mins(1),
            settle: Duration::from_secs(10),
            together: Duration::from_secs(10),
            retries: 2,
        }
    }
}

/// The shortest session that STS gives (STS API reference, `DurationSeconds`).
const SHORTEST: Duration = Duration::from_mins(15);

/// Whoever holds the session may do nothing.
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// The first and the longest pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// The most request ids that are kept of one probe: those of a minute's attempts.
const REQUEST_IDS: usize = 32;

impl Prover {
    /// A prover that asks `sts`.
    pub fn new(sts: Arc<dyn Sts>, clock: Clock) -> Self {
        Self { sts, clock, patience: Patience::default() }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Who we are now.
    pub async fn caller(&self) -> Result<AwsCaller, identity::Error> {
        self.sts.caller().await
    }

    /// Tries the role of `integration`. Takes up to [`Patience::propagation`] and a few seconds; fails only if there is no
    /// role to try: what goes wrong on the way is what the proof says.
    pub async fn prove(&self, integration: &Integration) -> Result<Proof, Error> {
        let role = integration.role.as_ref().ok_or_else(|| Error::NoRole { id: integration.id.clone() })?;
        let began_at = self.now();
        let mut live = integration.live_ids(began_at);
        let newest = live.next().ok_or_else(|| Error::NothingToRetire {
            id: integration.id.clone(),
            reason: "it has no live external ID",
        })?;
        let older = live.next();
        let mut run = Run { prover: self, id: &integration.id, role, probes: Vec::new(), right_at: None };
        let caller = self.sts.caller().await;
        let (verdict, external_id, why) = match &caller {
            Ok(caller) if !acts_as(&caller.arn, &integration.principal) => {
                (Verdict::Inconclusive, &newest.value, words::another_caller(&caller.arn, &integration.principal))
            }
            Ok(caller) => {
                let (verdict, id) = run.judge(caller, &newest.value, older.map(|issued| &issued.value)).await;
                (verdict, id, String::new())
            }
            Err(error) => (Verdict::Inconclusive, &newest.value, words::no_caller(error)),
        };
        let mut proof = Proof {
            verdict,
            reason: why,
            began_at,
            ended_at: self.now(),
            role: role.as_str().to_owned(),
            caller: caller.ok().map(|caller| caller.arn),
            external_id: external_id.as_str().to_owned(),
            probes: run.probes,
        };
        if proof.reason.is_empty() {
            proof.reason = words::reason(&proof, integration);
        }
        Ok(proof)
    }

    fn now(&self) -> Timestamp {
        crate::store::now(&self.clock)
    }
}

/// One proof on its way.
struct Run<'a> {
    prover: &'a Prover,
    id: &'a IntegrationId,
    role: &'a Arn,
    probes: Vec<Probe>,
    /// When the right external ID was last let in.
    right_at: Option<Instant>,
}

impl Run<'_> {
    /// The verdict, and of which external ID.
    async fn judge<'i>(
        &mut self,
        caller: &AwsCaller,
        newest: &'i ExternalId,
        older: Option<&'i ExternalId>,
    ) -> (Verdict, &'i ExternalId) {
        let patience = self.prover.patience;
        let mut right = (ProbeKind::Right, newest);
        let waited = self.right(caller, right, patience.propagation).await;
        if self.refused(ProbeKind::Right)
            && let Some(older) = older
        {
            // The customer has not taken in the new one yet: what is used is still to be proven.
            right = (ProbeKind::Older, older);
            self.right(caller, right, Duration::ZERO).await;
        }
        if self.is_unclear(right.0) {
            return (Verdict::Inconclusive, right.1);
        }
        self.forbidden(caller, right.1).await;
        if !self.let_in(right.0) {
            // What is refused together with the right one proves nothing; what is let in instead of it proves much.
            return (if self.has_hole() { Verdict::Open } else { Verdict::Denied }, newest);
        }
        if waited && !self.has_hole() {
            tokio::time::sleep(patience.settle).await;
            self.right(caller, right, patience.propagation).await;
            self.forbidden(caller, right.1).await;
        }
        if self.right_at.is_none_or(|at| at.elapsed() > patience.together) {
            self.right(caller, right, Duration::ZERO).await;
        }
        if self.has_hole() {
            return (Verdict::Open, right.1);
        }
        if !self.let_in(right.0) || ProbeKind::FORBIDDEN.into_iter().any(|kind| !self.refused(kind)) {
            return (Verdict::Inconclusive, right.1);
        }
        if right.0 == ProbeKind::Right
            && let Some(older) = older
        {
            // Whether it may be retired. It decides nothing else.
            self.probe(caller, ProbeKind::Older, Some(older), Duration::ZERO).await;
        }
        (Verdict::Proven, right.1)
    }

    /// Tries an external ID that the role must accept; tells whether it took more than one attempt.
    async fn right(&mut self, caller: &AwsCaller, (kind, id): (ProbeKind, &ExternalId), patience: Duration) -> bool {
        let attempts = self.probe(caller, kind, Some(id), patience).await;
        self.right_at = self.let_in(kind).then(Instant::now).or(self.right_at);
        attempts > 1
    }

    /// Tries all that the role must refuse.
    async fn forbidden(&mut self, caller: &AwsCaller, right: &ExternalId) {
        self.probe(caller, ProbeKind::Absent, None, Duration::ZERO).await;
        // Drawn anew for each probe, 128 bits of it: never another customer's.
        self.probe(caller, ProbeKind::Wrong, Some(&ExternalId::random()), Duration::ZERO).await;
        self.probe(caller, ProbeKind::Near, Some(&right.near()), Duration::ZERO).await;
    }

    /// Makes one probe, again while it may help: after a refusal for `patience`, after no answer a few times.
    async fn probe(
        &mut self,
        caller: &AwsCaller,
        kind: ProbeKind,
        external_id: Option<&ExternalId>,
        patience: Duration,
    ) -> u32 {
        let role = AssumeRole {
            external_id: external_id.map(|id| id.as_str().to_owned()),
            duration: Lifetime::Exactly(SHORTEST),
            policy: Some(NOTHING.to_owned()),
            ..AssumeRole::new(self.role.as_str(), session_name(self.id.as_str()))
        };
        let deadline = Instant::now() + patience;
        let (mut attempts, mut unanswered, mut request_ids) = (0, 0, Vec::new());
        let outcome = loop {
            attempts += 1;
            let (outcome, request_id) = self.attempt(caller, &role).await;
            if request_ids.len() < REQUEST_IDS {
                request_ids.extend(request_id);
            }
            let pause = pause_after(attempts);
            match &outcome {
                Outcome::Refused { .. } if Instant::now() + pause <= deadline => {}
                outcome if outcome.is_passing() && unanswered < self.prover.patience.retries => unanswered += 1,
                Outcome::LetIn | Outcome::Refused { .. } | Outcome::Unclear { .. } => break outcome,
            }
            tokio::time::sleep(pause).await;
        };
        let probe = Probe { kind, outcome, at: self.prover.now(), attempts, request_ids };
        // A repeated probe takes the place of the first, unless the first found a hole.
        match self.probes.iter_mut().find(|probe| probe.kind == kind) {
            Some(before) if kind.is_forbidden() && before.outcome == Outcome::LetIn => {}
            Some(before) => *before = probe,
            None => self.probes.push(probe),
        }
        attempts
    }

    async fn attempt(&self, caller: &AwsCaller, role: &AssumeRole) -> (Outcome, Option<String>) {
        match self.prover.sts.try_role(caller, role).await {
            Ok(won) => (Outcome::LetIn, won.request_id),
            Err(error) => {
                if error.blames_signer() {
                    self.prover.sts.forget(caller);
                }
                (Outcome::of(&error), request_id(&error))
            }
        }
    }

    fn outcome(&self, kind: ProbeKind) -> Option<&Outcome> {
        self.probes.iter().find(|probe| probe.kind == kind).map(|probe| &probe.outcome)
    }

    fn let_in(&self, kind: ProbeKind) -> bool {
        self.outcome(kind) == Some(&Outcome::LetIn)
    }

    fn refused(&self, kind: ProbeKind) -> bool {
        matches!(self.outcome(kind), Some(Outcome::Refused { .. }))
    }

    fn is_unclear(&self, kind: ProbeKind) -> bool {
        matches!(self.outcome(kind), Some(Outcome::Unclear { .. }))
    }

    fn has_hole(&self) -> bool {
        ProbeKind::FORBIDDEN.into_iter().any(|kind| self.let_in(kind))
    }
}

/// Doubling, from half to the whole of it: never at once, never all together.
fn pause_after(attempts: u32) -> Duration {
    let ceiling = PAUSE.0.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(PAUSE.1);
    ceiling.mul_f64(rand::rng().random_range(0.5..1.0))
}
