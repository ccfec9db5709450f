use std::collections::BTreeMap;

use iam::Context;
use serde_json::Value;

use super::key::Key;
use super::permit::{Use, find, permit};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Asking, Facts, Requester, authorize};
use crate::aws::directory::Directory;
use crate::aws::server::Shared;

/// One authenticated request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) requester: &'a Requester,
    pub(super) facts: &'a Facts,
    pub(super) asked: &'a Value,
}

impl Call<'_> {
    /// Refuses members that are not among `known`: to ignore one would be to do something else than was asked.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let members = self.asked.as_object().ok_or_else(|| ApiError::of("SerializationException"))?;
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not know {name} here")))
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.asked.get(name).and_then(Value::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| {
            let member = name[..1].to_ascii_lowercase() + &name[1..];
            ApiError::of("ValidationException").saying(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// The key that the request names.
    pub(super) fn key<'d>(&self, directory: &'d Directory) -> Result<&'d Key, ApiError> {
        let named = self.need("KeyId")?;
        find(directory, named, self.requester.account, &self.facts.region).ok_or_else(|| {
            let account = self.requester.account;
            let text = if named.starts_with("arn:") || named.starts_with("alias/") {
                named.to_owned()
            } else {
                format!("arn:{}:kms:{}:{account}:key/{named}", self.requester.arn.partition().name(), self.facts.region)
            };
            let what = if named.contains("alias/") { "Alias" } else { "Key" };
            match what {
                "Alias" => ApiError::of("NotFoundException").saying(format!("Alias {text} is not found.")),
                _ => ApiError::of("NotFoundException").saying(format!("Key '{text}' does not exist")),
            }
        })
    }

    /// Refuses the call unless the key's policy and the caller's allow it.
    pub(super) fn may(
        &self,
        directory: &Directory,
        key: &Key,
        operation: &str,
        keys: impl Fn(&mut Context),
    ) -> Result<(), ApiError> {
        let r#use = Use { operation, context: &BTreeMap::new(), via: None };
        permit(directory, self.requester, self.facts, key, r#use, keys)
            .map_err(|denied| denied.refuse("AccessDeniedException", key.arn.as_str()))
    }

    /// The same of what is about no key.
    pub(super) fn may_at_all(&self, directory: &Directory, operation: &str) -> Result<(), ApiError> {
        let (action, owner) = (format!("kms:{operation}"), self.requester.account);
        let asking = Asking { action: &action, resource: "*", owner, policy: None, said: None };
        authorize(directory, self.requester, self.facts, &asking, |_| ())
            .map_err(|denied| denied.refuse("AccessDeniedException", "*"))
    }
}
