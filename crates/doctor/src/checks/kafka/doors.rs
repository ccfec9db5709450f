use std::sync::Arc;

use ::kafka::net::{Connection, Error, Sasl, ScramHash, TlsFault};
use ::kafka::{ClientConfig, Cluster, ErrorCode};
use fault::{Chain, Diagnose as _};
use tokio::task::JoinSet;

use super::{Kafka, Proof, bounded, failed, proof, some};
use crate::examination::{Examination, Watch};
use crate::kafka_facts::Door;
use crate::{Check, CheckResult};

/// How many connections are opened at once: a broker limits what one address may open a second.
const AT_ONCE: usize = 8;
/// How many brokers are looked at.
const BROKERS: usize = 200;

/// The way in: addresses, TLS, login, and the addresses that the brokers advertise.
pub(super) async fn run(x: &mut Examination<'_>, kafka: &mut Kafka) {
    let config = Arc::new(bounded(&kafka.clients.consumer));
    if x.wants(Check::KAFKA) {
        let watch = Watch::start();
        let addresses: Vec<_> = config.bootstrap.iter().map(|address| (None, address.clone())).collect();
        x.facts.kafka.doors = open_all(&config, addresses).await;
        x.put(reached(&watch, &x.facts.kafka.doors));
    }
    tls(x, &config);
    login(x, kafka, &config).await;
    advertised(x, kafka, &config).await;
}

/// Tries each address once, a few at a time; in the order of the addresses.
async fn open_all(config: &Arc<ClientConfig>, addresses: Vec<(Option<i32>, Arc<str>)>) -> Vec<Door> {
    let mut doors: Vec<Option<Door>> = vec![None; addresses.len()];
    let mut left = addresses.into_iter().enumerate();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some((index, (node, address))) = left.next()
        {
            let config = Arc::clone(config);
            running.spawn(async move { (index, try_door(&config, node, address).await) });
        }
        match running.join_next().await {
            Some(Ok((index, door))) => doors[index] = Some(door),
            Some(Err(_)) => {}
            None => return doors.into_iter().flatten().collect(),
        }
    }
}

async fn try_door(config: &ClientConfig, node: Option<i32>, address: Arc<str>) -> Door {
    let error = visit(config, &address).await.err();
    let mut door = Door { address, node, error, mechanisms: None, plain: None, other_scram: None };
    // What would tell the causes apart is asked only where something is wrong.
    let Some(error) = &door.error else { return door };
    let plainly = ClientConfig { tls: None, sasl: None, ..config.clone() };
    let without_login = ClientConfig { sasl: None, ..config.clone() };
    match error {
        Error::HungUp { .. } | Error::Refused { .. } => {
            if let Ok(connection) =
                Connection::open(&without_login, door.address.clone(), config.connection_setup_timeout).await
            {
                door.mechanisms = connection.mechanisms().await.ok().map(Option::unwrap_or_default);
            }
        }
        error if error.tls_fault() == Some(TlsFault::NotTls) => {
            door.plain =
                Some(Connection::open(&plainly, door.address.clone(), config.connection_setup_timeout).await.is_ok());
        }
        _ => {}
    }
    if let (Error::Refused { code, .. }, Some(Sasl::Scram { hash, user, password, delegation_token })) =
        (error, &config.sasl)
        && *code == ErrorCode::SASL_AUTHENTICATION_FAILED
    {
        let hash = match hash {
            ScramHash::Sha256 => ScramHash::Sha512,
            ScramHash::Sha512 => ScramHash::Sha256,
        };
        if door.mechanisms.as_ref().is_some_and(|offered| offered.iter().any(|name| name == hash.mechanism())) {
            let (user, password) = (user.clone(), password.clone());
            let sasl = Sasl::Scram { hash, user, password, delegation_token: *delegation_token };
            let other = ClientConfig { sasl: Some(sasl), ..config.clone() };
            door.other_scram =
                Some(Connection::open(&other, door.address.clone(), config.connection_setup_timeout).await.is_ok());
        }
    }
    door
}

/// Connects, and asks one thing: only then a broker says whether it would have wanted a login.
async fn visit(config: &ClientConfig, address: &Arc<str>) -> Result<(), Error> {
    Connection::open(config, address.clone(), config.connection_setup_timeout).await?.greet().await
}

/// Whether something that may be Kafka answered.
fn is_answer(door: &Door) -> bool {
    match &door.error {
        // What hangs up, and then does not say either which logins it takes, has said nothing at all.
        Some(Error::HungUp { .. }) => door.mechanisms.is_some(),
        Some(Error::Resolve { .. } | Error::Connect { .. } | Error::SetupTimedOut { .. } | Error::TimedOut { .. }) => {
            false
        }
        Some(error @ (Error::TooLarge { .. } | Error::Malformed { .. } | Error::OutOfStep { .. })) => {
            error.tls_fault().is_some()
        }
        None | Some(_) => true,
    }
}

/// What the failure of a connection proves.
fn proven(door: &Door) -> Option<Proof> {
    match &door.error {
        Some(Error::HungUp { .. }) if door.mechanisms.is_none() => Some(Proof::Nothing),
        error => error.as_ref().map(proof),
    }
}

fn told(doors: &[&Door]) -> String {
    let one = |door: &&Door| door.error.as_ref().map(|error| Chain(error).to_string()).unwrap_or_default();
    some(doors.iter().map(one))
}

