use std::collections::BTreeMap;
use std::time::SystemTime;

use iam::{AccountId, Context, Document, Partition, PolicyKind};

use super::NAMESPACE;
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Asking, Facts, Requester, authorize};
use crate::aws::directory::Directory;
use crate::aws::entity::Entities;
use crate::aws::reply::Reply;
use crate::aws::server::Shared;
use crate::aws::uri::Query;
use crate::aws::validate::{Faults, members};
use crate::aws::xml::Xml;

/// The most tags of a user or role.
const MAX_TAGS: usize = 50;

/// One authenticated request. It is about its sender's own account: IAM knows no other.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) requester: &'a Requester,
    pub(super) facts: &'a Facts,
    pub(super) form: &'a Query,
    pub(super) action: &'a str,
    pub(super) request_id: &'a str,
}

impl Call<'_> {
    pub(super) fn account(&self) -> AccountId {
        self.requester.account
    }

    /// A parameter that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, ApiError> {
        if let Some(value) = self.form.get(name).filter(|value| !value.is_empty()) {
            return Ok(value);
        }
        let mut faults = Faults::default();
        faults.add("null", &member(name), "Member must not be null");
        faults.result()?;
        Err(ApiError::of("ValidationError"))
    }

    /// Refuses parameters that would change what is done and that nobody here looks at.
    pub(super) fn refuse(&self, names: &[&str]) -> Result<(), ApiError> {
        match names.iter().find(|name| self.form.has(name)) {
            None => Ok(()),
            Some(name) => {
                Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not know {name} here")))
            }
        }
    }

    /// The path of what is to be made.
    pub(super) fn path(&self) -> &str {
        self.form.get("Path").unwrap_or("/")
    }

    /// The partition and the account.
    pub(super) fn place(&self) -> (Partition, AccountId) {
        (self.requester.arn.partition(), self.account())
    }

    /// `arn:aws:iam::ACCOUNT:RESOURCE`, also of what does not exist.
    pub(super) fn arn(&self, resource: &str) -> String {
        let (partition, account) = self.place();
        format!("arn:{}:iam::{account}:{resource}", partition.name())
    }

    /// What the account holds.
    pub(super) fn entities<'d>(&self, directory: &'d mut Directory) -> &'d mut Entities {
        directory.entities_mut(self.account())
    }

    /// Refuses the call unless the caller may do what its action says with `resource`.
    pub(super) fn may(&self, directory: &Directory, resource: &str) -> Result<(), ApiError> {
        self.may_with(directory, resource, |_| ())
    }

    /// The same, with condition keys of the action.
    pub(super) fn may_with(
        &self,
        directory: &Directory,
        resource: &str,
        keys: impl FnOnce(&mut Context),
    ) -> Result<(), ApiError> {
        self.may_do(directory, &format!("iam:{}", self.action), resource, keys)
    }

    /// The same for another action.
    pub(super) fn may_do(
        &self,
        directory: &Directory,
        action: &str,
        resource: &str,
        keys: impl FnOnce(&mut Context),
    ) -> Result<(), ApiError> {
        let asking = Asking { action, resource, owner: self.account(), policy: None, said: None };
        authorize(directory, self.requester, self.facts, &asking, keys)
            .map_err(|denied| denied.refuse("AccessDenied", resource))
    }

    /// Now, and when an edit made now takes effect.
    pub(super) fn times(&self) -> (SystemTime, SystemTime) {
        (self.facts.now, self.shared.takes_effect(self.facts.now))
    }

    /// The policy in a parameter.
    pub(super) fn document(&self, name: &str, kind: PolicyKind) -> Result<Document, ApiError> {
        Document::parse_as(kind, self.need(name)?)
            .map_err(|error| ApiError::of("MalformedPolicyDocument").saying(error.to_string()))
    }

    /// The tags in `Tags.member.N`; keys ignore case, and those of AWS are AWS's.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let mut tags = BTreeMap::<String, String>::new();
        for (index, key) in members(self.form, "Tags", "Key").enumerate() {
            let value = self.form.get(&format!("Tags.member.{}.Value", index + 1)).unwrap_or_default();
            if key.is_empty() || key.len() > 128 || value.len() > 256 || key.to_ascii_lowercase().starts_with("aws:") {
                return Err(ApiError::of("InvalidInput").saying(format!("The tag {key:?} is not valid.")));
            }
            if tags.keys().any(|known| known.eq_ignore_ascii_case(key)) {
                return Err(ApiError::of("InvalidInput")
                    .saying("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
            }
            tags.insert(key.to_owned(), value.to_owned());
        }
        if tags.len() > MAX_TAGS {
            return Err(ApiError::of("LimitExceeded").saying(format!("The number of tags exceeds {MAX_TAGS}.")));
        }
        Ok(tags)
    }

    /// The envelope around a result.
    pub(super) fn answer(&self, result: impl FnOnce(&mut Xml)) -> Reply {
        let action = self.action;
        self.envelope(|xml| {
            xml.within(&format!("{action}Result"), result);
        })
    }

    /// The envelope of an operation that has no result.
    pub(super) fn done(&self) -> Reply {
        self.envelope(|_| ())
    }

    fn envelope(&self, inner: impl FnOnce(&mut Xml)) -> Reply {
        let mut xml = Xml::document();
        xml.within(&format!("{}Response xmlns=\"{NAMESPACE}\"", self.action), |xml| {
            inner(xml);
            xml.within("ResponseMetadata", |xml| {
                xml.field("RequestId", self.request_id);
            });
        });
        let mut reply = Reply::xml(xml.finish());
        reply.set("content-type", "text/xml");
        reply
    }
}

/// A parameter's name as AWS says it in a complaint: `roleName`.
fn member(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + characters.as_str())
}

/// Adds tags to those that are there; a key keeps the case in which it came first.
pub(super) fn add_tags(tags: &mut BTreeMap<String, String>, new: BTreeMap<String, String>) -> Result<(), ApiError> {
    for (key, value) in new {
        tags.retain(|known, _| !known.eq_ignore_ascii_case(&key));
        tags.insert(key, value);
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::of("LimitExceeded").saying(format!("The number of tags exceeds {MAX_TAGS}.")));
    }
    Ok(())
}

/// Condition keys of a call that sets tags.
pub(super) fn tag_keys(context: &mut Context, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        context.set_many("aws:TagKeys", tags.keys().cloned());
    }
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), &**value);
    }
}

/// Condition keys of a call about something that has tags.
pub(super) fn resource_tag_keys(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.set(&format!("aws:ResourceTag/{key}"), &**value);
        context.set(&format!("iam:ResourceTag/{key}"), &**value);
    }
}
