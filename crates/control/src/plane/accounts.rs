use jiff::Timestamp;
use serde::Serialize;
use world::Secret;

use super::{ControlPlane, Refusal};
use crate::{Caller, ServiceAccountId, UserId};

/// A person who logs in.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// A number for clients that know it by that.
    pub number: u32,
    /// The address that logs in; unique, whatever its case.
    pub email: String,
    /// What people call the person.
    pub full_name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A person to be let in.
#[derive(Debug)]
pub struct NewUser {
    /// The address.
    pub email: String,
    /// What people call the person; may be empty.
    pub full_name: String,
    /// At least 12 characters; kept as Argon2id's hash.
    pub password: Secret,
}

/// A program's account.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// What people call it; unique.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ControlPlane {
    /// All users.
    pub async fn users(&self, caller: &Caller) -> Result<Vec<User>, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// One; everybody may see oneself.
    pub async fn user(&self, caller: &Caller, id: &UserId) -> Result<User, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// Lets a person in, who may do nothing yet.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User, Refusal> {
        let _ = (caller, new);
        todo!("store")
    }

    /// Sets a password; logins of that user end.
    pub async fn set_password(&self, caller: &Caller, id: &UserId, password: Secret) -> Result<(), Refusal> {
        let _ = (caller, id, password);
        todo!("store")
    }

    /// Shuts a person out: logins, keys and role bindings end.
    pub async fn delete_user(&self, caller: &Caller, id: &UserId) -> Result<(), Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// All service accounts.
    pub async fn service_accounts(&self, caller: &Caller) -> Result<Vec<ServiceAccount>, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// One.
    pub async fn service_account(&self, caller: &Caller, id: &ServiceAccountId) -> Result<ServiceAccount, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// Makes one, which may do nothing yet.
    pub async fn create_service_account(
        &self,
        caller: &Caller,
        display_name: &str,
        description: &str,
    ) -> Result<ServiceAccount, Refusal> {
        let _ = (caller, display_name, description);
        todo!("store")
    }

    /// Takes one away with its keys and role bindings.
    pub async fn delete_service_account(&self, caller: &Caller, id: &ServiceAccountId) -> Result<(), Refusal> {
        let _ = (caller, id);
        todo!("store")
    }
}
