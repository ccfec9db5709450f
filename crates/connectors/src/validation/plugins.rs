//! What there is to name in a configuration.

use data::Role;

use super::{CONNECT_VERSION, KeyText, converters};
use crate::catalogue::{ConnectorClass, classes};
use crate::converter::{CONVERTERS, HEADER_CONVERTERS};

/// A class that a configuration may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plugin {
    /// Its full name.
    pub class: &'static str,
    /// What it is.
    pub kind: PluginKind,
    /// The version whose contract is kept.
    pub version: &'static str,
}

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// A sink connector.
    Sink,
    /// Reads keys and values.
    Converter,
    /// Reads headers.
    HeaderConverter,
}

impl PluginKind {
    /// Kafka Connect's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
        }
    }
}

/// All classes, in the order in which Kafka Connect lists them: by kind, then by name.
pub fn plugins() -> Vec<Plugin> {
    let sinks =
        classes().iter().map(|class| Plugin { class: class.name, kind: PluginKind::Sink, version: class.version });
    let of = |kind| move |class: &&'static str| Plugin { class, kind, version: CONNECT_VERSION };
    let mut all: Vec<Plugin> = sinks
        .chain(CONVERTERS.iter().map(of(PluginKind::Converter)))
        .chain(HEADER_CONVERTERS.iter().map(of(PluginKind::HeaderConverter)))
        .collect();
    all.sort_by_key(|plugin| (plugin.kind as u8, plugin.class));
    all
}

/// The definitions of a class's keys (`GET /connector-plugins/{class}/config`): for connectors Connect's own keys, then the
/// class's, then ours; for converters their settings, without a prefix. `None` if there is no such class.
pub fn definitions(class: &str) -> Option<Vec<KeyText>> {
    if let Some(known) = ConnectorClass::find(class) {
        let texts = known.keys().filter(|def| !def.unlisted).map(|def| {
            let mut text = KeyText::of(def, "");
            if def.name == CONNECTOR_VERSION {
                text.default = Some(known.version.to_owned());
            }
            text
        });
        return Some(texts.collect());
    }
    let converter = converters::find(Role::Value, class).or_else(|| converters::find(Role::Header, class))?;
    Some(converters::keys(converter).iter().map(|def| KeyText::of(def, "")).collect())
}

const CONNECTOR_VERSION: &str = "connector.plugin.version";

/// The only version that a `*.plugin.version` key can name.
pub(super) fn version_of(key: &str, class: Option<&ConnectorClass>) -> Option<&'static str> {
    match key {
        CONNECTOR_VERSION => class.map(|class| class.version),
        "key.converter.plugin.version" | "value.converter.plugin.version" | "header.converter.plugin.version" => {
            Some(CONNECT_VERSION)
        }
        _ => None,
    }
}
