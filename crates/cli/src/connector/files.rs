use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use connectors::ConnectorFile;
use serde::Deserialize as _;
use serde_json::Value;

use crate::remote::Failure;

/// A connector as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The file.
    pub(super) origin: String,
    pub(super) name: String,
    /// Without `name`.
    pub(super) config: BTreeMap<String, String>,
    /// What it shall do, if the file says that.
    pub(super) target: Option<&'static str>,
}

/// No file of connectors is larger.
const LARGEST: u64 = 16 << 20;

/// All connectors of files and directories; `-` is stdin. Two of one name are refused.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Wanted>, Failure> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut faults = Vec::new();
    for path in expand(paths)? {
        match read_file(&path) {
            Ok(found) => wanted.extend(found),
            Err(fault) => faults.push(format!("{}: {fault}", path.display())),
        }
    }
    for (at, one) in wanted.iter().enumerate() {
        if let Some(other) = wanted[..at].iter().find(|other| other.name == one.name) {
            faults.push(format!("{}: connector {} is in {} already", one.origin, one.name, other.origin));
        }
    }
    if !faults.is_empty() {
        return Err(Failure::refused(faults.join("\n  ")));
    }
    if wanted.is_empty() {
        return Err(Failure::usage("the files hold no connector".to_owned()));
    }
    Ok(wanted)
}

/// Directories become the files in them, by name.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let told = |error: std::io::Error| Failure::usage(format!("could not read {}: {error}", path.display()));
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(told)? {
            let file = entry.map_err(told)?.path();
            let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if file.is_file() && matches!(kind, "json" | "properties" | "yaml" | "yml") {
                inside.push(file);
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<Wanted>, String> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text),
        _ => fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)),
    };
    if read.map_err(|error| format!("could not be read: {error}"))? as u64 > LARGEST {
        return Err("is larger than 16 MiB".to_owned());
    }
    let origin = path.display().to_string();
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    match kind {
        "properties" => of_properties(&origin, &text).map(|one| vec![one]),
        "yaml" | "yml" => of_yaml(&origin, &text),
        "json" => of_json(&origin, &text),
        _ if text.trim_start().starts_with(['{', '[']) => of_json(&origin, &text),
        _ => of_yaml(&origin, &text),
    }
}

fn of_properties(origin: &str, text: &str) -> Result<Wanted, String> {
    let file = ConnectorFile::from_properties(origin, text).map_err(|error| fault::Chain(&error).to_string())?;
    let config = file.config().iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    named(origin, None, config, None)
}

fn of_json(origin: &str, text: &str) -> Result<Vec<Wanted>, String> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
    match value {
        Value::Array(list) => list.iter().map(|value| of_value(origin, value)).collect(),
        value => Ok(vec![of_value(origin, &value)?]),
    }
}

/// One or more documents.
fn of_yaml(origin: &str, text: &str) -> Result<Vec<Wanted>, String> {
    let mut found = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let value = Value::deserialize(document).map_err(|error| error.to_string())?;
        if !value.is_null() {
            found.push(of_value(origin, &value)?);
        }
    }
    Ok(found)
}

fn of_value(origin: &str, value: &Value) -> Result<Wanted, String> {
    let object = value.as_object().ok_or("holds no object")?;
    if object.contains_key("kind") || object.contains_key("apiVersion") {
        return of_strimzi(origin, value);
    }
    let Some(config) = object.get("config").filter(|config| config.is_object()) else {
        return named(origin, None, texts(value)?, None);
    };
    let known = ["name", "config", "target", "initial_state", "tasks", "type"];
    unknown(object.keys(), &known, "beside config")?;
    let state = ["target", "initial_state"].into_iter().find_map(|key| object.get(key));
    let state = state.map(|state| target(state.as_str().unwrap_or_default())).transpose()?;
    let name = object.get("name").map(|name| name.as_str().ok_or("name is no text")).transpose()?;
    named(origin, name, texts(config)?, state)
}

/// A `KafkaConnector` of Strimzi's: `metadata.name`, `spec.class`, `spec.tasksMax`, `spec.config`, `spec.state`. Which
/// cluster it is for (a label there) is said by `--cluster` here.
fn of_strimzi(origin: &str, value: &Value) -> Result<Wanted, String> {
    let kind = value["kind"].as_str().unwrap_or_default();
    if kind != "KafkaConnector" {
        return Err(format!("is of kind {kind:?}, and only KafkaConnector is read"));
    }
    let name = value["metadata"]["name"].as_str().ok_or("metadata.name is missing")?;
    let spec = value["spec"].as_object().ok_or("spec is missing")?;
    let known = ["class", "tasksMax", "config", "state", "pause", "autoRestart"];
    unknown(spec.keys(), &known, "in spec")?;
    let mut config = spec.get("config").map_or_else(|| Ok(BTreeMap::new()), texts)?;
    for (member, key) in [("class", "connector.class"), ("tasksMax", "tasks.max")] {
        if let Some(value) = spec.get(member) {
            let text = text(value).ok_or_else(|| format!("spec.{member} is no text and no number"))?;
            if config.insert(key.to_owned(), text).is_some() {
                return Err(format!("spec.{member} and {key} in spec.config are the same; leave one out"));
            }
        }
    }
    let is_paused = spec.get("pause").and_then(Value::as_bool) == Some(true);
    let state = match spec.get("state") {
        Some(state) => Some(target(state.as_str().unwrap_or_default())?),
        None => is_paused.then_some("PAUSED"),
    };
    named(origin, Some(name), config, state)
}

