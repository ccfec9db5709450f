use std::collections::BTreeMap;
use std::time::Duration;

use iam::{Context, Document, PolicyKind};

use super::call::{Call, add_tags, resource_tag_keys, tag_keys};
use super::page::Page;
use super::print;
use crate::aws::account::{entity_arn, has};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::{Grants, Role};
use crate::aws::kept::Kept;
use crate::aws::propagation::Propagating;
use crate::aws::reply::Reply;
use crate::aws::session::random_id;
use crate::aws::store::timestamp;
use crate::aws::validate::members;

/// How long a trust policy may be, without its blanks.
const MAX_TRUST: usize = 2048;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, path) = (call.need("RoleName")?.to_owned(), call.path().to_owned());
    let arn = entity_arn(&format!("role {name}"), call.place(), &name, &path, &format!("role{path}{name}"), 64)?;
    let written = trust(call, "AssumeRolePolicyDocument")?;
    let max_session = max_session(call)?.unwrap_or(Duration::from_hours(1));
    let tags = call.tags()?;
    let boundary = call.form.get("PermissionsBoundary");
    let (now, from) = call.times();
    call.shared
        .change(|directory| {
            call.may_with(directory, arn.as_str(), |context: &mut Context| {
                tag_keys(context, &tags);
                if let Some(boundary) = boundary {
                    context.set("iam:PermissionsBoundary", boundary);
                }
            })?;
            if directory.entities(call.account()).is_some_and(|entities| has(entities.roles.keys(), &name)) {
                return Err(
                    ApiError::of("EntityAlreadyExists").saying(format!("Role with name {name} already exists."))
                );
            }
            let boundary = boundary.map(|arn| super::policy_edits::managed(directory, arn)).transpose()?;
            let role = Role {
                trust: Propagating::new(keep(directory, &name, written)?, from),
                grants: Propagating::new(Grants { boundary, ..Grants::default() }, from),
                arn,
                id: random_id("AROA", 17),
                path,
                created: timestamp(now),
                description: call.form.get("Description").map(str::to_owned),
                max_session,
                tags,
            };
            let reply = call.answer(|xml| {
                xml.within("Role", |xml| print::role(xml, directory, &name, &role));
            });
            directory.put_role(call.account(), &name, role);
            Ok(reply)
        })
        .await
}

/// The trust policy in a parameter.
fn trust(call: &Call<'_>, name: &str) -> Result<Document, ApiError> {
    let length = call.need(name)?.chars().filter(|c| !c.is_whitespace()).count();
    let document = call.document(name, PolicyKind::Trust)?;
    if length > MAX_TRUST {
        return Err(
            ApiError::of("LimitExceeded").saying(format!("Cannot exceed quota for ACLSizePerRole: {MAX_TRUST}"))
        );
    }
    Ok(document)
}

fn keep(directory: &Directory, name: &str, written: Document) -> Result<Kept, ApiError> {
    Ok(directory.keep(&format!("role {name}"), written, &BTreeMap::new())?)
}

fn max_session(call: &Call<'_>) -> Result<Option<Duration>, ApiError> {
    let Some(text) = call.form.get("MaxSessionDuration") else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(seconds) if (3600..=43_200).contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
        parsed => {
            let bound = if parsed.is_ok_and(|seconds| seconds > 43_200) {
                "less than or equal to 43200"
            } else {
                "greater than or equal to 3600"
            };
            Err(ApiError::of("ValidationError").saying(format!(
                "1 validation error detected: Value '{text}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value {bound}"
            )))
        }
    }
}

