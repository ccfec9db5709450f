use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use world::Environment;

use crate::config::Config;
use crate::faults::{ConfigFault, Findings};
use crate::load::properties::read_properties;
use crate::pattern::Pattern;

/// The config providers of a worker: what `${name:path:key}` in a value stands for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Providers {
    by_name: BTreeMap<String, Provider>,
    environment: Environment,
}

#[derive(Debug, Clone)]
enum Provider {
    File { allowed: Option<Vec<PathBuf>> },
    Directory { allowed: Option<Vec<PathBuf>> },
    Environment { allowed: Option<Pattern> },
}

/// What became of a reference.
enum Found {
    Value(String),
    /// It stays as it stands, as in Kafka; the text says why.
    Not(String),
    /// The provider cannot answer: that is a fault.
    Failed(String),
}

impl Providers {
    /// Reads `config.providers` and what belongs to it.
    pub(crate) fn of(worker: &Config, environment: &Environment, found: &mut Findings) -> Self {
        let mut by_name = BTreeMap::new();
        for name in worker.get("config.providers").unwrap_or_default().split(',').map(str::trim) {
            if name.is_empty() {
                continue;
            }
            let class_key = format!("config.providers.{name}.class");
            let Some(class) = worker.get(&class_key) else {
                let text = format!("Missing required configuration \"{class_key}\" which has no default value.");
                found.fault(ConfigFault::new(&class_key, None, text).allowed(CLASSES));
                continue;
            };
            if let Some(provider) = Provider::of(name, class, worker, found) {
                by_name.insert(name.to_owned(), provider);
            }
        }
        Self { by_name, environment: environment.clone() }
    }

    /// Puts what references stand for in their place. Not repeated: what comes in is not looked at again.
    pub(crate) fn resolve(&self, config: &mut Config, found: &mut Findings) {
        for (key, value) in config.iter_mut() {
            if key.starts_with("config.providers") || !value.contains("${") {
                continue;
            }
            *value = self.resolve_value(key, value, found);
        }
    }

    fn resolve_value(&self, key: &str, value: &str, found: &mut Findings) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, reference, after)) = next_reference(rest) {
            out.push_str(before);
            let shown = &rest[before.len()..rest.len() - after.len()];
            match self.get(&reference) {
                Found::Value(value) => out.push_str(&value),
                Found::Not(why) => {
                    found.warn(key, format!("{shown} is left as it stands: {why}"));
                    out.push_str(shown);
                }
                Found::Failed(why) => {
                    found.fault(ConfigFault::new(key, Some(shown.to_owned()), why));
                    out.push_str(shown);
                }
            }
            rest = after;
        }
        out + rest
    }

    fn get(&self, reference: &Reference<'_>) -> Found {
        let Reference { provider, path, key } = *reference;
        let Some(known) = self.by_name.get(provider) else {
            return Found::Not(format!("config.providers of the worker names no provider {provider}"));
        };
        match known {
            Provider::Environment { .. } if !path.is_empty() => {
                Found::Failed(format!("provider {provider} reads environment variables, which have no path {path}"))
            }
            Provider::Environment { allowed: Some(allowed) } if !allowed.matches(key) => {
                Found::Not(format!("config.providers.{provider}.param.allowlist.pattern does not allow {key}"))
            }
            Provider::Environment { .. } => match self.environment.get(key) {
                Some(value) => Found::Value(value),
                None => Found::Not(format!("environment variable {key} is not set")),
            },
            Provider::File { allowed } | Provider::Directory { allowed }
                if !allowed.as_ref().is_none_or(|allowed| is_within(path, allowed)) =>
            {
                Found::Not(format!("config.providers.{provider}.param.allowed.paths does not allow {path}"))
            }
            Provider::File { .. } | Provider::Directory { .. } if path.is_empty() => {
                Found::Not(format!("provider {provider} needs a path: ${{{provider}:/path:{key}}}"))
            }
            Provider::File { .. } => from_file(path, key),
            Provider::Directory { .. } => from_directory(path, key),
        }
    }
}

