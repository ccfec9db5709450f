use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use connectors::{Config, WorkerConfig};
use control::{ControlPlane, Settings, Supervisor};
use fault::Chain;
use rest::ServerOptions;
use runtime::{Metrics, Process};
use world::{Clock, Environment};

use super::DEFAULT;
use crate::args::DemoArguments;
use crate::demo::produce;
use crate::integration::{StoreArguments, ours};
use crate::logging::Logging;
use crate::place::{BUCKET, PARTITIONS, Place, TOPIC, explain};
use crate::remote::{Access, Api};
use crate::run::Signals;
use crate::screen::Screen;
use crate::stdout::say;

/// What the connector of the demo is called.
const NAME: &str = "orders-to-s3";

/// `tidegate demo --serve`: the same with `serve` between them, until stopped. The connector comes by REST, as anybody's.
pub(crate) async fn demo(
    arguments: &DemoArguments,
    screen: &Screen,
    logging: &Logging,
    signals: &mut Signals,
) -> Result<(), String> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let place = Place::start(any, any, None, "demo-external-id".to_owned()).await?;
    place.broker.create_topic(TOPIC, PARTITIONS, &[]).await.map_err(|error| Chain(&error).to_string())?;
    produce(&place, 0..arguments.records).await?;
    let kept = Kept::make(arguments.dir.as_deref())?;
    // Where other things listen, the demo takes what is free.
    let bound = rest::Server::bind(DEFAULT).or_else(|_| rest::Server::bind(any)).map_err(|error| explain(&error))?;
    let url = format!("http://{}", bound.address());
    let control = open(&place, &kept, &bound, logging).await?;
    let options = ServerOptions { log_levels: Some(logging.levels()), ..ServerOptions::new(bound.address()) };
    let server = rest::Server::start_on(bound, options, control.clone()).await;
    let server = server.map_err(|error| explain(&error))?;
    let made = make_connector(&place, &url, screen).await;
    let going = match &made {
        Ok(()) => {
            say(&introduction(&place, &url, &kept.dir))?;
            go_on(&place, signals, arguments.records).await
        }
        Err(why) => Err(why.clone()),
    };
    server.close().await;
    control.close().await;
    place.stop().await?;
    going
}

async fn open(place: &Place, kept: &Kept, bound: &rest::Bound, logging: &Logging) -> Result<ControlPlane, String> {
    let endpoint = ("AWS_ENDPOINT_URL", place.aws.endpoint());
    let environment = Environment::of(place.variables().into_iter().chain([endpoint]));
    let mut config = Config::new();
    config.set("bootstrap.servers", place.broker.bootstrap());
    config.set("offset.flush.interval.ms", "2000");
    let worker = WorkerConfig::from_config(config, &environment).map_err(|faults| faults.to_string())?;
    let process = Process::start(96 << 20, 0, Clock::system(), environment.clone())
        .map_err(|error| format!("could not start threads: {error}"))?;
    process.explain_with(crate::doctor::causes_of);
    let metrics = Metrics::new(process.clone());
    let supervisor = Supervisor::new(process, &metrics, bound.address().to_string());
    supervisor.learn_cluster_id(worker.clone());
    let store = StoreArguments { store: None, as_connection: None };
    let settings = Settings {
        ours: ours(&store, None, None, identity::KeyRule::default(), &environment),
        logs: logging.logs.clone(),
        ..Settings::new(&kept.dir, worker, bound.address().to_string(), Clock::system(), environment)
    };
    let control = ControlPlane::open(settings, supervisor).await.map_err(|refusal| explain(&refusal))?;
    control.show_trust(&metrics);
    Ok(control)
}

async fn make_connector(place: &Place, url: &str, screen: &Screen) -> Result<(), String> {
    let access =
        Access { url: url.to_owned(), who: None, ca_cert: None, insecure: false, cluster: None, environment: None };
    let api = Api::open(access, screen).map_err(|failure| failure.text)?;
    let answer = api.post("/connectors", Some(&place.connector(NAME))).await.map_err(|failure| failure.text)?;
    match answer.status {
        // With a directory that is kept, it may be there from the last time.
        201 | 409 => Ok(()),
        status => Err(format!("POST /connectors was answered with {status}: {}", answer.text)),
    }
}

fn introduction(place: &Place, url: &str, dir: &Path) -> String {
    let mut text = format!(
        "Kafka Connect's REST API is at {url}, with connector {NAME}: from topic {TOPIC} of the embedded Kafka on {} \
         to bucket {BUCKET} of the embedded AWS at {}. What is kept is in {}.\n\nTry\n",
        place.broker.bootstrap(),
        place.aws.endpoint(),
        dir.display()
    );
    for line in [
        format!("curl -s '{url}/connectors?expand=status'"),
        format!("curl -s {url}/connectors/{NAME}/status"),
        format!("curl -s {url}/connectors/{NAME}/config"),
        format!(
            "curl -s -X PATCH -H 'Content-Type: application/json' -d '{{\"file.compression.type\":\"zstd\"}}' \
             {url}/connectors/{NAME}/config"
        ),
        format!("curl -s -X PUT {url}/connectors/{NAME}/stop"),
        format!("curl -s {url}/connectors/{NAME}/offsets"),
        format!("curl -s -X DELETE {url}/connectors/{NAME}/offsets"),
        format!("curl -s -X PUT {url}/connectors/{NAME}/resume"),
        format!("curl -s {url}/connector-plugins"),
        format!("tidegate --log warn connector list --server {url}"),
    ] {
        writeln!(text, "  {line}").expect("writing to a string does not fail");
    }
    text
}

/// Goes on producing until stopped.
async fn go_on(place: &Place, signals: &mut Signals, mut next: u64) -> Result<(), String> {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = signals.next() => return Ok(()),
            _ = tick.tick() => {}
        }
        produce(place, next..next + 100).await?;
        next += 100;
    }
}

/// Where the store is; removed again, unless somebody said where.
struct Kept {
    dir: PathBuf,
    is_ours: bool,
}

impl Kept {
    fn make(asked: Option<&Path>) -> Result<Self, String> {
        let (dir, is_ours) = match asked {
            Some(dir) => (dir.to_owned(), false),
            None => (std::env::temp_dir().join(format!("tidegate-demo-{:016x}", rand::random::<u64>())), true),
        };
        std::fs::create_dir_all(&dir)
            .map_err(|error| format!("could not make directory {}: {error}", dir.display()))?;
        Ok(Self { dir, is_ours })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_ours {
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}
