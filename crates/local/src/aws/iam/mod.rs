//! Identity and Access Management over its own API: users, keys, roles, policies, instance profiles, identity providers.
//!
//! Everything is authorised as AWS does it, so that a test of "who may change this trust policy" means something. Edits
//! take effect after the propagation delay; they read back at once.

mod call;
mod instance_profiles;
mod keys;
mod oidc_providers;
mod page;
mod policies;
mod policy_edits;
mod print;
mod roles;
mod users;

use http::request::Parts;

use super::api_error::ApiError;
use super::authorize::{Facts, Who};
use super::reply::Reply;
use super::server::Shared;
use super::sigv4::{Claim, Dialect, authenticate};
use super::uri::Query;
use call::Call;
use policy_edits::Kind;

/// The one version of the API.
pub(super) const VERSION: &str = "2010-05-08";

/// The namespace of its documents.
pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// What is served.
pub(super) const OPERATIONS: [&str; 59] = [
    "AddClientIDToOpenIDConnectProvider",
    "AddRoleToInstanceProfile",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreateAccessKey",
    "CreateInstanceProfile",
    "CreateOpenIDConnectProvider",
    "CreatePolicy",
    "CreateRole",
    "CreateUser",
    "DeleteAccessKey",
    "DeleteInstanceProfile",
    "DeleteOpenIDConnectProvider",
    "DeletePolicy",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "GetInstanceProfile",
    "GetOpenIDConnectProvider",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListGroupsForUser",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "ListUserPolicies",
    "ListUserTags",
    "ListUsers",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RemoveClientIDFromOpenIDConnectProvider",
    "RemoveRoleFromInstanceProfile",
    "TagRole",
    "TagUser",
    "UntagRole",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAssumeRolePolicy",
    "UpdateOpenIDConnectProviderThumbprint",
    "UpdateRole",
];

/// Some of those that exist and are not served.
const NOT_SERVED: [&str; 5] =
    ["UpdateUser", "UpdateRoleDescription", "GetAccessKeyLastUsed", "GetAccountSummary", "SimulatePrincipalPolicy"];

/// The name of the operation asked for, for counting and for the fault plane.
pub(super) fn operation(form: &Query) -> &'static str {
    let action = form.get("Action").unwrap_or_default();
    OPERATIONS.into_iter().chain(NOT_SERVED).find(|known| *known == action).unwrap_or("Iam:Unknown")
}

/// Answers a request. `form` holds its parameters, `payload_hash` is of its whole body.
pub(super) async fn handle(
    shared: &Shared,
    parts: &Parts,
    form: &Query,
    claim: Option<Claim>,
    payload_hash: &str,
    facts: &Facts,
    request_id: &str,
) -> Result<Reply, ApiError> {
    let claim = claim.ok_or_else(|| ApiError::of("MissingAuthenticationToken"))?;
    let verified = {
        let directory = shared.directory();
        authenticate(Dialect::Iam, parts, claim, payload_hash, &directory, &shared.mint, facts.now)?
    };
    // What GetSessionToken gives out without a second factor is not taken here.
    if matches!(verified.requester.who, Who::User { session: Some(_), .. }) {
        return Err(ApiError::of("InvalidClientTokenId"));
    }
    let action = form.get("Action").ok_or_else(|| {
        ApiError::of("MissingAction").saying("Could not find operation: the parameter Action is missing")
    })?;
    if form.get("Version") != Some(VERSION) {
        let version = form.get("Version").unwrap_or("(none)");
        return Err(
            ApiError::of("InvalidAction").saying(format!("Could not find operation {action} for version {version}"))
        );
    }
    let call = Call { shared, requester: &verified.requester, facts, form, action, request_id };
    dispatch(&call).await
}

