use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Act, At, text};
use crate::args::Exit;
use crate::remote::{Failure, read_secret, say, segment};

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// Let a person in, who may do nothing yet. The password is asked for, or read from --password-file.
    Create {
        /// The address.
        email: String,
        /// What people call the person.
        #[arg(long, default_value = "")]
        full_name: String,
        /// File that holds the password alone; - is stdin.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Show all.
    List,
    /// Show one.
    Show {
        /// u-..
        id: String,
    },
    /// Set a password; logins of that user end.
    SetPassword {
        /// u-..
        id: String,
        /// File that holds the password alone; - is stdin.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Shut a person out: logins, keys and roles end.
    Delete {
        /// u-..
        id: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

const PATH: &str = "/v1/users";

impl Act for UserVerb {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Create { email, full_name, password_file } => {
                let password = read_secret(password_file.as_deref(), &format!("password of {email}"))?;
                let body = json!({ "email": email, "full_name": full_name, "password": password.expose() });
                at.create_principal(PATH, &body).await
            }
            Self::List => {
                at.list(
                    "users",
                    PATH,
                    &[
                        ("id", |one| text(&one["id"])),
                        ("email", |one| text(&one["email"])),
                        ("name", |one| text(&one["full_name"])),
                        ("made", |one| text(&one["created_at"])),
                    ],
                )
                .await
            }
            Self::Show { id } => at.show(PATH, id).await,
            Self::SetPassword { id, password_file } => {
                let password = read_secret(password_file.as_deref(), &format!("new password of {id}"))?;
                let path = format!("{PATH}/{}/password", segment(id));
                at.api.put(&path, Some(&json!({ "password": password.expose() }))).await?;
                say(&format!("set the password of {id}\n"))?;
                Ok(Exit::Done)
            }
            Self::Delete { id, yes } => at.delete("user", PATH, id, *yes).await,
        }
    }
}
