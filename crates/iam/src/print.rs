//! A document as JSON: stable and minimal. Elements stand in AWS's customary order, lists of one are written without
//! brackets, principals are grouped by kind.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use crate::{Condition, Document, Principal, Principals, Statement};

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) };
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Document {
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

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Statement", 6)?;
        if let Some(sid) = &self.sid {
            map.serialize_field("Sid", sid)?;
        }
        map.serialize_field("Effect", &self.effect)?;
        if let Some(principals) = &self.principals {
            map.serialize_field(if principals.except { "NotPrincipal" } else { "Principal" }, principals)?;
        }
        let name = if self.actions.is_except() { "NotAction" } else { "Action" };
        map.serialize_field(name, &List(self.actions.patterns().collect()))?;
        if let Some(resources) = &self.resources {
            let name = if resources.is_except() { "NotResource" } else { "Resource" };
            map.serialize_field(name, &List(resources.patterns().collect()))?;
        }
        if !self.conditions.is_empty() {
            map.serialize_field("Condition", &Conditions(&self.conditions))?;
        }
        map.end()
    }
}

impl Serialize for Principals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.list == [Principal::Anyone] {
            return serializer.serialize_str("*");
        }
        let mut map = serializer.serialize_map(None)?;
        for kind in ["AWS", "Service", "Federated", "CanonicalUser"] {
            let of_kind = |principal| Some(Principal::written(principal)).filter(|(k, _)| *k == kind);
            let names: Vec<&str> = self.list.iter().filter_map(of_kind).map(|(_, text)| text).collect();
            if !names.is_empty() {
                map.serialize_entry(kind, &List(names))?;
            }
        }
        map.end()
    }
}

/// A list, without its brackets if it has one item.
struct List<'a>(Vec<&'a str>);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

struct Conditions<'a>(&'a [Condition]);

impl Serialize for Conditions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for same in self.0.chunk_by(|a, b| a.operator() == b.operator()) {
            map.serialize_entry(&same[0].operator().to_string(), &Keys(same))?;
        }
        map.end()
    }
}

struct Keys<'a>(&'a [Condition]);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for condition in self.0 {
            map.serialize_entry(condition.key(), &List(condition.values().collect()))?;
        }
        map.end()
    }
}
