//! The parts of a connection that every kind has: where its buckets are, its endpoints, its fence, its roles.

use iam::{AccountId, Document, PolicyKind};
use serde_json::{Map, Value};

use super::read::default_session_name;
use super::reader::{Reader, kind_of};
use super::{Endpoints, RoleSpec};
use crate::Fence;
use crate::fence::{Keeping, Place};
use crate::region::is_region;
use crate::template::Template;

const ROLE_KEYS: &[&str] =
    &["arn", "external_id", "session_name", "duration", "tags", "transitive_tags", "source_identity", "policy"];

pub(super) fn region(reader: &mut Reader<'_>) -> Option<String> {
    let region = reader.text("region")?;
    if is_region(&region) {
        return Some(region);
    }
    reader.fault("region", format!("{region:?} is not formed as a region is")).hint =
        Some("write it as eu-central-1".to_owned());
    None
}

pub(super) fn endpoints(reader: &mut Reader<'_>) -> Endpoints {
    let Some(value) = reader.table.get("endpoints") else { return Endpoints::default() };
    let Value::Object(table) = value else {
        reader.fault("endpoints", format!("must be a table of URLs by service, and is {}", kind_of(value)));
        return Endpoints::default();
    };
    let path = reader.at("endpoints");
    let mut inner = Reader { path, table, found: reader.found, environment: reader.environment };
    inner.refuse_unknown(&["s3", "sts", "kms", "iam", "rolesanywhere"], |_| None);
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
    let endpoints = Endpoints {
        s3: url("s3"),
        sts: url("sts"),
        kms: url("kms"),
        iam: url("iam"),
        roles_anywhere: url("rolesanywhere"),
    };
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

pub(super) fn fence(reader: &mut Reader<'_>) -> Fence {
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
pub(super) fn owner(reader: &mut Reader<'_>) -> Option<Owner> {
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
pub(super) enum Owner {
    Account(AccountId),
    Role,
}

pub(super) fn roles(reader: &mut Reader<'_>) -> Vec<RoleSpec> {
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
