use clap::Subcommand;
use serde_json::json;

use super::{Act, At, given, text};
use crate::args::Exit;
use crate::remote::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make an API key. Its secret is shown this once.
    Create {
        /// For whom it speaks: u-.. or sa-... Not set: who asks.
        #[arg(long, value_name = "ID", visible_alias = "service-account")]
        owner: Option<String>,
        /// The only cluster that it shall reach.
        #[arg(long, value_name = "ID", visible_alias = "resource")]
        cluster: Option<String>,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show all, never their secrets.
    List,
    /// Show one.
    Show {
        /// The key.
        id: String,
    },
    /// Take one away; it is refused from the next request on.
    Delete {
        /// The key.
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/keys";

impl Act for KeyVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { owner, cluster, description } => {
                let body = json!({ "owner": owner, "cluster": cluster, "description": description });
                at.create(PATH, &given(body)).await?;
                at.screen.print(b"keep the secret now: it is not shown again\n");
                Ok(Exit::Done)
            }
            Self::List => {
                at.list(
                    "API keys",
                    PATH,
                    &[
                        ("key", |one| text(&one["id"])),
                        ("owner", |one| text(&one["owner"])),
                        ("cluster", |one| text(&one["cluster"])),
                        ("for", |one| text(&one["description"])),
                        ("made", |one| text(&one["created_at"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::Delete { id, yes } => at.delete("API key", PATH, id, *yes).await,
        }
    }
}
