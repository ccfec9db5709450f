use kafka::ErrorCode;
use kafka::cluster::Error;

use super::super::Case;
use super::super::shell::word;
use super::{grant, principal};
use crate::{Cause, Check, Diagnosis};

static DESCRIBE: Cause = Cause {
    row: "K24",
    code: "kafka.topic-denied",
    title: "this client may not see the topic",
    symptom: "TOPIC_AUTHORIZATION_FAILED for the topic's metadata",
    why: "there is no ACL that allows Describe or Read, or one denies it; Kafka does not say whether the topic exists",
    apart: "a topic that may be seen and is not there is UNKNOWN_TOPIC_OR_PARTITION",
    cure: "allow Read (which brings Describe) on the topic",
    texts: &["not authorized to access topics", "topic_authorization_failed", "topicauthorizationexception"],
};

static READ: Cause = Cause {
    row: "K25",
    code: "kafka.read-denied",
    title: "this client may see the topic and not read it",
    symptom: "TOPIC_AUTHORIZATION_FAILED when records are fetched",
    why: "Describe is allowed on the topic, and Read is not",
    apart: "the topic's metadata and offsets are told, its records are refused",
    cure: "allow Read on the topic",
    texts: &["authorization failed. topic:", "not authorized to read from topic"],
};

static GROUP: Cause = Cause {
    row: "K26",
    code: "kafka.group-denied",
    title: "this client may not use the consumer group",
    symptom: "GROUP_AUTHORIZATION_FAILED",
    why: "there is no ACL that allows Read on the group; Connect's groups are called connect-NAME",
    apart: "the code is about the group and not about a topic",
    cure: "allow Read on the group, or choose a group that is allowed",
    texts: &["not authorized to access group", "group_authorization_failed", "groupauthorizationexception"],
};

static LETTERS: Cause = Cause {
    row: "K27",
    code: "kafka.letters-denied",
    title: "this client may not write to the topic of dead letters",
    symptom: "TOPIC_AUTHORIZATION_FAILED for the topic of dead letters",
    why: "there is no ACL that allows Write on it; it shows only when the first record cannot be used",
    apart: "the refusal is about the topic of dead letters, and reading works",
    cure: "allow Write on the topic of dead letters",
    texts: &["could not produce message to dead letter queue"],
};

static CREATE: Cause = Cause {
    row: "K28",
    code: "kafka.letters-create-denied",
    title: "the topic of dead letters is not there, and this client may not make it",
    symptom: "the connector fails at its start because of the topic of dead letters",
    why: "there is no ACL that allows Create on the topic or the cluster; without Describe a topic that exists is not seen either",
    apart: "whether the topic exists, somebody who may see all topics can tell",
    cure: "make the topic, or allow Create on it",
    texts: &["could not initialize dead letter queue", "could not create the dead letters' topic"],
};

static IDEMPOTENCE: Cause = Cause {
    row: "K29",
    code: "kafka.idempotence-denied",
    title: "this client may not write idempotently",
    symptom: "CLUSTER_AUTHORIZATION_FAILED when a producer begins",
    why: "brokers before 2.8 want IdempotentWrite on the cluster beside Write on the topic",
    apart: "the code is about the cluster and not about the topic",
    cure: "allow IdempotentWrite on the cluster",
    texts: &["cluster authorization failed", "cluster_authorization_failed", "clusterauthorizationexception"],
};

pub(super) static CAUSES: &[&Cause] = &[&DESCRIBE, &READ, &GROUP, &LETTERS, &CREATE, &IDEMPOTENCE];

pub(super) fn explain(case: &mut Case<'_>) {
    let facts = &case.facts.kafka;
    let who = principal(case);
    for topic in facts.topics.iter().filter(|topic| topic.code == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)) {
        let because = format!("the brokers refuse to tell {who} of topic {}", topic.name);
        let remedy = grant(case, &["Read"], &on_topic(&topic.name));
        case.explain(Check::TOPICS, Diagnosis::decided(&DESCRIBE, because).cure(remedy));
    }
    for (topic, _) in facts.unreadable.iter().filter(|(_, code)| *code == ErrorCode::TOPIC_AUTHORIZATION_FAILED) {
        let because = format!("{who} was told where topic {topic} ends, and was refused its records");
        let remedy = grant(case, &["Read"], &on_topic(topic));
        case.explain(Check::TOPICS_READ, Diagnosis::decided(&READ, because).cure(remedy));
    }
    let group = case.target.connector.as_ref().map(|plan| plan.group().to_owned()).unwrap_or_default();
    if is(facts.group_error.as_ref(), ErrorCode::GROUP_AUTHORIZATION_FAILED) {
        let because = format!("the coordinator refused {who} the group {group}");
        let remedy = grant(case, &["Read"], &format!("--group {}", word(&group)));
        case.explain(Check::GROUP, Diagnosis::decided(&GROUP, because).cure(remedy));
    }
    let letters = &facts.letters;
    let denied = [ErrorCode::TOPIC_AUTHORIZATION_FAILED, ErrorCode::CLUSTER_AUTHORIZATION_FAILED];
    if letters.create.as_ref().and_then(Error::kafka_code).is_some_and(|code| denied.contains(&code)) {
        let because = format!("{who} sees no topic {}, and may make none", letters.topic);
        // Making it and then not seeing or writing it would be found out one by one.
        let remedy = grant(case, &["Create", "Describe", "Write"], &on_topic(&letters.topic));
        case.explain(Check::DLQ, Diagnosis::decided(&CREATE, because).cure(remedy));
    } else if is(letters.write.as_ref(), ErrorCode::TOPIC_AUTHORIZATION_FAILED) {
        let because = format!("the broker refused {who} an empty write to {}", letters.topic);
        let remedy = grant(case, &["Write"], &on_topic(&letters.topic));
        case.explain(Check::DLQ, Diagnosis::decided(&LETTERS, because).cure(remedy));
    } else if is(letters.idempotence.as_ref(), ErrorCode::CLUSTER_AUTHORIZATION_FAILED) {
        let because = format!("{who} may write to {}, and gets no producer's number", letters.topic);
        let remedy = grant(case, &["IdempotentWrite"], "--cluster");
        case.explain(Check::DLQ, Diagnosis::decided(&IDEMPOTENCE, because).cure(remedy));
    }
}

fn is(error: Option<&Error>, code: ErrorCode) -> bool {
    error.and_then(Error::kafka_code) == Some(code)
}

fn on_topic(topic: &str) -> String {
    format!("--topic {}", word(topic))
}
