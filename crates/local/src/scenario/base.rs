use toml::{Table, Value};

use crate::aws::Keys;

/// A way to be somebody: what a connection of its kind says, what the environment holds, and what is in files.
pub(super) struct Base {
    /// As a connection calls it.
    pub(super) kind: &'static str,
    /// Keys of the connection, with their values.
    pub(super) keys: Vec<(&'static str, String)>,
    /// Whether one of these keys in the connection keeps the others out: half of one key and half of another is none.
    pub(super) together: bool,
    pub(super) environment: Vec<(String, String)>,
    /// Names in the scenario's directory, with texts.
    pub(super) files: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Base {
    pub(super) fn of(kind: &'static str) -> Self {
        Self { kind, keys: Vec::new(), together: false, environment: Vec::new(), files: Vec::new() }
    }

    pub(super) fn of_keys(keys: &Keys) -> Self {
        let mut all =
            vec![("access_key_id", keys.access_key_id.clone()), ("secret_access_key", keys.secret.expose().to_owned())];
        all.extend(keys.token.as_ref().map(|token| ("session_token", token.expose().to_owned())));
        Self { keys: all, together: true, ..Self::of("keys") }
    }

    /// Fills in what a connection of this kind does not say itself.
    pub(super) fn fill(&self, connection: &mut Table) {
        let names = ["access_key_id", "secret_access_key", "session_token"];
        if self.together && names.iter().any(|name| connection.contains_key(*name)) {
            return;
        }
        for (key, value) in &self.keys {
            connection.entry(*key).or_insert_with(|| Value::String(value.clone()));
        }
    }
}
