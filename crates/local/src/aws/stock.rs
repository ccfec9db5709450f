//! What is there from the start: accounts, buckets and objects that no request has made. For scenarios.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use iam::{AccountId, Arn, Partition, PolicyKind};
use md5::{Digest, Md5};
use serde_json::Value;
use world::Secret;

use super::account::parse;
use super::api_error::ApiError;
use super::entity::AccessKey;
use super::error::AwsError;
use super::kms;
use super::organization::Organization;
use super::region::Regions;
use super::s3::AccessPoint;
use super::server::Aws;
use super::session::{Minted, Session, key_id, random_secret};
use super::state;
use super::store::{BucketConfig, Condition, Object, Ownership, Retention, Sse, Traits, Versioning, timestamp};
use super::surroundings::Path;

/// How long the sessions of [`WhoStock`] live.
const LIFE: Duration = Duration::from_hours(1);

/// A bucket as it is found.
#[derive(Debug, Clone)]
pub(crate) struct BucketStock {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) region: String,
    /// `Some(false)`: suspended.
    pub(crate) versioning: Option<bool>,
    /// JSON.
    pub(crate) policy: Option<String>,
    pub(crate) encryption: Option<EncryptionStock>,
    pub(crate) requester_pays: bool,
    pub(crate) ownership: Ownership,
    /// How Object Lock keeps each version.
    pub(crate) retention: Option<Retention>,
    pub(crate) objects: BTreeMap<String, ObjectStock>,
    pub(crate) access_points: Vec<AccessPointStock>,
}

/// An access point as it is found.
#[derive(Debug, Clone)]
pub(crate) struct AccessPointStock {
    pub(crate) name: String,
    /// The bucket's owner if nobody else.
    pub(crate) account: Option<AccountId>,
    /// The VPC that alone may use it.
    pub(crate) vpc: Option<String>,
    /// JSON.
    pub(crate) policy: Option<String>,
}

/// How objects are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncryptionStock {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub(crate) algorithm: String,
    /// A key's ARN, id or alias.
    pub(crate) key: Option<String>,
    pub(crate) bucket_key: bool,
}

/// An object as it is found.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectStock {
    pub(crate) body: Bytes,
    /// The bucket's owner if nobody else.
    pub(crate) owner: Option<AccountId>,
    /// As its bucket says, if it does not.
    pub(crate) encryption: Option<EncryptionStock>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What is in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketContents {
    /// The keys of its visible objects, in order.
    pub keys: Vec<String>,
    /// How many versions there are, visible or not, with the markers that hide them.
    pub versions: usize,
    /// How many uploads in parts have been begun and not ended.
    pub uploads: usize,
}

/// Somebody who holds keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhoStock {
    /// A user by his own key, or by a session that GetSessionToken gave him.
    User { account: AccountId, name: String, session: bool },
    /// A session of a role, which may have ended a minute ago, or come from the global endpoint.
    Role { account: AccountId, name: String, session_name: String, ended: bool, is_global: bool },
    /// The account's root user.
    Root { account: AccountId },
}

/// What one signs with.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) arn: Arn,
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    pub(crate) token: Option<Secret>,
}

/// Whether users, roles and so on of one account read; what is wrong with them, if not.
pub(crate) fn check(entities: &Value) -> Result<(), String> {
    state::check(entities)
}

/// Whether S3 would save this as the policy of a bucket.
pub(crate) fn check_bucket_policy(bucket: &str, region: &str, policy: &iam::Document) -> Result<(), String> {
    let partition = Partition::of_region(region).name();
    super::s3::check_policy(policy, &format!("arn:{partition}:s3:::{bucket}"))
        .map_err(|error| error.message().to_owned())
}

impl Aws {
    /// Replaces all accounts by these, which are written as in `aws.json`. Of an AWS that keeps nothing on disk.
    pub(crate) fn stock_accounts(
        &self,
        accounts: BTreeMap<AccountId, Value>,
    ) -> Result<(), Vec<(AccountId, AwsError)>> {
        let directory = state::fill(accounts)?;
        *self.shared.directory.write().expect("no thread panics while it holds this lock") = directory;
        Ok(())
    }

