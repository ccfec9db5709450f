//! `/api/sessions` and what the CLI asks before and after it.

use axum::http::StatusCode;
use axum::routing::MethodFilter;
use control::{Credentials, Login, Organization, Principal, Refusal, User};
use serde_json::{Value, json};
use world::Secret;

use super::answer::{Answer, Outcome};
use super::ask::{Ask, Knock};
use super::problem::Problem;
use super::routes::Routes;

/// These are below `/api` alone: no client has them elsewhere.
pub(super) fn routes(routes: Routes) -> Routes {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    routes
        .for_anybody(GET, "/login/realm", realm)
        .for_anybody(POST, "/sessions", log_in)
        .for_anybody(MethodFilter::DELETE, "/sessions", log_out)
        .on(GET, "/me", me)
        .on(POST, "/access_tokens", access_token)
        .on(GET, "/growth/v1/free-trial-info", free_trial)
}

/// Nobody logs in elsewhere, and nobody needs a second proof. The answer is the same for every address: whether there is
/// such a user is not told.
async fn realm(_: Knock) -> Outcome {
    Ok(Answer::ok(json!({ "realm": "", "is_sso": false, "mfa_required": false })))
}

async fn log_in(knock: Knock) -> Outcome {
    let body = knock.body().map_err(as_login)?;
    let text = |pointer| body.text(pointer).map_err(as_login);
    let login = if let Some(token) = text("/refresh_token")? {
        knock.plane.refresh(&Secret::new(token), knock.origin.clone()).await
    } else {
        let (Some(email), Some(password)) = (text("/email")?, text("/password")?) else {
            return Err(Problem::bad_request("email and password, or refresh_token, must be given"));
        };
        knock.plane.login(email, &Secret::new(password), knock.origin.clone()).await
    };
    let login = login.map_err(|refusal| match refusal {
        // The CLI takes 401 for a session that has ended, and 403 for a wrong password.
        Refusal::Unauthenticated => {
            Problem::new(StatusCode::FORBIDDEN, "user_unauthorized", "the address or the password is wrong")
        }
        // It has failed too often.
        Refusal::Busy { .. } => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "too many logins have failed; try again in a minute",
        ),
        other => other.into(),
    })?;
    let Login { token, refresh_token, user, expires_at: _ } = login;
    let caller = knock.plane.authenticate(Credentials::Bearer(token.clone()), knock.origin.clone()).await?;
    let organization = knock.plane.organization(&caller).await?;
    Ok(Answer::ok(json!({
        "token": token.expose(),
        "refresh_token": refresh_token.expose(),
        "user": shown_user(&user),
        "organization": shown_organization(&organization),
    })))
}

/// A body that cannot be read is 400 here.
fn as_login(problem: Problem) -> Problem {
    Problem { status: StatusCode::BAD_REQUEST, code: "bad_request", ..problem }
}

/// Ends a login. One that has ended already is what was asked for.
async fn log_out(knock: Knock) -> Outcome {
    if let Some(Credentials::Bearer(token)) = knock.credentials() {
        match knock.plane.logout(&token, knock.origin.clone()).await {
            Ok(()) | Err(Refusal::Unauthenticated) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(Answer::ok(json!({})))
}

async fn me(ask: Ask) -> Outcome {
    let organization = ask.plane.organization(&ask.caller).await?;
    let user = match &ask.caller.principal {
        Principal::User(id) => shown_user(&ask.plane.user(&ask.caller, id).await?),
        Principal::ServiceAccount(id) => {
            let account = ask.plane.service_account(&ask.caller, id).await?;
            json!({
                "id": 0, "email": "", "first_name": "", "last_name": "", "resource_id": account.id,
                "service_account": true, "service_name": account.display_name,
                "service_description": account.description,
            })
        }
        Principal::Operator => {
            json!({ "id": 0, "email": "", "first_name": "Operator", "last_name": "", "resource_id": "" })
        }
    };
    let accounts = ask.plane.environments(&ask.caller).await?;
    let account = |environment: &control::Environment| {
        json!({
            "id": environment.id,
            "name": environment.display_name,
            "organization_id": organization.number,
            "org_resource_id": organization.id,
        })
    };
    let accounts: Vec<Value> = accounts.iter().map(account).collect();
    Ok(Answer::ok(json!({
        "user": user,
        "organization": shown_organization(&organization),
        "account": accounts.first(),
        "accounts": accounts,
    })))
}

/// The token for what Confluent serves elsewhere (its logs): here it is the one of the login.
async fn access_token(ask: Ask) -> Outcome {
    match ask.credentials() {
        Some(Credentials::Bearer(token)) => Ok(Answer::ok(json!({ "token": token.expose() }))),
        Some(Credentials::None | Credentials::Basic { .. }) | None => {
            Err(Problem::bad_request("only a login has a token: send the API key itself with each request"))
        }
    }
}

async fn free_trial(_: Ask) -> Outcome {
    Ok(Answer::ok(json!({ "message": "", "is_trial": false, "promo_code_claims": [] })))
}

fn shown_user(user: &User) -> Value {
    let (first, last) = user.full_name.rsplit_once(' ').unwrap_or((&user.full_name, ""));
    json!({
        "id": user.number,
        "email": user.email,
        "first_name": first,
        "last_name": last,
        "resource_id": user.id,
    })
}

fn shown_organization(organization: &Organization) -> Value {
    json!({
        "id": organization.number,
        "name": organization.display_name,
        "resource_id": organization.id,
    })
}
