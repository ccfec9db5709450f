use std::fmt;
use std::time::Duration;

use iam::Arn;
use identity::{AssumeRole, Flaw};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use crate::{Error, ExternalId, IntegrationId, Outcome, ProbeKind, Proof, Verdict};

/// The trust between Tidegate and a customer's AWS account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// Its name, made by us.
    pub id: IntegrationId,
    /// What a person calls it.
    pub display_name: String,
    /// Whose it is: integrations of one environment do not share a role.
    pub environment: String,
    /// Who we are to the customer: what the role's trust policy names.
    #[serde(serialize_with = "as_text")]
    pub principal: Arn,
    /// The customer's role; `None` until it is given.
    #[serde(serialize_with = "maybe_text")]
    pub role: Option<Arn>,
    /// What is known of the role.
    pub state: State,
    /// The external IDs that were issued for it, newest first.
    pub external_ids: Vec<IssuedId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the role was last proven. It stays when a later proof is inconclusive.
    pub proven_at: Option<Timestamp>,
    /// What the last proof found.
    pub last_proof: Option<Proof>,
    /// Counts changes, so that a proof is not put down to a role that it did not try.
    #[serde(skip)]
    pub(crate) revision: i64,
}

/// What is known of an integration's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing has been tried yet, or the role was changed since.
    Pending,
    /// It was tried, and neither proven nor found open.
    Unproven,
    /// It lets in us and nobody else.
    Proven,
    /// It was found open before it was ever proven: it is not used.
    Refused,
    /// It was proven once and has become open since.
    Unsafe,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Unproven, Self::Proven, Self::Refused, Self::Unsafe];

    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unproven => "unproven",
            Self::Proven => "proven",
            Self::Refused => "refused",
            Self::Unsafe => "unsafe",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An external ID of an integration, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuedId {
    /// The ID.
    pub value: ExternalId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When the role was last seen to accept it, and only what it must.
    pub proven_at: Option<Timestamp>,
    /// When it is retired at the latest: set once a newer one has been proven.
    pub retire_at: Option<Timestamp>,
    /// Since when it is neither used nor printed in a policy. It is never issued again.
    pub retired_at: Option<Timestamp>,
}

impl IssuedId {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { value: ExternalId::random(), issued_at: now, proven_at: None, retire_at: None, retired_at: None }
    }

    /// Whether it may still be used.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.retired_at.is_none() && self.retire_at.is_none_or(|end| now < end)
    }
}

/// How long the older of two external IDs is kept after the newer one has been proven: for processes that cannot read the
/// store any more, and for customers who do not paste the last policy at once.
pub(crate) const OVERLAP: Duration = Duration::from_hours(7 * 24);

/// How long a proof stands while later ones are inconclusive. STS has never been out for days; who cannot reach it for so
/// long does not know any more what the role lets in.
pub(crate) const PROOF_LIFE: Duration = Duration::from_hours(7 * 24);

/// What a new integration is made of. No external ID: that is ours to make.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    /// What a person calls it: 1 to 60 characters.
    pub display_name: String,
    /// Whose it is: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    pub environment: String,
    /// Who we are to the customer: a role's or a user's ARN.
    pub principal: String,
    /// The customer's role, if there is one already.
    pub role: Option<String>,
}

impl NewIntegration {
    /// Everything that is wrong with it.
    pub fn flaws(&self) -> Vec<Flaw> {
        self.read().err().unwrap_or_default()
    }

    /// The principal and the role, unless there is a flaw anywhere.
    fn read(&self) -> Result<(Arn, Option<Arn>), Vec<Flaw>> {
        let mut flaws = Vec::new();
        let display_name = self.display_name.trim();
        if !(1..=60).contains(&display_name.chars().count()) || display_name.chars().any(char::is_control) {
            let rule = "must be 1 to 60 characters, none of them a control character";
            flaws.push(flaw("name", &self.display_name, rule));
        }
        let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=64).contains(&self.environment.len()) || !self.environment.chars().all(word) {
            flaws.push(flaw("environment", &self.environment, "must be 1 to 64 characters of A-Z a-z 0-9 . _ -"));
        }
        let is_principal = |arn: &Arn| {
            let is_user = arn.service() == "iam" && arn.resource().starts_with("user/");
            // Not the account's root: it would let in whatever our account's policies let out.
            arn.account().is_some() && (is_user || arn.role_name().is_some())
        };
        let principal = self.principal.parse().ok().filter(is_principal);
        if principal.is_none() {
            let rule = "must be the ARN of a role or user: arn:aws:iam::ACCOUNT:role/NAME";
            flaws.push(flaw("principal ARN", &self.principal, rule));
        }
        let role = self.role.as_deref().map(read_role).transpose();
        if let (Some(principal), Ok(Some(role))) = (&principal, &role) {
            flaws.extend(elsewhere(role, principal));
        }
        match (principal, role) {
            (Some(principal), Ok(role)) if flaws.is_empty() => Ok((principal, role)),
            (_, role) => {
                flaws.extend(role.err());
                Err(flaws)
            }
        }
    }

    pub(crate) fn check(self, now: Timestamp) -> Result<Integration, Error> {
        let (principal, role) = self.read().map_err(|flaws| Error::Flawed { flaws })?;
        Ok(Integration {
            id: IntegrationId::random(),
            display_name: self.display_name.trim().to_owned(),
            environment: self.environment,
            principal,
            role,
            state: State::Pending,
            external_ids: vec![IssuedId::new(now)],
            created_at: now,
            proven_at: None,
            last_proof: None,
            revision: 0,
        })
    }
}