async fn dispatch(call: &Call<'_>) -> Result<Reply, ApiError> {
    match call.action {
        "CreateUser" => users::create(call).await,
        "GetUser" => users::get(call),
        "ListUsers" => users::list(call),
        "ListGroupsForUser" => users::list_groups(call),
        "DeleteUser" => users::delete(call).await,
        "TagUser" => users::tag(call).await,
        "UntagUser" => users::untag(call).await,
        "ListUserTags" => users::list_tags(call),
        "CreateAccessKey" => keys::create(call).await,
        "ListAccessKeys" => keys::list(call),
        "UpdateAccessKey" => keys::update(call).await,
        "DeleteAccessKey" => keys::delete(call).await,
        "CreateRole" => roles::create(call).await,
        "GetRole" => roles::get(call),
        "ListRoles" => roles::list(call),
        "DeleteRole" => roles::delete(call).await,
        "UpdateRole" => roles::update(call).await,
        "UpdateAssumeRolePolicy" => roles::update_trust(call).await,
        "TagRole" => roles::tag(call).await,
        "UntagRole" => roles::untag(call).await,
        "ListRoleTags" => roles::list_tags(call),
        "PutRolePolicy" => policy_edits::put(call, Kind::Role).await,
        "GetRolePolicy" => policy_edits::get(call, Kind::Role),
        "ListRolePolicies" => policy_edits::list(call, Kind::Role),
        "DeleteRolePolicy" => policy_edits::delete(call, Kind::Role).await,
        "AttachRolePolicy" => policy_edits::attach(call, Kind::Role).await,
        "DetachRolePolicy" => policy_edits::detach(call, Kind::Role).await,
        "ListAttachedRolePolicies" => policy_edits::list_attached(call, Kind::Role),
        "PutRolePermissionsBoundary" => policy_edits::put_boundary(call, Kind::Role).await,
        "DeleteRolePermissionsBoundary" => policy_edits::delete_boundary(call, Kind::Role).await,
        "PutUserPolicy" => policy_edits::put(call, Kind::User).await,
        "GetUserPolicy" => policy_edits::get(call, Kind::User),
        "ListUserPolicies" => policy_edits::list(call, Kind::User),
        "DeleteUserPolicy" => policy_edits::delete(call, Kind::User).await,
        "AttachUserPolicy" => policy_edits::attach(call, Kind::User).await,
        "DetachUserPolicy" => policy_edits::detach(call, Kind::User).await,
        "ListAttachedUserPolicies" => policy_edits::list_attached(call, Kind::User),
        "PutUserPermissionsBoundary" => policy_edits::put_boundary(call, Kind::User).await,
        "DeleteUserPermissionsBoundary" => policy_edits::delete_boundary(call, Kind::User).await,
        "CreatePolicy" => policies::create(call).await,
        "GetPolicy" => policies::get(call),
        "GetPolicyVersion" => policies::get_version(call),
        "ListPolicies" => policies::list(call),
        "ListPolicyVersions" => policies::list_versions(call),
        "DeletePolicy" => policies::delete(call).await,
        "CreateInstanceProfile" => instance_profiles::create(call).await,
        "GetInstanceProfile" => instance_profiles::get(call),
        "ListInstanceProfiles" => instance_profiles::list(call),
        "ListInstanceProfilesForRole" => instance_profiles::list_for_role(call),
        "AddRoleToInstanceProfile" => instance_profiles::add_role(call).await,
        "RemoveRoleFromInstanceProfile" => instance_profiles::remove_role(call).await,
        "DeleteInstanceProfile" => instance_profiles::delete(call).await,
        "CreateOpenIDConnectProvider" => oidc_providers::create(call).await,
        "GetOpenIDConnectProvider" => oidc_providers::get(call),
        "ListOpenIDConnectProviders" => oidc_providers::list(call),
        "DeleteOpenIDConnectProvider" => oidc_providers::delete(call).await,
        "AddClientIDToOpenIDConnectProvider" => oidc_providers::add_client(call).await,
        "RemoveClientIDFromOpenIDConnectProvider" => oidc_providers::remove_client(call).await,
        "UpdateOpenIDConnectProviderThumbprint" => oidc_providers::update_thumbprints(call).await,
        action if NOT_SERVED.contains(&action) => {
            Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not serve iam:{action}")))
        }
        // Most of IAM's some hundred and sixty operations are not served, and one cannot tell a slip from one of them.
        action => Err(ApiError::of("InvalidAction")
            .saying(format!("Could not find operation {action} for version {VERSION} in the embedded AWS"))),
    }
}
