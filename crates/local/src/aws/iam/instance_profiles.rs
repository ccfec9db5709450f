use iam::Context;

use super::call::Call;
use super::page::Page;
use super::{print, roles};
use crate::aws::account::{entity_arn, has};
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::entity::{InstanceProfile, Role};
use crate::aws::reply::Reply;
use crate::aws::session::random_id;
use crate::aws::store::timestamp;

pub(super) async fn create(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (name, path) = (call.need("InstanceProfileName")?.to_owned(), call.path().to_owned());
    let resource = format!("instance-profile{path}{name}");
    let arn = entity_arn(&format!("instance profile {name}"), call.place(), &name, &path, &resource, 128)?;
    call.refuse(&["Tags.member.1.Key"])?;
    call.shared
        .change(|directory| {
            call.may(directory, arn.as_str())?;
            if has(call.entities(directory).instance_profiles.keys(), &name) {
                return Err(
                    ApiError::of("EntityAlreadyExists").saying(format!("Instance Profile {name} already exists."))
                );
            }
            let created = timestamp(call.facts.now);
            let profile = InstanceProfile { arn, id: random_id("AIPA", 17), path, created, role: None };
            let reply = answer(call, directory, &name, &profile);
            call.entities(directory).instance_profiles.insert(name, profile);
            Ok(reply)
        })
        .await
}

fn answer(call: &Call<'_>, directory: &Directory, name: &str, profile: &InstanceProfile) -> Reply {
    call.answer(|xml| {
        xml.within("InstanceProfile", |xml| {
            print::instance_profile(xml, directory, name, profile, role_of(call, directory, profile));
        });
    })
}

fn role_of<'d>(call: &Call<'_>, directory: &'d Directory, profile: &InstanceProfile) -> Option<&'d Role> {
    directory.role(call.account(), profile.role.as_deref()?)
}

/// Finds the profile that a call names, for a caller who may do what the call says with it.
fn find<'c, 'd>(call: &'c Call<'_>, directory: &'d Directory) -> Result<(&'c str, &'d InstanceProfile), ApiError> {
    let name = call.need("InstanceProfileName")?;
    let profile = directory.entities(call.account()).and_then(|entities| entities.instance_profiles.get(name));
    let arn = profile.map_or_else(|| call.arn(&format!("instance-profile/{name}")), |profile| profile.arn.to_string());
    call.may(directory, &arn)?;
    let missing = || ApiError::of("NoSuchEntity").saying(format!("Instance Profile {name} cannot be found."));
    Ok((name, profile.ok_or_else(missing)?))
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let directory = call.shared.directory();
    let (name, profile) = find(call, &directory)?;
    Ok(answer(call, &directory, name, profile))
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let prefix = call.form.get("PathPrefix").unwrap_or("/");
    let directory = call.shared.directory();
    call.may(&directory, &call.arn(&format!("instance-profile{prefix}")))?;
    write_list(call, &directory, |profile| profile.path.starts_with(prefix))
}

pub(super) fn list_for_role(call: &Call<'_>) -> Result<Reply, ApiError> {
    let role = call.need("RoleName")?;
    let directory = call.shared.directory();
    roles::find(call, &directory, role)?;
    write_list(call, &directory, |profile| profile.role.as_deref() == Some(role))
}

fn write_list(
    call: &Call<'_>,
    directory: &Directory,
    wanted: impl Fn(&InstanceProfile) -> bool,
) -> Result<Reply, ApiError> {
    let profiles = directory.entities(call.account()).into_iter().flat_map(|entities| &entities.instance_profiles);
    let profiles = profiles.filter(|(_, profile)| wanted(profile));
    let page = Page::cut(call, profiles.map(|(name, profile)| (&**name, (name, profile))))?;
    Ok(call.answer(|xml| {
        page.write(xml, "InstanceProfiles", |xml, (name, profile)| {
            print::instance_profile(xml, directory, name, profile, role_of(call, directory, profile));
        });
    }))
}

pub(super) async fn add_role(call: &Call<'_>) -> Result<Reply, ApiError> {
    let role_name = call.need("RoleName")?;
    call.shared
        .change(|directory| {
            let (name, profile) = find(call, directory)?;
            let role = directory.role(call.account(), role_name).ok_or_else(|| roles::missing(role_name))?;
            // Who may hand a role to a machine has what the role may do.
            call.may_do(directory, "iam:PassRole", role.arn.as_str(), |context: &mut Context| {
                context.set("iam:PassedToService", "ec2.amazonaws.com");
            })?;
            if profile.role.is_some() {
                return Err(ApiError::of("LimitExceeded")
                    .saying("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"));
            }
            if let Some(profile) = call.entities(directory).instance_profiles.get_mut(name) {
                profile.role = Some(role_name.to_owned());
            }
            Ok(call.done())
        })
        .await
}

pub(super) async fn remove_role(call: &Call<'_>) -> Result<Reply, ApiError> {
    let role = call.need("RoleName")?;
    call.shared
        .change(|directory| {
            let (name, profile) = find(call, directory)?;
            if profile.role.as_deref() != Some(role) {
                return Err(roles::missing(role));
            }
            if let Some(profile) = call.entities(directory).instance_profiles.get_mut(name) {
                profile.role = None;
            }
            Ok(call.done())
        })
        .await
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.shared
        .change(|directory| {
            let (name, profile) = find(call, directory)?;
            if profile.role.is_some() {
                return Err(ApiError::of("DeleteConflict")
                    .saying("Cannot delete entity, must remove roles from instance profile first."));
            }
            call.entities(directory).instance_profiles.remove(name);
            Ok(call.done())
        })
        .await
}