/// Reads a customer's role.
pub(crate) fn read_role(text: &str) -> Result<Arn, Flaw> {
    let refused = AssumeRole::new(text, "tidegate").flaws(false).into_iter().find(|flaw| flaw.field == ROLE);
    match refused {
        Some(refused) => Err(flaw(ROLE, text, &refused.rule)),
        None => text.parse().map_err(|error: iam::ArnError| flaw(ROLE, text, &error.to_string())),
    }
}

const ROLE: &str = "role ARN";

/// What is wrong with `role` if its partition is not the principal's.
fn elsewhere(role: &Arn, principal: &Arn) -> Option<Flaw> {
    let (there, home) = (role.partition().name(), principal.partition().name());
    let must = format!(
        "is in partition {there}, and our principal {} in {home}: accounts of one do not know those of the other",
        principal.as_str()
    );
    (there != home).then(|| flaw(ROLE, role.as_str(), &must))
}

fn flaw(field: &'static str, value: &str, rule: &str) -> Flaw {
    Flaw { field, value: value.chars().take(120).collect(), rule: rule.to_owned() }
}

impl Integration {
    /// The external IDs that the role's trust policy must accept, newest first: one, or two while they are rotated.
    pub fn live_ids(&self, now: Timestamp) -> impl Iterator<Item = &IssuedId> {
        self.external_ids.iter().filter(move |issued| issued.is_live(now))
    }

    /// The external ID that is sent: the newest that has been proven.
    pub fn used_id(&self, now: Timestamp) -> Option<&ExternalId> {
        self.live_ids(now).find(|issued| issued.proven_at.is_some()).map(|issued| &issued.value)
    }

    /// The trust policy that the customer's role must have now.
    pub fn trust_policy(&self, now: Timestamp) -> iam::Document {
        crate::trust_policy(&self.principal, self.live_ids(now).map(|issued| &issued.value))
    }

    /// The role to take on, with the external ID that was proven last; refused, with the reason, unless it is proven.
    pub fn connection(&self, now: Timestamp) -> Result<AssumeRole, Error> {
        let not_proven = || Error::NotProven {
            id: self.id.clone(),
            state: self.state,
            reason: self.last_proof.as_ref().map(|proof| proof.reason.clone()),
        };
        let role = self.role.as_ref().ok_or_else(|| Error::NoRole { id: self.id.clone() })?;
        if self.state != State::Proven {
            return Err(not_proven());
        }
        let external_id = self.used_id(now).ok_or_else(not_proven)?;
        Ok(self.assume(role, external_id))
    }

    /// The role, proven or not, with the external ID that is proven or else the newest: to write policies for it. Whoever
    /// is to take it on asks for [`connection`](Self::connection).
    ///
    /// # Errors
    /// [`Error::NoRole`].
    pub fn unproven_connection(&self, now: Timestamp) -> Result<AssumeRole, Error> {
        let no_role = || Error::NoRole { id: self.id.clone() };
        let role = self.role.as_ref().ok_or_else(no_role)?;
        let newest = || self.live_ids(now).next().map(|issued| &issued.value);
        let external_id = self.used_id(now).or_else(newest).ok_or_else(no_role)?;
        Ok(self.assume(role, external_id))
    }

    fn assume(&self, role: &Arn, external_id: &ExternalId) -> AssumeRole {
        AssumeRole {
            external_id: Some(external_id.as_str().to_owned()),
            ..AssumeRole::new(role.as_str(), format!("tidegate-{}", self.id))
        }
    }

