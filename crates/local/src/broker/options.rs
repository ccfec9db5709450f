use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use world::Clock;

/// How the embedded broker is set up. The defaults are Kafka's own, save where noted.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Where to listen; port 0 takes any that is free. Default: port 0 of 127.0.0.1.
    pub listen: SocketAddr,
    /// Host and port that clients are told to use; by default the address at which they reached us.
    pub advertised: Option<(String, u16)>,
    /// Where topics, records and committed offsets are kept. Without one they are in memory and end with the broker.
    pub dir: Option<PathBuf>,
    /// Without a directory: most bytes of records held; what goes beyond is refused with `POLICY_VIOLATION`. Default:
    /// 1 GiB.
    pub memory: u64,
    /// Whether a topic that a client asks for comes into being (`auto.create.topics.enable`). Default: yes.
    pub auto_create_topics: bool,
    /// Partitions of a topic for which nobody says how many (`num.partitions`). Default: 1.
    pub default_partitions: usize,
    /// How long the first generation of a group waits for more members (`group.initial.rebalance.delay.ms`). Default: 0,
    /// where Kafka's is 3 s: nobody likes to wait for a demonstration.
    pub initial_rebalance_delay: Duration,
    /// The shortest session a member may ask for (`group.min.session.timeout.ms`). Default: 6 s.
    pub min_session_timeout: Duration,
    /// The longest session a member may ask for (`group.max.session.timeout.ms`). Default: 30 minutes.
    pub max_session_timeout: Duration,
    /// The longest text beside a committed offset, in characters (`offset.metadata.max.bytes`). Default: 4096.
    pub offset_metadata_max: usize,
    /// Most connections at once; a further one is closed. Default: 1000, where Kafka's is unlimited.
    pub max_connections: usize,
    /// The largest request, in bytes (`socket.request.max.bytes`). Default: 100 MiB.
    pub max_request: usize,
    /// The largest answer to a fetch, in bytes, unless a single batch is larger (`fetch.max.bytes`). Default: 55 MiB.
    pub max_fetch: usize,
    /// With a directory: how often what was written is made durable. A process that is killed loses nothing anyway; this
    /// is for a machine that loses its power. Default: 1 s.
    pub sync_interval: Duration,
    /// How often records are looked for that retention does not keep (`log.retention.check.interval.ms`). Default: 10 s,
    /// where Kafka's is 5 minutes: memory is scarcer than disk.
    pub retention_interval: Duration,
    /// The time of day, for times of append and retention.
    pub clock: Clock,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertised: None,
            dir: None,
            memory: 1 << 30,
            auto_create_topics: true,
            default_partitions: 1,
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_mins(30),
            offset_metadata_max: 4096,
            max_connections: 1000,
            max_request: 100 << 20,
            max_fetch: 55 << 20,
            sync_interval: Duration::from_secs(1),
            retention_interval: Duration::from_secs(10),
            clock: Clock::system(),
        }
    }
}
