use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use iam::{AccountId, Arn, Caller, Document, Partition, Principal};
use world::Secret;

use super::authorize::{Requester, Who};
use super::entity::{AccessKey, Entities, Grants, Role, User};
use super::error::AwsError;
use super::kept::Kept;
use super::session::{Mint, Session};

/// Who holds a root user's key, in the table of keys. No user can have that name.
const ROOT: &str = ":root";

/// Everybody there is: accounts, their users with keys, their roles.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) accounts: BTreeMap<AccountId, Entities>,
    /// Access key id to the user who holds it.
    keys: HashMap<String, (AccountId, String)>,
}

/// Why an access key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFault {
    Unknown,
    /// The token is not one of ours, or not that key's.
    Token,
    Expired,
}

impl Directory {
    pub(super) fn entities(&self, account: AccountId) -> Option<&Entities> {
        self.accounts.get(&account)
    }

    pub(super) fn entities_mut(&mut self, account: AccountId) -> &mut Entities {
        self.accounts.entry(account).or_default()
    }

    /// The partition that an account is in.
    pub(super) fn partition(&self, account: AccountId) -> Partition {
        self.entities(account).and_then(|entities| entities.partition).unwrap_or(Partition::Aws)
    }

    /// Whether anybody has heard of an account in a region: accounts of another partition are unknown, and those that have
    /// not opted in to the region.
    pub(super) fn is_known_in(&self, account: AccountId, region: &str) -> bool {
        let has = self.entities(account).is_none_or(|entities| entities.regions.has(region));
        has && self.partition(account) == Partition::of_region(region)
    }

    pub(super) fn role(&self, account: AccountId, name: &str) -> Option<&Role> {
        self.entities(account)?.roles.get(name)
    }

    pub(super) fn user(&self, account: AccountId, name: &str) -> Option<&User> {
        self.entities(account)?.users.get(name)
    }

    pub(super) fn put_user(&mut self, account: AccountId, name: &str, user: User) {
        for key in &user.keys {
            self.keys.insert(key.id.clone(), (account, name.to_owned()));
        }
        self.entities_mut(account).users.insert(name.to_owned(), user);
    }

    pub(super) fn remove_user(&mut self, account: AccountId, name: &str) {
        let user = self.entities_mut(account).users.remove(name);
        for key in user.iter().flat_map(|user| &user.keys) {
            self.keys.remove(&key.id);
        }
    }

    pub(super) fn put_role(&mut self, account: AccountId, name: &str, role: Role) {
        self.entities_mut(account).roles.insert(name.to_owned(), role);
    }

    /// Who holds a long-term key.
    pub(super) fn holder(&self, key_id: &str) -> Option<(AccountId, &str)> {
        self.keys.get(key_id).map(|(account, name)| (*account, &**name))
    }

    /// Who holds an access key, and its secret. The signature is yet to be checked with it.
    pub(super) fn resolve(
        &self,
        key_id: &str,
        token: Option<&str>,
        mint: &Mint,
        now: SystemTime,
    ) -> Result<(Requester, Secret), KeyFault> {
        let Some(token) = token else {
            let (account, name) = self.holder(key_id).ok_or(KeyFault::Unknown)?;
            if name == ROOT {
                return self.root_requester(account, key_id);
            }
            let user = self.user(account, name).ok_or(KeyFault::Unknown)?;
            let key = user.keys.iter().find(|key| key.id == key_id && key.active).ok_or(KeyFault::Unknown)?;
            return Ok((user_requester(account, name, user, None)?, key.secret.clone()));
        };
        let session = mint.read(token).ok_or(KeyFault::Token)?;
        if session.key_id != key_id {
            return Err(KeyFault::Token);
        }
        if mint.has_ended(&session, now) {
            return Err(KeyFault::Expired);
        }
        let account: AccountId = session.account.parse().map_err(|_| KeyFault::Token)?;
        if let Some(name) = session.user.clone() {
            let user = self.user(account, &name).filter(|user| user.id == session.role_id);
            let user = user.ok_or(KeyFault::Token)?;
            return Ok((user_requester(account, &name, user, Some(Box::new(session)))?, mint.secret_of(key_id)));
        }
        let arn = Arn::assumed_role(self.partition(account), account, &session.role, &session.name)
            .map_err(|_| KeyFault::Token)?;
        let caller = Caller::parse(arn.as_str()).map_err(|_| KeyFault::Token)?.with_unique_id(&session.role_id);
        let user_id = format!("{}:{}", session.role_id, session.name);
        let requester = Requester { caller, arn, account, user_id, who: Who::Session(Box::new(session)) };
        Ok((requester, mint.secret_of(key_id)))
    }

