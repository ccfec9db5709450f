use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use iam::{AccountId, Arn, Document, Partition, PolicyKind};
use world::Secret;

use super::directory::Directory;
use super::entity::{AccessKey, Grants, Role, User};
use super::error::AwsError;
use super::propagation::Propagating;
use super::server::Shared;
use super::session::{key_id, random_id, random_secret};
use super::store::timestamp;
use super::time;

/// How long a session of a role may last unless its builder says otherwise: IAM's own default.
const DEFAULT_MAX_SESSION: Duration = Duration::from_hours(1);

/// The longest that IAM lets a role's sessions last.
const LONGEST_SESSION: Duration = Duration::from_hours(12);

/// An account of the embedded AWS, for making users, roles and buckets in it. It exists once something is in it.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) shared: Arc<Shared>,
    id: AccountId,
}

/// An IAM user with one access key.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The user's ARN.
    pub arn: Arn,
    /// The id of its access key (`AKIA..`).
    pub access_key_id: String,
    /// The secret of its access key.
    pub secret_access_key: Secret,
}

impl Account {
    pub(super) fn new(shared: Arc<Shared>, id: AccountId) -> Self {
        Self { shared, id }
    }

    /// Its number.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// Its partition and number.
    pub(super) fn place(&self) -> (Partition, AccountId) {
        (self.shared.directory().partition(self.id), self.id)
    }

    /// Begins a user.
    pub fn user(&self, name: &str) -> UserBuilder {
        UserBuilder { account: self.clone(), name: name.to_owned(), path: "/".to_owned(), policies: Vec::new() }
    }

    /// Begins a role that trusts whom `trust` (a trust policy's JSON) says.
    pub fn role(&self, name: &str, trust: &str) -> RoleBuilder {
        RoleBuilder {
            account: self.clone(),
            name: name.to_owned(),
            path: "/".to_owned(),
            trust: trust.to_owned(),
            policies: Vec::new(),
            max_session: DEFAULT_MAX_SESSION,
            tags: BTreeMap::new(),
        }
    }

    /// Begins a bucket, in `us-east-1` unless told otherwise.
    pub fn bucket(&self, name: &str) -> BucketBuilder {
        BucketBuilder { account: self.clone(), name: name.to_owned(), region: "us-east-1".to_owned() }
    }

    /// Removes a role. Its sessions may do nothing any more; a role made anew under its name is another one.
    pub async fn delete_role(&self, name: &str) -> Result<(), AwsError> {
        self.change(|directory| {
            if let Some(entities) = directory.accounts.get_mut(&self.id) {
                entities.roles.remove(name);
            }
            Ok(())
        })
        .await
    }

    /// Replaces a role's trust policy. It takes effect after [`super::Aws::set_propagation`]'s delay.
    pub async fn update_trust(&self, role: &str, trust: &str) -> Result<(), AwsError> {
        let what = format!("role {role}");
        let written = parse(PolicyKind::Trust, &what, trust)?;
        let (now, from) = self.shared.now_and_effect();
        self.change(|directory| {
            let kept = directory.keep(&what, written, &BTreeMap::new())?;
            let role = directory.entities_mut(self.id).roles.get_mut(role).ok_or(AwsError::Missing { what })?;
            role.trust.edit(kept, now, from);
            Ok(())
        })
        .await
    }

    /// Takes from all sessions of a role that were made before now all that they may do, as IAM's console does it: by an
    /// inline policy that denies everything to older ones. It has effect at once. Times of sessions are whole seconds: one
    /// made later in the same second is as old.
    pub async fn revoke_sessions(&self, role: &str) -> Result<(), AwsError> {
        let what = format!("role {role}");
        let now = self.shared.clock.now();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"*","Resource":"*",
            "Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{}"}}}}}}]}}"#,
            time::iso_millis(now)
        );
        let policy = Arc::new(parse(PolicyKind::Identity, &what, &text)?);
        self.change(|directory| {
            let role = directory.entities_mut(self.id).roles.get_mut(role).ok_or(AwsError::Missing { what })?;
            let mut grants = role.grants.latest().clone();
            grants.inline.insert("AWSRevokeOlderSessions".to_owned(), policy);
            role.grants.edit(grants, now, SystemTime::UNIX_EPOCH);
            Ok(())
        })
        .await
    }

    async fn change<T>(&self, change: impl FnOnce(&mut Directory) -> Result<T, AwsError>) -> Result<T, AwsError> {
        self.shared.change(change).await
    }
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct UserBuilder {
    account: Account,
    name: String,
    path: String,
    policies: Vec<String>,
}

