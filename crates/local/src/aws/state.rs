//! Accounts as a readable file, so that `tidegate local --dir` survives a restart and can be set up with an editor.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use iam::{AccountId, Document, PolicyKind};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use world::Secret;

use super::account::entity_arn;
use super::directory::{Directory, Role, User};
use super::error::AwsError;
use super::session::{random_id, random_secret};

/// The file's name in the directory.
const FILE: &str = "aws.json";

/// Takes the directory for this process, until the file is dropped; the lock goes with a process that dies.
pub(super) fn lock(dir: &Path) -> Result<File, AwsError> {
    let path = dir.join("lock");
    let open = std::fs::create_dir_all(dir).and_then(|()| File::create(&path));
    let file = open.map_err(|source| AwsError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AwsError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(AwsError::File { path, source }),
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Signs session tokens, in hex. Made when absent.
    session_key: Option<String>,
    #[serde(default)]
    accounts: BTreeMap<String, Entities>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entities {
    users: BTreeMap<String, UserState>,
    roles: BTreeMap<String, RoleState>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UserState {
    id: Option<String>,
    path: Option<String>,
    access_keys: Vec<KeyState>,
    policies: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyState {
    id: String,
    secret: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleState {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    max_session_seconds: Option<u64>,
    trust: Value,
    /// Unique ids of those whom the trust policy names, from when it was saved.
    #[serde(default)]
    trusted_ids: BTreeMap<String, String>,
    #[serde(default)]
    policies: BTreeMap<String, Value>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Reads the file; what it leaves out (ids, keys) is made. Without a file: nobody, and a new key.
pub(super) fn load(dir: &Path) -> Result<(Directory, [u8; 32]), AwsError> {
    let path = dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
        Err(source) => return Err(AwsError::File { path, source }),
    };
    let damaged = |reason: String| AwsError::State { path: path.clone(), reason };
    let state: State = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    let key = match &state.session_key {
        None => new_key(),
        Some(key) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(key, &mut bytes).map_err(|error| damaged(format!("session_key: {error}")))?;
            bytes
        }
    };
    let mut directory = Directory::default();
    // Users and roles first, then whom the roles trust: a role may trust one that stands below it.
    let mut trusts = Vec::new();
    for (account, entities) in state.accounts {
        let account: AccountId = account.parse().map_err(|error: iam::ArnError| damaged(error.to_string()))?;
        for (name, user) in entities.users {
            directory.put_user(account, &name, user.read(account, &name).map_err(|e| damaged(chain(&e)))?);
        }
        for (name, mut role) in entities.roles {
            let ids = std::mem::take(&mut role.trusted_ids);
            if role.max_session_seconds.is_some_and(|seconds| !(3600..=43_200).contains(&seconds)) {
                return Err(damaged(format!("max_session_seconds of role {name} is not between 3600 and 43200")));
            }
            let role = role.read(account, &name).map_err(|e| damaged(chain(&e)))?;
            directory.put_role(account, &name, role);
            trusts.push((account, name, ids));
        }
    }
    for (account, name, ids) in trusts {
        let Some(role) = directory.role(account, &name) else { continue };
        let written = role.trust.written.clone();
        let trust = directory.keep_trust(&format!("role {name}"), written, &ids).map_err(|e| damaged(chain(&e)))?;
        if let Some(role) = directory.accounts.get_mut(&account).and_then(|e| e.roles.get_mut(&name)) {
            role.trust = trust;
        }
    }
    Ok((directory, key))
}

/// A key for session tokens.
pub(super) fn new_key() -> [u8; 32] {
    rand::rng().random()
}

/// The file's text for what there is now.
pub(super) fn print(directory: &Directory, session_key: &[u8; 32]) -> String {
    let accounts = directory.accounts.iter().map(|(account, entities)| {
        let users = entities.users.iter().map(|(name, user)| (name.clone(), UserState::print(user))).collect();
        let roles = entities.roles.iter().map(|(name, role)| (name.clone(), RoleState::print(role))).collect();
        (account.to_string(), Entities { users, roles })
    });
    let state = State { session_key: Some(hex::encode(session_key)), accounts: accounts.collect() };
    serde_json::to_string_pretty(&state).expect("the state is plain data") + "\n"
}

/// Replaces the file, whole or not at all. It holds keys: only its owner may read it.
pub(super) fn write(dir: &Path, text: &str) -> Result<(), AwsError> {
    let (path, temporary) = (dir.join(FILE), dir.join(format!("{FILE}.new")));
    let replace = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    };
    replace().map_err(|source| AwsError::File { path: path.clone(), source })
}

fn chain(error: &AwsError) -> String {
    fault::Chain(error).to_string()
}

fn read_policies(what: &str, policies: BTreeMap<String, Value>) -> Result<BTreeMap<String, Arc<Document>>, AwsError> {
    let read = |(name, value): (String, Value)| {
        let document = super::account::parse(PolicyKind::Identity, what, &value.to_string())?;
        Ok((name, Arc::new(document)))
    };
    policies.into_iter().map(read).collect()
}

fn print_policies(policies: &BTreeMap<String, Arc<Document>>) -> BTreeMap<String, Value> {
    policies.iter().map(|(name, document)| (name.clone(), as_value(document))).collect()
}

fn as_value(document: &Document) -> Value {
    serde_json::to_value(document).expect("a policy is plain data")
}

impl UserState {
    fn read(self, account: AccountId, name: &str) -> Result<User, AwsError> {
        let what = format!("user {name}");
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let arn = entity_arn(&what, account, name, &path, &format!("user{path}{name}"), 64)?;
        let mut keys: Vec<_> = self.access_keys.into_iter().map(|key| (key.id, Secret::new(key.secret))).collect();
        if keys.is_empty() {
            keys.push((random_id("AKIA", 16), random_secret()));
        }
        let id = self.id.unwrap_or_else(|| random_id("AIDA", 17));
        Ok(User { arn, id, path, keys, policies: read_policies(&what, self.policies)? })
    }

    fn print(user: &User) -> Self {
        let key = |(id, secret): &(String, Secret)| KeyState { id: id.clone(), secret: secret.expose().to_owned() };
        Self {
            id: Some(user.id.clone()),
            path: Some(user.path.clone()),
            access_keys: user.keys.iter().map(key).collect(),
            policies: print_policies(&user.policies),
        }
    }
}

impl RoleState {
    fn read(self, account: AccountId, name: &str) -> Result<Role, AwsError> {
        let what = format!("role {name}");
        let path = self.path.unwrap_or_else(|| "/".to_owned());
        let arn = entity_arn(&what, account, name, &path, &format!("role{path}{name}"), 64)?;
        let written = super::account::parse(PolicyKind::Trust, &what, &self.trust.to_string())?;
        let trust = super::directory::Trust { kept: Arc::new(written.clone()), ids: BTreeMap::new(), written };
        let seconds = self.max_session_seconds.unwrap_or(3600);
        Ok(Role {
            arn,
            id: self.id.unwrap_or_else(|| random_id("AROA", 17)),
            path,
            max_session: Duration::from_secs(seconds),
            trust,
            policies: read_policies(&what, self.policies)?,
            tags: self.tags,
        })
    }

    fn print(role: &Role) -> Self {
        Self {
            id: Some(role.id.clone()),
            path: Some(role.path.clone()),
            max_session_seconds: Some(role.max_session.as_secs()),
            trust: as_value(&role.trust.written),
            trusted_ids: role.trust.ids.clone(),
            policies: print_policies(&role.policies),
            tags: role.tags.clone(),
        }
    }
}
