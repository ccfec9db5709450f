use clap::Subcommand;
use serde_json::json;

use super::{Act, At, text};
use crate::args::Exit;
use crate::remote::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentVerb {
    /// Make an environment: what one tenant has.
    Create {
        /// What people call it.
        name: String,
    },
    /// Show all.
    List,
    /// Show one.
    Show {
        /// env-..
        id: String,
    },
    /// Take an empty one away.
    Delete {
        /// env-..
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/environments";

impl Act for EnvironmentVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { name } => at.create(PATH, &json!({ "display_name": name })).await,
            Self::List => {
                at.list(
                    "environments",
                    PATH,
                    &[
                        ("id", |one| text(&one["id"])),
                        ("name", |one| text(&one["display_name"])),
                        ("own", |one| if one["is_own"] == true { "yes" } else { "" }.to_owned()),
                        ("made", |one| text(&one["created_at"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::Delete { id, yes } => at.delete("environment", PATH, id, *yes).await,
        }
    }
}
