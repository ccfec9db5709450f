use std::collections::BTreeMap;

use iam::AccountId;
use toml::Table;

use super::accounts::{self, AccountScript};
use super::buckets;
use super::caller;
use super::container::{self, ContainerScript};
use super::edits::{self, Edit};
use super::fault::ScenarioFault;
use super::instance::{self, InstanceScript};
use super::machine;
use super::network;
use super::reader::Reader;
use super::roles_anywhere::{self, AnywhereScript};
use super::rules;
use super::web_identity::{self, WebIdentityScript};
use crate::aws::{BucketStock, FaultRule, WhoStock};

/// The tables that are filled in when everything else stands: who we are is known then.
pub(super) const LATE: [&str; 3] = ["connections", "connector", "machine"];

const KEYS: [&str; 18] = [
    "about",
    "accounts",
    "buckets",
    "caller",
    "connections",
    "connector",
    "container",
    "edits",
    "expect",
    "faults",
    "instance",
    "machine",
    "network",
    "roles_anywhere",
    "row",
    "target",
    "title",
    "web_identity",
];

/// A scenario as it is read: each part as the embedded AWS wants it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) accounts: BTreeMap<AccountId, AccountScript>,
    pub(super) buckets: Vec<BucketStock>,
    pub(super) caller: Option<WhoStock>,
    pub(super) edits: Vec<Edit>,
    pub(super) rules: Vec<FaultRule>,
    pub(super) instance: Option<InstanceScript>,
    pub(super) container: Option<ContainerScript>,
    pub(super) web_identity: Option<WebIdentityScript>,
    pub(super) anywhere: Option<AnywhereScript>,
}

/// What a scenario is about: nothing in here is played.
#[derive(Debug, Clone, Default)]
pub(super) struct Headline {
    pub(super) title: String,
    pub(super) row: Option<String>,
    pub(super) about: Option<String>,
    pub(super) target: Option<String>,
}

impl Script {
    pub(super) fn read(table: &Table, faults: &mut Vec<ScenarioFault>) -> (Headline, Self) {
        let mut scenario = Reader::new(table, faults);
        scenario.only(&KEYS);
        let headline = headline(&mut scenario);
        let script = Self {
            accounts: accounts::read(&mut scenario),
            buckets: buckets::read(&mut scenario),
            caller: caller::read(&mut scenario),
            edits: edits::read(&mut scenario),
            rules: rules::read(&mut scenario),
            instance: instance::read(&mut scenario),
            container: container::read(&mut scenario),
            web_identity: web_identity::read(&mut scenario),
            anywhere: roles_anywhere::read(&mut scenario),
        };
        network::read(&mut scenario);
        machine::read(&mut scenario);
        if scenario.child("connections").is_none() && !scenario.has("connector") {
            scenario.fault("connections", "is missing, and connector too: there is nothing to examine");
        }
        scenario.each("connections", |_, _| ());
        scenario.child("connector");
        scenario.child("expect");
        (headline, script)
    }
}

fn headline(scenario: &mut Reader<'_>) -> Headline {
    let title = scenario.required("title").unwrap_or_default().to_owned();
    let row = scenario.text("row").map(str::to_owned);
    let is_row =
        |row: &str| row.strip_prefix('F').is_some_and(|n| n.len() == 2 && n.bytes().all(|b| b.is_ascii_digit()));
    if row.as_deref().is_some_and(|row| !is_row(row)) {
        scenario.fault("row", "must be a row of the catalogue of failures, as in F07");
    }
    let about = scenario.text("about").map(str::to_owned);
    let target = scenario.text("target");
    let mut names = Vec::new();
    scenario.each("connections", |name, _| names.push(name.to_owned()));
    if let Some(target) = target
        && !names.iter().any(|name| name == target)
    {
        let text = format!("names no connection of this scenario: {target:?}");
        scenario.fault("target", text).among(target, names.iter().map(String::as_str));
    }
    if target.is_none() && names.len() > 1 {
        scenario.fault("target", "is missing: there are several connections, and one is to be examined");
    }
    Headline { title, row, about, target: target.map(str::to_owned).or_else(|| names.into_iter().next()) }
}
