//! `tidegate integration`: its command line, and what each verb does.

mod ours;
mod remote;
mod show;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use control::{Error, Integration, IntegrationId, Integrations, NewIntegration, Verdict};
use iam::generate::{Form as PolicyForm, Subject as Written, placeholder_policy, render};
use identity::KeyRule;
use serde_json::json;
use world::{Clock, Environment};

use self::ours::{our_principal, prover};
use self::show::{list, next_steps, show, verdict};
use crate::args::{Exit, Output};
use crate::place::explain;
use crate::remote::{Form, ServerArguments, as_yaml};
use crate::screen::Screen;
use crate::stdout;

pub(crate) use self::ours::{open, ours, state_dir, store_path};
pub(crate) use self::show::probes;

#[derive(Debug, Args)]
pub(crate) struct IntegrationArguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    store: StoreArguments,
    /// Connections to AWS by name, TOML or JSON, for --as.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CONNECTIONS")]
    connections: Option<PathBuf>,
    /// Refuse AWS keys that never end, wherever they come from.
    #[arg(long, global = true, env = "TIDEGATE_NO_STATIC_KEYS")]
    no_static_keys: bool,
    /// How the result looks on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    server: ServerArguments,
}

impl IntegrationArguments {
    /// Whether AWS keys that never end may be used.
    fn keys(&self) -> KeyRule {
        if self.no_static_keys { KeyRule::Refused } else { KeyRule::default() }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StoreArguments {
    /// The file that integrations are kept in. Not set: tidegate/tidegate.db under XDG_STATE_HOME (~/.local/state).
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// The connection as which Tidegate takes on the roles of integrations. Not set: the default chain, with the region
    /// and endpoints of AWS_REGION and AWS_ENDPOINT_URL.
    #[arg(long = "as", global = true, value_name = "CONNECTION", env = "TIDEGATE_AS")]
    pub(crate) as_connection: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an integration: an ID and an external ID, which are ours to make.
    Create {
        /// What people call it: 1 to 60 characters.
        name: String,
        /// The customer's role, if there is one already; else give it later with set-role.
        #[arg(long, value_name = "ARN", visible_alias = "customer-role-arn")]
        role_arn: Option<String>,
        /// Who Tidegate is to the customer: a role's or user's ARN. Not set: who AWS says that it is now.
        #[arg(long, value_name = "ARN")]
        principal: Option<String>,
        /// Whose it is: two integrations of one environment do not share a role. Not set: "default"; of a server: the
        /// context's, or the caller's.
        #[arg(long)]
        environment: Option<String>,
        #[command(flatten)]
        sts: StsArguments,
    },
    /// Show all integrations.
    List {
        /// Of this environment only.
        #[arg(long)]
        environment: Option<String>,
    },
    /// Show one integration and what its last proof found.
    #[command(visible_alias = "describe")]
    Show {
        /// As list shows it.
        id: String,
    },
    /// Print the trust policy that the customer's role must have.
    Policy {
        /// As list shows it.
        #[arg(required_unless_present = "placeholder")]
        id: Option<String>,
        /// The trust policy of a role that is made first: it lets in nobody.
        #[arg(long, conflicts_with = "id")]
        placeholder: bool,
        /// What it is written as: the document alone, or with the role that it belongs to.
        #[arg(long, alias = "form", value_enum, default_value_t = As::Json)]
        format: As,
        /// How the role is to be called, where there is none yet.
        #[arg(long, value_name = "NAME", default_value = "tidegate")]
        role_name: String,
    },
    /// Give an integration its role. Another role than it had has to be proven anew.
    SetRole {
        /// As list shows it.
        id: String,
        /// The customer's role.
        #[arg(value_name = "ARN")]
        role_arn: String,
    },
    /// Try whether the role lets in Tidegate with the right external ID, and nobody else.
    Verify {
        /// As list shows it.
        id: String,
        #[command(flatten)]
        sts: StsArguments,
    },
    /// Issue a new external ID; the old one is accepted beside it until the new one is proven and a week has passed.
    Rotate {
        /// As list shows it.
        id: String,
        /// Retire the older external ID now; the newer one must have been proven.
        #[arg(long)]
        finish: bool,
    },
    /// Take an integration away. Connectors that name it do not start any more.
    Delete {
        /// As list shows it.
        id: String,
        /// Do not ask.
        #[arg(long)]
        force: bool,
    },
}

/// What a policy is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    Json,
    Terraform,
    Cloudformation,
    /// Commands of the AWS CLI.
    #[value(name = "cli", alias = "aws-cli")]
    AwsCli,
}

#[derive(Debug, Args)]
pub(crate) struct StsArguments {
    /// The region whose STS is asked. Not set: AWS_REGION, AWS_DEFAULT_REGION, us-east-1.
    #[arg(long)]
    region: Option<String>,
    /// URL of STS. Not set: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS's own of the region.
    #[arg(long, value_name = "URL")]
    sts_endpoint: Option<String>,
}

/// `tidegate integration ..`: the trust between Tidegate and customers' accounts.
pub(crate) async fn integration(arguments: &IntegrationArguments, environment: &Environment, screen: &Screen) -> Exit {
    match act(arguments, environment, screen).await {
        Ok(exit) => exit,
        Err(failure) => {
            screen.print(format!("error: {}\n", failure.text).as_bytes());
            failure.exit
        }
    }
}

struct Failure {
    exit: Exit,
    text: String,
}

impl From<crate::remote::Failure> for Failure {
    fn from(crate::remote::Failure { exit, text, .. }: crate::remote::Failure) -> Self {
        Self { exit, text }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    stdout::say(text).map_err(|text| Failure { exit: Exit::Failed, text })
}

/// Prints what was made as JSON in the form that was asked for.
fn say_in(form: Form, text: &str) -> Result<(), Failure> {
    match form {
        Form::Yaml => say(&serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| as_yaml(&value))),
        Form::Table | Form::Json => say(text),
    }
}

impl IntegrationArguments {
    /// Whether a server's are meant: what is said on the command line goes before the environment, a server that is named
    /// there before a store that is, and a context in use comes last, before the store of this machine.
    fn is_remote(&self, environment: &Environment) -> Result<bool, Failure> {
        let named = self.server.is_named(false, environment)?;
        Ok(named || (self.store.store.is_none() && self.server.is_named(true, environment)?))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::InvalidId { .. } | Error::Flawed { .. } => Exit::Usage,
            Error::Changed { .. } => Exit::NoProgress,
            Error::Unknown { .. }
            | Error::NoStore { .. }
            | Error::RoleTaken { .. }
            | Error::NoRole { .. }
            | Error::NotProven { .. }
            | Error::Rotating { .. }
            | Error::NothingToRetire { .. } => Exit::Refused,
            // Among them the store's.
            _ => Exit::Failed,
        };
        Self { exit, text: explain(&error) }
    }
}

