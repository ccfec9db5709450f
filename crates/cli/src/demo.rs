use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::doctor::{Depth, Surroundings, Target, examine};
use aws::Clients;
use aws::s3::{S3Options, S3Sink};
use connectors::{Config, ConnectorFile, ConnectorPlan, WorkerConfig};
use control::{AwsSts, Integration, Integrations, NewIntegration, Prover, Verdict};
use fault::Chain;
use flate2::read::MultiGzDecoder;
use identity::{Base, Connection, Connections, KeyRule, StsEndpoint};
use kafka::produce::{Compression, Producer, ProducerConfig, Record};
use kafka::{ClientConfig, Cluster};
use runtime::{Connector, Drain, Process, State};
use serde_json::json;
use tokio::time::Instant;
use world::{Clock, Environment};

use crate::args::{DemoArguments, Exit};
use crate::doctor;
use crate::integration::probes;
use crate::logging::Logging;
use crate::place::{BUCKET, PARTITIONS, Place, REGION, TOPIC, explain};
use crate::run::Signals;
use crate::screen::Screen;
use crate::status::Status;
use crate::stdout::say;

/// `tidegate demo`: the whole way with nothing but this process.
pub(crate) async fn demo(arguments: &DemoArguments, screen: &Screen, logging: &Logging) -> Exit {
    let shown = match Signals::new() {
        Ok(mut signals) if arguments.serve => crate::serve::demo(arguments, screen, logging, &mut signals).await,
        Ok(mut signals) => show(arguments, screen, &mut signals).await,
        Err(error) => Err(format!("could not listen for signals: {error}")),
    };
    match shown {
        Ok(()) => Exit::Done,
        Err(text) => {
            screen.status("");
            screen.print(format!("error: {text}\n").as_bytes());
            Exit::Failed
        }
    }
}

/// The demo is over well before; what is still missing then will not come.
const PATIENCE: Duration = Duration::from_mins(1);

async fn show(arguments: &DemoArguments, screen: &Screen, signals: &mut Signals) -> Result<(), String> {
    // What would fail at the end is better known at the beginning.
    if let Some(dir) = &arguments.dir {
        std::fs::create_dir_all(dir).map_err(|error| format!("could not make directory {}: {error}", dir.display()))?;
    }
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let integrations = Integrations::in_memory(Clock::system()).await.map_err(|error| explain(&error))?;
    let integration = integrations.create(new_integration("orders", None)).await.map_err(|error| explain(&error))?;
    // Ours to make, and the customer's role asks for it.
    let external_id = integration.external_ids[0].value.to_string();
    let place = Place::start(any, any, None, external_id).await?;
    place.broker.create_topic(TOPIC, PARTITIONS, &[]).await.map_err(|error| Chain(&error).to_string())?;
    say(&format!(
        "embedded Kafka on {}, embedded AWS on {}\ncustomer's bucket {BUCKET}, role {} with external ID {}\n",
        place.broker.bootstrap(),
        place.aws.endpoint(),
        place.role,
        place.external_id
    ))?;

    produce(&place, 0..arguments.records).await?;
    say(&format!("produced {} orders into {PARTITIONS} partitions of topic {TOPIC}\n", arguments.records))?;

    let plan = plan(&place)?;
    let process = Process::start(96 << 20, 0, Clock::system(), Environment::of(place.variables()))
        .map_err(|error| format!("could not start threads: {error}"))?;
    show_proofs(&place, &process, &integrations, &integration).await?;

    let began = Instant::now();
    let connector = move_orders(&process, &plan, screen, signals).await?;
    let took = began.elapsed();
    let sink = reader(&process, &plan, &place)?;
    let found = inspect(&sink, arguments.dir.as_deref()).await?;
    say(&found.text)?;
    if found.records != arguments.records || found.doubled > 0 {
        return Err(format!(
            "{} orders were produced, {} are in the bucket, {} of them more than once",
            arguments.records, found.records, found.doubled
        ));
    }
    say(&format!(
        "{} orders produced, {} in {} objects: nothing lost, nothing doubled ({:.1} s)\n",
        arguments.records,
        found.records,
        found.objects,
        took.as_secs_f64()
    ))?;
    show_diagnosis(&place).await?;
    if arguments.keep {
        keep_going(&place, &process, &connector, screen, signals, arguments.records).await?;
    }
    connector.stop();
    connector.stopped().await;
    drop(connector);
    place.stop().await
}

fn plan(place: &Place) -> Result<Arc<ConnectorPlan>, String> {
    let told = |faults: connectors::ConfigFaults| faults.to_string();
    let environment = Environment::of(place.variables());
    let mut worker = Config::new();
    worker.set("bootstrap.servers", place.broker.bootstrap());
    worker.set("offset.flush.interval.ms", "2000");
    let worker = WorkerConfig::from_config(worker, &environment).map_err(told)?;
    let file = ConnectorFile::from_json("demo", &place.connector("demo").to_string())
        .map_err(|error| Chain(&error).to_string())?;
    connectors::plan(&file, &worker).map(Arc::new).map_err(told)
}

