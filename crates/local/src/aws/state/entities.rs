use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use iam::{AccountId, Document, Partition, PolicyKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use world::Secret;

use super::keys::KmsKeyState;
use crate::aws::account::{entity_arn, parse};
use crate::aws::directory::Directory;
use crate::aws::entity::{AccessKey, Entities, Grants, InstanceProfile, Managed, OidcProvider, Role, User};
use crate::aws::error::AwsError;
use crate::aws::kept::Kept;
use crate::aws::propagation::Propagating;
use crate::aws::session::{key_id, random_id, random_secret};

/// What one account holds, as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EntitiesState {
    /// The partition that the account is in: `aws` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<String>,
    users: BTreeMap<String, UserState>,
    roles: BTreeMap<String, RoleState>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    policies: BTreeMap<String, ManagedState>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    instance_profiles: BTreeMap<String, ProfileState>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    oidc_providers: BTreeMap<String, ProviderState>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kms_keys: BTreeMap<String, KmsKeyState>,
}

/// The policies of a user or role.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct GrantsState {
    policies: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attached_policies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UserState {
    id: Option<String>,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    /// Left out: one is made.
    access_keys: Option<Vec<KeyState>>,
    policies: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attached_policies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyState {
    id: String,
    secret: String,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleState {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default)]
    max_session_seconds: Option<u64>,
    trust: Value,
    /// Unique ids of those whom the trust policy names, from when it was saved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trusted_ids: BTreeMap<String, String>,
    #[serde(default)]
    policies: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attached_policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagedState {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    document: Value,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProfileState {
    id: Option<String>,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    role: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProviderState {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    client_ids: Vec<String>,
    thumbprints: Vec<String>,
}

/// What cannot be read before all accounts are there.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    user_grants: Vec<(String, GrantsState)>,
    role_grants: Vec<(String, GrantsState)>,
    trusts: Vec<(String, BTreeMap<String, String>)>,
    kms_keys: BTreeMap<String, KmsKeyState>,
}

impl EntitiesState {
    /// Puts all that stands for itself into the directory.
    pub(super) fn read(self, account: AccountId, directory: &mut Directory) -> Result<Unfinished, AwsError> {
        let mut rest = Unfinished { kms_keys: self.kms_keys, ..Unfinished::default() };
        let partition = match self.partition.as_deref() {
            None => Partition::Aws,
            Some(name) => Partition::ALL
                .into_iter()
                .find(|partition| partition.name() == name)
                .ok_or_else(|| AwsError::Missing { what: format!("partition {name}") })?,
        };
        let place = (partition, account);
        let entities = directory.entities_mut(account);
        entities.partition = Some(partition).filter(|_| self.partition.is_some());
        for (name, managed) in self.policies {
            entities.policies.insert(name.clone(), managed.read(place, &name)?);
        }
        for (name, profile) in self.instance_profiles {
            entities.instance_profiles.insert(name.clone(), profile.read(place, &name)?);
        }
        for (url, provider) in self.oidc_providers {
            entities.oidc_providers.insert(url.clone(), provider.read(place, &url)?);
        }
        for (name, mut user) in self.users {
            rest.user_grants.push((name.clone(), user.take_grants()));
            directory.put_user(account, &name, user.read(place, &name)?);
        }
        for (name, mut role) in self.roles {
            rest.role_grants.push((name.clone(), role.take_grants()));
            rest.trusts.push((name.clone(), std::mem::take(&mut role.trusted_ids)));
            directory.put_role(account, &name, role.read(place, &name)?);
        }
        Ok(rest)
    }

    pub(super) fn print(entities: &Entities) -> Self {
        Self {
            partition: entities.partition.map(|partition| partition.name().to_owned()),
            users: print_all(&entities.users, UserState::print),
            roles: print_all(&entities.roles, RoleState::print),
            policies: print_all(&entities.policies, ManagedState::print),
            instance_profiles: print_all(&entities.instance_profiles, ProfileState::print),
            oidc_providers: print_all(&entities.oidc_providers, ProviderState::print),
            kms_keys: print_all(&entities.kms_keys, KmsKeyState::print),
        }
    }
}

impl Unfinished {
    pub(super) fn finish(self, account: AccountId, directory: &mut Directory) -> Result<(), AwsError> {
        for (name, state) in self.user_grants {
            let grants = Propagating::settled(state.read(&format!("user {name}"), directory)?);
            if let Some(user) = directory.entities_mut(account).users.get_mut(&name) {
                user.grants = grants;
            }
        }
        for (name, state) in self.role_grants {
            let grants = Propagating::settled(state.read(&format!("role {name}"), directory)?);
            if let Some(role) = directory.entities_mut(account).roles.get_mut(&name) {
                role.grants = grants;
            }
        }
        for (name, ids) in self.trusts {
            let Some(role) = directory.role(account, &name) else { continue };
            let written = role.trust.latest().written.clone();
            let trust = Propagating::settled(directory.keep(&format!("role {name}"), written, &ids)?);
            if let Some(role) = directory.entities_mut(account).roles.get_mut(&name) {
                role.trust = trust;
            }
        }
        for (id, key) in self.kms_keys {
            let key = key.read(account, &id, directory)?;
            directory.entities_mut(account).kms_keys.insert(id, key);
        }
        Ok(())
    }
}

fn print_all<T, S>(all: &BTreeMap<String, T>, print: impl Fn(&T) -> S) -> BTreeMap<String, S> {
    all.iter().map(|(name, entity)| (name.clone(), print(entity))).collect()
}

pub(super) fn as_value(document: &Document) -> Value {
    serde_json::to_value(document).expect("a policy is plain data")
}

impl GrantsState {
    fn read(self, what: &str, directory: &Directory) -> Result<Grants, AwsError> {
        let managed = |arn: String| {
            let document = directory.managed_policy(&arn);
            let document = document.ok_or_else(|| AwsError::Missing { what: format!("policy {arn} of {what}") })?;
            Ok::<_, AwsError>((arn, document))
        };
        let inline = |(name, value): (String, Value)| {
            Ok((name, Arc::new(parse(PolicyKind::Identity, what, &value.to_string())?)))
        };
        Ok(Grants {
            inline: self.policies.into_iter().map(inline).collect::<Result<_, AwsError>>()?,
            attached: self.attached_policies.into_iter().map(managed).collect::<Result<_, _>>()?,
            boundary: self.permissions_boundary.map(managed).transpose()?,
        })
    }

    fn print(grants: &Grants) -> Self {
        Self {
            policies: grants.inline.iter().map(|(name, document)| (name.clone(), as_value(document))).collect(),
            attached_policies: grants.attached.keys().cloned().collect(),
            permissions_boundary: grants.boundary.as_ref().map(|(arn, _)| arn.clone()),
        }
    }
}

impl UserState {
    fn take_grants(&mut self) -> GrantsState {
        GrantsState {
            policies: std::mem::take(&mut self.policies),
            attached_policies: std::mem::take(&mut self.attached_policies),
            permissions_boundary: self.permissions_boundary.take(),
        }
    }

    fn read(self, place: (Partition, AccountId), name: &str) -> Result<User, AwsError> {
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let arn = entity_arn(&format!("user {name}"), place, name, &path, &format!("user{path}{name}"), 64)?;
        let created = self.created.unwrap_or_default();
        let key = |key: KeyState| AccessKey {
            id: key.id,
            secret: Secret::new(key.secret),
            active: key.active,
            created: key.created.unwrap_or(created),
        };
        let made = || vec![AccessKey { id: key_id("AKIA", place.1), secret: random_secret(), active: true, created }];
        let keys = self.access_keys.map_or_else(made, |keys| keys.into_iter().map(key).collect());
        let id = self.id.unwrap_or_else(|| random_id("AIDA", 17));
        let grants = Propagating::settled(Grants::default());
        Ok(User { arn, id, path, created, keys, grants, tags: self.tags })
    }

    fn print(user: &User) -> Self {
        let key = |key: &AccessKey| KeyState {
            id: key.id.clone(),
            secret: key.secret.expose().to_owned(),
            active: key.active,
            created: Some(key.created),
        };
        let GrantsState { policies, attached_policies, permissions_boundary } =
            GrantsState::print(user.grants.latest());
        Self {
            id: Some(user.id.clone()),
            path: Some(user.path.clone()),
            created: Some(user.created),
            access_keys: Some(user.keys.iter().map(key).collect()),
            policies,
            attached_policies,
            permissions_boundary,
            tags: user.tags.clone(),
        }
    }
}

impl RoleState {
    fn take_grants(&mut self) -> GrantsState {
        GrantsState {
            policies: std::mem::take(&mut self.policies),
            attached_policies: std::mem::take(&mut self.attached_policies),
            permissions_boundary: self.permissions_boundary.take(),
        }
    }

    fn read(self, place: (Partition, AccountId), name: &str) -> Result<Role, AwsError> {
        let what = format!("role {name}");
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let arn = entity_arn(&what, place, name, &path, &format!("role{path}{name}"), 64)?;
        let seconds = self.max_session_seconds.unwrap_or(3600);
        if !(3600..=43_200).contains(&seconds) {
            return Err(AwsError::SessionLength { what, seconds });
        }
        let written = parse(PolicyKind::Trust, &what, &self.trust.to_string())?;
        Ok(Role {
            arn,
            id: self.id.unwrap_or_else(|| random_id("AROA", 17)),
            path,
            created: self.created.unwrap_or_default(),
            description: self.description,
            max_session: Duration::from_secs(seconds),
            trust: Propagating::settled(Kept::restore(written, BTreeMap::new())),
            grants: Propagating::settled(Grants::default()),
            tags: self.tags,
        })
    }

    fn print(role: &Role) -> Self {
        let trust = role.trust.latest();
        let GrantsState { policies, attached_policies, permissions_boundary } =
            GrantsState::print(role.grants.latest());
        Self {
            id: Some(role.id.clone()),
            path: Some(role.path.clone()),
            created: Some(role.created),
            description: role.description.clone(),
            max_session_seconds: Some(role.max_session.as_secs()),
            trust: as_value(&trust.written),
            trusted_ids: trust.ids.clone(),
            policies,
            attached_policies,
            permissions_boundary,
            tags: role.tags.clone(),
        }
    }
}

impl ManagedState {
    fn read(self, place: (Partition, AccountId), name: &str) -> Result<Managed, AwsError> {
        let what = format!("policy {name}");
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let arn = entity_arn(&what, place, name, &path, &format!("policy{path}{name}"), 128)?;
        Ok(Managed {
            arn,
            id: self.id.unwrap_or_else(|| random_id("ANPA", 17)),
            path,
            created: self.created.unwrap_or_default(),
            description: self.description,
            document: Arc::new(parse(PolicyKind::Identity, &what, &self.document.to_string())?),
        })
    }

    fn print(managed: &Managed) -> Self {
        Self {
            id: Some(managed.id.clone()),
            path: Some(managed.path.clone()),
            created: Some(managed.created),
            description: managed.description.clone(),
            document: as_value(&managed.document),
        }
    }
}

impl ProfileState {
    fn read(self, place: (Partition, AccountId), name: &str) -> Result<InstanceProfile, AwsError> {
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let resource = format!("instance-profile{path}{name}");
        let arn = entity_arn(&format!("instance profile {name}"), place, name, &path, &resource, 128)?;
        let id = self.id.unwrap_or_else(|| random_id("AIPA", 17));
        Ok(InstanceProfile { arn, id, path, created: self.created.unwrap_or_default(), role: self.role })
    }

    fn print(profile: &InstanceProfile) -> Self {
        Self {
            id: Some(profile.id.clone()),
            path: Some(profile.path.clone()),
            created: Some(profile.created),
            role: profile.role.clone(),
        }
    }
}

impl ProviderState {
    fn read(self, place: (Partition, AccountId), url: &str) -> Result<OidcProvider, AwsError> {
        let arn = OidcProvider::arn_of(place.0, place.1, url)?;
        let created = self.created.unwrap_or_default();
        Ok(OidcProvider { arn, created, client_ids: self.client_ids, thumbprints: self.thumbprints })
    }

    fn print(provider: &OidcProvider) -> Self {
        Self {
            created: Some(provider.created),
            client_ids: provider.client_ids.clone(),
            thumbprints: provider.thumbprints.clone(),
        }
    }
}