async fn act(arguments: &IntegrationArguments, environment: &Environment, screen: &Screen) -> Result<Exit, Failure> {
    let is_placeholder = matches!(arguments.verb, Verb::Policy { placeholder: true, .. });
    if !is_placeholder && arguments.is_remote(environment)? {
        return Ok(remote::act(arguments, environment, screen).await?);
    }
    on_store(arguments, environment, screen).await
}

/// On those of this machine's store.
async fn on_store(
    arguments: &IntegrationArguments,
    environment: &Environment,
    screen: &Screen,
) -> Result<Exit, Failure> {
    if let Verb::Policy { placeholder: true, format, role_name, .. } = &arguments.verb {
        let trust = placeholder_policy();
        say(&written(Written::Role { role: role_name, trust: &trust, permission: None }, *format)?)?;
        return Ok(Exit::Done);
    }
    let clock = Clock::system();
    let form = arguments.output;
    let output = if form == Form::Table { Output::Text } else { Output::Json };
    let told = |text: String| screen.print(text.as_bytes());
    if let Verb::Create { name, role_arn, principal, environment: tenant, sts } = &arguments.verb {
        let mut new = NewIntegration {
            display_name: name.clone(),
            environment: tenant.clone().unwrap_or_else(|| "default".to_owned()),
            principal: principal.clone().unwrap_or_default(),
            role: role_arn.clone(),
        };
        refuse_flaws(&new, arguments, sts, environment)?;
        if principal.is_none() {
            new.principal = our_principal(arguments, sts, environment, clock.clone()).await?;
        }
        let integrations = Integrations::open(store_path(&arguments.store, environment), clock).await?;
        let made = integrations.create(new).await?;
        say_in(form, &show(&made, integrations.now(), output))?;
        told(next_steps(&made));
        return Ok(Exit::Done);
    }
    let integrations = match (open(&arguments.store, environment, clock.clone()).await, &arguments.verb) {
        (Err(error @ Error::NoStore { .. }), Verb::List { .. }) => {
            say_in(form, &list(&[], output))?;
            told(format!("{error}\n"));
            return Ok(Exit::Done);
        }
        (opened, _) => opened?,
    };
    match &arguments.verb {
        Verb::Create { .. } => unreachable!("it is done above, for it makes the store"),
        Verb::List { environment } => say_in(form, &list(&integrations.list(environment.as_deref()).await?, output))?,
        Verb::Show { id } => say_in(form, &show(&integrations.get(&parse(id)?).await?, integrations.now(), output))?,
        Verb::Policy { id, format, role_name, .. } => {
            let integration = integrations.get(&parse(id.as_deref().unwrap_or_default())?).await?;
            let trust = &integration.trust_policy(integrations.now());
            let subject = match integration.role.as_ref().and_then(|role| role.role_name()) {
                Some(role) => Written::RoleTrust { role, trust },
                None => Written::Role { role: role_name, trust, permission: None },
            };
            say(&written(subject, *format)?)?;
            if integration.live_ids(integrations.now()).count() > 1 {
                told(
                    "two statements, because the external ID is being rotated: the role must accept both\n".to_owned(),
                );
            }
        }
        Verb::SetRole { id, role_arn } => {
            let changed = integrations.set_role(&parse(id)?, role_arn).await?;
            say_in(form, &show(&changed, integrations.now(), output))?;
            told(next_steps(&changed));
        }
        Verb::Verify { id, sts } => {
            let prover = prover(arguments, sts, environment, clock)?;
            let (integration, proof) = integrations.verify(&parse(id)?, &prover).await?;
            say_in(form, &verdict(&integration, &proof, integrations.now(), output))?;
            return Ok(exit_of(proof.verdict));
        }
        Verb::Rotate { id, finish: false } => {
            let changed = integrations.rotate(&parse(id)?).await?;
            say_in(form, &show(&changed, integrations.now(), output))?;
            told(format!(
                "next: set the role's trust policy to what this prints: tidegate integration policy {id}\n\
                 then: tidegate integration verify {id}\n"
            ));
        }
        Verb::Rotate { id, finish: true } => {
            let changed = integrations.finish_rotation(&parse(id)?).await?;
            say_in(form, &show(&changed, integrations.now(), output))?;
            told(format!("next: set the role's trust policy to what this prints: tidegate integration policy {id}\n"));
        }
        Verb::Delete { id, force } => {
            let integration = integrations.get(&parse(id)?).await?;
            if !force && !confirmed(&integration, screen)? {
                told("nothing was deleted\n".to_owned());
                return Ok(Exit::Done);
            }
            integrations.delete(&integration.id).await?;
            say_in(
                form,
                &match output {
                    Output::Text => format!("deleted integration {id}\n"),
                    Output::Json => format!("{:#}\n", json!({ "deleted": id })),
                },
            )?;
            if let Some(role) = &integration.role {
                told(format!("next: take Tidegate's statement out of the trust policy of {}\n", role.as_str()));
            }
        }
    }
    Ok(Exit::Done)
}

