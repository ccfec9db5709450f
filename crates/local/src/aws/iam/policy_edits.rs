use std::sync::Arc;

use iam::{Context, Document, PolicyKind};

use super::call::Call;
use super::page::Page;
use super::print::{document, name_of};
use super::{roles, users};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::Grants;
use crate::aws::reply::Reply;

/// The most managed policies attached to one user or role.
const MAX_ATTACHED: usize = 10;

/// Whose policies are edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Role,
    User,
}

impl Kind {
    /// As in `RoleName`.
    fn parameter(self) -> &'static str {
        match self {
            Self::Role => "RoleName",
            Self::User => "UserName",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

/// The policies of whoever the call names, for a caller who may do what the call says.
fn find<'d>(call: &Call<'_>, directory: &'d Directory, kind: Kind) -> Result<&'d Grants, ApiError> {
    let name = call.need(kind.parameter())?;
    Ok(match kind {
        Kind::Role => roles::find(call, directory, name)?.grants.latest(),
        Kind::User => users::find(call, directory, name)?.grants.latest(),
    })
}

/// Replaces the policies of whoever the call names.
fn store(call: &Call<'_>, directory: &mut Directory, kind: Kind, grants: Grants) -> Result<Reply, ApiError> {
    let (name, (now, from)) = (call.need(kind.parameter())?, call.times());
    let entities = call.entities(directory);
    match kind {
        Kind::Role => entities.roles.get_mut(name).ok_or_else(|| roles::missing(name))?.grants.edit(grants, now, from),
        Kind::User => entities.users.get_mut(name).ok_or_else(|| users::missing(name))?.grants.edit(grants, now, from),
    }
    Ok(call.done())
}

pub(super) async fn put(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let name = call.need("PolicyName")?.to_owned();
    let policy = Arc::new(call.document("PolicyDocument", PolicyKind::Identity)?);
    call.shared
        .change(|directory| {
            let mut grants = find(call, directory, kind)?.clone();
            grants.inline.insert(name, policy);
            store(call, directory, kind, grants)
        })
        .await
}

pub(super) fn get(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let name = call.need("PolicyName")?;
    let directory = call.shared.directory();
    let policy = find(call, &directory, kind)?.inline.get(name).ok_or_else(|| no_inline(kind, name))?;
    Ok(call.answer(|xml| {
        xml.field(kind.parameter(), call.form.get(kind.parameter()).unwrap_or_default());
        xml.field("PolicyName", name).field("PolicyDocument", document(policy));
    }))
}

fn no_inline(kind: Kind, name: &str) -> ApiError {
    ApiError::of("NoSuchEntity").saying(format!("The {} policy with name {name} cannot be found.", kind.noun()))
}

pub(super) fn list(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let names = find(call, &directory, kind)?.inline.keys().map(|name| (&**name, name));
    let page = Page::cut(call, names)?;
    Ok(call.answer(|xml| {
        page.write(xml, "PolicyNames", |xml, name| {
            xml.text(name);
        });
    }))
}

pub(super) async fn delete(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let name = call.need("PolicyName")?;
    call.shared
        .change(|directory| {
            let mut grants = find(call, directory, kind)?.clone();
            grants.inline.remove(name).ok_or_else(|| no_inline(kind, name))?;
            store(call, directory, kind, grants)
        })
        .await
}

/// A managed policy that may be attached.
pub(super) fn managed(directory: &Directory, arn: &str) -> Result<(String, Arc<Document>), ApiError> {
    let document = directory.managed_policy(arn).ok_or_else(|| {
        ApiError::of("NoSuchEntity").saying(format!("Policy {arn} does not exist or is not attachable."))
    })?;
    Ok((arn.to_owned(), document))
}

/// The policies of whoever the call names, where the condition keys name a managed policy too.
fn find_for<'d>(
    call: &Call<'_>,
    directory: &'d Directory,
    kind: Kind,
    key: &str,
    arn: &str,
) -> Result<&'d Grants, ApiError> {
    let name = call.need(kind.parameter())?;
    let (resource, grants) = match kind {
        Kind::Role => directory.role(call.account(), name).map(|role| (role.arn.to_string(), &role.grants)),
        Kind::User => directory.user(call.account(), name).map(|user| (user.arn.to_string(), &user.grants)),
    }
    .map_or_else(|| (call.arn(&format!("{}/{name}", kind.noun())), None), |(arn, grants)| (arn, Some(grants)));
    call.may_with(directory, &resource, |context: &mut Context| context.set(key, arn))?;
    let missing = || match kind {
        Kind::Role => roles::missing(name),
        Kind::User => users::missing(name),
    };
    Ok(grants.ok_or_else(missing)?.latest())
}

pub(super) async fn attach(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let arn = call.need("PolicyArn")?;
    call.shared
        .change(|directory| {
            let mut grants = find_for(call, directory, kind, "iam:PolicyARN", arn)?.clone();
            let (arn, document) = managed(directory, arn)?;
            grants.attached.insert(arn, document);
            if grants.attached.len() > MAX_ATTACHED {
                let noun = if kind == Kind::Role { "Role" } else { "User" };
                return Err(ApiError::of("LimitExceeded")
                    .saying(format!("Cannot exceed quota for PoliciesPer{noun}: {MAX_ATTACHED}")));
            }
            store(call, directory, kind, grants)
        })
        .await
}

pub(super) async fn detach(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let arn = call.need("PolicyArn")?;
    call.shared
        .change(|directory| {
            let mut grants = find_for(call, directory, kind, "iam:PolicyARN", arn)?.clone();
            grants
                .attached
                .remove(arn)
                .ok_or_else(|| ApiError::of("NoSuchEntity").saying(format!("Policy {arn} was not found.")))?;
            store(call, directory, kind, grants)
        })
        .await
}

pub(super) fn list_attached(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let arns = find(call, &directory, kind)?.attached.keys().map(|arn| (&**arn, arn));
    let page = Page::cut(call, arns)?;
    Ok(call.answer(|xml| {
        page.write(xml, "AttachedPolicies", |xml, arn| {
            xml.field("PolicyName", name_of(arn)).field("PolicyArn", arn);
        });
    }))
}

pub(super) async fn put_boundary(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    let arn = call.need("PermissionsBoundary")?;
    call.shared
        .change(|directory| {
            let mut grants = find_for(call, directory, kind, "iam:PermissionsBoundary", arn)?.clone();
            grants.boundary = Some(managed(directory, arn)?);
            store(call, directory, kind, grants)
        })
        .await
}

pub(super) async fn delete_boundary(call: &Call<'_>, kind: Kind) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            let mut grants = find(call, directory, kind)?.clone();
            let name = call.need(kind.parameter())?;
            grants.boundary.take().ok_or_else(|| {
                let noun = kind.noun();
                ApiError::of("NoSuchEntity").saying(format!("The {noun} {name} does not have a permissions boundary."))
            })?;
            store(call, directory, kind, grants)
        })
        .await
}