    /// Says what an account has set of regions.
    pub(crate) fn stock_regions(&self, account: AccountId, regions: Regions) {
        let mut directory = self.shared.directory.write().expect("no thread panics while it holds this lock");
        directory.entities_mut(account).regions = regions;
    }

    /// Puts an account into an organisation.
    pub(crate) fn stock_organization(&self, account: AccountId, organization: Organization) {
        let mut directory = self.shared.directory.write().expect("no thread panics while it holds this lock");
        directory.entities_mut(account).organization = Some(organization);
    }

    /// Says how requests come from now on.
    pub(crate) fn set_path(&self, path: Path) {
        self.shared.surroundings.set(path);
    }

    /// Makes a bucket with all that is in it. Whom its policy names, and the keys of what is encrypted, must exist.
    pub(crate) async fn stock_bucket(&self, stock: BucketStock) -> Result<(), AwsError> {
        let BucketStock { name, account, region, versioning, policy, encryption, objects, .. } = stock;
        let what = format!("bucket {name}");
        self.account(account).bucket(&name).region(&region).create().await?;
        let policy = match policy {
            None => None,
            Some(text) => {
                let written = parse(PolicyKind::Resource, &what, &text)?;
                Some(self.shared.directory().keep(&what, written, &BTreeMap::new())?)
            }
        };
        let versioning = versioning.map(|on| if on { Versioning::Enabled } else { Versioning::Suspended });
        let default = encryption.map(EncryptionStock::into_sse);
        let config = BucketConfig {
            versioning,
            policy,
            encryption: default.clone(),
            requester_pays: stock.requester_pays,
            ownership: stock.ownership,
            retention: stock.retention,
        };
        let unmade = |error: &ApiError| AwsError::Unmade { what: what.clone(), reason: error.message().to_owned() };
        self.shared.store.configure_bucket(&name, |old| *old = config).await.map_err(|error| unmade(&error))?;
        for point in stock.access_points {
            let what = format!("access point {}", point.name);
            let policy = match point.policy {
                None => None,
                Some(text) => {
                    let written = parse(PolicyKind::Resource, &what, &text)?;
                    Some(self.shared.directory().keep(&what, written, &BTreeMap::new())?)
                }
            };
            self.shared.access_points.put(AccessPoint {
                name: point.name,
                account: point.account.unwrap_or(account),
                bucket: name.clone(),
                region: region.clone(),
                vpc: point.vpc,
                policy,
            });
        }
        for (key, object) in objects {
            let sse = object.encryption.clone().map(EncryptionStock::into_sse).or_else(|| default.clone());
            let owner = object.owner.unwrap_or(account);
            let sse = self.resolve_key(sse.unwrap_or_default(), owner, &region).await?;
            self.stock_object(&name, key, object, sse).await.map_err(|error| unmade(&error))?;
        }
        Ok(())
    }

    /// Names the key by its ARN.
    async fn resolve_key(&self, mut sse: Sse, account: AccountId, region: &str) -> Result<Sse, AwsError> {
        if !sse.algorithm.starts_with("aws:kms") {
            return Ok(sse);
        }
        let named = if let Some(named) = sse.key_id.take() {
            named
        } else {
            let made = kms::s3_key(&self.shared, account, region).await;
            made.map_err(|error| AwsError::Unmade {
                what: format!("the key of account {account} for S3"),
                reason: error.message().to_owned(),
            })?;
            kms::S3_ALIAS.to_owned()
        };
        let arn = kms::find(&self.shared.directory(), &named, account, region).map(|key| key.arn.to_string());
        sse.key_id = Some(arn.ok_or_else(|| AwsError::Missing { what: format!("key {named} in {region}") })?);
        Ok(sse)
    }

