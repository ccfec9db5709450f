use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{Check, Depth, Diagnosis, Status, TargetKind};

/// What one check came to.
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    /// Which check.
    #[serde(serialize_with = "name_of", rename = "check")]
    pub check: &'static Check,
    /// What it came to.
    pub status: Status,
    /// How long it took, in milliseconds.
    #[serde(serialize_with = "millis", rename = "duration_ms")]
    pub took: Duration,
    /// What was seen, as one clause: what was tried, as whom, what came back. Of a skipped one: why.
    pub reason: String,
    /// AWS's or Kafka's code: `AccessDenied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What AWS knows the request by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// As whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Of a skipped one: the check that stands before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because_of: Option<&'static str>,
    /// Of one that warns in steps: the last one that it is past, as `7 days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<&'static str>,
    /// What to do by itself, where no known cause says it better.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// What caused it, the likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
}

/// What an examination came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this shape. Members may be added without a new one.
    pub version: u32,
    /// What was examined.
    pub target: String,
    /// What that is.
    pub kind: TargetKind,
    /// How deep.
    #[serde(serialize_with = "depth_name")]
    pub depth: Depth,
    /// What it came to.
    pub verdict: Verdict,
    /// All checks of this depth, in order.
    pub checks: Vec<CheckResult>,
    /// What nobody tried, in words.
    pub not_tested: Vec<String>,
    /// What was learnt on the way, by name: `caller`, `bucket_region`, `clock_offset_ms`.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

/// What an examination came to as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No check failed, and none that was made was left open. There may be warnings.
    Passed,
    /// A check failed.
    Failed,
    /// No check failed, and one could not be decided.
    Unproven,
}

impl Verdict {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unproven => "unproven",
        }
    }

    pub(crate) fn of(checks: &[CheckResult]) -> Self {
        let any = |status| checks.iter().any(|check| check.status == status);
        if any(Status::Failed) {
            Self::Failed
        } else if any(Status::Unproven) {
            Self::Unproven
        } else {
            Self::Passed
        }
    }
}

impl Report {
    /// The result of a check.
    pub fn check(&self, check: &Check) -> Option<&CheckResult> {
        self.checks.iter().find(|result| result.check == check)
    }

    /// All diagnoses, each with the check that it explains.
    pub fn diagnoses(&self) -> impl Iterator<Item = (&CheckResult, &Diagnosis)> {
        self.checks.iter().flat_map(|result| result.diagnoses.iter().map(move |diagnosis| (result, diagnosis)))
    }
}

impl Serialize for Diagnosis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Diagnosis", 6)?;
        out.serialize_field("cause", self.cause.code)?;
        out.serialize_field("row", self.cause.row)?;
        out.serialize_field("title", self.cause.title)?;
        out.serialize_field("certainty", &self.certainty)?;
        out.serialize_field("because", &self.because)?;
        out.serialize_field("remedies", &self.remedies)?;
        out.end()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn name_of<S: Serializer>(check: &&'static Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.name)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn depth_name<S: Serializer>(depth: &Depth, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(depth.name())
}

fn millis<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
