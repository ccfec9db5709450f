use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use identity::KeyRule;
use local::aws::Effect;

use crate::connector::ConnectorArguments;
use crate::context::ContextArguments;
use crate::doctor::DoctorArguments;
use crate::integration::{IntegrationArguments, StoreArguments};
use crate::manage::{
    AuditCommand, ClusterVerb, EnvironmentVerb, KeyVerb, Managed, RoleBindingVerb, ServiceAccountVerb, UserVerb,
};
use crate::object::{BucketArguments, ObjectArguments};
use crate::policy::PolicyArguments;
use crate::remote::{Form, ServerArguments};
use crate::serve::{BackupArguments, ServeArguments};

/// How every command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The command line makes no sense.
    Usage = 1,
    /// A configuration is refused; nothing was moved.
    Refused = 2,
    /// It failed.
    Failed = 3,
    /// It could not be proven, or made no progress in the time given.
    NoProgress = 4,
}

/// Moves data between Apache Kafka and Amazon S3, exactly once, through short-lived IAM role sessions.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 usage, 2 configuration refused, 3 failed, 4 unproven, or no progress in the time given.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run connectors in the foreground until stopped (the shape of connect-standalone).
    Run(RunArguments),
    /// Find every fault of connector files and print what they would do; moves nothing.
    Check(CheckArguments),
    /// Look at, test and import the connections to AWS that connectors name.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Create, change, watch and move the connectors of a server.
    Connector(ConnectorArguments),
    /// Keep servers with credentials, by name.
    Context(ContextArguments),
    /// Environments of a server: what one tenant has.
    Environment(Managed<EnvironmentVerb>),
    /// Kafka clusters of a server.
    Cluster(Managed<ClusterVerb>),
    /// People who log in to a server.
    User(Managed<UserVerb>),
    /// Programs' accounts of a server.
    ServiceAccount(Managed<ServiceAccountVerb>),
    /// API keys of a server.
    #[command(visible_alias = "api-key")]
    Key(Managed<KeyVerb>),
    /// Who may do what on a server.
    RoleBinding(Managed<RoleBindingVerb>),
    /// Who did what on a server.
    Audit(Managed<AuditCommand>),
    /// Print what a shell completes commands by: tidegate completion bash > /etc/bash_completion.d/tidegate
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// See it all work with no AWS account and no Kafka: embedded broker, embedded AWS, the real way between them.
    Demo(DemoArguments),
    /// Try each step from here to AWS and Kafka, name the cause of what fails, and print what to paste.
    Doctor(DoctorArguments),
    /// Keep and prove the trust between Tidegate and a customer's AWS account.
    Integration(IntegrationArguments),
    /// Keep the embedded broker and the embedded AWS up for development, or make one that is up misbehave.
    Local(LocalArguments),
    /// Get, put, list, head, delete, copy, move, presign and tag objects on a connection.
    Object(Box<ObjectArguments>),
    /// List buckets, and find out where one is, on a connection.
    Bucket(Box<BucketArguments>),
    /// Serve the REST APIs of Kafka Connect, Confluent and our own, and run the connectors that are made there.
    Serve(Box<ServeArguments>),
    /// Copy what serve keeps into a file, while it goes on.
    Backup(BackupArguments),
    /// Work with IAM policies: pure, without network and without an account.
    Policy(PolicyArguments),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LogArguments {
    /// How log lines look on stderr.
    #[arg(long, global = true, env = "TIDEGATE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Which log lines are written: error, warn, info, debug, trace, or per crate as in "info,kafka=debug".
    #[arg(long, global = true, env = "TIDEGATE_LOG", default_value = "info")]
    pub(crate) log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerArguments {
    /// Worker properties, as connect-standalone takes them.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_WORKER")]
    pub(crate) worker: Option<PathBuf>,
    /// Kafka brokers, host:port separated by commas; goes before bootstrap.servers of the worker file.
    #[arg(long, value_name = "HOST:PORT,..", env = "TIDEGATE_BOOTSTRAP_SERVERS")]
    pub(crate) bootstrap_server: Option<String>,
    /// Connections to AWS by name, TOML or JSON, for tidegate.connection=NAME in connectors.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONNECTIONS")]
    pub(crate) connections: Option<PathBuf>,
    /// Refuse AWS keys that never end, wherever they come from.
    #[arg(long, env = "TIDEGATE_NO_STATIC_KEYS")]
    pub(crate) no_static_keys: bool,
    /// A worker property, key=value; goes before the worker file. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

impl WorkerArguments {
    /// Whether AWS keys that never end may be used.
    pub(crate) fn keys(&self) -> KeyRule {
        if self.no_static_keys { KeyRule::Refused } else { KeyRule::default() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Connector files: JSON ({"name":..,"config":{..}} or flat) or .properties.
    #[arg(required = true, value_name = "CONNECTOR")]
    pub(crate) connectors: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) worker: WorkerArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// End once everything up to the end offsets seen at the start is committed; stopped before that, with exit code 4.
    #[arg(long)]
    pub(crate) drain: bool,
    /// With --drain: end with exit code 4 when no offset was committed for this long.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) drain_timeout: Duration,
    /// End with exit code 3 when all connectors have failed, instead of retrying them slowly.
    #[arg(long)]
    pub(crate) exit_on_failure: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LimitArguments {
    /// Bytes that records, objects under construction and parts in flight may take, all connectors together.
    #[arg(long, value_name = "SIZE", env = "TIDEGATE_MEMORY", default_value = "192MiB", value_parser = byte_count)]
    pub(crate) memory: usize,
    /// Threads that decode, encode and compress; 0 means one per core.
    #[arg(long, value_name = "N", env = "TIDEGATE_THREADS", default_value = "0", value_parser = threads)]
    pub(crate) threads: usize,
    /// Serve Prometheus metrics at /metrics, and /healthz and /readyz, on this address.
    #[arg(long, value_name = "HOST:PORT", env = "TIDEGATE_METRICS_ADDR", value_parser = listen_address)]
    pub(crate) metrics_addr: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Connector files: JSON ({"name":..,"config":{..}} or flat) or .properties.
    #[arg(required = true, value_name = "CONNECTOR")]
    pub(crate) connectors: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) worker: WorkerArguments,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// How the result looks on stdout.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[value(alias = "table")]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections of a file or a server.
    List(ConnectionArguments),
    /// Show a connection of a server; secrets masked.
    Show(NamedConnectionArguments),
    /// Make or replace a connection of a server: its spec as JSON, YAML or TOML.
    Put(PutConnectionArguments),
    /// Take a connection of a server away that no connector uses.
    Delete(DeleteConnectionArguments),
    /// Find every fault of a file of connections, and show what one of them comes to; asks nobody.
    Check(ConnectionCheckArguments),
    /// Go the way of a connection of a file, stop by stop, and ask AWS at each one who we are; have a server examine its own.
    Test(ConnectionTestArguments),
    /// Turn an export of Informatica's or Boomi's S3 connection (JSON, XML) into a connection of ours, on stdout.
    Import(ImportArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionArguments {
    /// The file of connections, TOML or JSON. Not set: those of the server that is named or in use.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONNECTIONS")]
    pub(crate) connections: Option<PathBuf>,
    /// Which environment's of a server. Not set: the context's, or the caller's.
    #[arg(long, value_name = "ID")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Refuse AWS keys that never end, wherever they come from.
    #[arg(long, env = "TIDEGATE_NO_STATIC_KEYS")]
    pub(crate) no_static_keys: bool,
    /// How the result looks on stdout.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Form,
}

impl ConnectionArguments {
    /// Whether AWS keys that never end may be used.
    pub(crate) fn keys(&self) -> KeyRule {
        if self.no_static_keys { KeyRule::Refused } else { KeyRule::default() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionCheckArguments {
    /// Only this one.
    pub(crate) name: Option<String>,
    /// The connector whose name stands for {{connector}}.
    #[arg(long, default_value = "connector")]
    pub(crate) connector: String,
    #[command(flatten)]
    pub(crate) file: ConnectionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionTestArguments {
    /// Which one.
    pub(crate) name: String,
    /// The connector whose name stands for {{connector}}.
    #[arg(long, default_value = "connector")]
    pub(crate) connector: String,
    /// How deep a server examines it.
    #[arg(long, value_enum)]
    pub(crate) depth: Option<TestDepth>,
    /// A bucket that a server reads or writes there.
    #[arg(long)]
    pub(crate) bucket: Option<String>,
    /// What keys in the bucket begin with.
    #[arg(long, requires = "bucket")]
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) file: ConnectionArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestDepth {
    Offline,
    Identity,
    Read,
    Write,
}

#[derive(Debug, Args)]
pub(crate) struct NamedConnectionArguments {
    /// Which one.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) at: ConnectionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PutConnectionArguments {
    /// What it is called.
    pub(crate) name: String,
    /// Its spec: the table of a file of connections. - is stdin.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) at: ConnectionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteConnectionArguments {
    /// Which one.
    pub(crate) name: String,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) at: ConnectionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The export; - is stdin.
    pub(crate) file: PathBuf,
    /// Whose it is, if that does not show.
    #[arg(long, value_enum)]
    pub(crate) from: Option<Exporter>,
    /// What the connection shall be called.
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exporter {
    Informatica,
    Boomi,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// How many records to produce and move.
    #[arg(long, default_value = "100000", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) records: u64,
    /// Keep the objects in this directory, to look at.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Stay up afterwards and go on producing, until stopped.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Put serve between them: the connector is made over REST, on 127.0.0.1:8083 if that is free. Stays up until stopped.
    #[arg(long, conflicts_with = "keep")]
    pub(crate) serve: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LocalArguments {
    #[command(subcommand)]
    pub(crate) plane: Option<PlaneCommand>,
    /// Where the state survives a restart. Without it, everything is in memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where the embedded broker listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092", value_parser = listen_address)]
    pub(crate) kafka_listen: SocketAddr,
    /// Where the embedded AWS listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4566", value_parser = listen_address)]
    pub(crate) aws_listen: SocketAddr,
    /// An authority's certificate (PEM), whose certificates the embedded IAM Roles Anywhere takes.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_anchor: Option<PathBuf>,
}

/// What one does to an embedded AWS that is up.
#[derive(Debug, Subcommand)]
pub(crate) enum PlaneCommand {
    /// Make it slow, forgetful or rude on purpose.
    Fault {
        #[command(subcommand)]
        action: FaultAction,
        #[command(flatten)]
        at: PlaneArguments,
    },
    /// Take from all sessions of a role that were made before now all that they may do.
    Revoke {
        /// The role's ARN.
        role: String,
        #[command(flatten)]
        at: PlaneArguments,
    },
    /// From now on, let edits of IAM take effect after this many seconds, as at AWS; 0 is at once.
    Propagation {
        seconds: u64,
        #[command(flatten)]
        at: PlaneArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PlaneArguments {
    /// Where the embedded AWS listens.
    #[arg(long, global = true, value_name = "URL", env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:4566")]
    pub(crate) endpoint: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FaultAction {
    /// Add a fault and print its number.
    Add {
        /// delay=250ms, late-answer=2s, error=SlowDown, error-after=InternalError (done, and told otherwise),
        /// error-in-200=InternalError, reset, reset-after, truncate, expire (the session), clock=-901s
        effect: Effect,
        /// Only operations of this name, as in UploadPart; `*` is any run of characters.
        #[arg(long, default_value = "*")]
        operation: String,
        /// Only buckets of this name.
        #[arg(long, default_value = "*")]
        bucket: String,
        /// Only keys of this name.
        #[arg(long, default_value = "*")]
        key: String,
        /// Let that many matching requests pass first.
        #[arg(long, default_value_t = 0)]
        skip: u64,
        /// Strike that often, then no more.
        #[arg(long)]
        count: Option<u64>,
        /// Strike each matching request with this probability.
        #[arg(long, default_value_t = 1.0, value_parser = probability)]
        probability: f64,
    },
    /// Print the faults, and how often each has struck.
    List,
    /// Remove the fault of this number, or all.
    Clear { number: Option<u64> },
}

fn probability(text: &str) -> Result<f64, String> {
    let probability = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
    probability.ok_or_else(|| format!("{text} is no probability from 0 to 1"))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u64 = text.parse().map_err(|_| format!("{text} is not a whole number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

/// More threads than any machine has cores are a slip, and the system refuses them only when it is out of memory.
fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    match text.parse() {
        Ok(threads) if threads <= MOST => Ok(threads),
        _ => Err(format!("{text} is not a number of threads from 0 to {MOST}")),
    }
}

/// `127.0.0.1:9090`, `[::]:9090`, `localhost:9090`.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let wanted = || format!("{text} is not an address to listen on, as 127.0.0.1:9090 and 0.0.0.0:9090 are");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.starts_with(':') {
        return Err(wanted());
    }
    let mut found = text.to_socket_addrs().map_err(|error| format!("{}: {error}", wanted()))?;
    found.next().ok_or_else(wanted)
}

/// `192MiB`, `1GB`, `500000`: binary units with `i`, decimal ones without.
fn byte_count(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: usize = number.parse().map_err(|_| format!("{text} is not a size, as 192MiB is"))?;
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => {
            return Err(format!(
                "{unit} is no unit of size; known are B, KB, MB, GB, KiB, MiB, GiB, before which a whole number stands"
            ));
        }
    };
    let bytes = number.checked_mul(factor).ok_or_else(|| format!("{text} is more than this machine can address"))?;
    // One part in flight, one under construction and one fetch response must fit, or nothing could ever move.
    if bytes < 32 << 20 {
        return Err(format!("{text} is too little: at least 32MiB are needed"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(byte_count("192MiB"), Ok(192 << 20));
        assert_eq!(byte_count("1GB"), Ok(1_000_000_000));
        assert_eq!(byte_count("67108864"), Ok(64 << 20));
        assert!(byte_count("1MiB").unwrap_err().contains("at least 32MiB"));
        assert!(byte_count("64 parsecs").unwrap_err().contains("no unit"));
        assert!(byte_count("-1").is_err());
    }

    #[test]
    fn addresses_to_listen_on_may_be_named() {
        assert_eq!(listen_address("127.0.0.1:80").unwrap().port(), 80);
        assert!(listen_address("localhost:81").unwrap().ip().is_loopback());
        for wrong in [":9090", "9090", "localhost", "127.0.0.1:99999", ""] {
            assert!(listen_address(wrong).unwrap_err().contains("as 127.0.0.1:9090"), "{wrong}");
        }
    }

    #[test]
    fn threads_are_bounded() {
        assert_eq!(threads("4"), Ok(4));
        assert!(threads("100000").unwrap_err().contains("0 to 1024"));
        assert!(threads("-1").is_err());
    }
}
