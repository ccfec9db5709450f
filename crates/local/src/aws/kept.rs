use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use iam::{Document, PolicyError, Principal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A policy that names principals, as it was written and as AWS keeps it: with unique ids in place of names, so that
/// whoever is made anew under a trusted name is not trusted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(super) struct Kept {
    pub(super) written: Document,
    /// Unique id by principal ARN, from the time of writing.
    pub(super) ids: BTreeMap<String, String>,
    /// What is evaluated.
    pub(super) enforced: Arc<Document>,
}

/// The same in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    policy: Value,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trusted_ids: BTreeMap<String, String>,
}

impl Kept {
    /// Puts a policy together again from what was stored.
    pub(super) fn restore(written: Document, ids: BTreeMap<String, String>) -> Self {
        let back = |principal: &Principal| {
            let id = match principal {
                Principal::User(arn) | Principal::Role(arn) => ids.get(arn.as_str()),
                _ => None,
            };
            Ok(id.map_or_else(|| principal.clone(), |id| Principal::UniqueId(id.as_str().into())))
        };
        let enforced = Arc::new(map(&written, back));
        Self { written, ids, enforced }
    }

    /// The policy as one reads it back: names where `id_of` still gives them the same id, unique ids where not.
    pub(super) fn shown<'d>(&self, id_of: impl Fn(&iam::Arn) -> Option<&'d str>) -> Document {
        map(&self.written, |principal| {
            let arn = match principal {
                Principal::User(arn) | Principal::Role(arn) => arn,
                other => return Ok(other.clone()),
            };
            Ok(match self.ids.get(arn.as_str()) {
                Some(id) if id_of(arn) != Some(id) => Principal::UniqueId(id.as_str().into()),
                _ => principal.clone(),
            })
        })
    }
}

fn map(document: &Document, change: impl FnMut(&Principal) -> Result<Principal, Infallible>) -> Document {
    match document.map_principals(change) {
        Ok(document) => document,
        Err(never) => match never {},
    }
}

impl TryFrom<Stored> for Kept {
    type Error = PolicyError;

    fn try_from(stored: Stored) -> Result<Self, PolicyError> {
        Ok(Self::restore(Document::parse(&stored.policy.to_string())?, stored.trusted_ids))
    }
}

impl From<Kept> for Stored {
    fn from(kept: Kept) -> Self {
        let policy = serde_json::to_value(&kept.written).expect("a policy is plain data");
        Self { policy, trusted_ids: kept.ids }
    }
}