    async fn stock_object(&self, bucket: &str, key: String, stock: ObjectStock, sse: Sse) -> Result<(), ApiError> {
        let store = &self.shared.store;
        let etag = format!("\"{}\"", hex::encode(Md5::digest(&stock.body)));
        let mut writer = store.receive().await?;
        writer.write(stock.body).await?;
        let (size, lines) = (writer.size(), writer.lines());
        let object = Object {
            key,
            version: None,
            is_marker: false,
            owner: stock.owner,
            lock: None,
            size,
            etag,
            modified: timestamp(self.shared.clock.now()),
            traits: Traits { sse, tags: stock.tags, ..Traits::default() },
            checksum: None,
            parts: None,
            lines,
            body: super::store::Body::Discarded,
        };
        store.put_object(bucket, object, writer.finish().await?, &Condition::None).await.map(drop)
    }

    /// What is in a bucket now.
    pub(crate) fn contents(&self, bucket: &str) -> Option<BucketContents> {
        self.shared.store.read(|index| {
            let bucket = index.bucket(bucket)?;
            Some(BucketContents {
                keys: bucket.objects.keys().cloned().collect(),
                versions: bucket.objects.len() + bucket.history.oldest_first().count(),
                uploads: bucket.uploads.len(),
            })
        })
    }

    /// The ARN of a role, with its path.
    pub(crate) fn role_arn(&self, account: AccountId, name: &str) -> Option<Arn> {
        self.shared.directory().role(account, name).map(|role| role.arn.clone())
    }

    /// What somebody signs with: a user's first active key, a root key made for this, or a session made for this.
    pub(crate) async fn keys_of(&self, who: &WhoStock) -> Result<Keys, AwsError> {
        let now = self.shared.clock.now();
        match who {
            WhoStock::User { account, name, session } => {
                let what = format!("user {name} of account {account}");
                let directory = self.shared.directory();
                let user = directory.user(*account, name);
                let user = user.ok_or_else(|| AwsError::Missing { what: what.clone() })?;
                if *session {
                    let session = Session {
                        account: account.to_string(),
                        user: Some(name.clone()),
                        role_id: user.id.clone(),
                        ..Session::default()
                    };
                    return Ok(of_session(user.arn.clone(), self.shared.mint.mint(session, *account, now, LIFE)));
                }
                let key = user.keys.iter().find(|key| key.active);
                let key = key.ok_or_else(|| AwsError::Missing { what: format!("active access key of {what}") })?;
                let (access_key_id, secret) = (key.id.clone(), key.secret.clone());
                Ok(Keys { arn: user.arn.clone(), access_key_id, secret, token: None })
            }
            WhoStock::Role { account, name, session_name, ended, is_global } => {
                let directory = self.shared.directory();
                let role = directory.role(*account, name);
                let what = format!("role {name} of account {account}");
                let role = role.ok_or(AwsError::Missing { what })?;
                let session = Session {
                    account: account.to_string(),
                    role: name.clone(),
                    role_id: role.id.clone(),
                    name: session_name.clone(),
                    is_global: *is_global,
                    ..Session::default()
                };
                let arn = Arn::assumed_role(directory.partition(*account), *account, name, session_name);
                let arn = arn.map_err(|_| AwsError::Name { what: format!("session {session_name}") })?;
                let issued = if *ended { now - LIFE - Duration::from_mins(1) } else { now };
                Ok(of_session(arn, self.shared.mint.mint(session, *account, issued, LIFE)))
            }
            WhoStock::Root { account } => {
                let id = key_id("AKIA", *account);
                let key = AccessKey { id, secret: random_secret(), active: true, created: timestamp(now) };
                let arn = Arn::iam(self.shared.directory().partition(*account), *account, "root");
                let arn = arn.map_err(|_| AwsError::Name { what: format!("account {account}") })?;
                let keys = Keys { arn, access_key_id: key.id.clone(), secret: key.secret.clone(), token: None };
                let put = |directory: &mut super::directory::Directory| {
                    directory.put_root_key(*account, key);
                    Ok::<_, AwsError>(())
                };
                self.shared.change(put).await?;
                Ok(keys)
            }
        }
    }
}

impl EncryptionStock {
    fn into_sse(self) -> Sse {
        Sse { algorithm: self.algorithm, key_id: self.key, bucket_key: self.bucket_key }
    }
}

fn of_session(arn: Arn, minted: Minted) -> Keys {
    Keys { arn, access_key_id: minted.session.key_id, secret: minted.secret, token: Some(minted.token) }
}
