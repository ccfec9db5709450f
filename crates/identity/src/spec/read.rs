use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use world::Environment;

use super::base::{self, KINDS};
use super::fault::Findings;
use super::parts::{Owner, endpoints, fence, owner, region, roles};
use super::reader::{Reader, kind_of};
use super::{ConnectionFaults, ConnectionSpec, Connections, SESSION_NAME, SpecFault, tree};
use crate::fence::Keeping;
use crate::region::partition_rule;
use crate::template::Template;
use crate::{Base, Flaw, KeyRule, Purpose};

/// Keys that every kind has.
const COMMON: &[&str] = &[
    "kind",
    "description",
    "region",
    "bucket",
    "prefix",
    "buckets",
    "fence",
    "bucket_owner",
    "kms_key",
    "endpoints",
    "fips",
    "dual_stack",
    "roles",
];

/// The name that stands for the connector when a file is checked without one. As long as a usual one.
const ANY_CONNECTOR: &str = "connector";

impl Connections {
    /// Reads a file of connections, and the secrets that it refers to.
    pub fn load(path: &Path, environment: &Environment, keys: KeyRule) -> Result<Self, ConnectionFaults> {
        let origin = path.display().to_string();
        match read_file(path) {
            Ok(text) => Self::read_text(origin, &text, is_open_to_all(path), environment, keys),
            Err(error) => {
                let fault = SpecFault::new("", format!("could not be read: {error}"));
                Err(ConnectionFaults { origin, faults: vec![fault], warnings: Vec::new() })
            }
        }
    }

    /// Reads connections from TOML or JSON; `origin` is the file's name, for messages.
    pub fn read(
        origin: impl Into<String>,
        text: &str,
        environment: &Environment,
        keys: KeyRule,
    ) -> Result<Self, ConnectionFaults> {
        Self::read_text(origin.into(), text, false, environment, keys)
    }

    fn read_text(
        origin: String,
        text: &str,
        open_to_all: bool,
        environment: &Environment,
        keys: KeyRule,
    ) -> Result<Self, ConnectionFaults> {
        let mut found = Findings { open_to_all, ..Findings::default() };
        let mut connections = Self::default();
        match tree::read(text) {
            Err(why) => found.faults.push(SpecFault::new("", why)),
            Ok(root) => {
                let mut top = Reader { path: String::new(), table: &root, found: &mut found, environment };
                top.refuse_unknown(&["connections"], |key| {
                    Some(format!("write [connections.{key}] for a connection of this name"))
                });
                match root.get("connections") {
                    None => {
                        top.fault("connections", "is missing").hint =
                            Some("write a table [connections.NAME] for each connection".to_owned());
                    }
                    Some(Value::Object(tables)) => {
                        for (name, table) in tables {
                            let before = top.found.faults.len();
                            let spec = read_one(name, table, top.found, environment, keys);
                            if let Some(spec) = spec.filter(|_| top.found.faults.len() == before) {
                                connections.by_name.insert(name.clone(), Arc::new(spec));
                            }
                        }
                    }
                    Some(other) => {
                        top.fault("connections", format!("must be a table of connections, and is {}", kind_of(other)));
                    }
                }
            }
        }
        if found.faults.is_empty() {
            Ok(connections)
        } else {
            Err(ConnectionFaults { origin, faults: found.faults, warnings: found.warnings })
        }
    }
}

/// Whether every user of the machine can read the file.
fn is_open_to_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o004 != 0)
}