    fn root_requester(&self, account: AccountId, key_id: &str) -> Result<(Requester, Secret), KeyFault> {
        let keys = self.entities(account).map_or(&[][..], |entities| &entities.root_keys);
        let key = keys.iter().find(|key| key.id == key_id && key.active).ok_or(KeyFault::Unknown)?;
        let arn = Arn::iam(self.partition(account), account, "root").map_err(|_| KeyFault::Unknown)?;
        let caller = Caller::parse(arn.as_str()).map_err(|_| KeyFault::Unknown)?;
        let requester = Requester { caller, arn, account, user_id: account.to_string(), who: Who::Root };
        Ok((requester, key.secret.clone()))
    }

    /// Gives an account's root user a key.
    pub(super) fn put_root_key(&mut self, account: AccountId, key: AccessKey) {
        self.keys.insert(key.id.clone(), (account, ROOT.to_owned()));
        self.entities_mut(account).root_keys.push(key);
    }

    /// The policies of whoever asks that hold now. A session of a role that is gone, or made anew, has none.
    pub(super) fn grants_of(&self, requester: &Requester, now: SystemTime) -> Option<&Grants> {
        match &requester.who {
            Who::User { name, .. } => self.user(requester.account, name)?.grants.at(now),
            Who::Session(session) => {
                let role = self.role(requester.account, &session.role);
                role.filter(|role| role.id == session.role_id)?.grants.at(now)
            }
            // Nothing but control policies holds it back.
            Who::Root => None,
        }
    }

    /// The document of a managed policy: of an account, or one of AWS's own that are known here.
    pub(super) fn managed_policy(&self, arn: &str) -> Option<Arc<Document>> {
        if let Some(document) = super::managed::document(arn) {
            return Some(document);
        }
        let arn: Arn = arn.parse().ok()?;
        let mut policies = self.entities(arn.account()?)?.policies.values();
        policies.find(|policy| policy.arn == arn).map(|policy| policy.document.clone())
    }

    /// Replaces the users and roles that a policy names by their unique ids, as AWS does when it saves a trust policy or
    /// a resource's. `known` are ids from an earlier time, which stay whatever has become of their names since.
    pub(super) fn keep(
        &self,
        what: &str,
        written: Document,
        known: &BTreeMap<String, String>,
    ) -> Result<Kept, AwsError> {
        let mut ids = BTreeMap::new();
        let enforced = written.map_principals(|principal| {
            let arn = match principal {
                Principal::User(arn) | Principal::Role(arn) => arn,
                // A session's name is free; that its role exists is not checked by IAM either.
                Principal::Anyone
                | Principal::Account(_)
                | Principal::Session(_)
                | Principal::FederatedUser(_)
                | Principal::UniqueId(_)
                | Principal::Service(_)
                | Principal::Federated(_)
                | Principal::CanonicalUser(_) => return Ok(principal.clone()),
            };
            let id = known.get(arn.as_str()).map(String::as_str).or_else(|| self.unique_id(arn));
            let id = id.ok_or_else(|| AwsError::Principal { what: what.to_owned(), principal: arn.to_string() })?;
            ids.insert(arn.to_string(), id.to_owned());
            Ok(Principal::UniqueId(id.into()))
        })?;
        Ok(Kept { written, ids, enforced: Arc::new(enforced) })
    }

    /// A kept policy as one reads it back: names where they still are whom they were, unique ids where not.
    pub(super) fn shown(&self, kept: &Kept) -> Document {
        kept.shown(|arn| self.unique_id(arn))
    }

    pub(super) fn unique_id(&self, arn: &Arn) -> Option<&str> {
        let entities = self.entities(arn.account()?)?;
        let user = || entities.users.get(arn.user_name()?).filter(|user| user.arn == *arn).map(|user| &*user.id);
        let role = || entities.roles.get(arn.role_name()?).filter(|role| role.arn == *arn).map(|role| &*role.id);
        user().or_else(role)
    }
}

/// A user who asks, with a session of his own or with his key.
fn user_requester(
    account: AccountId,
    name: &str,
    user: &User,
    session: Option<Box<Session>>,
) -> Result<Requester, KeyFault> {
    let caller = Caller::parse(user.arn.as_str()).map_err(|_| KeyFault::Unknown)?.with_unique_id(&user.id);
    let who = Who::User { name: name.to_owned(), session };
    Ok(Requester { caller, arn: user.arn.clone(), account, user_id: user.id.clone(), who })
}
