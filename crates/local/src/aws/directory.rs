use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use iam::{AccountId, Arn, Caller, Document, Partition, Principal};
use world::Secret;

use super::authorize::{Requester, Who};
use super::error::AwsError;
use super::session::Mint;

/// Everybody there is: accounts, their users with keys, their roles.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) accounts: BTreeMap<AccountId, Entities>,
    /// Access key id to the user who holds it.
    keys: HashMap<String, (AccountId, String)>,
}

/// The users and roles of one account, by name.
#[derive(Debug, Default)]
pub(super) struct Entities {
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) keys: Vec<(String, Secret)>,
    pub(super) policies: BTreeMap<String, Arc<Document>>,
}

#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) max_session: Duration,
    pub(super) trust: Trust,
    pub(super) policies: BTreeMap<String, Arc<Document>>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A trust policy as it was written, and as IAM keeps it: with unique ids in place of names, so that whoever is made
/// anew under a trusted name is not trusted.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) written: Document,
    /// Unique id by principal ARN, from the time of writing.
    pub(super) ids: BTreeMap<String, String>,
    pub(super) kept: Arc<Document>,
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

    pub(super) fn role(&self, account: AccountId, name: &str) -> Option<&Role> {
        self.entities(account)?.roles.get(name)
    }

    pub(super) fn put_user(&mut self, account: AccountId, name: &str, user: User) {
        for (key, _) in &user.keys {
            self.keys.insert(key.clone(), (account, name.to_owned()));
        }
        self.accounts.entry(account).or_default().users.insert(name.to_owned(), user);
    }

    pub(super) fn put_role(&mut self, account: AccountId, name: &str, role: Role) {
        self.accounts.entry(account).or_default().roles.insert(name.to_owned(), role);
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
            let (account, name) = self.keys.get(key_id).ok_or(KeyFault::Unknown)?;
            let user = self.entities(*account).and_then(|e| e.users.get(name)).ok_or(KeyFault::Unknown)?;
            let (_, secret) = user.keys.iter().find(|(key, _)| key == key_id).ok_or(KeyFault::Unknown)?;
            let caller = Caller::parse(user.arn.as_str()).map_err(|_| KeyFault::Unknown)?.with_unique_id(&user.id);
            let requester = Requester {
                caller,
                arn: user.arn.clone(),
                account: *account,
                user_id: user.id.clone(),
                who: Who::User { name: name.clone() },
            };
            return Ok((requester, secret.clone()));
        };
        let session = mint.read(token).ok_or(KeyFault::Token)?;
        if session.key_id != key_id {
            return Err(KeyFault::Token);
        }
        if mint.has_ended(&session, now) {
            return Err(KeyFault::Expired);
        }
        let account: AccountId = session.account.parse().map_err(|_| KeyFault::Token)?;
        let arn =
            Arn::assumed_role(Partition::Aws, account, &session.role, &session.name).map_err(|_| KeyFault::Token)?;
        let caller = Caller::parse(arn.as_str()).map_err(|_| KeyFault::Token)?.with_unique_id(&session.role_id);
        let user_id = format!("{}:{}", session.role_id, session.name);
        let requester = Requester { caller, arn, account, user_id, who: Who::Session(Box::new(session)) };
        Ok((requester, mint.secret_of(key_id)))
    }

    /// The policies attached to whoever asks. A session of a role that is gone, or made anew, has none.
    pub(super) fn policies_of(&self, requester: &Requester) -> Vec<Arc<Document>> {
        let Some(entities) = self.entities(requester.account) else { return Vec::new() };
        let policies = match &requester.who {
            Who::User { name } => entities.users.get(name).map(|user| &user.policies),
            Who::Session(session) => {
                let role = entities.roles.get(&session.role).filter(|role| role.id == session.role_id);
                role.map(|role| &role.policies)
            }
        };
        policies.into_iter().flat_map(|policies| policies.values().cloned()).collect()
    }

    /// Replaces the users, roles and sessions that a trust policy names by their unique ids, as IAM does when it saves
    /// one. `known` are ids from an earlier time, which stay whatever has become of their names since.
    pub(super) fn keep_trust(
        &self,
        what: &str,
        written: Document,
        known: &BTreeMap<String, String>,
    ) -> Result<Trust, AwsError> {
        let mut ids = BTreeMap::new();
        let kept = written.map_principals(|principal| {
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
        Ok(Trust { written, ids, kept: Arc::new(kept) })
    }

    fn unique_id(&self, arn: &Arn) -> Option<&str> {
        let entities = self.entities(arn.account()?)?;
        let user = || entities.users.get(arn.user_name()?).filter(|user| user.arn == *arn).map(|user| &*user.id);
        let role = || entities.roles.get(arn.role_name()?).filter(|role| role.arn == *arn).map(|role| &*role.id);
        user().or_else(role)
    }
}
