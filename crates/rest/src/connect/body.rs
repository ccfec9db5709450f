use std::collections::BTreeMap;

use control::Target;
use serde_json::value::RawValue;

use super::answer::ApiError;
use crate::request::read_json;

/// A configuration as it was sent: the texts, and the keys whose value was null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentConfig {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) nulls: Vec<String>,
}

impl SentConfig {
    /// Its keys, to be shown where Connect shows it all.
    pub(super) fn keys(&self) -> String {
        let keys: Vec<&str> =
            self.texts.keys().map(String::as_str).chain(self.nulls.iter().map(String::as_str)).collect();
        format!("{{{}}}", keys.join(", "))
    }
}

/// `POST /connectors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentConnector {
    pub(super) name: String,
    pub(super) config: SentConfig,
    pub(super) target: Target,
}

type Members = BTreeMap<String, Box<RawValue>>;

/// The object that a body is. Connect answers 500 to what is none, with the words of its JSON library.
pub(super) fn object(body: &[u8]) -> Result<Members, ApiError> {
    read_json::<Members>(body).map_err(|error| ApiError::bad(error.to_string()))
}

/// The text of a scalar as it was written; `None` for null.
pub(super) fn scalar(key: &str, value: &RawValue) -> Result<Option<String>, ApiError> {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => serde_json::from_str(raw).map(Some).map_err(|_| ApiError::bad(format!("{key} is no text"))),
        Some(b'{' | b'[') => {
            Err(ApiError::bad(format!("the value of {key} must be a text, a number, true, false or null")))
        }
        _ => Ok(Some(raw.to_owned())),
    }
}

/// A flat configuration.
pub(super) fn config(members: Members) -> Result<SentConfig, ApiError> {
    let mut sent = SentConfig::default();
    for (key, value) in members {
        match scalar(&key, &value)? {
            Some(text) => {
                sent.texts.insert(key, text);
            }
            None => sent.nulls.push(key),
        }
    }
    Ok(sent)
}

/// A connector to be made.
pub(super) fn connector(body: &[u8]) -> Result<SentConnector, ApiError> {
    let mut members = object(body)?;
    let name = members.remove("name").map(|name| scalar("name", &name)).transpose()?.flatten();
    let state = members.remove("initial_state").map(|state| scalar("initial_state", &state)).transpose()?.flatten();
    let sent = members.remove("config").filter(|config| config.get() != "null");
    if let Some(other) = members.keys().next() {
        let shown: String = other.chars().take(80).collect();
        return Err(ApiError::bad(format!(
            "unrecognized field {shown:?}: known are \"name\", \"config\", \"initial_state\""
        )));
    }
    let target = match state.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("RUNNING") => Target::Running,
        Some("PAUSED") => Target::Paused,
        Some("STOPPED") => Target::Stopped,
        Some(_) => return Err(ApiError::bad("initial_state must be one of RUNNING, PAUSED, STOPPED")),
    };
    let Some(sent) = sent else {
        return Err(ApiError::bad("a connector needs a \"config\""));
    };
    if !sent.get().starts_with('{') {
        return Err(ApiError::bad("\"config\" must be an object of keys and texts"));
    }
    let config = config(object(sent.get().as_bytes())?)?;
    // Java's trim: what is not above the blank goes.
    let name = name.unwrap_or_default().trim_matches(|c| c <= ' ').to_owned();
    Ok(SentConnector { name, config, target })
}