const CLASSES: [&str; 3] = [
    "org.apache.kafka.common.config.provider.FileConfigProvider",
    "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
];

impl Provider {
    fn of(name: &str, class: &str, worker: &Config, found: &mut Findings) -> Option<Self> {
        let param = |param: &str| worker.get(&format!("config.providers.{name}.param.{param}"));
        let mut paths = || {
            let listed: Vec<_> =
                param("allowed.paths")?.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
            for path in listed.iter().filter(|path| !Path::new(path).is_absolute()) {
                let key = format!("config.providers.{name}.param.allowed.paths");
                found.fault(ConfigFault::new(key, Some((*path).to_owned()), format!("Path {path} is not absolute")));
            }
            Some(listed.into_iter().map(|path| normal(Path::new(path))).collect())
        };
        let known = CLASSES.iter().position(|known| *known == class || known.rsplit('.').next() == Some(class));
        match known {
            Some(0) => Some(Self::File { allowed: paths() }),
            Some(1) => Some(Self::Directory { allowed: paths() }),
            Some(_) => {
                let allowed = param("allowlist.pattern").map(Pattern::parse).transpose();
                match allowed {
                    Ok(allowed) => Some(Self::Environment { allowed }),
                    Err(why) => {
                        let key = format!("config.providers.{name}.param.allowlist.pattern");
                        found.fault(ConfigFault::new(key, param("allowlist.pattern").map(str::to_owned), why));
                        None
                    }
                }
            }
            None => {
                let key = format!("config.providers.{name}.class");
                let text = format!("Invalid value {class} for configuration {key}: Class {class} could not be found.");
                found.fault(ConfigFault::new(key, Some(class.to_owned()), text).allowed(CLASSES));
                None
            }
        }
    }
}

fn from_file(path: &str, key: &str) -> Found {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Found::Failed(format!("Could not read properties from file {path}: {error}")),
    };
    match read_properties(&text) {
        // The last one counts, as in Java.
        Ok(pairs) => match pairs.into_iter().rev().find(|(name, _)| name == key) {
            Some((_, value)) => Found::Value(value),
            None => Found::Not(format!("{path} has no key {key}")),
        },
        Err(error) => Found::Failed(format!("Could not read properties from file {path}: {error}")),
    }
}

fn from_directory(path: &str, key: &str) -> Found {
    // Kafka lists the directory and looks the name up, so that "../x" finds nothing.
    if key.contains('/') || key == ".." {
        return Found::Not(format!("{path} has no file {key}"));
    }
    match std::fs::read_to_string(Path::new(path).join(key)) {
        Ok(text) => Found::Value(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Not(format!("{path} has no file {key}")),
        Err(error) => Found::Failed(format!("Could not read file {key} in {path}: {error}")),
    }
}

fn is_within(path: &str, allowed: &[PathBuf]) -> bool {
    allowed.iter().any(|allowed| normal(Path::new(path)).starts_with(allowed))
}

/// Takes `.` and `..` out of a path without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    provider: &'a str,
    path: &'a str,
    key: &'a str,
}

