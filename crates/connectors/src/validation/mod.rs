mod converters;
mod plugins;

use std::collections::BTreeMap;

use data::Role;

use crate::catalogue::{ConnectorClass, plan};
use crate::clients::is_secret;
use crate::config::Config;
use crate::define::{KeyDef, Kind, Value};
use crate::faults::{HIDDEN, has_url_password};
use crate::framework::FRAMEWORK_KEYS;
use crate::load::ConnectorFile;
use crate::worker::WorkerConfig;

pub use plugins::{Plugin, PluginKind, definitions, plugins};

/// What Kafka Connect's `PUT /connector-plugins/{class}/config/validate` tells of a configuration: every key's definition
/// with its value and what is wrong with it (`ConfigInfos`).
#[derive(Debug, Clone)]
pub struct Validation {
    /// The class as the configuration calls it.
    pub class: String,
    /// How many faults there are.
    pub error_count: usize,
    /// The groups, in the order in which a form shows them.
    pub groups: Vec<String>,
    /// The keys, in Connect's order.
    pub keys: Vec<KeyReport>,
}

/// One key of a [`Validation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// What is known of the key; `None` for one that is nobody's and is named because its value is null.
    pub definition: Option<KeyText>,
    /// Its name.
    pub name: String,
    /// Its value as text; `[hidden]` for passwords.
    pub value: Option<String>,
    /// Values to choose from.
    pub recommended: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
}

/// A key's definition as Connect's REST API shows it: owned, because transforms and overrides make keys of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText {
    /// Its name.
    pub name: String,
    /// `STRING`, `INT`, ..
    pub kind: &'static str,
    /// Whether it has no default.
    pub required: bool,
    /// The default as text.
    pub default: Option<String>,
    /// `HIGH`, ..
    pub importance: &'static str,
    /// What it does.
    pub documentation: String,
    /// Its group.
    pub group: Option<String>,
    /// Its place in the group.
    pub order: i32,
    /// `SHORT`, ..
    pub width: &'static str,
    /// The name that a form shows.
    pub display_name: String,
    /// Keys whose validity depends on it.
    pub dependents: Vec<String>,
}

/// The version of Kafka Connect whose converters and REST API are kept.
pub(crate) const CONNECT_VERSION: &str = "4.1.0";

impl KeyText {
    /// A key of the tables, under another name if `prefix` is not empty.
    fn of(def: &KeyDef, prefix: &str) -> Self {
        Self {
            name: format!("{prefix}{}", def.name),
            kind: def.kind.name(),
            required: def.required,
            default: def.default.map(str::to_owned),
            importance: def.importance.name(),
            documentation: def.doc.to_owned(),
            group: def.group.map(str::to_owned),
            order: def.order,
            width: def.width.name(),
            display_name: def.display.to_owned(),
            dependents: Vec::new(),
        }
    }

    /// A setting of a Kafka client.
    fn of_client(key: &str, name: &str, client: &str) -> Self {
        Self {
            name: key.to_owned(),
            kind: if is_secret(key) { Kind::Password } else { Kind::String }.name(),
            required: false,
            default: None,
            importance: "MEDIUM",
            documentation: format!(
                "A setting of the connector's Kafka {client}, by the name that the Java client gives it."
            ),
            group: None,
            order: -1,
            width: "NONE",
            display_name: name.to_owned(),
            dependents: Vec::new(),
        }
    }
}