fn new_integration(name: &str, role: Option<String>) -> NewIntegration {
    NewIntegration {
        display_name: name.to_owned(),
        environment: "demo".to_owned(),
        principal: Place::principal(),
        role,
    }
}

/// The role is tried as another tenant would try it: one that refuses all of that is used, one that does not is refused.
async fn show_proofs(
    place: &Place,
    process: &Process,
    integrations: &Integrations,
    integration: &Integration,
) -> Result<(), String> {
    let told = |error: control::Error| explain(&error);
    let sts = StsEndpoint::new(REGION).at(place.aws.endpoint());
    let ours = Connection { base: Base::DefaultChain, hops: Vec::new(), sts };
    let sts = AwsSts::new(process.clients(), &ours).map_err(|error| explain(&error))?;
    let prover = Prover::new(Arc::new(sts), Clock::system());

    say("tidegate integration verify, of that role:\n")?;
    integrations.set_role(&integration.id, &place.role).await.map_err(told)?;
    let (good, proof) = integrations.verify(&integration.id, &prover).await.map_err(told)?;
    say(&format!("{}  {}: {}\n", probes(&proof), good.state, proof.reason))?;
    if proof.verdict != Verdict::Proven {
        return Err(format!("the role was to be proven, and was found {}", proof.verdict.name()));
    }

    let role = place.open_role().await?;
    say(&format!("and of {role}, whose owner forgot the external ID:\n"))?;
    let open = integrations.create(new_integration("orders-reader", Some(role))).await.map_err(told)?;
    let (refused, proof) = integrations.verify(&open.id, &prover).await.map_err(told)?;
    let policy = refused.trust_policy(integrations.now());
    say(&format!("{}  {}: {}\n", probes(&proof), refused.state, proof.reason))?;
    say(&format!("  it is not used until its trust policy is:\n{policy:#}\n\n"))?;
    if proof.verdict != Verdict::Open {
        return Err(format!("the role was to be found open, and was found {}", proof.verdict.name()));
    }
    Ok(())
}

/// The commonest mistake there is, and what `tidegate doctor` says of it.
async fn show_diagnosis(place: &Place) -> Result<(), String> {
    let connection = json!({ "connections": { "orders": {
        "kind": "keys",
        "region": REGION,
        "access_key_id": place.user.access_key_id,
        "secret_access_key": place.user.secret_access_key.expose(),
        "roles": [{ "arn": place.role, "external_id": place.external_id.to_uppercase() }],
        "endpoints": { "sts": place.aws.endpoint(), "s3": place.aws.endpoint() },
    } } });
    let environment = Environment::of(place.variables());
    let connections = Connections::read("demo", &connection.to_string(), &environment, KeyRule::default())
        .map_err(|faults| faults.to_string())?;
    let spec = connections.get("orders").ok_or("the connection of the demo is gone")?;
    let clients = Clients::new(Clock::system(), environment.clone());
    let around = Surroundings { clients, environment: environment.clone(), clock: Clock::system() };
    let report = examine(&Target::connection(spec, None), Depth::Identity, &around, &|_| ()).await;
    say("\ntidegate doctor, of a connection whose external ID was copied in the wrong case:\n")?;
    say(&doctor::text(&report, &doctor::Look::of_stdout(&Environment::process())))?;
    if report.verdict != ::doctor::Verdict::Failed {
        return Err(format!("the connection was to fail, and was found {}", report.verdict.name()));
    }
    Ok(())
}

async fn move_orders(
    process: &Process,
    plan: &Arc<ConnectorPlan>,
    screen: &Screen,
    signals: &mut Signals,
) -> Result<Arc<Connector>, String> {
    let mut drain =
        Drain::begin(process, Arc::clone(plan)).await.map_err(|fault| Chain(fault.as_error()).to_string())?;
    let connector = Arc::new(Connector::start(process, Arc::clone(plan), drain.ends().clone()));
    let mut status = Status::new(process.clone(), screen.clone());
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let deadline = Instant::now() + PATIENCE;
    loop {
        tokio::select! {
            () = signals.next() => return Err("stopped".to_owned()),
            _ = look.tick() => {}
        }
        status.draw(std::slice::from_ref(&connector));
        if drain.is_done().await {
            screen.status("");
            return Ok(connector);
        }
        if let State::Failed(failure) = connector.state() {
            return Err(failure.text);
        }
        if Instant::now() >= deadline {
            return Err(format!("the orders were not moved within {} s", PATIENCE.as_secs()));
        }
    }
}

/// Goes on producing until stopped.
async fn keep_going(
    place: &Place,
    process: &Process,
    connector: &Arc<Connector>,
    screen: &Screen,
    signals: &mut Signals,
    mut next: u64,
) -> Result<(), String> {
    screen.print(b"going on until stopped (SIGINT, SIGTERM)\n");
    let mut status = Status::new(process.clone(), screen.clone());
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            () = signals.next() => {
                screen.status("");
                return Ok(());
            }
            _ = tick.tick() => {}
        }
        produce(place, next..next + 250).await?;
        next += 250;
        status.draw(std::slice::from_ref(connector));
    }
}

