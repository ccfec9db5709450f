use clap::Subcommand;
use serde_json::json;

use super::{Act, At, text};
use crate::args::Exit;
use crate::remote::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccountVerb {
    /// Make a program's account, which may do nothing yet.
    Create {
        /// What people call it.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show all.
    List,
    /// Show one.
    Show {
        /// sa-..
        id: String,
    },
    /// Take one away with its keys and roles.
    Delete {
        /// sa-..
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/service-accounts";

impl Act for ServiceAccountVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { name, description } => {
                at.create_principal(PATH, &json!({ "display_name": name, "description": description })).await
            }
            Self::List => {
                at.list(
                    "service accounts",
                    PATH,
                    &[
                        ("id", |one| text(&one["id"])),
                        ("name", |one| text(&one["display_name"])),
                        ("for", |one| text(&one["description"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::Delete { id, yes } => at.delete("service account", PATH, id, *yes).await,
        }
    }
}
