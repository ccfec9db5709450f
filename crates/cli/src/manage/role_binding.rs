use clap::Subcommand;
use serde_json::json;

use super::{Act, At, given, text};
use crate::args::Exit;
use crate::remote::{Failure, segment};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleBindingVerb {
    /// Give a role. Without anything that says where: in the whole organization.
    Create {
        /// To whom: u-.., sa-.., with or without "User:".
        #[arg(long, value_name = "ID")]
        principal: String,
        /// OrganizationAdmin, EnvironmentAdmin, CloudClusterAdmin, ResourceOwner, Assigner, ConnectManager, DeveloperRead,
        /// DeveloperWrite, Operator.
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// In this environment.
        #[arg(long, value_name = "ID")]
        environment: Option<String>,
        /// In this cluster.
        #[arg(long, visible_alias = "cloud-cluster", value_name = "ID")]
        cluster: Option<String>,
        /// On this connector, or *.
        #[arg(long, value_name = "NAME", requires = "cluster")]
        connector: Option<String>,
        /// On this integration, or *.
        #[arg(long, value_name = "ID", requires = "environment", conflicts_with = "cluster")]
        integration: Option<String>,
        /// Where, as a resource name (CRN), in place of all these.
        #[arg(long, value_name = "CRN", conflicts_with_all = ["environment", "cluster", "connector", "integration"])]
        crn_pattern: Option<String>,
    },
    /// Show those that one may see.
    List {
        /// On this and below it.
        #[arg(long, value_name = "CRN")]
        crn_pattern: Option<String>,
    },
    /// Show one.
    Show {
        /// rb-..
        id: String,
    },
    /// Take one away.
    Delete {
        /// rb-..
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/role-bindings";

impl Act for RoleBindingVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { principal, role, environment, cluster, connector, integration, crn_pattern } => {
                let body = json!({
                    "principal": principal, "role": role, "environment": environment, "cluster": cluster,
                    "connector": connector, "integration": integration, "crn_pattern": crn_pattern,
                });
                at.create(PATH, &given(body)).await
            }
            Self::List { crn_pattern } => {
                let path = match crn_pattern {
                    Some(pattern) => format!("{PATH}?crn_pattern={}", segment(pattern)),
                    None => PATH.to_owned(),
                };
                at.list(
                    "role bindings",
                    &path,
                    &[
                        ("id", |one| text(&one["id"])),
                        ("principal", |one| text(&one["principal"])),
                        ("role", |one| text(&one["role"])),
                        ("on", |one| text(&one["crn_pattern"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::Delete { id, yes } => at.delete("role binding", PATH, id, *yes).await,
        }
    }
}