fn unknown<'a>(keys: impl IntoIterator<Item = &'a String>, known: &[&str], place: &str) -> Result<(), String> {
    let Some(key) = keys.into_iter().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let near = fault::suggest(key, known.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(format!("{key} {place} is not known{hint}"))
}

fn named(
    origin: &str,
    name: Option<&str>,
    mut config: BTreeMap<String, String>,
    target: Option<&'static str>,
) -> Result<Wanted, String> {
    let inside = config.remove("name");
    let name = match (name, inside) {
        (Some(name), Some(inside)) if name != inside => {
            return Err(format!("calls the connector {name}, and its configuration calls it {inside}"));
        }
        (Some(name), _) => name.to_owned(),
        (None, Some(inside)) => inside,
        (None, None) => return Err("has no name".to_owned()),
    };
    Ok(Wanted { origin: origin.to_owned(), name, config, target })
}

fn target(text: &str) -> Result<&'static str, String> {
    match text.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok("RUNNING"),
        "PAUSED" => Ok("PAUSED"),
        "STOPPED" => Ok("STOPPED"),
        _ => Err(format!("{text:?} is no state: those are running, paused, stopped")),
    }
}

/// A flat object as a configuration. A key without a value is left out, as Kafka Connect takes null.
fn texts(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let object = value.as_object().ok_or("the configuration is no object")?;
    let given = object.iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(key, value)| {
            let text = text(value).ok_or_else(|| format!("{key} is neither a text nor a number nor true or false"))?;
            Ok((key.clone(), text))
        })
        .collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, config: &[(&str, &str)], target: Option<&'static str>) -> Wanted {
        let config = config.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        Wanted { origin: "x".to_owned(), name: name.to_owned(), config, target }
    }

    #[test]
    fn what_connect_and_strimzi_users_have_is_read() {
        let config = [("connector.class", "S3"), ("tasks.max", "2")];
        let json = r#"{"name":"orders","config":{"connector.class":"S3","tasks.max":2}}"#;
        assert_eq!(of_json("x", json).unwrap(), [wanted("orders", &config, None)]);
        let flat = r#"{"name":"orders","connector.class":"S3","tasks.max":"2"}"#;
        assert_eq!(of_json("x", flat).unwrap(), [wanted("orders", &config, None)]);
        let properties = "name=orders\nconnector.class=S3\ntasks.max=2\n";
        assert_eq!(of_properties("x", properties).unwrap(), wanted("orders", &config, None));
        let strimzi = "apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaConnector\nmetadata:\n  name: orders\n  labels:\n    \
            strimzi.io/cluster: c\nspec:\n  class: S3\n  tasksMax: 2\n  state: paused\n  autoRestart:\n    enabled: true\n";
        assert_eq!(of_yaml("x", strimzi).unwrap(), [wanted("orders", &config, Some("PAUSED"))]);
        let two = "name: a\nk: 1\n---\nname: b\nk: true\n---\n";
        assert_eq!(of_yaml("x", two).unwrap(), [wanted("a", &[("k", "1")], None), wanted("b", &[("k", "true")], None)]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_not_passed_over() {
        for (text, told) in [
            (r#"{"config":{"a":"b"}}"#, "has no name"),
            (r#"{"name":"a","config":{"name":"b"}}"#, "calls it b"),
            (r#"{"name":"a","config":{"k":[]}}"#, "k is neither"),
            (r#"{"name":"a","config":{},"inital_state":"PAUSED"}"#, "did you mean initial_state?"),
            (r#"{"kind":"KafkaTopic"}"#, "only KafkaConnector"),
            (r#"{"kind":"KafkaConnector","metadata":{"name":"a"},"spec":{"taskMax":1}}"#, "did you mean tasksMax?"),
            ("3", "holds no object"),
        ] {
            let found = of_json("x", text).unwrap_err();
            assert!(found.contains(told), "{text}: {found}");
        }
    }

    #[test]
    fn two_files_with_one_connector_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.json", "b.yaml", "ignored.txt"] {
            fs::write(dir.path().join(name), r#"{"name":"orders","config":{}}"#).unwrap();
        }
        let failure = read(&[dir.path().to_owned()]).unwrap_err();
        assert!(failure.text.contains("orders is in") && !failure.text.contains("ignored"), "{}", failure.text);
    }
}
