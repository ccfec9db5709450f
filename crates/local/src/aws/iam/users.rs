use iam::Context;

use super::call::{Call, add_tags, resource_tag_keys, tag_keys};
use super::page::Page;
use super::print;
use crate::aws::account::{entity_arn, has};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::{Grants, User};
use crate::aws::propagation::Propagating;
use crate::aws::reply::Reply;
use crate::aws::session::random_id;
use crate::aws::store::timestamp;
use crate::aws::validate::members;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, path) = (call.need("UserName")?.to_owned(), call.path().to_owned());
    let arn = entity_arn(&format!("user {name}"), call.place(), &name, &path, &format!("user{path}{name}"), 64)?;
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
            if directory.entities(call.account()).is_some_and(|entities| has(entities.users.keys(), &name)) {
                return Err(
                    ApiError::of("EntityAlreadyExists").saying(format!("User with name {name} already exists."))
                );
            }
            let boundary = boundary.map(|arn| super::policy_edits::managed(directory, arn)).transpose()?;
            let grants = Propagating::new(Grants { boundary, ..Grants::default() }, from);
            let (id, created, keys) = (random_id("AIDA", 17), timestamp(now), Vec::new());
            let user = User { arn, id, path, created, keys, grants, tags };
            let reply = call.answer(|xml| {
                xml.within("User", |xml| print::user(xml, &name, &user));
            });
            directory.put_user(call.account(), &name, user);
            Ok(reply)
        })
        .await
}

/// The user that a call names; without a name, the one who makes it.
pub(super) fn named(call: &Call<'_>) -> Result<String, ApiError> {
    match (call.form.get("UserName"), &call.requester.who) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, crate::aws::authorize::Who::User { name, .. }) => Ok(name.clone()),
        (None, crate::aws::authorize::Who::Session(_) | crate::aws::authorize::Who::Root) => {
            Err(ApiError::of("ValidationError").saying("Must specify userName when calling with non-User credentials"))
        }
    }
}

/// Finds a user for a caller who may do what the call says with him.
pub(super) fn find<'d>(call: &Call<'_>, directory: &'d Directory, name: &str) -> Result<&'d User, ApiError> {
    let user = directory.user(call.account(), name);
    let arn = user.map_or_else(|| call.arn(&format!("user/{name}")), |user| user.arn.to_string());
    call.may_with(directory, &arn, |context: &mut Context| {
        if let Some(user) = user {
            resource_tag_keys(context, &user.tags);
        }
    })?;
    user.ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> ApiError {
    ApiError::of("NoSuchEntity").saying(format!("The user with name {name} cannot be found."))
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = named(call)?;
    let directory = call.shared.directory();
    let user = find(call, &directory, &name)?;
    Ok(call.answer(|xml| {
        xml.within("User", |xml| print::user(xml, &name, user));
    }))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    call.may(&directory, &call.arn(&format!("user{prefix}")))?;
    let users = directory.entities(call.account()).into_iter().flat_map(|entities| &entities.users);
    let users = users.filter(|(_, user)| user.path.starts_with(prefix)).map(|(name, user)| (&**name, (name, user)));
    let page = Page::cut(call, users)?;
    Ok(call.answer(|xml| page.write(xml, "Users", |xml, (name, user)| print::user(xml, name, user))))
}

/// The groups that a user is in. There are none here, so that nobody is in one.
pub(super) fn list_groups(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    find(call, &directory, call.need("UserName")?)?;
    Ok(call.answer(|xml| {
        xml.within("Groups", |_| ());
        xml.field("IsTruncated", false);
    }))
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = call.need("UserName")?;
    call.shared
        .change(|directory| {
            let user = find(call, directory, name)?;
            let grants = user.grants.latest();
            let first = [
                (!user.keys.is_empty(), "delete access keys"),
                (!grants.attached.is_empty(), "detach all policies"),
                (!grants.inline.is_empty(), "delete policies"),
            ];
            if let Some((_, what)) = first.into_iter().find(|(there, _)| *there) {
                return Err(ApiError::of("DeleteConflict").saying(format!("Cannot delete entity, must {what} first.")));
            }
            directory.remove_user(call.account(), name);
            Ok(call.done())
        })
        .await
}

pub(super) async fn tag(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, tags) = (call.need("UserName")?, call.tags()?);
    call.shared
        .change(|directory| {
            call.may_with(directory, &call.arn(&format!("user/{name}")), |context| tag_keys(context, &tags))?;
            let user = call.entities(directory).users.get_mut(name).ok_or_else(|| missing(name))?;
            add_tags(&mut user.tags, tags)?;
            Ok(call.done())
        })
        .await
}

pub(super) async fn untag(call: &Call<'_>) -> Result<Reply, ApiError> {
    let name = call.need("UserName")?;
    let keys: Vec<&str> = members(call.form, "TagKeys", "").collect();
    call.shared
        .change(|directory| {
            find(call, directory, name)?;
            let user = call.entities(directory).users.get_mut(name).ok_or_else(|| missing(name))?;
            user.tags.retain(|known, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(known)));
            Ok::<_, ApiError>(call.done())
        })
        .await
}

pub(super) fn list_tags(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let user = find(call, &directory, call.need("UserName")?)?;
    Ok(call.answer(|xml| {
        xml.within("Tags", |xml| print::tag_members(xml, &user.tags));
        xml.field("IsTruncated", false);
    }))
}
