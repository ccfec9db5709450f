use serde_json::{Value, json};
use world::Environment;

use super::{As, IntegrationArguments, Verb};
use crate::args::Exit;
use crate::remote::{Api, Failure, Form, ServerArguments, confirmed, one, say, segment};
use crate::screen::Screen;

/// `tidegate integration ..` on those of a server.
pub(super) async fn act(
    arguments: &IntegrationArguments,
    environment: &Environment,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let api = Api::open(arguments.server.access(environment)?, screen)?;
    let form = arguments.output;
    let tenant = api.environment.clone();
    let query =
        |environment: Option<&str>| environment.map_or_else(String::new, |id| format!("?environment={}", segment(id)));
    let of = |id: &str, rest: &str| format!("/v1/integrations/{}{rest}{}", segment(id), query(tenant.as_deref()));
    let told = |text: String| screen.print(text.as_bytes());
    let at = there(&arguments.server);
    match &arguments.verb {
        Verb::Create { name, role_arn, principal, environment, .. } => {
            if principal.is_some() {
                return Err(Failure::usage(
                    "--principal is for a store of this machine: a server knows who it is".to_owned(),
                ));
            }
            let mut body = json!({ "display_name": name });
            for (key, value) in [("role", role_arn), ("environment", &environment.clone().or(tenant))] {
                if let Some(value) = value {
                    body[key] = json!(value);
                }
            }
            let made = api.create("/v1/integrations", &body).await?.body;
            one(&made, form)?;
            told(next(&made, &at));
        }
        Verb::List { environment } => {
            let path = format!("/v1/integrations{}", query(environment.as_deref().or(tenant.as_deref())));
            let items = api.all(&path).await?;
            crate::remote::list(
                "integrations",
                &items,
                &[
                    ("id", |one| text(&one["id"])),
                    ("state", |one| text(&one["state"])),
                    ("name", |one| text(&one["display_name"])),
                    ("used by", |one| one["usages"].as_array().map_or(0, Vec::len).to_string()),
                    ("role", |one| text(&one["role"])),
                ],
                form,
            )?;
        }
        Verb::Show { id } => one(&api.get(&of(id, "")).await?.body, form)?,
        Verb::Policy { id, format, role_name, .. } => {
            let format = match format {
                As::Json => "json",
                As::Terraform => "terraform",
                As::Cloudformation => "cloudformation",
                As::AwsCli => "cli",
            };
            let path = of(id.as_deref().unwrap_or_default(), "/policy");
            let joint = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{joint}format={format}&role_name={}", segment(role_name));
            let policy = api.get(&path).await?.text;
            say(&format!("{}\n", policy.trim_end()))?;
        }
        Verb::SetRole { id, role_arn } => {
            let changed = api.put(&of(id, "/role"), Some(&json!({ "role": role_arn }))).await?.body;
            one(&changed, form)?;
            told(next(&changed, &at));
        }
        Verb::Verify { id, .. } => {
            let found = api.post(&of(id, ":verify"), None).await?.body;
            if form == Form::Table {
                let (integration, proof) = (&found["integration"], &found["proof"]);
                say(&format!("{}: {}\n", text(&integration["state"]), text(&proof["reason"])))?;
                if !found["trust_policy"].is_null() {
                    say(&format!("the role's trust policy must be:\n{:#}\n", found["trust_policy"]))?;
                }
            } else {
                one(&found, form)?;
            }
            return Ok(match found["proof"]["verdict"].as_str() {
                Some("proven") => Exit::Done,
                Some("open") => Exit::Refused,
                Some("denied") => Exit::Failed,
                _ => Exit::NoProgress,
            });
        }
        Verb::Rotate { id, finish } => {
            let verb = if *finish { ":finish-rotation" } else { ":rotate" };
            one(&api.post(&of(id, verb), None).await?.body, form)?;
            told(format!(
                "next: set the role's trust policy to what this prints: tidegate integration policy {id}{at}\n"
            ));
        }
        Verb::Delete { id, force } => {
            if !confirmed(&format!("delete integration {id}"), *force, screen)? {
                told("nothing was deleted\n".to_owned());
                return Ok(Exit::Done);
            }
            api.delete(&of(id, "")).await?;
            match form {
                Form::Table => say(&format!("deleted integration {id}\n"))?,
                form => one(&json!({ "deleted": id }), form)?,
            }
        }
    }
    Ok(Exit::Done)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// How what comes next reaches the same server; nothing if it is the one in use anyway.
fn there(arguments: &ServerArguments) -> String {
    match (&arguments.server, &arguments.context) {
        (Some(url), _) => format!(" --server {url}"),
        (None, Some(name)) => format!(" --context {name}"),
        (None, None) => String::new(),
    }
}

fn next(integration: &Value, at: &str) -> String {
    let id = text(&integration["id"]);
    let first = match integration["role"].as_str() {
        None => "make a role with this trust policy".to_owned(),
        Some(role) => format!("set the trust policy of {role} to this"),
    };
    let second = if integration["role"].is_null() { "set-role" } else { "verify" };
    let role = if integration["role"].is_null() { " ROLE_ARN" } else { "" };
    format!("next: {first}: tidegate integration policy {id}{at}\nthen: tidegate integration {second} {id}{role}{at}\n")
}
