//! What keeps us from a broker, up to TLS and the login.

use fault::Chain;
use kafka::net::Error;

use super::super::Case;
use super::super::shell::word;
use super::login::{CREDENTIALS, NO_TOKEN, of_hang_up, of_refusal};
use super::tls::of_tls;
use crate::kafka_facts::Door;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static UNKNOWN_HOST: Cause = Cause {
    row: "K01",
    code: "kafka.unknown-host",
    title: "the broker's name has no address",
    symptom: "could not resolve the name in bootstrap.servers",
    why: "the name is mistyped, or is known to another network's resolver only",
    apart: "look the name up on this machine: getent hosts NAME",
    cure: "correct bootstrap.servers, or let this machine use the resolver that knows the name",
    texts: &["couldn't resolve server", "no resolvable bootstrap urls", "unknownhostexception"],
};

static REFUSED: Cause = Cause {
    row: "K02",
    code: "kafka.cannot-connect",
    title: "nothing listens at the broker's address",
    symptom: "connection refused",
    why: "the port is wrong, the broker is down, or it listens on another interface",
    apart: "the machine itself answered, and said that the port is closed",
    cure: "compare the port with the broker's listeners, and see whether the broker runs",
    texts: &["could not be established. node may not be available", "broker may not be available"],
};

static SILENT: Cause = Cause {
    row: "K03",
    code: "kafka.connect-timeout",
    title: "a firewall or a missing route swallows what is sent to the broker",
    symptom: "no connection within the timeout",
    why: "security groups, network ACLs and firewalls drop packets without a word",
    apart: "a port that is closed is refused at once; what is dropped is answered by nobody",
    cure: "let this machine's address in at the broker's port",
    texts: &["timed out waiting for a node assignment", "timed out while connecting to broker"],
};

static HTTP: Cause = Cause {
    row: "K04",
    code: "kafka.http-port",
    title: "an HTTP server answers at the broker's address",
    symptom: "a response of 1,213,486,160 bytes is announced",
    why: "the port is that of a REST proxy, a schema registry, Kafka Connect or a load balancer; its `HTTP` was read as a length",
    apart: "the four bytes are the letters HTTP",
    cure: "write the port of Kafka's own listener into bootstrap.servers",
    texts: &["invalid receive (size = 1213486160", "invalid receive size 1213486160"],
};

static TLS_WANTED: Cause = Cause {
    row: "K05",
    code: "kafka.tls-wanted",
    title: "the port speaks TLS, and the connector does not",
    symptom: "a response of some 352,518,912 bytes is announced, or the broker hangs up",
    why: "security.protocol is PLAINTEXT (the default) or SASL_PLAINTEXT, and the listener has TLS",
    apart: "the four bytes are a TLS alert",
    cure: "set security.protocol to SSL, or to SASL_SSL if there is a login",
    texts: &["invalid receive (size = 352518912", "invalid receive (size = 352518400", "is ssl enabled in broker"],
};

static TOO_OLD: Cause = Cause {
    row: "K21",
    code: "kafka.unsupported-version",
    title: "the broker is older than what Tidegate speaks",
    symptom: "no version of a request is in common",
    why: "the broker is of before Kafka 2.8, or is another product that has only old requests",
    apart: "the error names both sides' versions",
    cure: "use brokers of Kafka 2.8 or later",
    texts: &["unsupportedversionexception"],
};

pub(super) static DROPPED: Cause = Cause {
    row: "K22",
    code: "kafka.disconnected",
    title: "the broker, or something between, closes the connection",
    symptom: "connection reset, or an end without a word",
    why: "the broker is restarting, has max.connections or max.connections.per.ip reached, or a load balancer has no broker behind it",
    apart: "the broker's log has a line for a connection that it refuses, and none for what never came",
    cure: "see whether the broker is up, and how many connections it has",
    texts: &["too many connections from", "bootstrap broker", "disconnected while requesting apiversion"],
};

static ADVERTISED: Cause = Cause {
    row: "K23",
    code: "kafka.advertised-elsewhere",
    title: "the broker advertises an address at which it cannot be reached from here",
    symptom: "the bootstrap server answers, and reading still never begins",
    why: "clients go to the address in advertised.listeners, which is meant for another network: a container's name, localhost, a private address",
    apart: "the bootstrap address answers, the advertised one does not",
    cure: "give the broker a listener whose advertised address is reached from here, and take its port for bootstrap.servers",
    texts: &["connection to node"],
};

pub(super) static CAUSES: &[&Cause] =
    &[&UNKNOWN_HOST, &REFUSED, &SILENT, &HTTP, &TLS_WANTED, &TOO_OLD, &DROPPED, &ADVERTISED];

