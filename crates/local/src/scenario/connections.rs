use std::collections::BTreeMap;

use toml::{Table, Value};

use super::reader::as_json;
use crate::aws::Keys;

/// The services of a connection's `endpoints`, as it calls them.
pub(super) const SERVICES: [&str; 4] = ["s3", "sts", "kms", "rolesanywhere"];

/// What a connection is filled in with where it says nothing itself.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    /// URL by service.
    pub(super) endpoints: &'a BTreeMap<&'static str, String>,
    /// Who we are, if that is by keys.
    pub(super) keys: Option<&'a Keys>,
}

/// The text of a file of connections: endpoints, and the caller's keys where a connection is by keys and names none.
pub(super) fn print(connections: &Table, filling: &Filling<'_>) -> String {
    let mut connections = connections.clone();
    for (_, connection) in &mut connections {
        if let Value::Table(connection) = connection {
            fill(connection, filling);
        }
    }
    let whole = serde_json::json!({ "connections": as_json(&Value::Table(connections)) });
    format!("{whole:#}\n")
}

fn fill(connection: &mut Table, filling: &Filling<'_>) {
    let endpoints = connection.entry("endpoints").or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(endpoints) = endpoints {
        for (service, url) in filling.endpoints {
            if SERVICES.contains(service) && !endpoints.contains_key(*service) {
                endpoints.insert((*service).to_owned(), url.clone().into());
            }
        }
    }
    let Some(keys) = filling.keys else { return };
    if !connection.contains_key("kind") {
        connection.insert("kind".to_owned(), "keys".into());
    }
    let own = ["access_key_id", "secret_access_key", "session_token"];
    let is_keys = connection.get("kind").and_then(Value::as_str) == Some("keys");
    if is_keys && !own.iter().any(|key| connection.contains_key(*key)) {
        connection.insert(own[0].to_owned(), keys.access_key_id.clone().into());
        connection.insert(own[1].to_owned(), keys.secret.expose().into());
        if let Some(token) = &keys.token {
            connection.insert(own[2].to_owned(), token.expose().into());
        }
    }
}
