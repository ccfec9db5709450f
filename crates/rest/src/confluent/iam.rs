//! `/iam/v2`: API keys, service accounts, users and role bindings.

use std::collections::BTreeMap;

use axum::routing::MethodFilter;
use control::{
    ApiKey, Caller, ClusterId, EnvironmentId, KeyScope, NewBinding, Principal, RoleBinding, RoleBindingId,
    ServiceAccount, ServiceAccountId, User, UserId,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::names::{self, organization};
use super::paging::List;
use super::problem::{Problem, not_found, short};
use super::routes::Routes;

const VERSION: &str = "iam/v2";

pub(super) fn routes(routes: Routes) -> Routes {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    const DELETE: MethodFilter = MethodFilter::DELETE;
    routes
        .on(GET, "/iam/v2/api-keys", keys)
        .on(POST, "/iam/v2/api-keys", create_key)
        .on(GET, "/iam/v2/api-keys/{id}", key)
        .on(MethodFilter::PATCH, "/iam/v2/api-keys/{id}", describe_key)
        .on(DELETE, "/iam/v2/api-keys/{id}", delete_key)
        .on(GET, "/iam/v2/service-accounts", accounts)
        .on(POST, "/iam/v2/service-accounts", create_account)
        .on(GET, "/iam/v2/service-accounts/{id}", account)
        .on(MethodFilter::PATCH, "/iam/v2/service-accounts/{id}", describe_account)
        .on(DELETE, "/iam/v2/service-accounts/{id}", delete_account)
        .on(GET, "/iam/v2/users", users)
        .on(GET, "/iam/v2/users/{id}", user)
        .on(DELETE, "/iam/v2/users/{id}", delete_user)
        .on(GET, "/iam/v2/role-bindings", bindings)
        .on(POST, "/iam/v2/role-bindings", create_binding)
        .on(GET, "/iam/v2/role-bindings/{id}", binding)
        .on(DELETE, "/iam/v2/role-bindings/{id}", delete_binding)
}

fn list(kind: &str) -> List<'_> {
    List { api_version: VERSION, kind }
}

/// What Confluent keeps about every thing.
fn metadata(ask: &Ask, path: &str, resource_name: &str, created_at: Timestamp) -> Value {
    json!({
        "self": format!("{}/iam/v2/{path}", ask.target.root()),
        "resource_name": resource_name,
        "created_at": created_at,
        "updated_at": created_at,
    })
}

// --- API keys

async fn keys(ask: Ask) -> Outcome {
    let organization = organization(&ask).await?;
    let mut all = ask.plane.api_keys(&ask.caller).await?;
    if let Some(owner) = ask.target.query("spec.owner") {
        all.retain(|key| owner_id(&key.owner) == owner);
    }
    if let Some(resource) = ask.target.query("spec.resource") {
        all.retain(|key| scope_id(&key.scope) == resource);
    }
    let homes = homes(&ask, &all).await;
    let place = |key: &ApiKey| (key.created_at, key.id.clone());
    let show = |key: &ApiKey| shown_key(&ask, &organization, &homes, key, None);
    Ok(Answer::ok(list("ApiKeyList").page(&ask.target, all, place, show)?))
}

async fn key(ask: Ask) -> Outcome {
    let key = ask.plane.api_key(&ask.caller, ask.param("id")).await?;
    show_one(&ask, &key, None).await.map(Answer::ok)
}

/// Changes what a key is said to be for; nothing else of it changes.
async fn describe_key(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let description = body.text("/spec/description")?.unwrap_or_default();
    let key = ask.plane.describe_api_key(&ask.caller, ask.param("id"), description).await?;
    show_one(&ask, &key, None).await.map(Answer::ok)
}

async fn delete_key(ask: Ask) -> Outcome {
    ask.plane.delete_api_key(&ask.caller, ask.param("id")).await?;
    Ok(Answer::no_content())
}

/// Makes a key. Its secret is in this answer and in no other.
async fn create_key(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let owner = owner(body.needed("/spec/owner/id")?)?;
    let scope = match body.text("/spec/resource/id")? {
        None | Some("cloud" | "global") => KeyScope::Cloud,
        Some(id) if id.starts_with("lkc-") => KeyScope::Cluster(names::cluster(id)?),
        Some(other) => {
            let rule = format!("{:?} is not served here: it must be a cluster (lkc-..), or left out", short(other));
            return Err(Problem::field("/spec/resource/id", &rule));
        }
    };
    let display_name = body.text("/spec/display_name")?;
    let description = body.text("/spec/description")?.or(display_name).unwrap_or_default();
    let made = ask.plane.create_api_key(&ask.caller, owner, scope, description).await?;
    let shown = show_one(&ask, &made.key, Some(made.secret.expose())).await?;
    Ok(Answer::accepted(Some(shown)).at(format!("/iam/v2/api-keys/{}", made.key.id)))
}

