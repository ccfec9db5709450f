use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use world::Environment;

use super::Failure;

/// Servers with credentials, by name: a file of the user's own that nobody else may read.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in use.
    #[serde(default)]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A server, and as whom it is asked.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<String>,
}

impl Contexts {
    /// Those of the file; none if there is no file.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Failure> {
        let Some(path) = path(environment) else { return Ok(Self::default()) };
        let told = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(told(format!("could not be read: {error}"))),
        };
        let mode = fs::metadata(&path).map_err(|error| told(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            let hint = format!("chmod 600 {}", path.display());
            return Err(told(format!("others may read it, and it holds secrets\n  hint: {hint}")));
        }
        serde_json::from_str(&text).map_err(|error| told(format!("is no file of contexts: {error}")))
    }

    /// Replaces the file, whole or not at all.
    pub(crate) fn write(&self, environment: &Environment) -> Result<PathBuf, Failure> {
        let path = path(environment).ok_or_else(|| {
            Failure::usage("neither XDG_CONFIG_HOME nor HOME is set: contexts have no place".to_owned())
        })?;
        let told = |error: std::io::Error| Failure::failed(format!("could not write {}: {error}", path.display()));
        let dir = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(dir).map_err(told)?;
        let new = path.with_extension("json.new");
        fs::remove_file(&new)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .map_err(told)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(told)?;
        let text = serde_json::to_string_pretty(self).expect("names are text");
        file.write_all(text.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .map_err(told)?;
        fs::rename(&new, &path).map_err(told)?;
        Ok(path)
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Result<Context, Failure> {
        self.contexts.get(name).cloned().ok_or_else(|| {
            let known = self.contexts.keys().map(String::as_str);
            let near = fault::suggest(name, known.clone());
            let hint = match near {
                Some(near) => format!("did you mean {near}?"),
                None if self.contexts.is_empty() => "make one: tidegate context add NAME --server URL".to_owned(),
                None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
            };
            Failure::usage(format!("there is no context {name}\n  hint: {hint}"))
        })
    }

    /// The one in use, if one is.
    pub(crate) fn in_use(&self) -> Result<Option<Context>, Failure> {
        self.current.as_deref().map(|name| self.named(name)).transpose()
    }
}

/// `tidegate/contexts.json` under XDG_CONFIG_HOME, or ~/.config.
fn path(environment: &Environment) -> Option<PathBuf> {
    // Relative ones are to be ignored (XDG Base Directory Specification).
    let config = environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".config"));
    config.or_else(home).map(|dir| dir.join("tidegate/contexts.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_users_own_and_one_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        assert!(Contexts::read(&environment).unwrap().contexts.is_empty());
        let mut contexts = Contexts::default();
        let context = Context { server: "http://127.0.0.1:8083".to_owned(), ..Context::default() };
        contexts.contexts.insert("here".to_owned(), context);
        contexts.write(&environment).unwrap();
        let path = contexts.write(&environment).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Contexts::read(&environment).unwrap().contexts.len(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Contexts::read(&environment).err().unwrap().text.contains("chmod 600"));
        let missing = contexts.named("hree").err().unwrap();
        assert!(missing.text.contains("did you mean here?"), "{}", missing.text);
    }
}