    /// Gives it another role: what was known of the old one holds no more.
    pub(crate) fn set_role(&mut self, role: Arn) -> Result<(), Error> {
        if let Some(flaw) = elsewhere(&role, &self.principal) {
            return Err(Error::Flawed { flaws: vec![flaw] });
        }
        if self.role.as_ref() == Some(&role) {
            return Ok(());
        }
        self.role = Some(role);
        (self.state, self.proven_at, self.last_proof) = (State::Pending, None, None);
        for issued in &mut self.external_ids {
            issued.proven_at = None;
        }
        Ok(())
    }

    /// Issues another external ID beside the one that is used.
    pub(crate) fn begin_rotation(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.live_ids(now).count() > 1 {
            return Err(Error::Rotating { id: self.id.clone() });
        }
        self.external_ids.insert(0, IssuedId::new(now));
        Ok(())
    }

    /// Retires the older external ID before its time.
    pub(crate) fn finish_rotation(&mut self, now: Timestamp) -> Result<(), Error> {
        let none = |reason| Error::NothingToRetire { id: self.id.clone(), reason };
        let mut live = self.external_ids.iter().enumerate().filter(|(_, issued)| issued.is_live(now));
        let newest = live.next().ok_or_else(|| none("it has no live one"))?;
        let older = live.next().ok_or_else(|| none("it has only one"))?.0;
        if newest.1.proven_at.is_none() {
            return Err(none("the newer one has not been proven"));
        }
        self.external_ids[older].retired_at = Some(now);
        Ok(())
    }

    /// Takes in what a proof has found.
    ///
    /// A finding is only replaced by a finding: a proof that could not be made leaves a role proven, refused or unsafe as
    /// it was, until the last good proof is [`PROOF_LIFE`] old.
    pub(crate) fn learn(&mut self, proof: Proof) {
        let now = proof.ended_at;
        match proof.verdict {
            Verdict::Proven => {
                self.state = State::Proven;
                self.proven_at = Some(now);
                self.learn_ids(&proof, now);
            }
            Verdict::Open if self.proven_at.is_some() => self.state = State::Unsafe,
            Verdict::Open => self.state = State::Refused,
            Verdict::Denied => self.state = State::Unproven,
            Verdict::Inconclusive => match self.state {
                State::Pending => self.state = State::Unproven,
                State::Proven if is_older(self.proven_at, now, PROOF_LIFE) => self.state = State::Unproven,
                State::Proven | State::Unproven | State::Refused | State::Unsafe => {}
            },
        }
        self.last_proof = Some(proof);
    }

    /// What a good proof says of each external ID. The older one goes when the role accepts it no more, or when its time
    /// is over.
    fn learn_ids(&mut self, proof: &Proof, now: Timestamp) {
        let mut live = self.external_ids.iter_mut().filter(|issued| issued.retired_at.is_none());
        let Some(newest) = live.next() else { return };
        if newest.value.as_str() == proof.external_id {
            newest.proven_at = Some(now);
            for older in live {
                let end = *older.retire_at.get_or_insert(now + signed(OVERLAP));
                if proof.refuses(ProbeKind::Older) || end <= now {
                    older.retired_at = Some(now);
                }
            }
        } else if let Some(older) = live.find(|issued| issued.value.as_str() == proof.external_id) {
            older.proven_at = Some(now);
        }
    }

    /// Whether the last proof found the role to accept the older external ID and not the newer one.
    pub fn waits_for_new_id(&self, now: Timestamp) -> bool {
        let mut live = self.live_ids(now);
        live.next().is_some_and(|newest| newest.proven_at.is_none()) && live.next().is_some()
    }

    /// The outcome of the last proof's probes that were let in and must not be.
    pub fn holes(&self) -> impl Iterator<Item = ProbeKind> {
        let probes = self.last_proof.iter().flat_map(|proof| &proof.probes);
        probes.filter(|probe| probe.kind.is_forbidden() && probe.outcome == Outcome::LetIn).map(|probe| probe.kind)
    }
}

pub(crate) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// How far ahead of us a time that was written down may be: by clocks of two machines, or by one that was put right a
/// little. What is further ahead was written by a clock that was wrong, and nobody knows when.
const AHEAD: Duration = Duration::from_hours(1);

/// Whether `then` is longer ago than `age`, or may be; without a `then` it is.
pub(crate) fn is_older(then: Option<Timestamp>, now: Timestamp, age: Duration) -> bool {
    then.is_none_or(|then| {
        let passed = now.duration_since(then);
        passed > signed(age) || passed < -signed(AHEAD)
    })
}

fn as_text<S: Serializer>(arn: &Arn, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(arn.as_str())
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn maybe_text<S: Serializer>(arn: &Option<Arn>, serializer: S) -> Result<S::Ok, S::Error> {
    arn.as_ref().map(Arn::as_str).serialize(serializer)
}