/// Tells of every key of a configuration what a form needs to know, and what is wrong.
///
/// The order is Kafka Connect's: what is nobody's key and null, the framework's keys, the class's, ours, overrides of
/// clients, the settings of converters that the connector names. Unlike there, a value that refers to a config provider is
/// shown as it is written: it may be a secret in a key that is no password.
pub fn validate(file: &ConnectorFile, worker: &WorkerConfig) -> Validation {
    let config = file.config();
    let class = config.get("connector.class").map(str::trim);
    let known = class.and_then(ConnectorClass::find);
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Err(faults) = plan(file, worker) {
        for fault in faults.faults() {
            errors.entry(fault.key.clone()).or_default().push(fault.text.clone());
        }
    }
    let mut keys = Vec::new();
    let defs: Vec<&KeyDef> = match known {
        Some(class) => class.keys().filter(|def| !def.unlisted).collect(),
        None => FRAMEWORK_KEYS.iter().collect(),
    };
    for def in defs {
        let mut text = KeyText::of(def, "");
        let mut recommended: Vec<String> = def.recommended.iter().map(|&value| value.to_owned()).collect();
        if let Some(version) = plugins::version_of(def.name, known) {
            text.default = Some(version.to_owned());
            recommended = vec![version.to_owned()];
        }
        if let Some(role) = converters::role(def.name) {
            text.default = converters::default(role, worker.config());
        }
        let value = shown(def.kind, config.get(def.name), text.default.as_deref());
        keys.push(report(text, value, recommended, &mut errors));
    }
    for client in ["producer", "consumer", "admin"] {
        let prefix = format!("{client}.override.");
        for (name, _) in config.with_prefix(&prefix) {
            let key = format!("{prefix}{name}");
            let kind = if is_secret(&key) { Kind::Password } else { Kind::String };
            let value = shown(kind, config.get(&key), None);
            keys.push(report(KeyText::of_client(&key, name, client), value, Vec::new(), &mut errors));
        }
    }
    for role in [Role::Header, Role::Key, Role::Value] {
        keys.extend(converter_keys(role, config, &mut errors));
    }
    let mut groups: Vec<String> = Vec::new();
    for group in keys.iter().filter_map(|key| key.definition.as_ref()?.group.as_ref()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    // What is left is wrong with keys that no table has.
    let others = errors.into_iter().map(|(name, errors)| KeyReport {
        definition: None,
        value: config.get(&name).map(|_| HIDDEN.to_owned()),
        name,
        recommended: Vec::new(),
        errors,
        visible: true,
    });
    let keys: Vec<KeyReport> = others.chain(keys).collect();
    Validation {
        class: config.get("connector.class").unwrap_or_default().to_owned(),
        error_count: keys.iter().map(|key| key.errors.len()).sum(),
        groups,
        keys,
    }
}

/// The settings of a converter that the connector itself names: of the worker's, nothing is said, as in Connect.
fn converter_keys(role: Role, config: &Config, errors: &mut BTreeMap<String, Vec<String>>) -> Vec<KeyReport> {
    let key = role.config_key();
    let Some(class) = config.get(key).and_then(|text| converters::find(role, text.trim())) else { return Vec::new() };
    let prefix = format!("{key}.");
    let settings = converters::keys(class).iter().map(|def| {
        let text = KeyText::of(def, &prefix);
        // Connect tells a converter by this what it reads.
        let given = (def.name == converters::TYPE).then(|| converters::type_of(role));
        let value = shown(def.kind, config.get(&text.name).or(given), def.default);
        report(text, value, Vec::new(), errors)
    });
    settings.collect()
}

fn report(
    text: KeyText,
    value: Option<String>,
    recommended: Vec<String>,
    errors: &mut BTreeMap<String, Vec<String>>,
) -> KeyReport {
    let errors = errors.remove(&text.name).unwrap_or_default();
    KeyReport { name: text.name.clone(), definition: Some(text), value, recommended, errors, visible: true }
}

/// A value as Connect prints it; `None` if it cannot be read or is not there. A URL with a password is as good as one.
fn shown(kind: Kind, text: Option<&str>, default: Option<&str>) -> Option<String> {
    if text.is_some_and(has_url_password) {
        return Some(HIDDEN.to_owned());
    }
    if let Some(text) = text.filter(|text| text.contains("${") && kind != Kind::Password) {
        return Some(text.to_owned());
    }
    Some(match Value::read(kind, text.or(default)?).ok()? {
        Value::Boolean(flag) => flag.to_string(),
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
        Value::List(items) => items.join(","),
        Value::Password(_) => HIDDEN.to_owned(),
    })
}

#[cfg(test)]
mod tests;
