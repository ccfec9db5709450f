use axum::body::Body;
use connectors::{PluginKind, Validation, definitions, plugins};
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::{ApiError, is_no_class, json, no_class};
use super::body::SentConfig;
use super::shapes::{definition, infos};

#[derive(Debug, Serialize)]
struct Plugin {
    class: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
}

/// `GET /connector-plugins`.
pub(super) fn list(connectors_only: bool) -> Response<Body> {
    let wanted = plugins().into_iter().filter(|plugin| !connectors_only || plugin.kind == PluginKind::Sink);
    let all: Vec<Plugin> = wanted
        .map(|plugin| Plugin { class: plugin.class, kind: plugin.kind.name(), version: plugin.version })
        .collect();
    json(StatusCode::OK, &all)
}

/// `GET /connector-plugins/p/config`.
pub(super) fn keys(plugin: &str) -> Result<Response<Body>, ApiError> {
    let keys = definitions(plugin).ok_or_else(|| ApiError::not_found(format!("Unknown plugin {plugin}.")))?;
    Ok(json(StatusCode::OK, &keys.iter().map(definition).collect::<Vec<_>>()))
}

/// Whether a configuration may be sent to the plugin of the path: Connect compares the ends of the names.
pub(super) fn check_class(plugin: &str, config: &SentConfig) -> Result<(), ApiError> {
    let plain = |name: &str| name.strip_suffix("Connector").unwrap_or(name).to_owned();
    let Some(class) = config.texts.get("connector.class") else {
        return Err(ApiError::bad(no_class(&config.keys())));
    };
    if plain(class).ends_with(&plain(plugin)) {
        return Ok(());
    }
    Err(ApiError::bad(format!("Included connector type {class} does not match request type {plugin}")))
}

/// The text about a key whose value is null.
pub(super) const NULL: &str = "Null value can not be supplied as the configuration value.";

/// `PUT /connector-plugins/p/config/validate`.
pub(super) fn validated(validation: &Validation) -> Result<Response<Body>, ApiError> {
    let mut errors = validation.keys.iter().flat_map(|key| &key.errors);
    match errors.find(|text| is_no_class(text)) {
        // Connect's own code for it, here and only here.
        Some(text) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, text.clone())),
        None => Ok(json(StatusCode::OK, &infos(validation))),
    }
}

/// Adds what is wrong with values that were null.
pub(super) fn add_nulls(validation: &mut Validation, nulls: &[String]) {
    for name in nulls {
        validation.error_count += 1;
        if let Some(key) = validation.keys.iter_mut().find(|key| key.name == *name) {
            key.errors.push(NULL.to_owned());
            continue;
        }
        validation.keys.insert(
            0,
            connectors::KeyReport {
                definition: None,
                name: name.clone(),
                value: None,
                recommended: Vec::new(),
                errors: vec![NULL.to_owned()],
                visible: true,
            },
        );
    }
}
