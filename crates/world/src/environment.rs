use std::collections::BTreeMap;
use std::sync::Arc;

/// Environment variables: the process's own, or a set given by a test. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Environment(Option<Arc<BTreeMap<String, String>>>);

impl Environment {
    /// The variables of this process.
    pub fn process() -> Self {
        Self(None)
    }

    /// Exactly these variables.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Some(Arc::new(variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect())))
    }

    /// The value of `name`, or `None` if it is unset, empty, or not UTF-8. (An empty variable means "unset" to the AWS
    /// SDKs too.)
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            None => std::env::var(name).ok(),
            Some(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// All variables whose names start with `prefix`.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        match &self.0 {
            None => std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .filter(|(k, _)| k.starts_with(prefix))
                .collect(),
            Some(variables) => {
                variables.iter().filter(|(k, _)| k.starts_with(prefix)).map(|(k, v)| (k.clone(), v.clone())).collect()
            }
        }
    }
}
