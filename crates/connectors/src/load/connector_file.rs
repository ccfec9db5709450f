use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fault::{Blame, Code, Diagnose, Retry};

use crate::config::Config;
use crate::faults::{ConfigFault, ConfigFaults, ConfigWarning, Findings};
use crate::load::json::{Members, scalar};
use crate::load::properties::{PropertiesError, read_properties};

/// A connector as a user wrote it down. Nothing in it is checked yet, but what cannot be read as text is remembered as
/// a fault, so that it is reported together with the others.
#[derive(Debug, Clone)]
pub struct ConnectorFile {
    origin: String,
    config: Config,
    faults: Vec<ConfigFault>,
    warnings: Vec<ConfigWarning>,
}

/// Why a file holds no configuration at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no JSON object.
    #[error("{origin} is not a JSON object of configuration keys")]
    Json {
        /// Which file.
        origin: String,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// It is no properties file.
    #[error("{origin} is not a properties file")]
    Properties {
        /// Which file.
        origin: String,
        /// Where it goes wrong.
        source: PropertiesError,
    },
}

impl Diagnose for LoadError {
    fn code(&self) -> Code {
        "config.unreadable"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Read { source, .. } => Some(match source.kind() {
                io::ErrorKind::NotFound => "check the path; it is taken from the directory of this process".into(),
                io::ErrorKind::PermissionDenied => "let the user of this process read it".into(),
                io::ErrorKind::InvalidData => "save it as UTF-8".into(),
                io::ErrorKind::FileTooLarge => "name a file of settings".into(),
                io::ErrorKind::IsADirectory => "name the files in it".into(),
                _ => return None,
            }),
            Self::Json { .. } => {
                Some(r#"write {"name": "..", "config": {..}} or one flat object of texts, as for Kafka Connect"#.into())
            }
            Self::Properties { .. } => Some("write the character itself, or \\u and four hexadecimal digits".into()),
        }
    }
}

impl From<LoadError> for ConfigFaults {
    fn from(error: LoadError) -> Self {
        let origin = match &error {
            LoadError::Read { path, .. } => path.display().to_string(),
            LoadError::Json { origin, .. } | LoadError::Properties { origin, .. } => origin.clone(),
        };
        let mut fault = ConfigFault::new("", None, fault::Chain(&error).to_string());
        fault.hint = error.hint().map(Cow::into_owned);
        Self::new(origin, vec![fault], Vec::new())
    }
}

/// The text of a file of settings, of 16 MiB at most: real ones have a few KiB, and a path like `/dev/zero` has no end.
///
/// # Errors
/// The file cannot be read, is no UTF-8, or is larger.
pub(crate) fn read_text(path: &Path) -> Result<String, LoadError> {
    const LARGEST: u64 = 16 << 20;
    let read = || {
        let mut text = String::new();
        let size = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
        if size as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
        }
        Ok(text)
    };
    read().map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

/// Reads connector files, all of them: one that cannot be read does not hide the others.
pub fn load_connectors(paths: &[PathBuf]) -> Vec<Result<ConnectorFile, LoadError>> {
    paths.iter().map(|path| ConnectorFile::load(path)).collect()
}

impl ConnectorFile {
    /// Reads a file: JSON if it is called `.json`, properties if `.properties`, else JSON if it begins with a brace.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = read_text(path)?;
        let origin = path.display().to_string();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::from_json(origin, &text),
            Some("properties") => Self::from_properties(origin, &text),
            _ if text.trim_start().starts_with('{') => Self::from_json(origin, &text),
            _ => Self::from_properties(origin, &text),
        }
    }

    /// Reads `{"name": .., "config": {..}}`, which is what Connect's REST API takes and gives, or a flat object.
    pub fn from_json(origin: impl Into<String>, text: &str) -> Result<Self, LoadError> {
        let origin = origin.into();
        let read = |text: &str| {
            serde_json::from_str::<Members>(text).map_err(|source| LoadError::Json { origin: origin.clone(), source })
        };
        let Members(members) = read(text.trim_start_matches('\u{feff}'))?;
        let mut found = Findings::default();
        let mut config = Config::new();
        let wrapped = members.iter().rev().find(|(key, value)| key == "config" && value.get().starts_with('{'));
        let Some((_, inner)) = wrapped else {
            fill(&mut config, members, &mut found);
            return Ok(Self::new(origin, config, found));
        };
        let Members(inner) = read(inner.get())?;
        fill(&mut config, inner, &mut found);
        for (key, value) in members {
            match key.as_str() {
                "name" => match scalar(&value) {
                    Ok(Some(name)) => check_name(&mut config, &name, &mut found),
                    Ok(None) => {}
                    Err(what) => found.fault(not_text("name", what)),
                },
                "initial_state" if value.get() == "\"RUNNING\"" => {}
                "initial_state" => found.warn("initial_state", "has no effect here: the connector is started"),
                // What GET /connectors/NAME answers beside the configuration.
                "config" | "tasks" | "type" => {}
                other => found.warn(other, "stands beside \"config\", where nothing reads it"),
            }
        }
        Ok(Self::new(origin, config, found))
    }

    /// Reads a Java properties file.
    pub fn from_properties(origin: impl Into<String>, text: &str) -> Result<Self, LoadError> {
        let origin = origin.into();
        let pairs = read_properties(text.trim_start_matches('\u{feff}'))
            .map_err(|source| LoadError::Properties { origin: origin.clone(), source })?;
        let mut found = Findings::default();
        let mut config = Config::new();
        for (key, value) in pairs {
            put(&mut config, key, value, &mut found);
        }
        Ok(Self::new(origin, config, found))
    }

    /// A configuration that comes from no file.
    pub fn from_config(origin: impl Into<String>, config: Config) -> Self {
        Self::new(origin.into(), config, Findings::default())
    }

    fn new(origin: String, config: Config, found: Findings) -> Self {
        Self { origin, config, faults: found.faults, warnings: found.warnings }
    }

    /// Where it comes from: the file's path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The connector's name, or the file's if it has none.
    pub fn name(&self) -> &str {
        self.config.get("name").unwrap_or(&self.origin)
    }

    /// Its configuration, references unresolved.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was found wrong while reading.
    pub(crate) fn findings(&self) -> Findings {
        Findings { faults: self.faults.clone(), warnings: self.warnings.clone() }
    }
}

