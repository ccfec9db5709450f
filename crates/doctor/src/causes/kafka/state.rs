use kafka::ErrorCode;
use kafka::inspect::GroupDescription;

use super::super::Case;
use super::super::shell::word;
use crate::checks::kafka::{is_of_another_kind, others};
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static NO_TOPIC: Cause = Cause {
    row: "K30",
    code: "kafka.no-topic",
    title: "the topic does not exist",
    symptom: "UNKNOWN_TOPIC_OR_PARTITION, or a connector that runs and writes nothing",
    why: "its name is mistyped, it was deleted, or nobody has made it yet; a connector waits for it without end",
    apart: "the cluster has topics, and this one is not among them",
    cure: "correct topics, or make the topic",
    texts: &["unknown_topic_or_partition", "unknowntopicorpartition", "this server does not host this topic-partition"],
};

static NO_LEADER: Cause = Cause {
    row: "K31",
    code: "kafka.no-leader",
    title: "nobody leads some of the topic's partitions",
    symptom: "LEADER_NOT_AVAILABLE, and no records of these partitions",
    why: "the brokers that have their replicas are down, or none of them is in sync",
    apart: "an election takes seconds; what lasts is an outage",
    cure: "bring the brokers back that have the replicas",
    texts: &["leader_not_available", "there is no leader for this topic-partition"],
};

static CONNECT: Cause = Cause {
    row: "K32",
    code: "kafka.group-of-connect",
    title: "the connector still runs in Kafka Connect",
    symptom: "partitions go to either of the two, and objects appear in both forms",
    why: "Connect's group of a sink is connect-NAME, which is Tidegate's too so that it goes on where Connect has stopped",
    apart: "Connect's consumers are called connector-consumer-NAME-TASK",
    cure: "stop the connector in Connect before Tidegate begins",
    texts: &[],
};

static OTHERS: Cause = Cause {
    row: "K33",
    code: "kafka.group-of-others",
    title: "somebody else reads with the same group",
    symptom: "some partitions are never read, and offsets jump",
    why: "members of a group share the partitions, whoever they are: what the other one gets is not written to S3",
    apart: "the members' client ids and addresses say who they are",
    cure: "give one of the two a group of its own",
    texts: &["inconsistent_group_protocol"],
};

static OTHER_KIND: Cause = Cause {
    row: "K34",
    code: "kafka.group-of-another-kind",
    title: "the group is one of another kind than consumers",
    symptom: "INCONSISTENT_GROUP_PROTOCOL when it is joined",
    why: "the group's id is that of a Connect cluster's workers, or of another program that uses Kafka's groups its own way",
    apart: "the coordinator names the group's protocol type",
    cure: "set another group",
    texts: &["inconsistentgroupprotocolexception", "the group member's supported protocols are incompatible"],
};

static EXPIRED: Cause = Cause {
    row: "K35",
    code: "kafka.offset-expired",
    title: "retention has deleted records before they were read",
    symptom: "OFFSET_OUT_OF_RANGE, or a gap in what is written",
    why: "the connector stood still, or was behind, for longer than retention.ms or retention.bytes keep",
    apart: "the committed offset is below the first one that is there",
    cure: "there is nothing left to read: go on at the first record, and let retention last longer than an outage",
    texts: &["offset_out_of_range", "offsetoutofrangeexception", "is out of range for partition"],
};

static BEYOND: Cause = Cause {
    row: "K36",
    code: "kafka.offset-beyond-end",
    title: "the topic is another one than what was read: it was made again, or cut back",
    symptom: "OFFSET_OUT_OF_RANGE, or nothing is read until the new topic is as long as the old one was",
    why: "the topic was deleted and made again (a restore, a mirror), or an unclean leader election has cut its log",
    apart: "the committed offset lies beyond the end, or is of a later leader epoch than there is now",
    cure: "set the group's offsets to where reading is to go on",
    texts: &["fetch offset", "truncated partition"],
};

static NONE_COMMITTED: Cause = Cause {
    row: "K37",
    code: "kafka.no-offset",
    title: "nothing is committed, and auto.offset.reset is none",
    symptom: "the connector fails at its start",
    why: "the group is new (or its offsets are older than offsets.retention.minutes), and the setting forbids to choose a beginning",
    apart: "the group has no offset for the partition",
    cure: "set auto.offset.reset to earliest or latest, or commit offsets by hand",
    texts: &["undefined offset with no reset policy", "nooffsetforpartitionexception"],
};

