use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Outcome, Probe, ProbeKind};

/// What a role was found to do, by trying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What it came to.
    pub verdict: Verdict,
    /// The same in a sentence, with the causes as far as the evidence tells them apart.
    pub reason: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The role that was tried.
    pub role: String,
    /// As whom it was tried; `None` if that could not be learnt.
    pub caller: Option<String>,
    /// The external ID that it speaks of: the newest that the role accepts, else the newest that was issued.
    pub external_id: String,
    /// What was tried, in order; of probes that were repeated the last.
    pub probes: Vec<Probe>,
}

/// What a proof came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The role lets us in with the right external ID, and refuses us without it and with wrong ones.
    Proven,
    /// The role lets us in without the right external ID: it would let in every other customer of ours.
    Open,
    /// The role refuses us with the right external ID too. That it refuses us with wrong ones then proves nothing.
    Denied,
    /// Something kept the proof from being one.
    Inconclusive,
}

impl Verdict {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Open => "open",
            Self::Denied => "denied",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Proof {
    /// The probe of a kind, if it was tried.
    pub fn probe(&self, kind: ProbeKind) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.kind == kind)
    }

    /// Whether a kind was tried and let in.
    pub fn lets_in(&self, kind: ProbeKind) -> bool {
        self.probe(kind).is_some_and(|probe| probe.outcome == Outcome::LetIn)
    }

    /// Whether a kind was tried and refused.
    pub fn refuses(&self, kind: ProbeKind) -> bool {
        self.probe(kind).is_some_and(|probe| matches!(probe.outcome, Outcome::Refused { .. }))
    }
}
