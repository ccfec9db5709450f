use std::sync::Arc;

use iam::PolicyKind;

use super::call::Call;
use super::page::Page;
use super::print;
use super::print::{date, name_of};
use crate::aws::account::{entity_arn, has};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::Managed;
use crate::aws::reply::Reply;
use crate::aws::session::random_id;
use crate::aws::store::timestamp;

/// How long a managed policy may be, without its blanks.
const MAX_LENGTH: usize = 6144;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, path) = (call.need("PolicyName")?.to_owned(), call.path().to_owned());
    let resource = format!("policy{path}{name}");
    let arn = entity_arn(&format!("policy {name}"), call.place(), &name, &path, &resource, 128)?;
    let length = call.need("PolicyDocument")?.chars().filter(|c| !c.is_whitespace()).count();
    let document = Arc::new(call.document("PolicyDocument", PolicyKind::Identity)?);
    if length > MAX_LENGTH {
        return Err(ApiError::of("LimitExceeded").saying(format!("Cannot exceed quota for PolicySize: {MAX_LENGTH}")));
    }
    // Tags of policies are nowhere looked at.
    call.refuse(&["Tags.member.1.Key"])?;
    call.shared
        .change(|directory| {
            call.may(directory, arn.as_str())?;
            if has(call.entities(directory).policies.keys(), &name) {
                return Err(ApiError::of("EntityAlreadyExists")
                    .saying(format!("A policy called {name} already exists. Duplicate names are not allowed.")));
            }
            let managed = Managed {
                arn,
                id: random_id("ANPA", 17),
                path,
                created: timestamp(call.facts.now),
                description: call.form.get("Description").map(str::to_owned),
                document,
            };
            let reply = call.answer(|xml| {
                xml.within("Policy", |xml| print::managed(xml, &name, &managed, 0));
            });
            call.entities(directory).policies.insert(name, managed);
            Ok(reply)
        })
        .await
}

/// Finds a policy of the account by the ARN that the call names.
fn find<'c, 'd>(call: &'c Call<'_>, directory: &'d Directory) -> Result<(&'c str, &'d Managed), ApiError> {
    let arn = call.need("PolicyArn")?;
    call.may(directory, arn)?;
    let name = name_of(arn);
    let policy = directory.entities(call.account()).and_then(|entities| entities.policies.get(name));
    let policy = policy.filter(|policy| policy.arn.as_str() == arn);
    let missing = || ApiError::of("NoSuchEntity").saying(format!("Policy {arn} was not found."));
    Ok((name, policy.ok_or_else(missing)?))
}

/// To how many users and roles a policy is attached.
fn attachments(call: &Call<'_>, directory: &Directory, arn: &str) -> usize {
    let Some(entities) = directory.entities(call.account()) else { return 0 };
    let users = entities.users.values().map(|user| user.grants.latest());
    let roles = entities.roles.values().map(|role| role.grants.latest());
    users
        .chain(roles)
        .filter(|grants| {
            grants.attached.contains_key(arn) || grants.boundary.as_ref().is_some_and(|(known, _)| known == arn)
        })
        .count()
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let (name, policy) = find(call, &directory)?;
    let count = attachments(call, &directory, policy.arn.as_str());
    Ok(call.answer(|xml| {
        xml.within("Policy", |xml| print::managed(xml, name, policy, count));
    }))
}

pub(super) fn get_version(call: &Call<'_>) -> Result<Reply, ApiError> {
    let version = call.need("VersionId")?;
    let directory = call.shared.directory();
    let (_, policy) = find(call, &directory)?;
    if version != "v1" {
        let text = format!("Policy {} version {version} does not exist or is not attachable.", policy.arn);
        return Err(ApiError::of("NoSuchEntity").saying(text));
    }
    Ok(call.answer(|xml| {
        xml.within("PolicyVersion", |xml| {
            xml.field("Document", print::document(&policy.document)).field("VersionId", "v1");
            xml.field("IsDefaultVersion", true).field("CreateDate", date(policy.created));
        });
    }))
}

pub(super) fn list_versions(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let (_, policy) = find(call, &directory)?;
    let page = Page::cut(call, [("v1", policy)].into_iter())?;
    Ok(call.answer(|xml| {
        page.write(xml, "Versions", |xml, policy| {
            xml.field("VersionId", "v1").field("IsDefaultVersion", true).field("CreateDate", date(policy.created));
        });
    }))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.refuse(&["OnlyAttached", "PolicyUsageFilter"])?;
    if call.form.get("Scope").is_some_and(|scope| scope != "Local") {
        return Err(ApiError::of("NotImplemented").saying("the embedded AWS lists policies of scope Local only"));
    }
    let directory = call.shared.directory();
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    call.may(&directory, &call.arn(&format!("policy{prefix}")))?;
    let policies = directory.entities(call.account()).into_iter().flat_map(|entities| &entities.policies);
    let policies = policies.filter(|(_, policy)| policy.path.starts_with(prefix));
    let page = Page::cut(call, policies.map(|(name, policy)| (&**name, (name, policy))))?;
    Ok(call.answer(|xml| {
        page.write(xml, "Policies", |xml, (name, policy)| {
            print::managed(xml, name, policy, attachments(call, &directory, policy.arn.as_str()));
        });
    }))
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            let (name, policy) = find(call, directory)?;
            if attachments(call, directory, policy.arn.as_str()) > 0 {
                return Err(ApiError::of("DeleteConflict").saying("Cannot delete a policy attached to entities."));
            }
            call.entities(directory).policies.remove(name);
            Ok(call.done())
        })
        .await
}
