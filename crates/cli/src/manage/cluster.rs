use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Act, At, given, text};
use crate::args::Exit;
use crate::remote::{Failure, segment};

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Make a Kafka cluster known, for connectors to read from.
    Create {
        /// What people call it.
        name: String,
        /// Brokers, host:port separated by commas.
        #[arg(long, value_name = "HOST:PORT,..")]
        bootstrap_server: Option<String>,
        /// Worker properties, as connect-standalone takes them; secrets are best given as references or in here.
        #[arg(long, value_name = "FILE")]
        worker: Option<PathBuf>,
        /// Whose it is. Not set: the context's, or the caller's.
        #[arg(long, value_name = "ID")]
        environment: Option<String>,
    },
    /// Show all of an environment.
    List {
        /// Whose. Not set: the context's, or the caller's.
        #[arg(long, value_name = "ID")]
        environment: Option<String>,
    },
    /// Show one.
    Show {
        /// lkc-..
        id: String,
    },
    /// Take one away that no connector reads from.
    Delete {
        /// lkc-..
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/clusters";

impl Act for ClusterVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { name, bootstrap_server, worker, environment } => {
                let mut config = worker.as_ref().map_or_else(|| Ok(BTreeMap::new()), |path| properties(path))?;
                if let Some(servers) = bootstrap_server {
                    config.insert("bootstrap.servers".to_owned(), servers.clone());
                }
                let environment = environment.as_ref().or(at.api.environment.as_ref());
                let body = json!({ "display_name": name, "environment": environment, "config": config });
                at.create(PATH, &given(body)).await
            }
            Self::List { environment } => {
                let path = match environment.as_ref().or(at.api.environment.as_ref()) {
                    Some(environment) => format!("{PATH}?environment={}", segment(environment)),
                    None => PATH.to_owned(),
                };
                at.list(
                    "clusters",
                    &path,
                    &[
                        ("id", |one| text(&one["id"])),
                        ("environment", |one| text(&one["environment"])),
                        ("name", |one| text(&one["display_name"])),
                        ("brokers", |one| text(&one["config"]["bootstrap.servers"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::Delete { id, yes } => at.delete("cluster", PATH, id, *yes).await,
        }
    }
}

fn properties(path: &std::path::Path) -> Result<BTreeMap<String, String>, Failure> {
    let told = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| told(format!("could not be read: {error}")))?;
    let file = connectors::ConnectorFile::from_properties(path.display().to_string(), &text)
        .map_err(|error| told(fault::Chain(&error).to_string()))?;
    Ok(file.config().iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