const ITEMS: [&str; 6] = ["tide clock", "oilskin", "rope, 20 m", "lantern", "sea chart", "boat hook"];
const COUNTRIES: [&str; 5] = ["DE", "DK", "FR", "NL", "PT"];

pub(crate) async fn produce(place: &Place, orders: std::ops::Range<u64>) -> Result<(), String> {
    let told = |error: &(dyn std::error::Error + 'static)| Chain(error).to_string();
    let cluster =
        Cluster::connect(ClientConfig::plaintext([place.broker.bootstrap()])).await.map_err(|error| told(&error))?;
    let config = ProducerConfig { compression: Compression::Lz4, batch_size: 256 << 10, ..ProducerConfig::default() };
    let producer = Producer::new(cluster, config);
    let topic: Arc<str> = TOPIC.into();
    let (mut key, mut value) = (String::new(), String::new());
    let mut last = HashMap::new();
    for order in orders {
        // A multiplicative hash scatters customers and items without a random generator.
        let scattered = order.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        key.clear();
        value.clear();
        let written = write!(key, "customer-{}", scattered % 997).and_then(|()| {
            write!(
                value,
                r#"{{"order":{order},"customer":"{key}","item":"{}","quantity":{},"price":{}.{:02},"country":"{}"}}"#,
                ITEMS[scattered as usize % ITEMS.len()],
                scattered % 5 + 1,
                scattered % 90 + 9,
                scattered % 100,
                COUNTRIES[scattered as usize % COUNTRIES.len()],
            )
        });
        written.expect("writing to a string does not fail");
        let record = Record {
            topic: &topic,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp: None,
        };
        let delivery = producer.send(&record).await.map_err(|error| told(&error))?;
        // Of each batch one promise is enough: it is kept for all of its records or for none. The last of each few
        // thousand tells whether something is wrong before all are made.
        last.insert(order % 4096, delivery);
    }
    producer.flush().await;
    for delivery in last.into_values() {
        delivery.acked().await.map_err(|error| told(&error))?;
    }
    producer.close().await;
    Ok(())
}

/// A way to read the bucket as the connector's own role.
fn reader(process: &Process, plan: &ConnectorPlan, place: &Place) -> Result<S3Sink, String> {
    let options =
        S3Options { endpoint: Some(place.aws.endpoint()), path_style: true, ..S3Options::new(BUCKET, REGION) };
    process.clients().s3(plan.connection(), options).map_err(|error| explain(&error))
}

/// What is in the bucket.
struct Found {
    records: u64,
    doubled: u64,
    objects: usize,
    text: String,
}

/// How many objects are shown; the others are only counted.
const SHOWN: usize = 4;

async fn inspect(sink: &S3Sink, dir: Option<&Path>) -> Result<Found, String> {
    let mut found = Found { records: 0, doubled: 0, objects: 0, text: String::new() };
    let mut seen: BTreeMap<String, HashSet<u64>> = BTreeMap::new();
    let listed = sink.list("").await.map_err(|error| explain(&error))?;
    found.objects = listed.len();
    for (at, object) in listed.iter().enumerate() {
        let stored = sink.get(&object.name).await.map_err(|error| explain(&error))?;
        let mut text = String::new();
        MultiGzDecoder::new(&stored[..])
            .read_to_string(&mut text)
            .map_err(|error| format!("object {} is no gzip: {error}", object.name))?;
        // The partition is in the name, the offset in each line.
        let partition = object.name.rsplit('/').next().and_then(|name| name.split('-').next()).unwrap_or_default();
        let offsets = seen.entry(partition.to_owned()).or_default();
        for line in text.lines() {
            let order: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("a line of {} is no JSON: {error}", object.name))?;
            let offset = order["offset"].as_u64().ok_or_else(|| format!("a line of {} has no offset", object.name))?;
            if offsets.insert(offset) {
                found.records += 1;
            } else {
                found.doubled += 1;
            }
        }
        if at < SHOWN {
            let first = text.lines().next().unwrap_or_default();
            writeln!(found.text, "s3://{BUCKET}/{}  {} bytes\n  {first}", object.name, object.size)
                .expect("writing to a string does not fail");
        } else if at == SHOWN {
            writeln!(found.text, "and {} more", listed.len() - SHOWN).expect("writing to a string does not fail");
        }
        if let Some(dir) = dir {
            keep(dir, &object.name, &stored)?;
        }
    }
    Ok(found)
}

/// Writes an object under `dir`. Its name is made of topic, partition and offset, so it leads nowhere else.
fn keep(dir: &Path, name: &str, body: &[u8]) -> Result<(), String> {
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, body))
        .map_err(|error| format!("could not write {}: {error}", path.display()))
}
