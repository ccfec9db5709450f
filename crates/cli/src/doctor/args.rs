use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use doctor::Depth;

use crate::args::{Output, WorkerArguments, seconds};
use crate::integration::StoreArguments;

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArguments {
    /// A connection of --connections, an integration (cspi-..), a connector file, or - for JSON on stdin that is not saved
    /// anywhere: a connector or a connection. With --fake-aws: a connection of the scenario, if not
    /// the one that it names itself.
    #[arg(required_unless_present_any = ["fake_aws", "explain"])]
    pub(super) target: Option<String>,
    /// How far to go. Not set: as far as what the target will do.
    #[arg(long, value_enum)]
    pub(super) depth: Option<DepthArgument>,
    /// Do not ask before objects are written (and deleted again).
    #[arg(long)]
    pub(super) yes: bool,
    /// The bucket to try a connection or an integration with. Not set: the first that the connection is fenced to.
    #[arg(long)]
    pub(super) bucket: Option<String>,
    /// What keys in it begin with.
    #[arg(long, requires = "bucket", default_value = "")]
    pub(super) prefix: String,
    /// The bucket's region, where it is not the connection's.
    #[arg(long, requires = "bucket")]
    pub(super) region: Option<String>,
    /// The role's trust policy (JSON), to be looked at too.
    #[arg(long, value_name = "FILE")]
    pub(super) trust_policy: Option<PathBuf>,
    /// The role's permission policy (JSON), to be looked at too.
    #[arg(long, value_name = "FILE")]
    pub(super) permission_policy: Option<PathBuf>,
    /// For how many seconds a role is asked again that refuses us: a change of its trust policy takes up to a minute to
    /// arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=300))]
    pub(super) wait: u64,
    #[command(flatten)]
    pub(super) worker: WorkerArguments,
    #[command(flatten)]
    pub(super) store: StoreArguments,
    /// Examine what a scenario has on its stage, played by the embedded AWS: a file, the name of one that is built in (F07),
    /// or list. If the scenario says what it expects, anything else ends with exit code 3.
    #[arg(long, value_name = "SCENARIO", conflicts_with = "explain")]
    pub(super) fake_aws: Option<String>,
    /// Set a variable of the scenario, NAME=VALUE. May be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE", requires = "fake_aws")]
    pub(super) variables: Vec<String>,
    /// Say what an error message may be of, whoever printed it: AWS, an SDK, another product. - is stdin. Asks nobody.
    #[arg(long, value_name = "TEXT", conflicts_with = "target", allow_hyphen_values = true)]
    pub(super) explain: Option<String>,
    /// Examine again and again, and tell what becomes otherwise. Not deeper than read, unless --depth says so.
    #[arg(long, conflicts_with = "explain")]
    pub(super) watch: bool,
    /// How long --watch waits from one examination to the next.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval, requires = "watch")]
    pub(super) every: Duration,
    /// Tell all causes that a failure may have, not the three best alone. JSON always has all.
    #[arg(long, conflicts_with = "explain")]
    pub(super) all: bool,
    /// How the result looks on stdout. With --watch, JSON is one line a change.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DepthArgument {
    /// Nothing is asked of anybody.
    Offline,
    /// The network, and who we are.
    Identity,
    /// Buckets, lists, objects, topics and records are read.
    Read,
    /// Objects of our own are written and deleted again.
    Write,
}

impl From<DepthArgument> for Depth {
    fn from(depth: DepthArgument) -> Self {
        match depth {
            DepthArgument::Offline => Self::Offline,
            DepthArgument::Identity => Self::Identity,
            DepthArgument::Read => Self::Read,
            DepthArgument::Write => Self::Write,
        }
    }
}

/// Examining asks AWS a dozen things: never without a pause.
fn interval(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("it must be 1 or more".to_owned()),
        interval => Ok(interval),
    }
}
