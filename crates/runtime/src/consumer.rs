//! A connector's Kafka settings, read by their Java names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use connectors::{CheckReport, ClientProperties, Clients, ConfigFault, ConfigWarning, ConnectorPlan, TopicSelection};
use fault::Fault;
use kafka::ClientConfig;
use kafka::admin::Isolation;
use kafka::config::{Problem, Problems, Properties, Warning};
use kafka::fetch::{self, FetchOptions};
use kafka::group::{Assignor, GroupOptions, GroupProtocol, OffsetReset, Subscription, TopicPattern};

use crate::dead_letters;
use crate::msk::{self, Tokens};
use crate::process::Process;

/// What the consumer of a connector needs.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) client: ClientConfig,
    pub(crate) group: GroupOptions,
    pub(crate) fetch: FetchOptions,
}

/// Adds to a report what is wrong with the Kafka settings of its connector, so that a person sees all faults at once:
/// with those of the connector's own keys, if there are any.
pub fn check_clients(mut report: CheckReport, clients: &Clients) -> CheckReport {
    let topics = report.plan().map(|plan| plan.topics().clone());
    let letters = report.plan().is_some_and(|plan| plan.errors().dead_letters.is_some());
    let consumer =
        consumer_of(&clients.consumer, topics.as_ref(), msk::unasked(&clients.consumer)).map(|(_, warnings)| warnings);
    let mut checked = vec![(&clients.consumer, consumer)];
    // Without a topic of dead letters nothing is produced and no topic is made.
    if letters {
        checked.push((
            &clients.producer,
            dead_letters::producer(&clients.producer, msk::unasked(&clients.producer)).map(|_| Vec::new()),
        ));
        checked
            .push((&clients.admin, client(&clients.admin, msk::unasked(&clients.admin)).map(|(_, warnings)| warnings)));
    }
    for (properties, checked) in checked {
        match checked {
            Ok(warnings) => {
                for warning in warnings {
                    report.add_warning(as_warning(properties, warning));
                }
            }
            Err(Problems(problems)) => {
                for problem in problems {
                    let fault = as_fault(properties, problem);
                    // What the worker sets for every client is wrong once.
                    if !report.faults().contains(&fault) {
                        report.add_fault(fault);
                    }
                }
            }
        }
    }
    report
}

fn as_fault(properties: &ClientProperties, problem: Problem) -> ConfigFault {
    let text = match &problem.value {
        Some(value) => format!("Invalid value {value} for configuration {}: {}", problem.key, problem.problem),
        None => problem.problem,
    };
    ConfigFault {
        key: properties.written(&problem.key).to_owned(),
        value: problem.value,
        text,
        allowed: problem.allowed.into_iter().collect(),
        hint: None,
    }
}

fn as_warning(properties: &ClientProperties, warning: Warning) -> ConfigWarning {
    ConfigWarning { key: properties.written(&warning.key).to_owned(), text: warning.reason }
}

/// How a client of the plan reaches its cluster.
pub(crate) fn client(properties: &ClientProperties, tokens: Tokens) -> Result<(ClientConfig, Vec<Warning>), Problems> {
    let checked = ClientConfig::from_properties(properties.as_map(), tokens)?;
    Ok((checked.config, checked.warnings))
}

/// Everything about the consumer of the plan.
pub(crate) fn consumer(process: &Process, plan: &ConnectorPlan) -> Result<Consumer, Fault> {
    let tokens = process.tokens(plan, plan.consumer())?;
    Ok(consumer_of(plan.consumer(), Some(plan.topics()), tokens)?.0)
}

/// The same for settings whose connector may be wrong otherwise, and then has no topics.
pub(crate) fn consumer_of(
    properties: &ClientProperties,
    topics: Option<&TopicSelection>,
    tokens: Tokens,
) -> Result<(Consumer, Vec<Warning>), Problems> {
    let mut properties = Properties::new(properties.as_map());
    let client = ClientConfig::read(&mut properties, tokens);
    let group = group(topics, &mut properties);
    let fetch = fetch(&group, &mut properties);
    properties.ignore("enable.auto.commit", "offsets are committed with the objects they belong to");
    properties.ignore("max.poll.records", "records are taken up in whole batches, inside --memory");
    properties.ignore("key.deserializer", "records are taken up as bytes");
    properties.ignore("value.deserializer", "records are taken up as bytes");
    let (mut warnings, rest) = properties.finish()?;
    // `enable.auto.commit=false` and the like are Connect's defaults, not the user's words.
    warnings.retain(|warning| warning.key != "enable.auto.commit");
    warnings.extend(rest.into_keys().map(|key| Warning { key, reason: "is not known and changes nothing".to_owned() }));
    Ok((Consumer { client, group, fetch }, warnings))
}