/// Whom an id speaks of.
fn owner(id: &str) -> Result<Principal, Problem> {
    if id.starts_with("sa-") {
        return Ok(Principal::ServiceAccount(account_id(id)?));
    }
    Ok(Principal::User(user_id(id)?))
}

fn owner_id(owner: &Principal) -> &str {
    match owner {
        Principal::Operator => "operator",
        Principal::User(id) => id.as_str(),
        Principal::ServiceAccount(id) => id.as_str(),
    }
}

fn scope_id(scope: &KeyScope) -> &str {
    match scope {
        KeyScope::Cloud => "cloud",
        KeyScope::Cluster(id) => id.as_str(),
    }
}

/// The environments of the clusters that keys are for.
type Homes = BTreeMap<ClusterId, EnvironmentId>;

async fn homes(ask: &Ask, keys: &[ApiKey]) -> Homes {
    let mut homes = Homes::new();
    for key in keys {
        if let KeyScope::Cluster(id) = &key.scope
            && !homes.contains_key(id)
            // Whoever may see a key and not its cluster is not told where that is.
            && let Ok(cluster) = ask.plane.cluster(&ask.caller, id).await
        {
            homes.insert(id.clone(), cluster.environment);
        }
    }
    homes
}

async fn show_one(ask: &Ask, key: &ApiKey, secret: Option<&str>) -> Result<Value, Problem> {
    let homes = homes(ask, std::slice::from_ref(key)).await;
    Ok(shown_key(ask, &organization(ask).await?, &homes, key, secret))
}

fn shown_key(ask: &Ask, organization: &str, homes: &Homes, key: &ApiKey, secret: Option<&str>) -> Value {
    let root = ask.target.root();
    let owner = owner_id(&key.owner);
    let (kind, path, word) = match key.owner {
        Principal::ServiceAccount(_) => ("ServiceAccount", "service-accounts", "service-account"),
        Principal::User(_) | Principal::Operator => ("User", "users", "user"),
    };
    let resource = match &key.scope {
        KeyScope::Cloud => json!({
            "id": "cloud", "related": "", "resource_name": "", "api_version": VERSION, "kind": "Cloud",
        }),
        KeyScope::Cluster(id) => {
            let home = homes.get(id).map(EnvironmentId::as_str).unwrap_or_default();
            json!({
                "id": id,
                "environment": home,
                "related": format!("{root}/cmk/v2/clusters/{id}"),
                "resource_name": format!("{organization}/environment={home}/cloud-cluster={id}"),
                "api_version": "cmk/v2",
                "kind": "Cluster",
            })
        }
    };
    let mut spec = json!({
        "display_name": "",
        "description": key.description,
        "owner": {
            "id": owner,
            "related": format!("{root}/iam/v2/{path}/{owner}"),
            "resource_name": format!("{organization}/{word}={owner}"),
            "api_version": VERSION,
            "kind": kind,
        },
        "resource": resource,
    });
    if let Some(secret) = secret {
        spec["secret"] = json!(secret);
    }
    let name = format!("{organization}/{word}={owner}/api-key={}", key.id);
    json!({
        "api_version": VERSION,
        "kind": "ApiKey",
        "id": key.id,
        "metadata": metadata(ask, &format!("api-keys/{}", key.id), &name, key.created_at),
        "spec": spec,
    })
}

// --- Service accounts

fn account_id(text: &str) -> Result<ServiceAccountId, Problem> {
    text.parse().map_err(|_| not_found("service account", text))
}

async fn accounts(ask: Ask) -> Outcome {
    let organization = organization(&ask).await?;
    let mut all = ask.plane.service_accounts(&ask.caller).await?;
    if let Some(name) = ask.target.query("display_name") {
        all.retain(|account| account.display_name == name);
    }
    let place = |account: &ServiceAccount| (account.created_at, account.id.to_string());
    let show = |account: &ServiceAccount| shown_account(&ask, &organization, account);
    Ok(Answer::ok(list("ServiceAccountList").page(&ask.target, all, place, show)?))
}

async fn account(ask: Ask) -> Outcome {
    let account = ask.plane.service_account(&ask.caller, &account_id(ask.param("id"))?).await?;
    Ok(Answer::ok(shown_account(&ask, &organization(&ask).await?, &account)))
}

async fn create_account(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let description = body.text("/description")?.unwrap_or_default();
    let name = body.needed("/display_name")?;
    let made = ask.plane.create_service_account(&ask.caller, name, description).await?;
    let shown = shown_account(&ask, &organization(&ask).await?, &made);
    Ok(Answer::created(shown).at(format!("/iam/v2/service-accounts/{}", made.id)))
}

/// Changes what an account is said to be for; nothing else of it changes.
async fn describe_account(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let id = account_id(ask.param("id"))?;
    let description = body.text("/description")?.unwrap_or_default();
    let account = ask.plane.describe_service_account(&ask.caller, &id, description).await?;
    Ok(Answer::ok(shown_account(&ask, &organization(&ask).await?, &account)))
}