impl UserBuilder {
    /// Puts the user under a path, as in `/apps/`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Attaches an identity policy (JSON).
    #[must_use]
    pub fn policy(mut self, json: &str) -> Self {
        self.policies.push(json.to_owned());
        self
    }

    /// Makes the user and an access key.
    pub async fn create(self) -> Result<NewUser, AwsError> {
        let what = format!("user {}", self.name);
        let resource = format!("user{}{}", self.path, self.name);
        let arn = entity_arn(&what, self.account.place(), &self.name, &self.path, &resource, 64)?;
        let policies = parse_all(&what, &self.policies)?;
        let new = NewUser {
            arn: arn.clone(),
            access_key_id: key_id("AKIA", self.account.id),
            secret_access_key: random_secret(),
        };
        let (now, from) = self.account.shared.now_and_effect();
        let created = timestamp(now);
        let (id, secret) = (new.access_key_id.clone(), new.secret_access_key.clone());
        let keys = vec![AccessKey { id, secret, active: true, created }];
        let grants = Propagating::new(Grants { inline: policies, ..Grants::default() }, from);
        let tags = BTreeMap::new();
        let user = User { arn, id: random_id("AIDA", 17), path: self.path, created, keys, grants, tags };
        let (account, name) = (self.account.id, self.name);
        self.account
            .change(|directory| {
                let taken = |entities: &super::entity::Entities| has(entities.users.keys(), &name);
                if directory.entities(account).is_some_and(taken) {
                    return Err(AwsError::Exists { what });
                }
                directory.put_user(account, &name, user);
                Ok(())
            })
            .await?;
        Ok(new)
    }

    /// The user as it is if there is one of that name, else makes it.
    pub async fn ensure(self) -> Result<NewUser, AwsError> {
        let existing = {
            let directory = self.account.shared.directory.read().expect("no thread panics while it holds this lock");
            let user = directory.entities(self.account.id).and_then(|entities| entities.users.get(&self.name));
            user.and_then(|user| {
                let AccessKey { id, secret, .. } = user.keys.iter().find(|key| key.active)?.clone();
                Some(NewUser { arn: user.arn.clone(), access_key_id: id, secret_access_key: secret })
            })
        };
        match existing {
            Some(user) => Ok(user),
            None => self.create().await,
        }
    }
}

/// A role to be made.
#[derive(Debug, Clone)]
pub struct RoleBuilder {
    account: Account,
    name: String,
    path: String,
    trust: String,
    policies: Vec<String>,
    max_session: Duration,
    tags: BTreeMap<String, String>,
}

impl RoleBuilder {
    /// Puts the role under a path, as in `/apps/`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Attaches an identity policy (JSON).
    #[must_use]
    pub fn policy(mut self, json: &str) -> Self {
        self.policies.push(json.to_owned());
        self
    }

    /// How long its sessions may last: one hour (the default) to twelve.
    #[must_use]
    pub fn max_session(mut self, duration: Duration) -> Self {
        self.max_session = duration.clamp(DEFAULT_MAX_SESSION, LONGEST_SESSION);
        self
    }

