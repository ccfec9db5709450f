use std::collections::BTreeMap;

use toml::{Table, Value};

use super::base::Base;
use super::fault::ScenarioFault;
use super::reader::as_json;

/// What a connection is filled in with where it says nothing itself.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    /// URL by service; the keys of a connection's `endpoints`.
    pub(super) endpoints: &'a BTreeMap<&'static str, String>,
    /// Every way to be somebody that the machine has.
    pub(super) bases: &'a [Base],
}

/// The text of a file of connections: with endpoints, and with who we are where a connection leaves that open and there is
/// one way to be somebody.
pub(super) fn print(connections: &Table, filling: &Filling<'_>, faults: &mut Vec<ScenarioFault>) -> String {
    let mut connections = connections.clone();
    for (name, connection) in &mut connections {
        if let Value::Table(connection) = connection {
            fill(name, connection, filling, faults);
        }
    }
    let whole = serde_json::json!({ "connections": as_json(&Value::Table(connections)) });
    format!("{whole:#}\n")
}

fn fill(name: &str, connection: &mut Table, filling: &Filling<'_>, faults: &mut Vec<ScenarioFault>) {
    let endpoints = connection.entry("endpoints").or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(endpoints) = endpoints {
        for (service, url) in filling.endpoints.iter().filter(|(service, _)| **service != "imds") {
            endpoints.entry(*service).or_insert_with(|| Value::String(url.clone()));
        }
    }
    match (connection.get("kind"), filling.bases) {
        (Some(kind), bases) => {
            if let Some(base) = bases.iter().find(|base| kind.as_str() == Some(base.kind)) {
                base.fill(connection);
            }
        }
        (None, [base]) => {
            connection.insert("kind".to_owned(), base.kind.into());
            base.fill(connection);
        }
        (None, bases) => {
            let text = "is missing, and there is not just one way to be somebody";
            let mut fault = ScenarioFault::new(format!("connections.{name}.kind"), text);
            fault.allowed = bases.iter().map(|base| base.kind.to_owned()).collect();
            faults.push(fault);
        }
    }
}