fn group(topics: Option<&TopicSelection>, properties: &mut Properties<'_>) -> GroupOptions {
    let subscription = match topics {
        None => Subscription::Topics(BTreeSet::new()),
        Some(TopicSelection::Named(names)) => Subscription::topics(names.iter().map(String::as_str)),
        Some(TopicSelection::Matching(pattern)) => match TopicPattern::new(pattern.as_str()) {
            Ok(pattern) => Subscription::Pattern(pattern),
            Err(error) => {
                properties.problem("topics.regex", error);
                Subscription::Topics(BTreeSet::new())
            }
        },
    };
    // It has a default, connect-NAME. Set to nothing, it would be the group of every such connector.
    let group = properties.text("group.id").unwrap_or_default();
    if group.is_empty() {
        properties.problem("group.id", "must not be empty");
    }
    let defaults = GroupOptions::new(group, subscription);
    let max_poll_interval = properties.millis("max.poll.interval.ms", 300_000, 1);
    let options = GroupOptions {
        protocol: protocol(properties),
        instance: properties.text("group.instance.id").map(Arc::from),
        rack: properties.text("client.rack").map(Arc::from),
        session_timeout: properties.millis("session.timeout.ms", 45_000, 1),
        heartbeat_interval: properties.millis("heartbeat.interval.ms", 3_000, 1),
        max_poll_interval,
        revocation_patience: GroupOptions::patience_for(max_poll_interval),
        offset_reset: properties.choice(
            "auto.offset.reset",
            OffsetReset::Earliest,
            &[("earliest", OffsetReset::Earliest), ("latest", OffsetReset::Latest), ("none", OffsetReset::None)],
        ),
        isolation: properties.choice(
            "isolation.level",
            Isolation::ReadUncommitted,
            &[("read_uncommitted", Isolation::ReadUncommitted), ("read_committed", Isolation::ReadCommitted)],
        ),
        ..defaults
    };
    if options.heartbeat_interval >= options.session_timeout {
        properties.problem_with(
            "heartbeat.interval.ms",
            "must be less than session.timeout.ms, or every member looks dead",
            Some("a third of session.timeout.ms".to_owned()),
        );
    }
    options
}

fn fetch(group: &GroupOptions, properties: &mut Properties<'_>) -> FetchOptions {
    let defaults = FetchOptions::default();
    let mut bytes = |key: &'static str| {
        properties.get(key)?;
        usize::try_from(properties.number(key, 0, 0..=i64::from(i32::MAX))).ok()
    };
    let (min, max, partition_max) =
        (bytes("fetch.min.bytes"), bytes("fetch.max.bytes"), bytes("max.partition.fetch.bytes"));
    FetchOptions {
        isolation: group.isolation,
        reset: match group.offset_reset {
            OffsetReset::Earliest => fetch::OffsetReset::Earliest,
            OffsetReset::Latest => fetch::OffsetReset::Latest,
            OffsetReset::None => fetch::OffsetReset::None,
        },
        min_bytes: min.unwrap_or(defaults.min_bytes),
        max_wait: properties.millis("fetch.max.wait.ms", 500, 0),
        max_bytes: max,
        partition_max_bytes: partition_max,
        ..defaults
    }
}

fn protocol(properties: &mut Properties<'_>) -> GroupProtocol {
    let remote = properties.text("group.remote.assignor").map(Arc::from);
    let named = properties.list("partition.assignment.strategy");
    let new = properties.choice("group.protocol", false, &[("classic", false), ("consumer", true)]);
    if new {
        return GroupProtocol::Consumer(remote);
    }
    let mut assignors = Vec::new();
    for name in named {
        match Assignor::named(name) {
            Some(assignor) => assignors.push(assignor),
            None => properties.problem_with(
                "partition.assignment.strategy",
                format!("{name} is no assignor that is known here"),
                Some("the class names of Java's range, roundrobin, sticky and cooperative-sticky assignors".to_owned()),
            ),
        }
    }
    if assignors.is_empty() { GroupProtocol::default() } else { GroupProtocol::Classic(assignors) }
}

/// How long a rebalance or a stop waits for what is being given up: as long as the group does, and no longer than the
/// plan says.
pub(crate) fn patience(plan: &ConnectorPlan, group: &GroupOptions) -> Duration {
    plan.patience().max(Duration::from_secs(5)).min(group.revocation_patience)
}
