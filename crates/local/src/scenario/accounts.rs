use std::collections::{BTreeMap, BTreeSet};

use iam::{AccountId, Document, Partition, PolicyKind};
use serde_json::{Map, Value};

use super::reader::{Reader, as_json};
use crate::aws::{self, Organization, Regions};

/// What an account may hold, with the keys of each thing; as in `aws.json`.
const THINGS: [(&str, &[&str]); 6] = [
    (
        "users",
        &["access_keys", "attached_policies", "created", "id", "path", "permissions_boundary", "policies", "tags"],
    ),
    (
        "roles",
        &[
            "attached_policies",
            "created",
            "description",
            "id",
            "max_session_seconds",
            "path",
            "permissions_boundary",
            "policies",
            "tags",
            "trust",
            "trusted_ids",
        ],
    ),
    ("policies", &["created", "description", "document", "id", "path"]),
    ("instance_profiles", &["created", "id", "path", "role"]),
    ("oidc_providers", &["client_ids", "created", "thumbprints"]),
    (
        "kms_keys",
        &["aliases", "aws_managed", "created", "description", "disabled", "grants", "policy", "region", "trusted_ids"],
    ),
];

/// An account.
#[derive(Debug)]
pub(super) struct AccountScript {
    /// Whom and what it holds, as `aws.json` would have it.
    pub(super) entities: Value,
    pub(super) organization: Option<Organization>,
    pub(super) regions: Regions,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> BTreeMap<AccountId, AccountScript> {
    let mut accounts = BTreeMap::new();
    scenario.each("accounts", |number, account| {
        let known: Vec<&str> =
            THINGS.iter().map(|(thing, _)| *thing).chain(["organization", "partition", "regions"]).collect();
        account.only(&known);
        let organization =
            account.child("organization").and_then(|mut organization| read_organization(&mut organization));
        let regions = account.child("regions").map(|mut regions| read_regions(&mut regions)).unwrap_or_default();
        let mut entities = Map::new();
        let partitions = Partition::ALL.map(|partition| (partition.name(), partition));
        if let Some(partition) = account.word("partition", &partitions) {
            entities.insert("partition".to_owned(), partition.name().into());
        }
        for (thing, keys) in THINGS {
            let mut all = Map::new();
            account.each(thing, |name, entity| {
                let read = read_entity(thing, keys, entity);
                let alone = serde_json::json!({thing: {name: &read}});
                match aws::check(&alone) {
                    Err(reason) => drop(entity.fault("", reason)),
                    Ok(()) => drop(all.insert(name.to_owned(), read)),
                }
            });
            entities.insert(thing.to_owned(), all.into());
        }
        if let Some(number) = account.parse("", number) {
            accounts.insert(number, AccountScript { entities: entities.into(), organization, regions });
        }
    });
    accounts
}

fn read_regions(regions: &mut Reader<'_>) -> Regions {
    regions.only(&["opted_in", "sts_deactivated"]);
    let mut names = |key: &str| -> BTreeSet<String> { regions.texts(key).into_iter().map(str::to_owned).collect() };
    let (opted_in, sts_deactivated) = (names("opted_in"), names("sts_deactivated"));
    Regions { opted_in: regions.has("opted_in").then_some(opted_in), sts_deactivated }
}

fn read_organization(organization: &mut Reader<'_>) -> Option<Organization> {
    organization.only(&["full_access", "id", "rcps", "scps"]);
    let id = organization.required("id")?.to_owned();
    let full_access = organization.flag("full_access").unwrap_or(true);
    let mut policies = |key: &str, kind: PolicyKind| {
        let mut all = Vec::new();
        if let Some(mut named) = organization.child(key) {
            for name in named.table.keys() {
                let text = named.policy(name, kind);
                all.extend(text.and_then(|text| Document::parse_as(kind, &text).ok()));
            }
        }
        all
    };
    let scps = policies("scps", PolicyKind::ServiceControl);
    let rcps = policies("rcps", PolicyKind::ResourceControl);
    Some(Organization::with(&id, full_access, scps, rcps))
}

fn read_entity(thing: &str, keys: &[&str], entity: &mut Reader<'_>) -> Value {
    entity.only(keys);
    let mut value = Map::new();
    for (key, given) in entity.table {
        let kind = match (thing, key.as_str()) {
            ("roles", "trust") => Some(PolicyKind::Trust),
            ("policies", "document") => Some(PolicyKind::Identity),
            ("kms_keys", "policy") => Some(PolicyKind::Resource),
            _ => None,
        };
        let read = match kind {
            Some(kind) => entity.policy(key, kind).map(|text| of_text(&text)).or(Some(Value::Null)),
            None if key == "policies" => Some(inline(entity)),
            None => Some(as_json(given)),
        };
        // What is not known is told already.
        if let Some(read) = read.filter(|_| keys.contains(&key.as_str())) {
            value.insert(key.clone(), read);
        }
    }
    if thing == "roles" && !entity.has("trust") {
        entity.fault("trust", "is missing");
        value.insert("trust".to_owned(), Value::Null);
    }
    if thing == "kms_keys" && !entity.has("region") {
        entity.fault("region", "is missing");
        value.insert("region".to_owned(), "us-east-1".into());
    }
    if thing == "policies" && !entity.has("document") {
        entity.fault("document", "is missing");
        value.insert("document".to_owned(), Value::Null);
    }
    value.into()
}

/// The inline policies of a user or role.
fn inline(entity: &mut Reader<'_>) -> Value {
    let mut policies = Map::new();
    if let Some(mut all) = entity.child("policies") {
        for name in all.table.keys() {
            if let Some(text) = all.policy(name, PolicyKind::Identity) {
                policies.insert(name.clone(), of_text(&text));
            }
        }
    }
    policies.into()
}

/// A policy's JSON as a value; null while a variable keeps it from being one.
fn of_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
