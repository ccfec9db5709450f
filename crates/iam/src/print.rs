//! A policy as JSON: stable and minimal. Elements stand in AWS's customary order, lists of one are written without
//! brackets, principals are grouped by kind and conditions by operator.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use crate::draft::{Draft, DraftCondition, DraftPrincipals, DraftStatement};
use crate::{Document, Operator, Statement};

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) };
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

impl Document {
    /// Its size as AWS's quotas count it: characters without white space (IAM user guide, "IAM and AWS STS quotas").
    pub fn size(&self) -> usize {
        self.to_string().chars().filter(|c| !c.is_whitespace()).count()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Draft::from(self).serialize(serializer)
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DraftStatement::from(self).serialize(serializer)
    }
}

impl Serialize for Draft {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Document", 3)?;
        if let Some(version) = &self.version {
            map.serialize_field("Version", version)?;
        }
        if let Some(id) = &self.id {
            map.serialize_field("Id", id)?;
        }
        map.serialize_field("Statement", &self.statements)?;
        map.end()
    }
}

impl Serialize for DraftStatement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Statement", 6)?;
        if let Some(sid) = &self.sid {
            map.serialize_field("Sid", sid)?;
        }
        map.serialize_field("Effect", &self.effect)?;
        if let Some(principals) = &self.principals {
            let name = if principals.except { "NotPrincipal" } else { "Principal" };
            // Everybody is `"*"`, but trust policies, which name no resource, do not know that form.
            if self.resources.is_some() && principals.list == [("AWS", "*".to_owned())] {
                map.serialize_field(name, "*")?;
            } else {
                map.serialize_field(name, principals)?;
            }
        }
        let name = if self.actions.except { "NotAction" } else { "Action" };
        map.serialize_field(name, &List(&self.actions.list))?;
        if let Some(resources) = &self.resources {
            let name = if resources.except { "NotResource" } else { "Resource" };
            map.serialize_field(name, &List(&resources.list))?;
        }
        if !self.conditions.is_empty() {
            map.serialize_field("Condition", &Conditions(&self.conditions))?;
        }
        map.end()
    }
}

impl Serialize for DraftPrincipals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for kind in ["AWS", "Service", "Federated", "CanonicalUser"] {
            let names: Vec<&str> = self.list.iter().filter(|(k, _)| *k == kind).map(|(_, text)| &**text).collect();
            if !names.is_empty() {
                map.serialize_entry(kind, &List(&names))?;
            }
        }
        map.end()
    }
}

/// A list, without its brackets if it has one item.
struct List<'a, T>(&'a [T]);

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

struct Conditions<'a>(&'a [DraftCondition]);

impl Serialize for Conditions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // An operator stands where it stood first.
        let mut operators: Vec<Operator> = Vec::new();
        for condition in self.0 {
            if !operators.contains(&condition.operator) {
                operators.push(condition.operator);
            }
        }
        let mut map = serializer.serialize_map(Some(operators.len()))?;
        for operator in operators {
            map.serialize_entry(&operator.to_string(), &Keys(self.0, operator))?;
        }
        map.end()
    }
}

/// The keys below one operator.
struct Keys<'a>(&'a [DraftCondition], Operator);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for condition in self.0.iter().filter(|condition| condition.operator == self.1) {
            map.serialize_entry(&condition.key, &List(&condition.values))?;
        }
        map.end()
    }
}
