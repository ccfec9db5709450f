use identity::ConnectionSpec;
use serde::Deserialize;

use crate::{Depth, Place, Report, Status};

/// What an examination is expected to find: the `[expect]` of a scenario. Without `row`, nothing is to be found at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// How deep it is examined, by name; not set: as deep as what the target will do.
    pub depth: Option<Depth>,
    /// The verdict, by name.
    pub verdict: Option<String>,
    /// The check that does not pass.
    pub check: Option<String>,
    /// That check's status, by name.
    pub status: Option<String>,
    /// The row of the catalogue that is among that check's diagnoses.
    pub row: Option<String>,
    /// How sure that diagnosis is, by name.
    pub certainty: Option<String>,
    /// A part of what points to it.
    pub because: Option<String>,
    /// A part of what one of its remedies says, or has to paste.
    pub paste: Option<String>,
    /// Other rows that are told.
    pub also: Vec<String>,
    /// Rows that are not told.
    pub not: Vec<String>,
    /// The bucket that the connection is tried with, where it is fenced to none.
    pub bucket: Option<String>,
    /// What keys in it begin with.
    pub prefix: String,
    /// The bucket's region, where it is not the connection's.
    pub region: Option<String>,
    /// Whether objects are tagged.
    pub tags: bool,
    /// The canned ACL that is asked for.
    pub acl: Option<String>,
    /// The encryption that is asked for.
    pub server_side_encryption: Option<String>,
    /// The KMS key that is named.
    pub kms_key: Option<String>,
    /// The role's trust policy, to be looked at too.
    pub trust_policy: Option<String>,
    /// The role's permission policy, to be looked at too.
    pub permission_policy: Option<String>,
}

impl Expectation {
    /// The part of a bucket that a connection is tried with, if it names one.
    pub fn place(&self, spec: &ConnectionSpec) -> Option<Place> {
        let bucket = self.bucket.as_deref()?;
        Some(Place {
            region: self.region.clone().unwrap_or_else(|| spec.region.clone()),
            tags: self.tags,
            acl: self.acl.clone(),
            server_side_encryption: self.server_side_encryption.clone(),
            kms_key: self.kms_key.clone(),
            ..Place::of(spec, bucket, &self.prefix)
        })
    }

    /// What of it the report does not show; empty if it is as expected.
    pub fn unmet(&self, report: &Report) -> Vec<String> {
        let mut unmet = Vec::new();
        let mut differs = |what: &str, found: &str, expected: Option<&String>| {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                unmet.push(format!("{what} is {found}, and was to be {expected}"));
            }
        };
        differs("the verdict", report.verdict.name(), self.verdict.as_ref());
        let check = self.check.as_ref().map(|name| (name, report.checks.iter().find(|made| made.check.name == *name)));
        if let Some((name, Some(result))) = check {
            differs(name, result.status.name(), self.status.as_ref());
        }
        let rows: Vec<&str> = report.diagnoses().map(|(_, diagnosis)| diagnosis.cause.row).collect();
        match (&self.row, check) {
            (_, Some((name, None))) => unmet.push(format!("{name} was not made")),
            (None, None) => {
                // Healthy: nothing is to be said.
                let said = report.checks.iter().filter(|made| !matches!(made.status, Status::Passed | Status::Skipped));
                unmet.extend(said.map(|made| format!("{} is {}: {}", made.check.name, made.status, made.reason)));
                unmet.extend(rows.iter().map(|row| format!("{row} is diagnosed")));
            }
            (None, Some(_)) => {}
            (Some(row), check) => self.unmet_row(row, check.and_then(|(_, result)| result), report, &mut unmet),
        }
        let missing = self.also.iter().filter(|row| !rows.contains(&row.as_str()));
        unmet.extend(missing.map(|row| format!("{row} is not among the diagnoses")));
        let wrong = self.not.iter().filter(|row| rows.contains(&row.as_str()));
        unmet.extend(wrong.map(|row| format!("{row} is diagnosed, and is not so")));
        unmet
    }

    fn unmet_row(&self, row: &str, check: Option<&crate::CheckResult>, report: &Report, unmet: &mut Vec<String>) {
        let mut told = report.diagnoses().filter(|(result, _)| check.is_none_or(|check| check.check == result.check));
        let Some((_, diagnosis)) = told.find(|(_, diagnosis)| diagnosis.cause.row == row) else {
            let of = check.map_or_else(String::new, |check| format!(" of {}", check.check.name));
            unmet.push(format!("{row} is not among the diagnoses{of}"));
            return;
        };
        let certainty = diagnosis.certainty.name();
        if let Some(expected) = self.certainty.as_ref().filter(|expected| *expected != certainty) {
            unmet.push(format!("{row} is {certainty}, and was to be {expected}"));
        }
        if let Some(part) = self.because.as_ref().filter(|part| !diagnosis.because.contains(*part)) {
            unmet.push(format!("{row} does not say {part:?}: {}", diagnosis.because));
        }
        let says = |part: &str| {
            diagnosis.remedies.iter().any(|remedy| {
                remedy.action.contains(part) || remedy.paste.as_ref().is_some_and(|paste| paste.text().contains(part))
            })
        };
        if let Some(part) = self.paste.as_ref().filter(|part| !says(part)) {
            unmet.push(format!("no remedy of {row} says {part:?}"));
        }
        if diagnosis.remedies.is_empty() {
            unmet.push(format!("{row} has no remedy"));
        }
    }
}