static REPLICAS: Cause = Cause {
    row: "K38",
    code: "kafka.letters-replicas",
    title: "the topic of dead letters is to have more replicas than there are brokers",
    symptom: "INVALID_REPLICATION_FACTOR at the connector's start",
    why: "errors.deadletterqueue.topic.replication.factor is 3 by default, and small clusters have one broker",
    apart: "the code names the replication factor",
    cure: "set errors.deadletterqueue.topic.replication.factor to the number of brokers, or make the topic",
    texts: &["invalid_replication_factor", "replication factor: 3 larger than available brokers"],
};

static SCHEMA_ID: Cause = Cause {
    row: "K39",
    code: "kafka.schema-id-in-front",
    title: "the records were written with a schema registry, and the converter does not know it",
    symptom: "a conversion that fails at the first byte, or texts that begin with odd characters",
    why: "serialisers of a schema registry put a zero byte and the schema's number in front of what they write",
    apart: "the first byte is 0, and the next four are a small number",
    cure: "read with the converter that the producers' serialiser belongs to",
    texts: &["unknown magic byte", "unrecognized token '\\u0000", "illegal character ((ctrl-char, code 0))"],
};

static NO_ENVELOPE: Cause = Cause {
    row: "K40",
    code: "kafka.json-without-schema",
    title: "a schema is expected in each JSON record, and there is none",
    symptom: "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields",
    why: "schemas.enable is true by default, and the producers write plain JSON",
    apart: "the record is JSON without the members schema and payload",
    cure: "set schemas.enable of the converter to false",
    texts: &["requires \"schema\" and \"payload\" fields"],
};

static MISFIT: Cause = Cause {
    row: "K41",
    code: "kafka.converter-does-not-fit",
    title: "the converter, the names or the format do not fit the records",
    symptom: "a conversion or encoding that fails, or dead letters",
    why: "the producers write in another form than the connector's converters read, or some of them do",
    apart: "look at the record itself",
    cure: "set key.converter and value.converter to what the producers write",
    texts: &["converting byte[] to kafka connect data failed", "error deserializing"],
};

static DAMAGED: Cause = Cause {
    row: "K42",
    code: "kafka.damaged-batch",
    title: "a record batch in the topic cannot be read",
    symptom: "a checksum that does not fit, or a compression that cannot be undone",
    why: "a disk or a network card has changed bytes, or a producer wrote a batch that brokers do not look into",
    apart: "kafka-dump-log.sh on the broker reads the same batch",
    cure: "let errors.tolerance=all pass over it, with a dead letter that names its offsets",
    texts: &["corruptrecordexception", "record is corrupt", "invalid crc"],
};

static HANGING: Cause = Cause {
    row: "K43",
    code: "kafka.hanging-transaction",
    title: "a transaction that nobody ends keeps read_committed from going on",
    symptom: "the lag grows and nothing is read, without an error",
    why: "its producer is gone, and the coordinator does not know of the transaction any more (KAFKA-9144, KIP-664)",
    apart: "the last stable offset stays behind the log's end, and the producer has written nothing for long",
    cure: "abort the transaction",
    texts: &["last stable offset"],
};

pub(super) static CAUSES: &[&Cause] = &[
    &NO_TOPIC,
    &NO_LEADER,
    &CONNECT,
    &OTHERS,
    &OTHER_KIND,
    &EXPIRED,
    &BEYOND,
    &NONE_COMMITTED,
    &REPLICAS,
    &SCHEMA_ID,
    &NO_ENVELOPE,
    &MISFIT,
    &DAMAGED,
    &HANGING,
];

pub(super) fn explain(case: &mut Case<'_>) {
    topics(case);
    if case.is_unwell(Check::GROUP_FREE)
        && let Some(group) = &case.facts.kafka.group
    {
        of_group(case, group);
    }
    offsets(case);
    letters(case);
    records(case);
}

/// The brokers, as a shell takes them.
fn servers(case: &Case<'_>) -> String {
    word(&case.facts.kafka.way.servers)
}

fn group_of(case: &Case<'_>) -> String {
    case.target.connector.as_ref().map(|plan| plan.group().to_owned()).unwrap_or_default()
}