/// Finds a role for a caller who may do what the call says with it.
pub(super) fn find<'d>(call: &Call<'_>, directory: &'d Directory, name: &str) -> Result<&'d Role, ApiError> {
    let role = directory.role(call.account(), name);
    let arn = role.map_or_else(|| call.arn(&format!("role/{name}")), |role| role.arn.to_string());
    call.may_with(directory, &arn, |context: &mut Context| {
        if let Some(role) = role {
            resource_tag_keys(context, &role.tags);
        }
    })?;
    role.ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> ApiError {
    ApiError::of("NoSuchEntity").saying(format!("The role with name {name} cannot be found."))
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = call.need("RoleName")?;
    let directory = call.shared.directory();
    let role = find(call, &directory, name)?;
    Ok(call.answer(|xml| {
        xml.within("Role", |xml| print::role(xml, &directory, name, role));
    }))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    call.may(&directory, &call.arn(&format!("role{prefix}")))?;
    let roles = directory.entities(call.account()).into_iter().flat_map(|entities| &entities.roles);
    let roles = roles.filter(|(_, role)| role.path.starts_with(prefix)).map(|(name, role)| (&**name, (name, role)));
    let page = Page::cut(call, roles)?;
    Ok(call.answer(|xml| page.write(xml, "Roles", |xml, (name, role)| print::role(xml, &directory, name, role))))
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = call.need("RoleName")?;
    call.shared
        .change(|directory| {
            let grants = find(call, directory, name)?.grants.latest();
            let of_profile = |role: &Option<String>| role.as_deref() == Some(name);
            let entities = directory.entities(call.account());
            let profiles = entities.into_iter().flat_map(|entities| entities.instance_profiles.values());
            let first = [
                (profiles.map(|profile| &profile.role).any(of_profile), "remove roles from instance profile"),
                (!grants.attached.is_empty(), "detach all policies"),
                (!grants.inline.is_empty(), "delete policies"),
            ];
            if let Some((_, what)) = first.into_iter().find(|(there, _)| *there) {
                return Err(ApiError::of("DeleteConflict").saying(format!("Cannot delete entity, must {what} first.")));
            }
            call.entities(directory).roles.remove(name);
            Ok(call.done())
        })
        .await
}

pub(super) async fn update(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, max_session) = (call.need("RoleName")?, max_session(call)?);
    edit(call, name, |role| {
        if let Some(description) = call.form.get("Description") {
            role.description = Some(description.to_owned());
        }
        role.max_session = max_session.unwrap_or(role.max_session);
        Ok(())
    })
    .await
}

pub(super) async fn update_trust(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, written) = (call.need("RoleName")?, trust(call, "PolicyDocument")?);
    let (now, from) = call.times();
    call.shared
        .change(|directory| {
            find(call, directory, name)?;
            let kept = keep(directory, name, written)?;
            let role = call.entities(directory).roles.get_mut(name).ok_or_else(|| missing(name))?;
            role.trust.edit(kept, now, from);
            Ok::<_, ApiError>(call.done())
        })
        .await
}

pub(super) async fn tag(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, tags) = (call.need("RoleName")?, call.tags()?);
    call.shared
        .change(|directory| {
            let role = directory.role(call.account(), name);
            let arn = role.map_or_else(|| call.arn(&format!("role/{name}")), |role| role.arn.to_string());
            call.may_with(directory, &arn, |context: &mut Context| {
                tag_keys(context, &tags);
                if let Some(role) = role {
                    resource_tag_keys(context, &role.tags);
                }
            })?;
            let mut all = role.ok_or_else(|| missing(name))?.tags.clone();
            add_tags(&mut all, tags)?;
            if let Some(role) = call.entities(directory).roles.get_mut(name) {
                role.tags = all;
            }
            Ok::<_, ApiError>(call.done())
        })
        .await
}

pub(super) async fn untag(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = call.need("RoleName")?;
    let keys: Vec<&str> = members(call.form, "TagKeys", "").collect();
    edit(call, name, |role| {
        role.tags.retain(|known, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(known)));
        Ok(())
    })
    .await
}

pub(super) fn list_tags(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let role = find(call, &directory, call.need("RoleName")?)?;
    Ok(call.answer(|xml| {
        xml.within("Tags", |xml| print::tag_members(xml, &role.tags));
        xml.field("IsTruncated", false);
    }))
}

async fn edit(
    call: &Call<'_>,
    name: &str,
    edit: impl FnOnce(&mut Role) -> Result<(), ApiError>,
) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            find(call, directory, name)?;
            edit(call.entities(directory).roles.get_mut(name).ok_or_else(|| missing(name))?)?;
            // UpdateRole is the one edit whose result element is there and empty.
            Ok::<_, ApiError>(if call.action == "UpdateRole" { call.answer(|_| ()) } else { call.done() })
        })
        .await
}