/// The text of a file of settings, of 1 MiB at most: real ones have a few KiB, and a path like `/dev/zero` has no end.
pub(super) fn read_file(path: &Path) -> io::Result<String> {
    const LARGEST: u64 = 1 << 20;
    let mut text = String::new();
    let size = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if size as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

fn read_one(
    name: &str,
    table: &Value,
    found: &mut Findings,
    environment: &Environment,
    keys: KeyRule,
) -> Option<ConnectionSpec> {
    let path = format!("connections.{name}");
    let Value::Object(table) = table else {
        found.faults.push(SpecFault::new(path, format!("must be a table, and is {}", kind_of(table))));
        return None;
    };
    let first_warning = found.warnings.len();
    let mut reader = Reader { path, table, found, environment };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
        reader.fault("", "is a name that cannot be: 1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    reader.text("description");
    if !reader.has("kind") {
        let names = KINDS.iter().map(|kind| kind.name);
        let fault = reader.fault("kind", "is missing: who we are to AWS is never guessed");
        *fault = fault.clone().allowed(names);
    }
    let words: Vec<_> = KINDS.iter().map(|kind| (kind.name, kind)).collect();
    let kind = reader.word("kind", &words);
    if let Some(kind) = kind {
        let known: Vec<&str> = COMMON.iter().chain(kind.keys).copied().collect();
        reader.refuse_unknown(&known, |key| base::belongs(key, kind));
    } else {
        // Which keys belong to it is not known; those that belong to none are.
        let known: Vec<&str> = COMMON.iter().chain(KINDS.iter().flat_map(|kind| kind.keys)).copied().collect();
        reader.refuse_unknown(&known, |_| None);
    }
    let region = region(&mut reader);
    let made = kind.and_then(|kind| base::read(&mut reader, kind, region.as_deref(), keys));
    let endpoints = endpoints(&mut reader);
    let (fips, dual_stack) = (reader.flag("fips"), reader.flag("dual_stack"));
    let fence = fence(&mut reader);
    let owner = owner(&mut reader);
    let roles = roles(&mut reader);
    let (Some(kind), Some(base::Made { mut base, session_name, region: own_region })) = (kind, made) else {
        return None;
    };
    let Some(region) = region.or(own_region) else {
        if !reader.has("region") {
            reader.fault("region", "is missing").hint = Some("name the region of your buckets, as eu-central-1".into());
        }
        return None;
    };
    if let Base::RolesAnywhere(anywhere) = &mut base {
        anywhere.endpoint.clone_from(&endpoints.roles_anywhere);
        (anywhere.fips, anywhere.dual_stack) = (fips, dual_stack);
    }
    let mut spec = ConnectionSpec {
        name: name.to_owned(),
        kind: kind.name,
        region,
        endpoints,
        fips,
        dual_stack,
        fence,
        bucket_owner: None,
        base,
        base_session_name: session_name.unwrap_or_else(default_session_name),
        roles,
        warnings: Vec::new(),
    };
    spec.bucket_owner = match owner {
        None => None,
        Some(Owner::Account(account)) => Some(account),
        Some(Owner::Role) => {
            let account = spec.bind(ANY_CONNECTOR, Purpose::S3).last_role().and_then(|arn| arn.account());
            if account.is_none() {
                reader.fault("bucket_owner", "is that of the last role, and this connection names no role");
            }
            account
        }
    };
    check(&mut reader, &spec);
    let Reader { found, .. } = reader;
    spec.warnings = found.warnings[first_warning..].to_vec();
    Some(spec)
}

pub(super) fn default_session_name() -> Template {
    Template::parse(SESSION_NAME).expect("it names a variable that there is")
}

/// What only shows when all of a connection is known.
fn check(reader: &mut Reader<'_>, spec: &ConnectionSpec) {
    for purpose in [Purpose::S3, Purpose::Kafka] {
        if let Err(error) = spec.fence.policy(&spec.region, spec.bucket_owner, purpose) {
            let key = if reader.has("buckets") { "buckets" } else { "bucket" };
            reader.fault(key, error.to_string()).hint =
                Some("split it into several connections, or set fence = \"check\"".to_owned());
            return;
        }
    }
    let is_fenced = spec.fence.is_up() && spec.fence.keeping == Keeping::SessionPolicy;
    if is_fenced && let Some(last) = spec.roles.len().checked_sub(1).filter(|last| spec.roles[*last].policy.is_some()) {
        reader
            .fault(&format!("roles[{last}].policy"), "stands beside a fence, and a session takes one policy of its own")
            .hint = Some("leave policy out, or set fence = \"check\" so that buckets are only checked".to_owned());
    }
    let mut connection = spec.bind(ANY_CONNECTOR, Purpose::S3);
    if is_fenced && connection.cut_down().is_none() {
        let why =
            format!("is kept by the plan's check alone: kind {} takes no session policy; add a role to it", spec.kind);
        reader.warn(if reader.has("buckets") { "buckets" } else { "bucket" }, why);
    }
    for flaw in connection.base.flaws(&spec.region) {
        let key = base::key_of(&flaw);
        tell(reader, key, flaw);
    }
    for index in 0..connection.hops.len() {
        for flaw in connection.hop_flaws(index) {
            let key = match flaw.field {
                "role ARN" => "arn",
                "session name" => "session_name",
                "external ID" => "external_id",
                "source identity" => "source_identity",
                "session duration" => "duration",
                "session policy of" => "policy",
                "transitive tag key" => "transitive_tags",
                _ => "tags",
            };
            tell(reader, &format!("roles[{index}].{key}"), flaw);
        }
    }
    for (at, key) in spec.fence.kms_keys.iter().enumerate() {
        if let Some(rule) = partition_rule(key, &spec.region) {
            reader.fault(&format!("kms_key[{at}]"), rule);
        }
    }
}

fn tell(reader: &mut Reader<'_>, key: &str, flaw: Flaw) {
    let Flaw { value, rule, .. } = flaw;
    reader.fault(key, format!("{value:?} {rule}"));
}