fn topics(case: &mut Case<'_>) {
    let facts = &case.facts.kafka;
    for topic in &facts.topics {
        let name = &topic.name;
        if topic.code == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
            let because = format!("the brokers know no topic {name}");
            let mut diagnosis = Diagnosis::decided(&NO_TOPIC, because);
            // What is no name of a topic would begin a setting of its own.
            let is_name = |close: &&String| close.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if let Some(close) = topic.close.as_ref().filter(is_name) {
                let text = format!("topics={close}");
                diagnosis = diagnosis.cure(Remedy::paste(format!("did you mean {close}?"), Paste::Setting(text)));
            }
            let command =
                format!("kafka-topics.sh --bootstrap-server {} --create --topic {}", servers(case), word(name));
            case.explain(Check::TOPICS, diagnosis.cure(Remedy::paste("make the topic", Paste::Command(command))));
        } else if !topic.leaderless.is_empty() {
            let because = format!("{} partitions of {name} have no leader", topic.leaderless.len());
            let command =
                format!("kafka-topics.sh --bootstrap-server {} --describe --unavailable-partitions", servers(case));
            let remedy = Remedy::paste("see which brokers have them", Paste::Command(command));
            case.explain(Check::TOPICS, Diagnosis::decided(&NO_LEADER, because).cure(remedy));
        }
    }
    for (partition, open) in &facts.hanging {
        let because = format!(
            "producer {} has begun a transaction at offset {} of {partition}, and has written nothing for more than 15 minutes",
            open.producer_id, open.start
        );
        let command = format!(
            "kafka-transactions.sh --bootstrap-server {} abort --topic {} --partition {} --start-offset {}",
            servers(case),
            word(&partition.topic),
            partition.partition,
            open.start
        );
        let remedy = Remedy::paste("abort it, if its producer is known to be gone", Paste::Command(command));
        case.explain(Check::TOPICS_READ, Diagnosis::decided(&HANGING, because).cure(remedy));
    }
}

fn of_group(case: &mut Case<'_>, group: &GroupDescription) {
    let id = group_of(case);
    let name = case.target.name.clone();
    let another = Remedy::paste(
        "or give the connector a group of its own (it begins by auto.offset.reset then)",
        Paste::Setting(format!("consumer.override.group.id={id}-tidegate")),
    );
    if is_of_another_kind(group) {
        let because = format!("its protocol type is {:?}, and a consumer's is \"consumer\"", &*group.protocol_type);
        return case.explain(Check::GROUP_FREE, Diagnosis::decided(&OTHER_KIND, because).cure(another));
    }
    let own = format!("connector-consumer-{name}");
    let own =
        case.target.connector.as_ref().and_then(|plan| plan.consumer().get("client.id")).unwrap_or(&own).to_owned();
    let told = |member: &kafka::inspect::GroupMember| {
        format!("{} at {}", member.client_id, member.host.trim_start_matches('/'))
    };
    let (of_connect, strangers): (Vec<_>, Vec<_>) =
        others(group, &own).partition(|member| member.client_id.starts_with("connector-consumer-"));
    if !of_connect.is_empty() {
        let because = of_connect.iter().map(|member| told(member)).collect::<Vec<_>>().join(", ");
        let command = format!("curl -X PUT {}", word(&format!("http://CONNECT:8083/connectors/{name}/stop")));
        let stop = Remedy::paste(
            "stop it there (Kafka 3.5 and later; before that: pause it, or delete it)",
            Paste::Command(command),
        );
        let diagnosis = Diagnosis::decided(&CONNECT, format!("in the group there is {because}"));
        case.explain(Check::GROUP_FREE, diagnosis.cure(stop).cure(another.clone()));
    }
    if !strangers.is_empty() {
        let because = strangers.iter().map(|member| told(member)).collect::<Vec<_>>().join(", ");
        let command = format!(
            "kafka-consumer-groups.sh --bootstrap-server {} --describe --members --group {}",
            servers(case),
            word(&id)
        );
        let look = Remedy::paste("see who has which partitions", Paste::Command(command));
        let diagnosis = Diagnosis::decided(&OTHERS, format!("in the group there is {because}"));
        case.explain(Check::GROUP_FREE, diagnosis.cure(another).cure(look));
    }
}

/// What the connector will do where a committed offset is not there.
fn consequence(case: &Case<'_>, place: &crate::Misplaced) -> String {
    let reset = case.target.connector.as_ref().and_then(|plan| plan.consumer().get("auto.offset.reset"));
    match reset.unwrap_or("earliest") {
        "latest" => format!("reading goes on at {}, behind all that is there (auto.offset.reset=latest)", place.latest),
        "none" => "the connector stops there (auto.offset.reset=none)".to_owned(),
        _ => format!("reading goes on at {} (auto.offset.reset=earliest)", place.earliest),
    }
}

