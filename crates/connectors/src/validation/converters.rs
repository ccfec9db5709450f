//! The settings of converters, as Kafka Connect 4.1 defines them.

use data::{Converter, Role};

use crate::config::Config;
use crate::converter::{CONVERTERS, HEADER_CONVERTERS};
use crate::define::{Check, Importance, KeyDef, Kind, Width};

/// What a converter reads: Connect sets it.
pub(super) const TYPE: &str = "converter.type";

const CONVERTER_TYPE: KeyDef = KeyDef::new(
    TYPE,
    Kind::String,
    "What the converter reads: key, value or header. It is set by the place where the converter is named.",
)
.required()
.check(Check::OneOf(&["key", "value", "header"]))
.importance(Importance::Low);

const PLAIN: &[KeyDef] = &[CONVERTER_TYPE];

const STRING: &[KeyDef] = &[
    CONVERTER_TYPE,
    KeyDef::new("converter.encoding", Kind::String, "The character set of the bytes.")
        .default("UTF-8")
        .importance(Importance::High)
        .shown("Encoding", Width::Medium),
];

const JSON: &[KeyDef] = &[
    CONVERTER_TYPE,
    KeyDef::new(
        "schemas.enable",
        Kind::Boolean,
        "Whether each document is an object with a schema beside its payload.",
    )
    .default("true")
    .group("Schemas", 0)
    .importance(Importance::High)
    .shown("Enable Schemas", Width::Medium),
    KeyDef::new("schemas.cache.size", Kind::Int, "Accepted; schemas are kept as long as they are used.")
        .default("1000")
        .group("Schemas", 1)
        .importance(Importance::High)
        .shown("Schema Cache Size", Width::Medium),
    KeyDef::new("decimal.format", Kind::String, "How decimals are written; both forms are read.")
        .default("BASE64")
        .group("Serialization", 0)
        .importance(Importance::Low)
        .shown("Decimal Format", Width::Medium),
    KeyDef::new("replace.null.with.default", Kind::Boolean, "Whether a null takes the default that its schema gives.")
        .default("true")
        .group("Serialization", 1)
        .importance(Importance::Low)
        .shown("Replace null with default", Width::Medium),
];

/// The settings of a class of [`CONVERTERS`] or [`HEADER_CONVERTERS`].
pub(super) fn keys(class: &str) -> &'static [KeyDef] {
    match class.rsplit('.').next() {
        Some("JsonConverter") => JSON,
        Some("StringConverter") => STRING,
        Some("SimpleHeaderConverter") => &[],
        _ => PLAIN,
    }
}

/// The full name of the class that a configuration names.
pub(super) fn find(role: Role, text: &str) -> Option<&'static str> {
    let nothing = std::collections::BTreeMap::new();
    let class = Converter::new(role, text, &nothing).ok()?.class();
    let classes = if role == Role::Header { HEADER_CONVERTERS } else { CONVERTERS };
    classes.iter().find(|known| **known == class).copied()
}

/// The role of the key that names a converter's class.
pub(super) fn role(key: &str) -> Option<Role> {
    [Role::Key, Role::Value, Role::Header].into_iter().find(|role| role.config_key() == key)
}

/// What a converter reads, as [`TYPE`] says it.
pub(super) fn type_of(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Value => "value",
        Role::Header => "header",
    }
}

/// The class that is used where a connector names none.
pub(super) fn default(role: Role, worker: &Config) -> Option<String> {
    let simple = (role == Role::Header).then_some("SimpleHeaderConverter");
    let text = worker.get(role.config_key()).map(str::trim).or(simple)?;
    Some(find(role, text).unwrap_or(text).to_owned())
}