/// The first reference in a text, and what stands before and after it. Kafka's pattern is
/// `\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`: the provider ends at the first colon, the path at the second, if there is one.
fn next_reference(text: &str) -> Option<(&str, Reference<'_>, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find("${")?;
        let inner = &text[start + 2..];
        let end = inner.find('}')?;
        let Some((provider, rest)) = inner[..end].split_once(':') else {
            from = start + 2;
            continue;
        };
        let (path, key) = rest.split_once(':').unwrap_or(("", rest));
        return Some((&text[..start], Reference { provider, path, key }, &inner[end + 1..]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(worker: &[(&str, &str)], value: &str) -> (String, Findings) {
        let environment = Environment::of([("SECRET", "s3cr3t"), ("HOME", "/root")]);
        let worker: Config = worker.iter().copied().collect();
        let mut found = Findings::default();
        let providers = Providers::of(&worker, &environment, &mut found);
        let mut config: Config = [("k", value)].into_iter().collect();
        providers.resolve(&mut config, &mut found);
        (config.get("k").unwrap().to_owned(), found)
    }

    const ENV: [(&str, &str); 2] = [
        ("config.providers", "env"),
        ("config.providers.env.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
    ];

    #[test]
    fn references_are_replaced_where_they_stand() {
        assert_eq!(resolved(&ENV, "a${env:SECRET}b${env:SECRET}").0, "as3cr3tbs3cr3t");
        assert_eq!(resolved(&ENV, "${x} ${env:HOME} $").0, "${x} /root $");
    }

    #[test]
    fn what_cannot_be_resolved_stays_and_is_named() {
        let (value, found) = resolved(&ENV, "${env:NOPE}-${vault:a:b}");
        assert_eq!(value, "${env:NOPE}-${vault:a:b}");
        let texts: Vec<_> = found.warnings.iter().map(|warning| warning.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "${env:NOPE} is left as it stands: environment variable NOPE is not set",
                "${vault:a:b} is left as it stands: config.providers of the worker names no provider vault",
            ]
        );
        assert!(found.faults.is_empty());
    }

    #[test]
    fn an_environment_variable_has_no_path_and_may_be_forbidden() {
        let (_, found) = resolved(&ENV, "${env:/etc:SECRET}");
        assert_eq!(found.faults[0].key, "k");
        let mut worker = ENV.to_vec();
        worker.push(("config.providers.env.param.allowlist.pattern", "HO.."));
        assert_eq!(resolved(&worker, "${env:HOME} ${env:SECRET}").0, "/root ${env:SECRET}");
    }

    #[test]
    fn files_and_directories_answer_within_their_allowed_paths() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("s.properties"), "a.b = one\nc: two:2\n").unwrap();
        std::fs::write(dir.path().join("token"), "t0k\n").unwrap();
        let worker = [
            ("config.providers", "file, directory"),
            ("config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
            ("config.providers.directory.class", "DirectoryConfigProvider"),
            ("config.providers.directory.param.allowed.paths", path),
        ];
        assert_eq!(resolved(&worker, &format!("${{file:{path}/s.properties:a.b}}")).0, "one");
        assert_eq!(resolved(&worker, &format!("${{directory:{path}:token}}")).0, "t0k\n");
        let missing = format!("${{file:{path}/s.properties:nope}}");
        assert_eq!(resolved(&worker, &missing).0, missing);
        let outside = format!("${{directory:{path}/../..:token}}");
        let (value, found) = resolved(&worker, &outside);
        assert_eq!(value, outside);
        assert!(found.warnings[0].text.contains("allowed.paths does not allow"), "{}", found.warnings[0].text);
        let (_, found) = resolved(&worker, "${file:/no/such:key}");
        assert!(found.faults[0].text.starts_with("Could not read properties from file /no/such"));
    }

    #[test]
    fn allowed_paths_are_absolute() {
        let worker = [
            ("config.providers", "f"),
            ("config.providers.f.class", "FileConfigProvider"),
            ("config.providers.f.param.allowed.paths", "/etc, conf"),
        ];
        let (_, found) = resolved(&worker, "x");
        assert_eq!(found.faults[0].text, "Path conf is not absolute");
        assert_eq!(found.faults.len(), 1);
    }

    #[test]
    fn a_provider_that_is_no_class_of_ours_is_refused() {
        let worker = [("config.providers", "v"), ("config.providers.v.class", "com.example.Vault")];
        let (_, found) = resolved(&worker, "x");
        assert_eq!(
            found.faults[0].text,
            "Invalid value com.example.Vault for configuration config.providers.v.class: \
             Class com.example.Vault could not be found."
        );
    }
}