fn fill(config: &mut Config, members: Vec<(String, Box<serde_json::value::RawValue>)>, found: &mut Findings) {
    for (key, value) in members {
        match scalar(&value) {
            Ok(Some(text)) => put(config, key, text, found),
            Ok(None) => {
                found.fault(ConfigFault::new(key, None, "Null value can not be supplied as the configuration value."));
            }
            Err(what) => found.fault(not_text(&key, what)),
        }
    }
}

fn not_text(key: &str, what: &str) -> ConfigFault {
    let hint = match what {
        "an array" => "write lists as one text, separated by commas",
        _ => "write a text, a number, true or false",
    };
    ConfigFault::new(key, None, format!("Invalid value for configuration {key}: {what} is not a text")).hint(hint)
}

fn put(config: &mut Config, key: String, value: String, found: &mut Findings) {
    if config.has(&key) {
        found.warn(&key, "is set more than once; the last one counts");
    }
    config.set(key, value);
}

/// Connect's rule: a name inside the configuration is allowed if it is the same.
fn check_name(config: &mut Config, name: &str, found: &mut Findings) {
    match config.get("name") {
        Some(inner) if inner != name => {
            let text =
                format!("Connector name configuration ({inner}) doesn't match connector name in the URL ({name})");
            found.fault(ConfigFault::new("name", Some(inner.to_owned()), text).hint("give the connector one name"));
        }
        Some(_) => {}
        None => {
            config.set("name", name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> ConnectorFile {
        ConnectorFile::from_json("c.json", text).unwrap()
    }

    #[test]
    fn both_shapes_of_json_are_one_configuration() {
        let wrapped = json(r#"{"name": "a", "config": {"tasks.max": 2, "x": true, "y": 1.50}}"#);
        assert_eq!(wrapped.name(), "a");
        let texts: Vec<_> = wrapped.config().iter().collect();
        assert_eq!(texts, [("name", "a"), ("tasks.max", "2"), ("x", "true"), ("y", "1.50")]);
        let flat = json(r#"{"name": "a", "tasks.max": "2", "x": "true", "y": "1.50"}"#);
        assert_eq!(flat.config(), wrapped.config());
    }

    #[test]
    fn what_has_no_text_is_a_fault_of_its_key() {
        let file = json(r#"{"name": "a", "n": null, "l": ["x"], "o": {"x": 1}}"#);
        let faults: Vec<_> = file.findings().faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "n: Null value can not be supplied as the configuration value.",
                "l: Invalid value for configuration l: an array is not a text",
                "o: Invalid value for configuration o: an object is not a text",
            ]
        );
    }

    #[test]
    fn two_names_are_refused_and_two_values_are_named() {
        let file = json(r#"{"name": "a", "config": {"name": "b", "k": "1", "k": "2"}, "tasks": [], "colour": 1}"#);
        assert_eq!(
            file.findings().faults[0].text,
            "Connector name configuration (b) doesn't match connector name in the URL (a)"
        );
        assert_eq!(file.config().get("k"), Some("2"));
        let warnings: Vec<_> = file.findings().warnings.iter().map(|warning| warning.key.clone()).collect();
        assert_eq!(warnings, ["k", "colour"]);
    }

    #[test]
    fn a_file_that_is_no_configuration_says_where() {
        let error = ConnectorFile::from_json("c.json", "{\"a\": 1,\n ]").unwrap_err();
        assert_eq!(error.to_string(), "c.json is not a JSON object of configuration keys");
        assert!(fault::Chain(&error).to_string().contains("line 2"), "{}", fault::Chain(&error));
        let error = ConnectorFile::load(Path::new("/no/such/file.json")).unwrap_err();
        assert_eq!(error.to_string(), "could not read /no/such/file.json");
    }

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = ConnectorFile::load(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(fault::Chain(&error).to_string(), "could not read /dev/zero: it is larger than 16 MiB");
        assert_eq!(error.hint().as_deref(), Some("name a file of settings"));
    }

    #[test]
    fn the_file_name_or_else_its_first_letter_says_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            ConnectorFile::load(&path).unwrap().name().to_owned()
        };
        assert_eq!(write("a.json", "\u{feff}{\"name\": \"one\"}"), "one");
        assert_eq!(write("a.properties", "name = two\n"), "two");
        assert_eq!(write("a.conf", " {\"name\": \"three\"}"), "three");
        assert_eq!(write("b.conf", "name: four"), "four");
    }
}
