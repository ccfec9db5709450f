//! `tidegate context`: servers with credentials, by name.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use world::Environment;

use crate::args::Exit;
use crate::remote::contexts::{Context, Contexts};
use crate::remote::{Access, Api, Failure, Form, end, list, read_secret, say};
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct ContextArguments {
    #[command(subcommand)]
    verb: Verb,
    /// How the result looks on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Form,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Keep a server and credentials, and use them from now on. The secret is asked for, or read from --secret-file.
    Add(Box<AddArguments>),
    /// Use another one.
    Use {
        /// As list shows it.
        name: String,
    },
    /// Show all, never their secrets.
    List,
    /// Forget one.
    #[command(visible_alias = "delete")]
    Remove {
        /// As list shows it.
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddArguments {
    /// What it is to be called.
    name: String,
    /// URL of the server.
    #[arg(long, value_name = "URL")]
    server: String,
    /// API key, or a user's address. Not set: no credentials.
    #[arg(long, visible_alias = "user", value_name = "KEY")]
    api_key: Option<String>,
    /// File that holds the secret alone; - is stdin.
    #[arg(long, value_name = "FILE", requires = "api_key")]
    secret_file: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the machine's.
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Trust any certificate; for servers on this machine alone.
    #[arg(long)]
    insecure: bool,
    /// Which cluster commands are about if they do not say.
    #[arg(long, value_name = "ID")]
    cluster: Option<String>,
    /// Which environment commands are about if they do not say.
    #[arg(long, value_name = "ID")]
    environment: Option<String>,
    /// Do not ask the server whether the credentials are right.
    #[arg(long)]
    no_check: bool,
}

pub(crate) async fn context(arguments: &ContextArguments, environment: &Environment, screen: &Screen) -> Exit {
    end(act(arguments, environment, screen).await, screen)
}

async fn act(arguments: &ContextArguments, environment: &Environment, screen: &Screen) -> Result<Exit, Failure> {
    let mut contexts = Contexts::read(environment)?;
    match &arguments.verb {
        Verb::Add(add) => {
            let context = made(add, environment)?;
            if !add.no_check {
                check(&context, screen).await?;
            }
            contexts.contexts.insert(add.name.clone(), context);
            contexts.current = Some(add.name.clone());
            let path = contexts.write(environment)?;
            say(&format!("using {}; kept in {}\n", add.name, path.display()))?;
        }
        Verb::Use { name } => {
            contexts.named(name)?;
            contexts.current = Some(name.clone());
            contexts.write(environment)?;
            say(&format!("using {name}\n"))?;
        }
        Verb::List => {
            let items: Vec<Value> = contexts
                .contexts
                .iter()
                .map(|(name, context)| {
                    let Context { server, user, cluster, environment, .. } = context;
                    let in_use = contexts.current.as_ref() == Some(name);
                    json!({
                        "name": name, "in_use": in_use, "server": server, "user": user, "cluster": cluster,
                        "environment": environment,
                    })
                })
                .collect();
            list(
                "contexts",
                &items,
                &[
                    ("", |one| if one["in_use"] == true { "*".to_owned() } else { String::new() }),
                    ("name", |one| one["name"].as_str().unwrap_or("-").to_owned()),
                    ("server", |one| one["server"].as_str().unwrap_or("-").to_owned()),
                    ("as", |one| one["user"].as_str().unwrap_or("-").to_owned()),
                ],
                arguments.output,
            )?;
        }
        Verb::Remove { name } => {
            contexts.named(name)?;
            contexts.contexts.remove(name);
            if contexts.current.as_ref() == Some(name) {
                contexts.current = None;
            }
            contexts.write(environment)?;
            say(&format!("forgot {name}\n"))?;
        }
    }
    Ok(Exit::Done)
}

fn made(add: &AddArguments, environment: &Environment) -> Result<Context, Failure> {
    let secret = match &add.api_key {
        None => None,
        Some(key) => {
            let given = environment.get("TIDEGATE_API_SECRET").filter(|secret| !secret.is_empty());
            match (&add.secret_file, given) {
                (None, Some(secret)) => Some(secret),
                (file, _) => Some(read_secret(file.as_deref(), &format!("secret of {key}"))?.expose().to_owned()),
            }
        }
    };
    Ok(Context {
        server: add.server.clone(),
        user: add.api_key.clone(),
        secret,
        ca_cert: add.ca_cert.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        insecure: add.insecure,
        cluster: add.cluster.clone(),
        environment: add.environment.clone(),
    })
}

/// Wrong credentials are found out now, and not by the first command.
async fn check(context: &Context, screen: &Screen) -> Result<(), Failure> {
    let who = context.user.clone().map(|user| (user, world::Secret::new(context.secret.clone().unwrap_or_default())));
    let access = Access {
        url: context.server.clone(),
        who,
        ca_cert: context.ca_cert.clone(),
        insecure: context.insecure,
        cluster: None,
        environment: None,
    };
    let answer = Api::open(access, screen)?.get("/v1/caller").await.map_err(|mut failure| {
        failure.text.push_str("\n  hint: --no-check keeps it all the same");
        failure
    })?;
    screen.print(format!("the server knows you as {}\n", answer.body["principal"].as_str().unwrap_or("?")).as_bytes());
    Ok(())
}
