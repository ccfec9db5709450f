use std::collections::BTreeMap;

use world::Environment;

use crate::worker::is_worker_key;

/// The worker's settings among the environment's variables: `TIDEGATE_BOOTSTRAP_SERVERS` is `bootstrap.servers`.
///
/// After the prefix, letters become small, `_` a full stop, `__` an underscore and `___` a dash, which is how Kafka
/// Connect's images do it. Variables that spell no setting of a worker (`TIDEGATE_MEMORY`) are left to others.
pub fn worker_overrides(environment: &Environment) -> BTreeMap<String, String> {
    const PREFIX: &str = "TIDEGATE_";
    environment
        .with_prefix(PREFIX)
        .into_iter()
        .map(|(name, value)| (key_of(&name[PREFIX.len()..]), value))
        .filter(|(key, value)| is_worker_key(key) && !value.is_empty())
        .collect()
}

fn key_of(name: &str) -> String {
    // Longest first; control characters cannot come in names of variables.
    let name = name.to_ascii_lowercase().replace("___", "\x01").replace("__", "\x02");
    name.replace('_', ".").replace('\x01', "-").replace('\x02', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_spell_worker_settings() {
        let environment = Environment::of([
            ("TIDEGATE_BOOTSTRAP_SERVERS", "a:1,b:2"),
            ("TIDEGATE_CONSUMER_MAX_POLL_RECORDS", "10"),
            ("TIDEGATE_VALUE_CONVERTER_SCHEMAS_ENABLE", "false"),
            ("TIDEGATE_CONFIG_PROVIDERS_MY__FILE_CLASS", "FileConfigProvider"),
            ("TIDEGATE_MEMORY", "64MiB"),
            ("TIDEGATE_SSL_KEY_PASSWORD", ""),
            ("BOOTSTRAP_SERVERS", "c:3"),
        ]);
        let found: Vec<_> = worker_overrides(&environment).into_iter().collect();
        let expected = [
            ("bootstrap.servers", "a:1,b:2"),
            ("config.providers.my_file.class", "FileConfigProvider"),
            ("consumer.max.poll.records", "10"),
            ("value.converter.schemas.enable", "false"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
