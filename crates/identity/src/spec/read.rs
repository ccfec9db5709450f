use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use iam::{AccountId, Document, PolicyKind};
use serde_json::{Map, Value};
use world::Environment;

use super::base::{self, KINDS};
use super::fault::Findings;
use super::reader::{Reader, kind_of};
use super::{ConnectionFaults, ConnectionSpec, Connections, Endpoints, RoleSpec, SESSION_NAME, SpecFault, tree};
use crate::fence::{Keeping, Place};
use crate::region::{is_region, partition_rule};
use crate::template::Template;
use crate::{Base, Fence, Flaw, KeyRule, Purpose};

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

const ROLE_KEYS: &[&str] =
    &["arn", "external_id", "session_name", "duration", "tags", "transitive_tags", "source_identity", "policy"];

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

fn region(reader: &mut Reader<'_>) -> Option<String> {
    let region = reader.text("region")?;
    if is_region(&region) {
        return Some(region);
    }
    reader.fault("region", format!("{region:?} is not formed as a region is")).hint =
        Some("write it as eu-central-1".to_owned());
    None
}

fn endpoints(reader: &mut Reader<'_>) -> Endpoints {
    let Some(value) = reader.table.get("endpoints") else { return Endpoints::default() };
    let Value::Object(table) = value else {
        reader.fault("endpoints", format!("must be a table of URLs by service, and is {}", kind_of(value)));
        return Endpoints::default();
    };
    let path = reader.at("endpoints");
    let mut inner = Reader { path, table, found: reader.found, environment: reader.environment };
    inner.refuse_unknown(&["s3", "sts", "kms", "rolesanywhere"], |_| None);
    let mut url = |key: &str| {
        let text = inner.text(key)?;
        match url_rule(&text) {
            None => Some(text.trim_end_matches('/').to_owned()),
            Some(rule) => {
                inner.fault(key, rule);
                None
            }
        }
    };
    let endpoints = Endpoints { s3: url("s3"), sts: url("sts"), kms: url("kms"), roles_anywhere: url("rolesanywhere") };
    if endpoints.kms.is_some() {
        inner.warn("kms", "nothing here calls KMS: S3 does, where objects are encrypted with a key");
    }
    endpoints
}

/// What is wrong with a text as an endpoint. The text is not shown: it may hold a password.
fn url_rule(text: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Some("must be a URL, as https://host:port") };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(scheme, "http" | "https") {
        Some("must begin with https:// or http://")
    } else if authority.contains('@') {
        Some("must not hold a user or a password")
    } else if authority.is_empty() || text.contains(char::is_whitespace) {
        Some("must be a URL, as https://host:port")
    } else if !path.is_empty() || authority.contains(['?', '#']) {
        Some("must not go on behind the host and port")
    } else {
        None
    }
}

fn fence(reader: &mut Reader<'_>) -> Fence {
    let mut places = Vec::new();
    let prefix = reader.text("prefix");
    if reader.has("prefix") && !reader.has("bucket") {
        reader.fault("prefix", "stands without a bucket").hint = Some("set bucket".to_owned());
    }
    if let Some(bucket) = reader.text("bucket") {
        let place = Place { bucket, prefix: prefix.unwrap_or_default() };
        add_place(reader, "bucket", place, &mut places);
        if reader.has("buckets") {
            reader.fault("buckets", "stands beside bucket").hint = Some("write all of them into buckets".to_owned());
        }
    }
    for (at, text) in reader.texts("buckets").into_iter().enumerate() {
        let (bucket, prefix) = text.split_once('/').unwrap_or((&text, ""));
        let place = Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        add_place(reader, &format!("buckets[{at}]"), place, &mut places);
    }
    let words = [("session-policy", Keeping::SessionPolicy), ("check", Keeping::Check), ("off", Keeping::Off)];
    let keeping = reader.word("fence", &words).unwrap_or_default();
    if reader.has("fence") && places.is_empty() && keeping != Keeping::Off {
        reader.fault("fence", "has nothing to keep").hint = Some("set bucket, or buckets".to_owned());
    }
    let kms_keys = reader.texts("kms_key");
    for (at, key) in kms_keys.iter().enumerate() {
        let arn =
            key.parse::<iam::Arn>().ok().filter(|arn| arn.service() == "kms" && arn.resource().starts_with("key/"));
        if arn.is_none() {
            let name = if kms_keys.len() == 1 { "kms_key".to_owned() } else { format!("kms_key[{at}]") };
            reader.fault(&name, format!("{key:?} is not a key's ARN")).hint = Some(
                "write arn:aws:kms:REGION:ACCOUNT:key/ID; policies know keys by that alone, not by alias".to_owned(),
            );
        }
    }
    Fence { places, kms_keys, keeping }
}

