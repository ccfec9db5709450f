//! Configurations as the store keeps them.

use std::collections::BTreeMap;

use ::connectors::has_url_password;
use serde_json::{Map, Value, json};
use world::Secret;

use super::vault::Vault;
use super::{MASK, Refusal};

/// A flat configuration whose secrets are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Kept(BTreeMap<String, Cell>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    Plain(String),
    Sealed(String),
}

/// A text of two or more asterisks stands for the secret that is stored already, as Confluent's clients take it.
pub(crate) fn is_mask(value: &str) -> bool {
    value.len() >= 2 && value.bytes().all(|byte| byte == b'*')
}

/// Whether a value only says where a secret is: `${file:/etc/secrets:password}`.
fn is_reference(value: &str) -> bool {
    value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inner| inner.contains(':') && !inner.contains(['{', '}', '$']))
}

/// Puts the secrets of `before` in the place of masks: what the caller means.
///
/// # Errors
/// The keys that are masked and have no stored secret.
pub(crate) fn unmask(
    config: BTreeMap<String, String>,
    before: Option<&BTreeMap<String, String>>,
    is_secret: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut missing = Vec::new();
    let meant = config.into_iter().map(|(key, value)| {
        if !is_mask(&value) {
            return (key, value);
        }
        let stored = before.and_then(|before| before.get(&key));
        match stored {
            Some(stored) if is_secret(&key) || has_url_password(stored) => {
                let stored = stored.clone();
                (key, stored)
            }
            _ => {
                if is_secret(&key) {
                    missing.push(key.clone());
                }
                (key, value)
            }
        }
    });
    let meant = meant.collect();
    if missing.is_empty() { Ok(meant) } else { Err(missing) }
}

impl Kept {
    /// Seals what is secret. `place` names the row that it is kept in.
    pub(crate) fn seal(
        config: &BTreeMap<String, String>,
        is_secret: impl Fn(&str) -> bool,
        place: &str,
        vault: &Vault,
    ) -> Self {
        let cell = |key: &str, value: &str| {
            if (is_secret(key) && !value.is_empty() && !is_reference(value)) || has_url_password(value) {
                Cell::Sealed(vault.seal(&format!("{place}/{key}"), value))
            } else {
                Cell::Plain(value.to_owned())
            }
        };
        Self(config.iter().map(|(key, value)| (key.clone(), cell(key, value))).collect())
    }

    /// Everything as it was written, secrets in the clear.
    pub(crate) fn open(&self, place: &str, vault: &Vault) -> Result<BTreeMap<String, String>, String> {
        let open = |(key, cell): (&String, &Cell)| match cell {
            Cell::Plain(value) => Ok((key.clone(), value.clone())),
            Cell::Sealed(sealed) => match vault.unseal(&format!("{place}/{key}"), sealed) {
                Some(secret) => Ok((key.clone(), secret.expose().to_owned())),
                None => Err(format!("{key} does not open with the key file that is there")),
            },
        };
        self.0.iter().map(open).collect()
    }

    /// Everything as it may be shown.
    pub(crate) fn masked(&self) -> BTreeMap<String, String> {
        let shown = |cell: &Cell| match cell {
            Cell::Plain(value) => value.clone(),
            Cell::Sealed(_) => MASK.to_owned(),
        };
        self.0.iter().map(|(key, cell)| (key.clone(), shown(cell))).collect()
    }

    /// As the store keeps it.
    pub(crate) fn to_text(&self) -> String {
        let cell = |cell: &Cell| match cell {
            Cell::Plain(value) => json!(value),
            Cell::Sealed(sealed) => json!({ "sealed": sealed }),
        };
        let members: Map<String, Value> = self.0.iter().map(|(key, value)| (key.clone(), cell(value))).collect();
        Value::Object(members).to_string()
    }

    /// As the store gives it back; `None` if that is no configuration.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Read {
            Plain(String),
            Sealed { sealed: String },
        }
        let read: BTreeMap<String, Read> = serde_json::from_str(text).ok()?;
        let cell = |read| match read {
            Read::Plain(value) => Cell::Plain(value),
            Read::Sealed { sealed } => Cell::Sealed(sealed),
        };
        Some(Self(read.into_iter().map(|(key, value)| (key, cell(value))).collect()))
    }
}

/// The keys of a connection's settings that hold secrets (docs/connections.md).
const SECRETS: &[&str] = &["access_key_id", "secret_access_key", "session_token", "passphrase"];

/// A connection's settings with masks where secrets are written out: an identifier of a key is none.
pub(crate) fn mask_spec(spec: &Value) -> Value {
    each_secret(spec, |key, value| match (key, value) {
        ("access_key_id", value) => value.clone(),
        (_, Value::String(text)) if !text.is_empty() => json!(MASK),
        (_, Value::Object(members)) if members.contains_key("sealed") => json!(MASK),
        (_, other) => other.clone(),
    })
}

