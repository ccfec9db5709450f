//! What `serve` holds beside connectors: who may do what, and where.

mod audit;
mod cluster;
mod environment;
mod key;
mod role_binding;
mod service_account;
mod user;

use clap::Args;
use serde_json::Value;
use world::Environment;

pub(crate) use self::audit::AuditCommand;
pub(crate) use self::cluster::ClusterVerb;
pub(crate) use self::environment::EnvironmentVerb;
pub(crate) use self::key::KeyVerb;
pub(crate) use self::role_binding::RoleBindingVerb;
pub(crate) use self::service_account::ServiceAccountVerb;
pub(crate) use self::user::UserVerb;

use crate::args::Exit;
use crate::remote::{Api, Column, Failure, Form, ServerArguments, confirmed, end, list, one, say, segment};
use crate::screen::Screen;

/// A noun's verbs, and what all of them take.
#[derive(Debug, Args)]
pub(crate) struct Managed<V: clap::Subcommand> {
    #[command(subcommand)]
    verb: V,
    /// How the result looks on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    server: ServerArguments,
}

/// What a noun's verbs do.
pub(crate) trait Act: clap::Subcommand {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure>;
}

/// A server, and how its answers are shown.
pub(crate) struct At<'a> {
    pub(crate) api: Api,
    pub(crate) form: Form,
    pub(crate) screen: &'a Screen,
}

/// Does what a verb says.
pub(crate) async fn managed<V: Act>(arguments: &Managed<V>, environment: &Environment, screen: &Screen) -> Exit {
    let open = || Api::open(arguments.server.access(environment)?, screen);
    match open() {
        Ok(api) => end(arguments.verb.act(&At { api, form: arguments.output, screen }).await, screen),
        Err(failure) => end(Err(failure), screen),
    }
}

impl At<'_> {
    async fn list(&self, what: &str, path: &str, columns: &[Column]) -> Result<Exit, Failure> {
        list(what, &self.api.all(path).await?, columns, self.form)?;
        Ok(Exit::Done)
    }

    async fn show(&self, path: &str, id: &str) -> Result<Exit, Failure> {
        one(&self.api.get(&format!("{path}/{}", segment(id))).await?.body, self.form)?;
        Ok(Exit::Done)
    }

    async fn create(&self, path: &str, body: &Value) -> Result<Exit, Failure> {
        one(&self.api.create(path, body).await?.body, self.form)?;
        Ok(Exit::Done)
    }

    /// Makes somebody, and says how they come to be allowed to do something.
    async fn create_principal(&self, path: &str, body: &Value) -> Result<Exit, Failure> {
        let made = self.api.create(path, body).await?.body;
        one(&made, self.form)?;
        let id = text(&made["id"]);
        self.screen.print(
            format!("next: tidegate role-binding create --principal {id} --role ROLE, for it may do nothing yet\n")
                .as_bytes(),
        );
        Ok(Exit::Done)
    }

    async fn delete(&self, what: &str, path: &str, id: &str, yes: bool) -> Result<Exit, Failure> {
        if !confirmed(&format!("delete {what} {id}"), yes, self.screen)? {
            self.screen.print(b"nothing was deleted\n");
            return Ok(Exit::Done);
        }
        self.api.delete(&format!("{path}/{}", segment(id))).await?;
        match self.form {
            Form::Table => say(&format!("deleted {what} {id}\n"))?,
            form => one(&serde_json::json!({ "deleted": id }), form)?,
        }
        Ok(Exit::Done)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Takes out what was not given.
fn given(body: Value) -> Value {
    match body {
        Value::Object(object) => Value::Object(object.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}
