mod diff;
mod eval;
mod explain;
mod generate;
mod input;
mod lint;
mod needs;

use clap::{Args, Subcommand, ValueEnum};
use iam::PolicyKind;
use world::Environment;

use crate::args::Exit;
use crate::policy::diff::DiffArguments;
use crate::policy::explain::ExplainArguments;
use crate::policy::generate::GenerateArguments;
use crate::policy::lint::LintArguments;
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
    /// Say what a good reviewer would say of policies, and mend them. Exit code 2 if there are errors.
    Lint(LintArguments),
    /// Print the least policy for what a connector or anything else needs, or the trust policy of a role.
    Generate(Box<GenerateArguments>),
    /// Say in plain English what a policy allows and denies.
    Explain(ExplainArguments),
    /// Say what two policies differ in by meaning. Exit code 3 if they do.
    Diff(DiffArguments),
}

#[derive(Debug, Args)]
struct EvalArguments {
    /// Read the requests from stdin, each with every policy that applies to it.
    #[arg(long, required = true)]
    stdin: bool,
}

/// What a policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A user or role: what it may do.
    Identity,
    /// A role: who may take it on.
    Trust,
    /// A bucket, key or other resource.
    Resource,
    /// A session, when it is made.
    Session,
    /// A user or role, as its permissions boundary.
    Boundary,
    /// An organisation, as a service control policy.
    ServiceControl,
    /// An organisation, as a resource control policy.
    ResourceControl,
    /// A VPC endpoint.
    Endpoint,
}

impl From<Kind> for PolicyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Identity => Self::Identity,
            Kind::Trust => Self::Trust,
            Kind::Resource => Self::Resource,
            Kind::Session => Self::Session,
            Kind::Boundary => Self::Boundary,
            Kind::ServiceControl => Self::ServiceControl,
            Kind::ResourceControl => Self::ResourceControl,
            Kind::Endpoint => Self::Endpoint,
        }
    }
}

/// `tidegate policy ..`: the policy language at the command line.
pub(crate) async fn policy(arguments: &PolicyArguments, environment: &Environment, screen: &Screen) -> Exit {
    match &arguments.command {
        PolicyCommand::Eval(EvalArguments { stdin: _ }) => eval::stdin(screen),
        PolicyCommand::Lint(arguments) => lint::lint(arguments, screen),
        PolicyCommand::Generate(arguments) => generate::generate(arguments, environment, screen).await,
        PolicyCommand::Explain(arguments) => explain::explain(arguments, screen),
        PolicyCommand::Diff(arguments) => diff::diff(arguments, screen),
    }
}