fn offsets(case: &mut Case<'_>) {
    let facts = &case.facts.kafka;
    let group = group_of(case);
    for place in &facts.misplaced {
        let will = consequence(case, place);
        let partition = &place.partition;
        let command = format!(
            "kafka-consumer-groups.sh --bootstrap-server {} --group {} --reset-offsets --to-earliest --topic {} --execute",
            servers(case),
            word(&group),
            word(&format!("{}:{}", partition.topic, partition.partition))
        );
        let set =
            Remedy::paste("or say yourself where it goes on, while nobody is in the group", Paste::Command(command));
        let diagnosis = if place.is_of_another_log() {
            let because = if place.committed > place.latest {
                format!("{partition} ends at {}, and {} is committed", place.latest, place.committed)
            } else {
                format!(
                    "{} is committed for {partition} with leader epoch {}, and the epoch is {} now",
                    place.committed, place.committed_epoch, place.epoch
                )
            };
            Diagnosis::decided(&BEYOND, format!("{because}; {will}"))
        } else {
            let lost = place.earliest.0 - place.committed.0;
            let because = format!(
                "{partition} begins at {}, and {} is committed: {lost} offsets are gone",
                place.earliest, place.committed
            );
            Diagnosis::decided(&EXPIRED, format!("{because}; {will}"))
        };
        case.explain(Check::OFFSETS, diagnosis.cure(set));
    }
    if let Some(partition) = facts.unplaced.first() {
        let because = format!("group {group} has no offset for {partition}");
        let remedy = Remedy::paste(
            "choose a beginning",
            Paste::Setting("consumer.override.auto.offset.reset=earliest".to_owned()),
        );
        case.explain(Check::OFFSETS, Diagnosis::decided(&NONE_COMMITTED, because).cure(remedy));
    }
}

fn letters(case: &mut Case<'_>) {
    let letters = &case.facts.kafka.letters;
    let code = letters.create.as_ref().and_then(kafka::cluster::Error::kafka_code);
    if code == Some(ErrorCode::INVALID_REPLICATION_FACTOR) {
        let because =
            format!("{} replicas are asked for, and of brokers there are {}", letters.replicas, letters.brokers);
        let text = format!("errors.deadletterqueue.topic.replication.factor={}", letters.brokers.clamp(1, 3));
        let remedy = Remedy::paste("ask for as many as there are brokers", Paste::Setting(text));
        case.explain(Check::DLQ, Diagnosis::decided(&REPLICAS, because).cure(remedy));
    }
}

fn records(case: &mut Case<'_>) {
    let facts = &case.facts.kafka.records;
    if !case.is_unwell(Check::CONVERT) {
        return;
    }
    if let Some(bad) = &facts.first {
        let at = format!("{} at offset {}", bad.partition, bad.offset);
        let role = match bad.fault.stage {
            data::Stage::KeyConverter => "key.converter",
            _ => "value.converter",
        };
        let text = bad.fault.to_string();
        let diagnosis = if let Some(id) = bad.schema_id {
            let because = format!("{at} begins with a zero byte and the number {id}");
            Diagnosis::decided(&SCHEMA_ID, because).cure(no_registry(role))
        } else if text.contains("\"schema\" and \"payload\"") {
            let remedy =
                Remedy::paste("read JSON without schemas", Paste::Setting(format!("{role}.schemas.enable=false")));
            Diagnosis::decided(&NO_ENVELOPE, at).cure(remedy)
        } else {
            let command = format!(
                "kafka-console-consumer.sh --bootstrap-server {} --topic {} --partition {} --offset {} --max-messages 1 --property print.key=true",
                servers(case),
                word(&bad.partition.topic),
                bad.partition.partition,
                bad.offset
            );
            let look = Remedy::paste("look at the record", Paste::Command(command));
            let tolerate = Remedy::paste(
                "if a few are meant to be bad, pass over them, and keep them",
                Paste::Setting("errors.tolerance=all\nerrors.deadletterqueue.topic.name=NAME".to_owned()),
            );
            Diagnosis::decided(&MISFIT, format!("{at}: {text}")).cure(look).cure(tolerate)
        };
        case.explain(Check::CONVERT, diagnosis);
    } else if let Some(damaged) = &facts.damaged {
        case.explain(Check::CONVERT, Diagnosis::decided(&DAMAGED, damaged.clone()));
    } else if let Some(id) = facts.schema_id {
        let because = format!(
            "{} of {} values begin with a zero byte and a number such as {id}",
            facts.with_schema_id, facts.tried
        );
        case.explain(Check::CONVERT, Diagnosis::likely(&SCHEMA_ID, because).cure(no_registry("value.converter")));
    }
}

/// No converter of ours asks a schema registry yet.
fn no_registry(role: &str) -> Remedy {
    Remedy::paste(
        "converters that ask a schema registry are not supported yet; to keep the bytes as they are, take them as bytes",
        Paste::Setting(format!("{role}=org.apache.kafka.connect.converters.ByteArrayConverter")),
    )
}
