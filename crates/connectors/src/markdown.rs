//! `docs/configuration.md`, made from the tables so that it cannot lie.

use std::fmt::Write;

use crate::aiven::{self, AIVEN_KEYS};
use crate::define::{KeyDef, Kind};
use crate::framework::FRAMEWORK_KEYS;
use crate::own::OWN_KEYS;
use crate::worker::{MEANINGLESS, WORKER_KEYS};

const INTRODUCTION: &str = "\
# Configuration

Made from the key tables of `crates/connectors`; a test compares it with them.

`tidegate run --worker worker.properties CONNECTOR.json...` takes the files that Kafka Connect's standalone mode takes: worker
properties, and a file for each connector, as properties or as JSON, either `{\"name\": .., \"config\": {..}}` or flat.
`tidegate check CONNECTOR.json...` finds every fault of a configuration and moves nothing.

Settings of the worker can be given as variables of the environment too, which count more than the file:
`TIDEGATE_BOOTSTRAP_SERVERS` is `bootstrap.servers` (`_` for a full stop, `__` for an underscore, `___` for a dash). Flags count
more than both.

Numbers, lists and booleans are read, and refused, as Kafka reads them: blanks around a value do not count, lists are
separated by commas. A key that nothing reads never fails a configuration; it is named in a warning, with the key that was
probably meant.
";

const CLIENTS: &str = "\
`bootstrap.servers`, `security.*`, `ssl.*`, `sasl.*` and the settings of connections (`client.dns.lookup`, `request.timeout.ms`,
`reconnect.backoff.ms`, ..) hold for every Kafka client of every connector. (In Connect they have to be repeated with each
prefix; that works here too.) `consumer.*`, `producer.*` and `admin.*` add to them or replace them for one kind of client: the
consumers, the producer of dead letters, and the client that creates its topic. A connector's own `consumer.override.*`,
`producer.override.*` and `admin.override.*` count most. Names and values are those of the Java clients. A consumer begins with
`group.id=connect-NAME` and `auto.offset.reset=earliest`, as in Connect, so that a connector that moves goes on where it was.

`${name:path:key}` in a value of the worker or a connector stands for what the config provider `name` finds: in a properties
file (`FileConfigProvider`), in a file of a directory (`DirectoryConfigProvider`), or, without a path, in the environment
(`EnvVarConfigProvider`). What is not found stays as it stands, and a warning says so.
";

/// The whole of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    let mut section = |title: &str, text: &str, keys: &[KeyDef]| {
        write!(out, "\n## {title}\n\n{text}").expect("writing to a String does not fail");
        if !keys.is_empty() {
            out.push_str("\n| key | type | default | valid | meaning |\n| --- | --- | --- | --- | --- |\n");
            out.extend(keys.iter().map(row));
        }
    };
    section("The worker", CLIENTS, WORKER_KEYS);
    let meaningless: Vec<_> =
        MEANINGLESS.iter().map(|(key, why)| format!("| `{key}{}` | {why} |\n", star(key))).collect();
    let table = format!("A warning names them.\n\n| key | why |\n| --- | --- |\n{}", meaningless.concat());
    section("Settings of Connect's worker without meaning here", &table, &[]);
    let every = "Kafka Connect defines these for every sink connector. Beside them, a converter's own settings follow its key and a full stop: `value.converter.schemas.enable`.\n";
    section("Every connector", every, FRAMEWORK_KEYS);
    let own = "Our own keys, for connectors that write objects to S3.\n";
    section("Tidegate's own keys", own, OWN_KEYS);
    let class = format!(
        "`{}`, also called by its last part or that without `Connector`. Keys, names of objects and refusals are those of version {}.\n",
        aiven::CLASS,
        aiven::VERSION
    );
    section("Aiven's S3 sink", &class, AIVEN_KEYS);
    out
}

fn star(key: &str) -> &'static str {
    if key.ends_with('.') { "*" } else { "" }
}

fn row(key: &KeyDef) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let default = match key.default {
        _ if key.required => "must be set".to_owned(),
        None | Some("") => String::new(),
        Some(default) => format!("`{}`", cell(default)),
    };
    let mut valid = key.check.allowed();
    if valid.is_empty() && key.kind != Kind::Class {
        valid = key.recommended.iter().map(|&value| value.to_owned()).collect();
    }
    let doc = match key.replaced_by {
        Some(_) => format!("Deprecated. {}", key.doc),
        None => key.doc.to_owned(),
    };
    let kind = key.kind.name().to_ascii_lowercase();
    format!("| `{}` | {kind} | {default} | {} | {} |\n", key.name, cell(&valid.join(", ")), cell(&doc))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use world::Environment;

    use super::*;

    #[test]
    fn the_documentation_is_what_the_tables_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if Environment::process().get("TIDEGATE_WRITE_DOCS").is_some() {
            std::fs::write(&path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == markdown(), "docs/configuration.md is old: run this test with TIDEGATE_WRITE_DOCS=1");
    }

    #[test]
    fn every_key_says_what_it_does() {
        for key in [FRAMEWORK_KEYS, AIVEN_KEYS, OWN_KEYS, WORKER_KEYS].concat() {
            assert!(key.doc.ends_with('.') && key.doc.len() > 10, "{}: {}", key.name, key.doc);
        }
    }
}
