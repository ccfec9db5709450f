mod eval;

use clap::{Args, Subcommand};

use crate::args::Exit;
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Decide requests as AWS would: one JSON object a line in, one a line out.
    Eval(EvalArguments),
}

#[derive(Debug, Args)]
struct EvalArguments {
    /// Read the requests from stdin, each with every policy that applies to it.
    #[arg(long, required = true)]
    stdin: bool,
}

/// `tidegate policy ..`: the policy language at the command line.
pub(crate) fn policy(arguments: &PolicyArguments, screen: &Screen) -> Exit {
    match &arguments.command {
        PolicyCommand::Eval(EvalArguments { stdin: _ }) => eval::stdin(screen),
    }
}
