//! The requests to S3 that were refused, each with the permission that it asks for.

use iam::{AccountId, Arn};

use super::Case;
use super::denial::Denial;
use crate::{Check, Place, Trial};

/// One request that S3 refused with 403, and the check that failed of it.
#[derive(Debug, Clone)]
pub(super) struct Refused<'a> {
    pub(super) check: &'static Check,
    pub(super) trial: &'a Trial,
    /// The permission: `s3:PutObject`.
    pub(super) action: &'static str,
    /// On what: the bucket's ARN, or an object's.
    pub(super) resource: String,
    /// What S3's text says.
    pub(super) denial: Denial,
}

/// All of them, in the order of the checks.
pub(super) fn refusals<'a>(case: &Case<'a>) -> Vec<Refused<'a>> {
    let Some(place) = &case.target.place else { return Vec::new() };
    let facts = case.facts;
    let bucket = bucket_arn(place);
    let probe = format!("{bucket}/{}.tidegate-doctor/probe", place.prefix);
    let written = facts.written.as_ref().map_or_else(|| probe.clone(), |key| format!("{bucket}/{key}"));
    let read = facts.reads.iter().find(|(_, trial)| trial.is_denied());
    let read_key = read.map_or_else(|| probe.clone(), |(key, _)| format!("{bucket}/{key}"));
    let read = read.map(|(_, trial)| trial).or(facts.read_absent.as_ref());
    [
        (Check::LIST, facts.list.as_ref(), "s3:ListBucket", bucket),
        (Check::READ, read, "s3:GetObject", read_key),
        (Check::DELETE, facts.delete.as_ref(), "s3:DeleteObject", probe.clone()),
        (Check::PUT, facts.put.as_ref(), "s3:PutObject", probe.clone()),
        (Check::MULTIPART, facts.multipart.as_ref().or(facts.abort.as_ref()), "s3:PutObject", probe),
        (Check::READ_BACK, facts.read_back.as_ref(), "s3:GetObject", written.clone()),
        (Check::TAGGED, facts.tag.as_ref(), "s3:PutObjectTagging", written),
    ]
    .into_iter()
    .filter_map(|(check, trial, action, resource)| {
        let trial = trial.filter(|trial| case.is_unwell(check) && trial.is_denied())?;
        let action = match trial {
            Trial::Refused { operation: "AbortMultipartUpload", .. } => "s3:AbortMultipartUpload",
            _ => action,
        };
        Some(Refused { check, trial, action, resource, denial: Denial::read(trial.message()) })
    })
    .collect()
}

pub(super) fn bucket_arn(place: &Place) -> String {
    format!("arn:{}:s3:::{}", iam::Partition::of_region(&place.region).name(), place.bucket)
}

/// Who asks S3: the session's ARN, or the user's.
pub(super) fn caller<'a>(case: &Case<'a>) -> Option<&'a str> {
    let facts = case.facts;
    facts.hop_arns.last().or(facts.base_arn.as_ref()).map(String::as_str)
}

/// The same as policies name it: the role, with its path if it is known, or the user.
pub(super) fn principal(case: &Case<'_>) -> Option<Arn> {
    let known = case.target.connection.as_ref().and_then(identity::Connection::last_role);
    known.or_else(|| control::principal_of(caller(case)?))
}

/// Its account.
pub(super) fn account(case: &Case<'_>) -> Option<AccountId> {
    principal(case)?.account()
}