async fn delete_account(ask: Ask) -> Outcome {
    ask.plane.delete_service_account(&ask.caller, &account_id(ask.param("id"))?).await?;
    Ok(Answer::no_content())
}

fn shown_account(ask: &Ask, organization: &str, account: &ServiceAccount) -> Value {
    let name = format!("{organization}/service-account={}", account.id);
    json!({
        "api_version": VERSION,
        "kind": "ServiceAccount",
        "id": account.id,
        "display_name": account.display_name,
        "description": account.description,
        "metadata": metadata(ask, &format!("service-accounts/{}", account.id), &name, account.created_at),
    })
}

// --- Users

fn user_id(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|_| not_found("user", text))
}

async fn users(ask: Ask) -> Outcome {
    let organization = organization(&ask).await?;
    let mut all = ask.plane.users(&ask.caller).await?;
    if let Some(id) = ask.target.query("id") {
        all.retain(|user| user.id.as_str() == id);
    }
    if let Some(email) = ask.target.query("email") {
        all.retain(|user| user.email.eq_ignore_ascii_case(email));
    }
    let place = |user: &User| (user.created_at, user.id.to_string());
    Ok(Answer::ok(list("UserList").page(&ask.target, all, place, |user| shown_user(&ask, &organization, user))?))
}

async fn user(ask: Ask) -> Outcome {
    let user = ask.plane.user(&ask.caller, &user_id(ask.param("id"))?).await?;
    Ok(Answer::ok(shown_user(&ask, &organization(&ask).await?, &user)))
}

async fn delete_user(ask: Ask) -> Outcome {
    ask.plane.delete_user(&ask.caller, &user_id(ask.param("id"))?).await?;
    Ok(Answer::no_content())
}

fn shown_user(ask: &Ask, organization: &str, user: &User) -> Value {
    let name = format!("{organization}/user={}", user.id);
    json!({
        "api_version": VERSION,
        "kind": "User",
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "auth_type": "AUTH_TYPE_LOCAL",
        "metadata": metadata(ask, &format!("users/{}", user.id), &name, user.created_at),
    })
}

// --- Role bindings

fn binding_id(text: &str) -> Result<RoleBindingId, Problem> {
    text.parse().map_err(|_| not_found("role binding", text))
}

async fn bindings(ask: Ask) -> Outcome {
    let organization = organization(&ask).await?;
    let mut all = all_bindings(&ask, &ask.caller).await?;
    if let Some(principal) = ask.target.query("principal") {
        all.retain(|binding| binding.principal.to_string() == principal);
    }
    if let Some(role) = ask.target.query("role_name") {
        all.retain(|binding| json!(binding.role) == role);
    }
    let place = |binding: &RoleBinding| (binding.created_at, binding.id.to_string());
    let show = |binding: &RoleBinding| shown_binding(&ask, &organization, binding);
    Ok(Answer::ok(list("RoleBindingList").page(&ask.target, all, place, show)?))
}

async fn all_bindings(ask: &Ask, caller: &Caller) -> Result<Vec<RoleBinding>, Problem> {
    let (mut all, mut page) = (Vec::new(), None::<String>);
    loop {
        let more = ask.plane.role_bindings(caller, ask.target.query("crn_pattern"), page.as_deref(), 100).await?;
        all.extend(more.items);
        page = more.next;
        if page.is_none() {
            return Ok(all);
        }
    }
}

async fn binding(ask: Ask) -> Outcome {
    let binding = ask.plane.role_binding(&ask.caller, &binding_id(ask.param("id"))?).await?;
    Ok(Answer::ok(shown_binding(&ask, &organization(&ask).await?, &binding)))
}

async fn create_binding(ask: Ask) -> Outcome {
    let body: Body = ask.body()?;
    let needed = |pointer| body.needed(pointer).map(str::to_owned);
    let new = NewBinding {
        principal: needed("/principal")?,
        role: needed("/role_name")?,
        crn_pattern: needed("/crn_pattern")?,
    };
    let made = ask.plane.create_role_binding(&ask.caller, new).await?;
    let shown = shown_binding(&ask, &organization(&ask).await?, &made);
    Ok(Answer::created(shown).at(format!("/iam/v2/role-bindings/{}", made.id)))
}

async fn delete_binding(ask: Ask) -> Outcome {
    let gone = ask.plane.delete_role_binding(&ask.caller, &binding_id(ask.param("id"))?).await?;
    Ok(Answer::ok(shown_binding(&ask, &organization(&ask).await?, &gone)))
}

fn shown_binding(ask: &Ask, organization: &str, binding: &RoleBinding) -> Value {
    let name = format!("{organization}/role-binding={}", binding.id);
    json!({
        "api_version": VERSION,
        "kind": "RoleBinding",
        "id": binding.id,
        "principal": binding.principal,
        "role_name": binding.role,
        "crn_pattern": binding.crn_pattern,
        "metadata": metadata(ask, &format!("role-bindings/{}", binding.id), &name, binding.created_at),
    })
}