fn add_place(reader: &mut Reader<'_>, key: &str, place: Place, places: &mut Vec<Place>) {
    let Place { bucket, prefix } = &place;
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if !is_bucket {
        let hint = "write the name alone, without s3:// or a slash; a prefix goes into prefix";
        reader.fault(key, format!("{bucket:?} is no name of a bucket")).hint = Some(hint.to_owned());
    } else if prefix.starts_with('/') {
        let hint = format!("write {:?}", prefix.trim_start_matches('/'));
        reader.fault("prefix", format!("{prefix:?} begins with a slash, and names of objects do not")).hint =
            Some(hint);
    } else {
        if !prefix.is_empty() && !prefix.ends_with('/') {
            reader.warn(
                key,
                format!("the prefix {prefix:?} also fits what only begins so; end it with / to mean a folder"),
            );
        }
        places.push(place);
    }
}

// Not worked out from the role: a role of one account may well write to a bucket of another, and a guess that is wrong
// would stop a connector that is right. So it is said, as an account or as "role" for that of the last role.
fn owner(reader: &mut Reader<'_>) -> Option<Owner> {
    let text = reader.text("bucket_owner")?;
    if text == "role" {
        return Some(Owner::Role);
    }
    let account = text.parse().map(Owner::Account).ok();
    if account.is_none() {
        reader.fault("bucket_owner", format!("{text:?} is not twelve digits")).hint =
            Some("write the account's number as a text, or \"role\" for the account of the last role".to_owned());
    }
    account
}

/// Whose the buckets are, as it is written.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Account(AccountId),
    Role,
}

fn roles(reader: &mut Reader<'_>) -> Vec<RoleSpec> {
    let tables: Vec<&Map<String, Value>> = match reader.table.get("roles") {
        None => return Vec::new(),
        Some(Value::Array(items)) => {
            let wrong: Vec<usize> = (0..items.len()).filter(|at| !items[*at].is_object()).collect();
            for at in wrong {
                reader.fault(&format!("roles[{at}]"), "must be a table").hint =
                    Some("write { arn = \"arn:aws:iam::ACCOUNT:role/NAME\" }".to_owned());
            }
            items.iter().filter_map(Value::as_object).collect()
        }
        Some(Value::Object(table)) => vec![table],
        Some(other) => {
            reader.fault("roles", format!("must be a list of roles, and is {}", kind_of(other)));
            return Vec::new();
        }
    };
    let mut roles = Vec::new();
    for (at, table) in tables.into_iter().enumerate() {
        let path = reader.at(&format!("roles[{at}]"));
        let mut inner = Reader { path, table, found: reader.found, environment: reader.environment };
        roles.extend(role(&mut inner));
    }
    roles
}

fn role(reader: &mut Reader<'_>) -> Option<RoleSpec> {
    reader.refuse_unknown(ROLE_KEYS, |_| None);
    let arn = reader.required("arn");
    let external_id = reader.text("external_id");
    let session_name = reader.template("session_name").unwrap_or_else(default_session_name);
    let duration = reader.lifetime("duration");
    let mut tags = Vec::new();
    for (key, value) in reader.pairs("tags") {
        match Template::parse(&value) {
            Ok(value) => tags.push((key, value)),
            Err(why) => {
                reader.fault(&format!("tags.{key}"), format!("{value:?} {why}"));
            }
        }
    }
    // Sorted, because a request is the same whatever order its tags are written in.
    tags.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut transitive_tags = reader.texts("transitive_tags");
    transitive_tags.sort_unstable();
    let source_identity = reader.template("source_identity");
    let policy = policy(reader);
    let arn = arn?;
    Some(RoleSpec { arn, external_id, session_name, duration, policy, tags, transitive_tags, source_identity })
}

/// A policy as a text of JSON, or as a table.
fn policy(reader: &mut Reader<'_>) -> Option<String> {
    let text = match reader.table.get("policy")? {
        Value::Object(table) => Value::Object(table.clone()).to_string(),
        _ => reader.text("policy")?,
    };
    match Document::parse_as(PolicyKind::Session, &text) {
        // As it is printed it is shortest, and STS counts characters.
        Ok(document) => Some(document.to_string()),
        Err(error) => {
            reader.fault("policy", format!("is no session policy: {error}"));
            None
        }
    }
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