/// Everything that can be said against a new integration before anybody is asked anything, all at once.
fn refuse_flaws(
    new: &NewIntegration,
    arguments: &IntegrationArguments,
    sts: &StsArguments,
    environment: &Environment,
) -> Result<(), Failure> {
    let mut flaws = new.flaws();
    if new.principal.is_empty() {
        // AWS is asked for it.
        flaws.retain(|flaw| flaw.field != "principal ARN");
    }
    let mut texts = Vec::new();
    if !flaws.is_empty() {
        texts.push(Error::Flawed { flaws }.to_string());
    }
    // What is not needed is not to be wrong either.
    if let Err(text) =
        ours(&arguments.store, Some(sts), arguments.connections.as_deref(), arguments.keys(), environment)
        && (new.principal.is_empty() || sts.region.is_some() || sts.sts_endpoint.is_some())
    {
        texts.push(text);
    }
    if texts.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Usage, text: texts.join("; ") }) }
}

fn written(subject: Written<'_>, form: As) -> Result<String, Failure> {
    let form = match form {
        As::Json => PolicyForm::Json,
        As::Terraform => PolicyForm::Terraform,
        As::Cloudformation => PolicyForm::CloudFormation,
        As::AwsCli => PolicyForm::AwsCli,
    };
    render(subject, form).map_err(|error| Failure { exit: Exit::Usage, text: explain(&error) })
}

fn parse(id: &str) -> Result<IntegrationId, Error> {
    id.parse()
}

fn confirmed(integration: &Integration, screen: &Screen) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure {
            exit: Exit::Usage,
            text: "deleting asks first, and nobody can answer here\n  hint: give --force".to_owned(),
        });
    }
    let Integration { id, display_name, .. } = integration;
    screen.print(format!("delete integration {id} ({display_name})? [y/N] ").as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure { exit: Exit::Failed, text: format!("could not read the answer: {error}") })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How `verify` ends.
fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Proven => Exit::Done,
        Verdict::Open => Exit::Refused,
        Verdict::Denied => Exit::Failed,
        Verdict::Inconclusive => Exit::NoProgress,
    }
}