pub(super) fn explain(case: &mut Case<'_>) {
    let facts = &case.facts.kafka;
    for door in facts.doors.iter().filter(|door| door.error.is_some()) {
        for diagnosis in of_door(case, door) {
            // Where it stands, is where it is explained: one of these is unwell.
            for check in [Check::KAFKA, Check::KAFKA_TLS, Check::KAFKA_AUTH] {
                if case.is_unwell(check) && stands_at(check, door) {
                    case.explain(check, diagnosis.clone());
                }
            }
        }
    }
    for door in facts.brokers.iter().filter(|door| door.error.is_some()) {
        let node = door.node.unwrap_or(-1);
        if is_answered(door) {
            for diagnosis in of_door(case, door) {
                case.explain(Check::ADVERTISED, diagnosis);
            }
            continue;
        }
        let because = format!("{} answered, and broker {node} advertises {}", facts.way.servers, door.address);
        let text = format!("advertised.listeners=NAME://AN-ADDRESS-THAT-IS-REACHED-FROM-HERE:{}", port(&door.address));
        let action = format!("set on broker {node} what the listener of {} advertises", facts.way.servers);
        let remedy = setting(action, text);
        // One broker: it is the one that answered. Of several, this one may be the one that is down.
        if facts.brokers.len() == 1 {
            case.explain(Check::ADVERTISED, Diagnosis::decided(&ADVERTISED, because).cure(remedy));
        } else {
            case.explain(Check::ADVERTISED, Diagnosis::likely(&ADVERTISED, because).cure(remedy));
            let apart = format!("see whether broker {node} runs");
            case.explain(Check::ADVERTISED, Diagnosis::possible(&REFUSED, apart));
        }
    }
    if let Some(kafka::cluster::Error::Net(error) | kafka::cluster::Error::NoServer { source: error, .. }) =
        &facts.letters.connection
    {
        let door = Door {
            address: facts.way.servers.as_str().into(),
            node: None,
            error: Some(error.clone()),
            mechanisms: None,
            plain: None,
            other_scram: None,
        };
        for diagnosis in of_door(case, &door) {
            case.explain(Check::DLQ, diagnosis);
        }
    }
}

fn is_answered(door: &Door) -> bool {
    let is_silent = matches!(door.error, Some(Error::HungUp { .. })) && door.mechanisms.is_none();
    !is_silent
        && !matches!(
            door.error,
            Some(Error::Resolve { .. } | Error::Connect { .. } | Error::SetupTimedOut { .. } | Error::TimedOut { .. })
        )
}

fn stands_at(check: &Check, door: &Door) -> bool {
    let Some(error) = &door.error else { return false };
    let tls = error.tls_fault().is_some();
    let reach = !is_answered(door)
        || !tls && matches!(error, Error::TooLarge { .. } | Error::Malformed { .. } | Error::OutOfStep { .. });
    match check {
        check if *check == *Check::KAFKA => reach,
        check if *check == *Check::KAFKA_TLS => tls,
        _ => !reach && !tls,
    }
}

pub(super) fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("9092", |(_, port)| port)
}

pub(super) fn setting(action: impl Into<String>, text: impl Into<String>) -> Remedy {
    Remedy::paste(action, Paste::Setting(text.into()))
}

/// What may be behind the failure of one connection.
fn of_door(case: &Case<'_>, door: &Door) -> Vec<Diagnosis> {
    let (Some(error), way) = (&door.error, &case.facts.kafka.way) else { return Vec::new() };
    let address = &door.address;
    let said = Chain(error).to_string();
    if let Some(fault) = error.tls_fault() {
        return of_tls(case, door, &fault, &said);
    }
    match error {
        Error::Resolve { .. } => vec![Diagnosis::decided(&UNKNOWN_HOST, said)],
        Error::Connect { source, .. } if source.kind() == std::io::ErrorKind::ConnectionRefused => {
            vec![Diagnosis::decided(&REFUSED, format!("the machine at {address} says that nothing listens there"))]
        }
        Error::Connect { .. } | Error::SetupTimedOut { .. } | Error::TimedOut { .. } => {
            let apart =
                format!("see whether a connection to {address} is made at all: nc -vz {}", address.replace(':', " "));
            let remedy = Remedy::to(format!("let this machine in at port {} of the broker", port(address)));
            vec![
                Diagnosis::possible(&SILENT, apart).cure(remedy),
                Diagnosis::possible(&DROPPED, "the port may be open, and the broker behind it too busy to answer"),
            ]
        }
        Error::TooLarge { size, .. } => match size.to_be_bytes() {
            [b'H', b'T', b'T', b'P'] => {
                let because = format!("what {address} sent begins with the letters HTTP");
                vec![
                    Diagnosis::decided(&HTTP, because)
                        .cure(Remedy::to("write Kafka's own port into bootstrap.servers")),
                ]
            }
            [0x15, 0x03, ..] => {
                let because = format!("what {address} sent is a TLS alert");
                let protocol = if way.mechanism.is_some() { "SASL_SSL" } else { "SSL" };
                let remedy = setting("speak TLS", format!("security.protocol={protocol}"));
                vec![Diagnosis::decided(&TLS_WANTED, because).cure(remedy)]
            }
            _ => Vec::new(),
        },
        Error::HungUp { .. } => of_hang_up(door, way),
        Error::Refused { code, message, .. } => of_refusal(case, door, *code, message.as_deref()),
        Error::Authenticate { reason, .. } if reason.contains("there is no token") => {
            vec![Diagnosis::decided(&NO_TOKEN, said)]
        }
        Error::Authenticate { .. } => vec![Diagnosis::possible(&CREDENTIALS, said)],
        Error::NoCommonVersion { .. } => vec![Diagnosis::decided(&TOO_OLD, said)],
        Error::Disconnected { .. } => {
            let mut found =
                vec![Diagnosis::possible(&DROPPED, "look into the broker's log for this machine's address")];
            if !way.tls {
                found.push(Diagnosis::possible(
                    &TLS_WANTED,
                    format!("openssl s_client -connect {} tells", word(address)),
                ));
            }
            found
        }
        _ => Vec::new(),
    }
}
