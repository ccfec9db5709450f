//! Users and service accounts.

use control::NewUser;
use world::Secret;

use super::ask::{Ask, Reply, as_json};
use super::paging::by_age;
use super::trouble::Trouble;

pub(super) async fn users(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().users(&ask.caller).await?;
    Ok(ask.paging()?.cut(all, |one| by_age(one.created_at, one.id.as_str()), as_json))
}

pub(super) async fn user(ask: Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(ask.plane().user(&ask.caller, &ask.id("user")?).await?))
}

pub(super) async fn create_user(ask: Ask) -> Result<Reply, Trouble> {
    let new = NewUser {
        email: ask.needed("email").to_owned(),
        full_name: ask.text("full_name").unwrap_or_default().to_owned(),
        password: password(&ask),
    };
    let made = ask.plane().create_user(&ask.caller, new).await?;
    let location = format!("/v1/users/{}", made.id);
    Ok(Reply::made(made, location))
}

pub(super) async fn set_password(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().set_password(&ask.caller, &ask.id("user")?, password(&ask)).await?;
    Ok(Reply::done())
}

pub(super) async fn delete_user(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_user(&ask.caller, &ask.id("user")?).await?;
    Ok(Reply::done())
}

pub(super) async fn service_accounts(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().service_accounts(&ask.caller).await?;
    Ok(ask.paging()?.cut(all, |one| by_age(one.created_at, one.id.as_str()), as_json))
}

pub(super) async fn service_account(ask: Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(ask.plane().service_account(&ask.caller, &ask.id("service account")?).await?))
}

pub(super) async fn create_service_account(ask: Ask) -> Result<Reply, Trouble> {
    let description = ask.text("description").unwrap_or_default();
    let made = ask.plane().create_service_account(&ask.caller, ask.needed("display_name"), description).await?;
    let location = format!("/v1/service-accounts/{}", made.id);
    Ok(Reply::made(made, location))
}

pub(super) async fn delete_service_account(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_service_account(&ask.caller, &ask.id("service account")?).await?;
    Ok(Reply::done())
}

fn password(ask: &Ask) -> Secret {
    Secret::new(ask.needed("password"))
}