/// Seals the secrets of a connection's settings that are written out.
pub(crate) fn seal_spec(spec: &Value, place: &str, vault: &Vault) -> Value {
    each_secret(spec, |key, value| match (key, value) {
        ("access_key_id", value) => value.clone(),
        (key, Value::String(text)) if !text.is_empty() => {
            json!({ "sealed": vault.seal(&format!("{place}/{key}"), text) })
        }
        (_, other) => other.clone(),
    })
}

/// Opens them.
pub(crate) fn open_spec(spec: &Value, place: &str, vault: &Vault) -> Result<Value, String> {
    let mut failed = None;
    let opened = each_secret(spec, |key, value| match value.get("sealed").and_then(Value::as_str) {
        None => value.clone(),
        Some(sealed) => vault.unseal(&format!("{place}/{key}"), sealed).map_or_else(
            || {
                failed = Some(format!("{key} does not open with the key file that is there"));
                Value::Null
            },
            |secret: Secret| json!(secret.expose()),
        ),
    });
    failed.map_or(Ok(opened), Err)
}

/// Puts stored secrets in the place of masks.
pub(crate) fn unmask_spec(spec: &Value, before: Option<&Value>, name: &str) -> Result<Value, Refusal> {
    let mut missing = None;
    let meant = each_secret(spec, |key, value| {
        if !value.as_str().is_some_and(is_mask) {
            return value.clone();
        }
        before.and_then(|before| before.get(key)).cloned().unwrap_or_else(|| {
            missing = Some(key.to_owned());
            Value::Null
        })
    });
    match missing {
        None => Ok(meant),
        Some(key) => Err(Refusal::Flawed {
            field: format!("connections.{name}.{key}"),
            value: MASK.to_owned(),
            rule: "stands for a stored secret, and none is stored".to_owned(),
        }),
    }
}

fn each_secret(spec: &Value, mut change: impl FnMut(&str, &Value) -> Value) -> Value {
    let Value::Object(members) = spec else { return spec.clone() };
    let changed = members.iter().map(|(key, value)| {
        let value = if SECRETS.contains(&key.as_str()) { change(key, value) } else { value.clone() };
        (key.clone(), value)
    });
    Value::Object(changed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn secrets_are_sealed_and_references_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), true).unwrap();
        let is_secret = |key: &str| key.contains("password");
        let written = config(&[
            ("name", "a"),
            ("password", "hunter2"),
            ("ref.password", "${file:/s:p}"),
            ("half.password", "x${file:/s:p}"),
            ("empty.password", ""),
            ("url", "https://user:pw@host/x"),
            ("urls", "http://a:8081,http://user:pw@b:8081"),
        ]);
        let kept = Kept::seal(&written, is_secret, "connector/lcc-1", &vault);
        let text = kept.to_text();
        assert!(!text.contains("hunter2") && !text.contains("user:pw") && !format!("{kept:?}").contains("hunter2"));
        let read = Kept::from_text(&text).unwrap();
        assert_eq!(read.open("connector/lcc-1", &vault).unwrap(), written);
        assert!(read.open("connector/lcc-2", &vault).is_err(), "what is moved to another row does not open");
        let shown = read.masked();
        let masked: Vec<_> = shown.iter().filter(|(_, value)| *value == MASK).map(|(key, _)| key.as_str()).collect();
        assert_eq!(masked, ["half.password", "password", "url", "urls"]);
        // What is shown and sent back is what was there.
        assert_eq!(unmask(shown, Some(&written), is_secret).unwrap(), written);
    }

    #[test]
    fn a_mask_without_a_stored_secret_is_named_and_asterisks_elsewhere_are_text() {
        let is_secret = |key: &str| key == "password";
        let sent = config(&[("password", "**"), ("pattern", "**"), ("one", "*")]);
        assert_eq!(unmask(sent.clone(), None, is_secret), Err(vec!["password".to_owned()]));
        let stored = config(&[("password", "p"), ("pattern", "q")]);
        assert_eq!(
            unmask(sent, Some(&stored), is_secret).unwrap(),
            config(&[("password", "p"), ("pattern", "**"), ("one", "*")])
        );
    }

    #[test]
    fn secrets_of_connections_are_sealed_shown_masked_and_kept_by_masks() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), true).unwrap();
        let spec = json!({ "kind": "keys", "access_key_id": "AKIA1", "secret_access_key": "s3cr3t" });
        let sealed = seal_spec(&spec, "connection/env-1/a", &vault);
        assert!(!sealed.to_string().contains("s3cr3t"));
        assert_eq!(open_spec(&sealed, "connection/env-1/a", &vault).unwrap(), spec);
        assert!(open_spec(&sealed, "connection/env-2/a", &vault).is_err());
        let shown = mask_spec(&sealed);
        assert_eq!(shown["secret_access_key"], MASK);
        assert_eq!(shown["access_key_id"], "AKIA1");
        assert_eq!(unmask_spec(&shown, Some(&spec), "a").unwrap(), spec);
        assert!(unmask_spec(&shown, None, "a").is_err());
    }
}