    /// Tags the role.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Makes the role. Whom its trust policy names must exist.
    pub async fn create(self) -> Result<Arn, AwsError> {
        let what = format!("role {}", self.name);
        let resource = format!("role{}{}", self.path, self.name);
        let arn = entity_arn(&what, self.account.place(), &self.name, &self.path, &resource, 64)?;
        let policies = parse_all(&what, &self.policies)?;
        let written = parse(PolicyKind::Trust, &what, &self.trust)?;
        let Self { account, name, path, max_session, tags, .. } = self;
        let (id, new) = (account.id, arn.clone());
        let (now, from) = account.shared.now_and_effect();
        let grants = Propagating::new(Grants { inline: policies, ..Grants::default() }, from);
        account
            .change(|directory| {
                // A session's ARN has no path, so names are unique whatever the path.
                if directory.entities(id).is_some_and(|entities| has(entities.roles.keys(), &name)) {
                    return Err(AwsError::Exists { what });
                }
                let trust = Propagating::new(directory.keep(&what, written, &BTreeMap::new())?, from);
                let (created, description) = (timestamp(now), None);
                let role_id = random_id("AROA", 17);
                let role = Role { arn, id: role_id, path, created, description, max_session, trust, grants, tags };
                directory.put_role(id, &name, role);
                Ok(())
            })
            .await?;
        Ok(new)
    }

    /// The ARN of the role as it is if there is one of that name, else makes it.
    pub async fn ensure(self) -> Result<Arn, AwsError> {
        let existing = {
            let directory = self.account.shared.directory.read().expect("no thread panics while it holds this lock");
            directory.role(self.account.id, &self.name).map(|role| role.arn.clone())
        };
        match existing {
            Some(arn) => Ok(arn),
            None => self.create().await,
        }
    }
}

/// A bucket to be made.
#[derive(Debug, Clone)]
pub struct BucketBuilder {
    account: Account,
    name: String,
    region: String,
}

impl BucketBuilder {
    /// Puts the bucket into a region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Makes the bucket.
    pub async fn create(self) -> Result<(), AwsError> {
        let what = format!("bucket {}", self.name);
        let now = self.account.shared.clock.now();
        let made = self.account.shared.store.create_bucket(&self.name, self.account.id, &self.region, now).await;
        made.map_err(|error| match error.code() {
            "InvalidBucketName" => AwsError::Name { what },
            _ => AwsError::Exists { what },
        })
    }

    /// Leaves the bucket as it is if this account has one of that name, else makes it.
    pub async fn ensure(self) -> Result<(), AwsError> {
        let owner = self.account.shared.store.bucket(&self.name).map(|bucket| bucket.owner);
        if owner == Some(self.account.id) { Ok(()) } else { self.create().await }
    }
}

/// Whether a name is taken; IAM's names differ in more than case.
pub(super) fn has<'a>(mut names: impl Iterator<Item = &'a String>, name: &str) -> bool {
    names.any(|taken| taken.eq_ignore_ascii_case(name))
}

/// Checks name and path by IAM's rules, and makes the ARN of them.
pub(super) fn entity_arn(
    what: &str,
    (partition, account): (Partition, AccountId),
    name: &str,
    path: &str,
    resource: &str,
    longest: usize,
) -> Result<Arn, AwsError> {
    let name_fits = (1..=longest).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
    let path_fits = path.starts_with('/') && path.ends_with('/') && path.bytes().all(|b| (b'!'..=b'~').contains(&b));
    let refuse = || AwsError::Name { what: what.to_owned() };
    if !name_fits || !path_fits || path.contains("//") {
        return Err(refuse());
    }
    Arn::iam(partition, account, resource).map_err(|_| refuse())
}

pub(super) fn parse(kind: PolicyKind, what: &str, text: &str) -> Result<Document, AwsError> {
    Document::parse_as(kind, text).map_err(|source| AwsError::Policy { what: what.to_owned(), source })
}

fn parse_all(what: &str, texts: &[String]) -> Result<BTreeMap<String, Arc<Document>>, AwsError> {
    let named = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Ok((format!("policy-{}", index + 1), Arc::new(parse(PolicyKind::Identity, what, text)?))));
    named.collect()
}
