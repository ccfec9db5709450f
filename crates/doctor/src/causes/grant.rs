//! What to paste so that it is allowed: made from the same list of needs as the checks, so that the two cannot drift apart.

use iam::generate::{Need, S3Place, permission_policy};
use iam::{Draft, DraftStatement, Partition, PolicyError, PolicyKind};

use super::bucket_policy::BUCKET_POLICY;
use super::refused::{Refused, bucket_arn, principal};
use super::{Case, encryption};
use crate::{Check, Paste, Remedy};

/// The whole policy that the role needs for what the target does: made from the same list as the checks.
pub(super) fn own_policy(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let whose = principal(case).map_or_else(|| "the role".to_owned(), |arn| arn.to_string());
    let action = format!("give {whose} this policy");
    let needs = needs(case, refused);
    match permission_policy(&needs) {
        Ok(policy) if refused.action == "s3:PutObjectTagging" => {
            let tagging = DraftStatement::allow([refused.action]).called("TagObjects");
            let place = case.target.place.as_ref();
            let objects = place.map(|place| format!("{}/{}*", bucket_arn(place), place.prefix)).unwrap_or_default();
            let with_tags =
                Draft::from(&policy).with(tagging.on([objects])).build(PolicyKind::Identity).unwrap_or(policy);
            Remedy::paste(action, Paste::PermissionPolicy(format!("{with_tags:#}")))
        }
        Ok(policy) => Remedy::paste(action, Paste::PermissionPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("allow {whose} {} on {} ({error})", refused.action, refused.resource)),
    }
}

fn needs(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Need> {
    let target = case.target;
    let Some(place) = &target.place else { return Vec::new() };
    let key = encryption::key(case, refused);
    if let Some(plan) = &target.connector {
        return plan.needs(place.owner, key);
    }
    let where_to = S3Place {
        partition: Partition::of_region(&place.region),
        bucket: place.bucket.clone(),
        prefix: place.prefix.clone(),
        owner: place.owner,
        key,
    };
    let writes = place.writes && case.result(Check::MULTIPART).is_some();
    let mut needs = Vec::new();
    if place.reads || !writes {
        needs.push(Need::ReadObjects { place: where_to.clone() });
    }
    if place.deletes {
        needs.push(Need::DeleteObjects { place: where_to.clone() });
    }
    if writes {
        needs.push(Need::WriteObjects { place: where_to, manifests: None });
    }
    needs
}

/// A statement for the bucket's policy that lets our role in, and nobody else.
pub(super) fn bucket_statement(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let Some(principal) = principal(case) else { return Remedy::to(BUCKET_POLICY.cure) };
    let action = "have the bucket's owner add this to the bucket's policy";
    let policy = permission_policy(&needs(case, refused));
    let statements = policy.map(|policy| Draft::from(&policy).statements).unwrap_or_default();
    let of_s3 =
        statements.into_iter().filter(|statement| statement.actions.list.iter().all(|name| name.starts_with("s3:")));
    let named: Vec<_> = of_s3.map(|statement| statement.by("AWS", principal.as_str())).collect();
    let draft = named.iter().cloned().fold(Draft::new(), Draft::with);
    match draft.build(PolicyKind::Resource) {
        Ok(policy) => Remedy::paste(action, Paste::ResourceStatement(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("let the bucket's policy name {principal} ({error})")),
    }
}

/// A statement of a resource's policy as it is pasted, if it is one.
pub(super) fn statement_text(statement: &DraftStatement) -> Result<String, PolicyError> {
    Draft::new().with(statement.clone()).build(PolicyKind::Resource)?;
    serde_json::to_string_pretty(statement).map_err(|error| PolicyError::Document { reason: error.to_string() })
}