fn host(doors: &[&Door]) -> String {
    some(doors.iter().map(|door| door.address.to_string()))
}

fn code(result: CheckResult, doors: &[&Door]) -> CheckResult {
    let error = doors.iter().find_map(|door| door.error.as_ref());
    let code = error.map(|error| match error {
        Error::Refused { code, .. } => code.to_string(),
        error => error.code().to_owned(),
    });
    result.code(code).host(host(doors))
}

fn reached(watch: &Watch, doors: &[Door]) -> CheckResult {
    let (there, away): (Vec<_>, Vec<_>) = doors.iter().partition(|door| is_answer(door));
    if away.is_empty() {
        return watch.passed(Check::KAFKA, format!("{} answered", host(&there))).host(host(&there));
    }
    if !there.is_empty() {
        let text = format!("{} answered; {}", host(&there), told(&away));
        return code(watch.warning(Check::KAFKA, text), &away);
    }
    let open = away.iter().any(|door| proven(door) == Some(Proof::Nothing));
    let text = told(&away);
    code(if open { watch.unproven(Check::KAFKA, text) } else { watch.failed(Check::KAFKA, text) }, &away)
}

fn tls(x: &mut Examination<'_>, config: &ClientConfig) {
    if config.tls.is_none() {
        x.skip(Check::KAFKA_TLS, "the brokers are reached without TLS (security.protocol)");
        return;
    }
    if !x.wants(Check::KAFKA_TLS) {
        return;
    }
    let watch = Watch::start();
    let doors: Vec<_> = x.facts.kafka.doors.iter().filter(|door| is_answer(door)).collect();
    let unwell: Vec<_> = doors
        .iter()
        .copied()
        .filter(|door| door.error.as_ref().is_some_and(|error| error.tls_fault().is_some()))
        .collect();
    let result = if unwell.is_empty() {
        watch.passed(Check::KAFKA_TLS, format!("the handshake was done with {}", host(&doors))).host(host(&doors))
    } else {
        code(watch.failed(Check::KAFKA_TLS, told(&unwell)), &unwell)
    };
    x.put(result);
}

async fn login(x: &mut Examination<'_>, kafka: &mut Kafka, config: &Arc<ClientConfig>) {
    if !x.wants(Check::KAFKA_AUTH) {
        return;
    }
    let watch = Watch::start();
    let way = &x.facts.kafka.way;
    let behind_tls =
        |door: &&Door| is_answer(door) && door.error.as_ref().is_none_or(|error| error.tls_fault().is_none());
    let doors: Vec<_> = x.facts.kafka.doors.iter().filter(behind_tls).collect();
    let refused: Vec<_> = doors.iter().copied().filter(|door| door.error.is_some()).collect();
    let who = way.principal.clone();
    if doors.is_empty() {
        return x.skip_because(Check::KAFKA_AUTH, Check::KAFKA_TLS, "TLS stands before it");
    }
    let result = if refused.is_empty() {
        match Cluster::connect(Arc::clone(config)).await {
            Ok(cluster) => {
                kafka.cluster = Some(cluster);
                let text = match (way.mechanism, way.certificate) {
                    (Some(mechanism), _) => format!("{} accepted {mechanism}", host(&doors)),
                    (None, true) => format!("{} accepted the certificate", host(&doors)),
                    (None, false) => format!("{} asks for no login", host(&doors)),
                };
                watch.passed(Check::KAFKA_AUTH, text).host(host(&doors)).identity(who)
            }
            Err(error) => failed(x, &watch, Check::KAFKA_AUTH, &error),
        }
    } else {
        let open = refused.iter().all(|door| proven(door) == Some(Proof::Nothing));
        let text = told(&refused);
        let result = if open { watch.unproven(Check::KAFKA_AUTH, text) } else { watch.failed(Check::KAFKA_AUTH, text) };
        code(result, &refused).identity(who)
    };
    x.put(result);
}

async fn advertised(x: &mut Examination<'_>, kafka: &Kafka, config: &Arc<ClientConfig>) {
    if !x.wants(Check::ADVERTISED) {
        return;
    }
    let watch = Watch::start();
    let Some(cluster) = &kafka.cluster else { return };
    let metadata = cluster.metadata();
    let brokers: Vec<_> =
        metadata.brokers.iter().take(BROKERS).map(|(node, broker)| (Some(*node), broker.address.clone())).collect();
    x.facts.kafka.brokers = open_all(config, brokers).await;
    let all: Vec<_> = x.facts.kafka.brokers.iter().collect();
    let away: Vec<_> = all.iter().copied().filter(|door| door.error.is_some()).collect();
    let result = if away.is_empty() {
        let names = |door: &&Door| format!("broker {} at {}", door.node.unwrap_or(-1), door.address);
        watch.passed(Check::ADVERTISED, format!("answered: {}", some(all.iter().map(names)))).host(host(&all))
    } else {
        let open = away.iter().all(|door| proven(door) == Some(Proof::Nothing));
        let one = |door: &&Door| {
            let error = door.error.as_ref().map(|error| Chain(error).to_string()).unwrap_or_default();
            format!("broker {}: {error}", door.node.unwrap_or(-1))
        };
        let text = some(away.iter().map(one));
        code(if open { watch.unproven(Check::ADVERTISED, text) } else { watch.failed(Check::ADVERTISED, text) }, &away)
    };
    x.put(result);
}
