use std::path::PathBuf;

use clap::{Args, ValueEnum};
use doctor::Depth;

use crate::args::{Output, WorkerArguments};
use crate::integration::StoreArguments;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// A connection of --connections, an integration (cspi-..), a connector file, or - for JSON on stdin that is not saved
    /// anywhere: a connector or a connection.
    pub(super) target: String,
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
    /// How the result looks on stdout.
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
