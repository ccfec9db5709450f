use std::collections::BTreeMap;

use iam::Document;
use jiff::Timestamp;

use crate::aws::directory::Directory;
use crate::aws::entity::{Grants, InstanceProfile, Managed, Role, User};
use crate::aws::time::iso_seconds;
use crate::aws::uri;
use crate::aws::xml::Xml;

/// A policy in an answer: percent-encoded.
pub(super) fn document(document: &Document) -> String {
    uri::encode(&serde_json::to_string(document).expect("a policy is plain data"), false)
}

pub(super) fn date(time: Timestamp) -> String {
    iso_seconds(time.into())
}

/// The name at the end of an ARN.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

pub(super) fn user(xml: &mut Xml, name: &str, user: &User) {
    xml.field("Path", &user.path).field("UserName", name).field("UserId", &user.id).field("Arn", &user.arn);
    xml.field("CreateDate", date(user.created));
    boundary(xml, user.grants.latest());
    tags(xml, &user.tags);
}

pub(super) fn role(xml: &mut Xml, directory: &Directory, name: &str, role: &Role) {
    xml.field("Path", &role.path).field("RoleName", name).field("RoleId", &role.id).field("Arn", &role.arn);
    xml.field("CreateDate", date(role.created));
    xml.field("AssumeRolePolicyDocument", document(&directory.shown(role.trust.latest())));
    xml.maybe("Description", role.description.as_ref());
    xml.field("MaxSessionDuration", role.max_session.as_secs());
    boundary(xml, role.grants.latest());
    tags(xml, &role.tags);
}

fn boundary(xml: &mut Xml, grants: &Grants) {
    if let Some((arn, _)) = &grants.boundary {
        xml.within("PermissionsBoundary", |xml| {
            xml.field("PermissionsBoundaryType", "Policy").field("PermissionsBoundaryArn", arn);
        });
    }
}

pub(super) fn tags(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        xml.within("Tags", |xml| tag_members(xml, tags));
    }
}

pub(super) fn tag_members(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        xml.within("member", |xml| {
            xml.field("Key", key).field("Value", value);
        });
    }
}

pub(super) fn managed(xml: &mut Xml, name: &str, policy: &Managed, attachments: usize) {
    xml.field("PolicyName", name).field("PolicyId", &policy.id).field("Arn", &policy.arn);
    xml.field("Path", &policy.path).field("DefaultVersionId", "v1");
    xml.field("AttachmentCount", attachments).field("IsAttachable", true);
    xml.maybe("Description", policy.description.as_ref());
    xml.field("CreateDate", date(policy.created)).field("UpdateDate", date(policy.created));
}

pub(super) fn instance_profile(
    xml: &mut Xml,
    directory: &Directory,
    name: &str,
    profile: &InstanceProfile,
    with: Option<&Role>,
) {
    xml.field("Path", &profile.path).field("InstanceProfileName", name);
    xml.field("InstanceProfileId", &profile.id).field("Arn", &profile.arn);
    xml.field("CreateDate", date(profile.created));
    xml.within("Roles", |xml| {
        if let (Some(role_name), Some(of)) = (&profile.role, with) {
            xml.within("member", |xml| role(xml, directory, role_name, of));
        }
    });
}
