//! `/pim/v1` and `/pim/v2`: provider integrations.
//!
//! Both versions show the same integrations. The first one makes them with their role; the second one gives the external ID
//! first (`DRAFT`), takes the role afterwards (`PATCH`), and proves it (`:validate`). Confluent's own second version knows
//! other clouds only; ours knows AWS only.

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::MethodFilter;
use control::{EnvironmentId, Integration, IntegrationId, IntegrationUse, NewTrust, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::names::{body_environment, environment_reference, organization, queried_environment};
use super::paging::List;
use super::problem::{Problem, not_found, short};
use super::routes::Routes;

/// Terraform validates at every plan and every refresh: what was proven so lately is not tried again.
const FRESH: Duration = Duration::from_mins(1);

/// Which form of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::V1 => "pim/v1",
            Self::V2 => "pim/v2",
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    routes
        .on(GET, "/pim/v1/integrations", |ask| list(ask, Version::V1))
        .on(POST, "/pim/v1/integrations", create_v1)
        .on(GET, "/pim/v1/integrations/{id}", |ask| read(ask, Version::V1))
        .on(MethodFilter::DELETE, "/pim/v1/integrations/{id}", delete)
        .on(GET, "/pim/v2/integrations", |ask| list(ask, Version::V2))
        .on(POST, "/pim/v2/integrations", create_v2)
        .on(GET, "/pim/v2/integrations/{id}", |ask| read(ask, Version::V2))
        .on(MethodFilter::PATCH, "/pim/v2/integrations/{id}", update)
        .on(MethodFilter::DELETE, "/pim/v2/integrations/{id}", delete)
        // A literal colon; some clients encode it.
        .on(POST, "/pim/v2/integrations:validate", validate)
        .on(POST, "/pim/v2/integrations%3Avalidate", validate)
}

async fn list(ask: Ask, version: Version) -> Outcome {
    let environment = queried_environment(&ask)?;
    let mut all = Vec::new();
    let mut page = None;
    loop {
        // Filters and pages are made here: there are a hundred or so.
        let more = ask.plane.integrations(&ask.caller, &environment, page.as_deref(), 100).await?;
        all.extend(more.items);
        page = more.next;
        if page.is_none() {
            break;
        }
    }
    let query = |name| ask.target.query(name);
    all.retain(|found| {
        query("provider").is_none_or(|provider| provider.eq_ignore_ascii_case("aws"))
            && (version == Version::V1
                || (query("status").is_none_or(|wanted| wanted.eq_ignore_ascii_case(status(found)))
                    && query("display_name").is_none_or(|part| found.integration.display_name.contains(part))))
    });
    let show = shower(&ask, version, &environment).await?;
    let list = List { api_version: version.name(), kind: "IntegrationList" };
    let place = |found: &IntegrationUse| (found.integration.created_at, found.integration.id.as_str().to_owned());
    let page = list.page(&ask.target, all, place, |found| show(found, "aws"))?;
    Ok(Answer::ok(page))
}

async fn read(ask: Ask, version: Version) -> Outcome {
    let environment = queried_environment(&ask)?;
    let found = ask.plane.integration(&ask.caller, &environment, &id(ask.param("id"))?).await?;
    Ok(Answer::ok(shower(&ask, version, &environment).await?(&found, "aws")))
}

async fn delete(ask: Ask) -> Outcome {
    let environment = queried_environment(&ask)?;
    ask.plane.delete_integration(&ask.caller, &environment, &id(ask.param("id"))?).await?;
    Ok(Answer::no_content())
}

async fn create_v1(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let environment = body_environment(&body)?;
    let provider = provider(&body)?.unwrap_or("AWS").to_owned();
    if body.at("/config").is_none() {
        return Err(Problem::field("/config", "must be given"));
    }
    kind(&body)?;
    let role = body.needed(ROLE)?.to_owned();
    create(&ask, &body, Version::V1, environment, &provider, Some(role)).await
}

async fn create_v2(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let environment = body_environment(&body)?;
    let named = provider(&body)?.is_some();
    let role = if body.at("/config").is_some() {
        kind(&body)?;
        body.text(ROLE)?.map(str::to_owned)
    } else if named {
        None
    } else {
        // Confluent takes it for GCP then.
        return Err(Problem::field("/provider", "must be given; aws is the only one that is served here"));
    };
    create(&ask, &body, Version::V2, environment, "aws", role).await
}

async fn create(
    ask: &Ask,
    body: &Body,
    version: Version,
    environment: EnvironmentId,
    provider: &str,
    role: Option<String>,
) -> Outcome {
    let display_name = body.needed("/display_name")?.to_owned();
    let new = NewTrust { environment: environment.clone(), display_name, role };
    let made = ask.plane.create_integration(&ask.caller, new).await?;
    let path = format!("/{}/integrations/{}", version.name(), made.integration.id);
    Ok(Answer::created(shower(ask, version, &environment).await?(&made, provider)).at(path))
}

/// Gives a draft its role.
async fn update(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let environment = body_environment(&body)?;
    let id = id(ask.param("id"))?;
    let found = ask.plane.integration(&ask.caller, &environment, &id).await?;
    provider(&body)?;
    if body.text("/display_name")?.is_some_and(|name| name != found.integration.display_name) {
        return Err(Problem::field("/display_name", "cannot be changed"));
    }
    let found = if body.at("/config").is_some() {
        kind(&body)?;
        let role = body.needed(ROLE)?;
        match &found.integration.role {
            Some(there) if there.as_str() == role => found,
            // Connectors may rely on what this one is.
            Some(there) => {
                let text =
                    format!("integration {id} has role {} already, and only a DRAFT is given one", there.as_str());
                return Err(Problem::new(StatusCode::CONFLICT, "conflict", text)
                    .resolution("make another integration for the other role"));
            }
            None => ask.plane.set_integration_role(&ask.caller, &environment, &id, role).await?,
        }
    } else {
        found
    };
    Ok(Answer::ok(shower(&ask, Version::V2, &environment).await?(&found, "aws")))
}

/// Tries whether the role lets in us and nobody else.
async fn validate(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let environment = body_environment(&body)?;
    let id = id(body.needed("/id")?)?;
    let found = ask.plane.integration(&ask.caller, &environment, &id).await?;
    if body.at("/config").is_some() {
        kind(&body)?;
    }
    let given = body.text(ROLE)?;
    let role = found.integration.role.as_ref().map(iam::Arn::as_str);
    match (role, given) {
        (None, _) => {
            let text = format!("Cloud provider setup incomplete: integration {id} has no role yet");
            let how = r#"give it one with PATCH: {"config":{"kind":"AwsIntegrationConfig","customer_iam_role_arn":"arn:aws:iam::ACCOUNT:role/NAME"},"environment":{"id":".."}}"#;
            return Err(Problem::bad_request(text).resolution(how));
        }
        (Some(role), Some(given)) if role != given => {
            let text = format!("integration {id} has role {role}, and the request is about {}", short(given));
            return Err(Problem::bad_request(text));
        }
        (Some(_), _) => {}
    }
    let (now_known, proof) = ask.plane.verify_integration(&ask.caller, &environment, &id, Some(FRESH)).await?;
    let proof = proof.or_else(|| now_known.integration.last_proof.clone());
    match proof {
        Some(proof) if proof.verdict == Verdict::Proven => Ok(Answer::no_content()),
        proof => {
            let reason = proof.map_or_else(|| "it could not be tried".to_owned(), |proof| proof.reason);
            let policy = now_known.integration.trust_policy(ask.now()).to_string();
            let text = format!("integration {id} is not proven: {reason}. The role's trust policy must be: {policy}");
            let how = "changes of a trust policy take a minute or so until they hold everywhere; then validate again";
            Err(Problem::bad_request(text).resolution(how))
        }
    }
}

const ROLE: &str = "/config/customer_iam_role_arn";

/// An integration as a text names it. A text that can name none names one that is not there.
fn id(text: &str) -> Result<IntegrationId, Problem> {
    text.parse().map_err(|_| not_found("integration", text))
}

/// The provider as it was written, if it is ours.
fn provider(body: &Body) -> Result<Option<&str>, Problem> {
    match body.text("/provider")? {
        Some(provider) if !provider.eq_ignore_ascii_case("aws") => {
            let text = format!("provider {:?} is not served here: Tidegate reaches AWS alone", short(provider));
            let mut problem =
                Problem::field("/provider", "must be aws").resolution("make the integration with provider aws");
            problem.entries[0].detail = text;
            Err(problem)
        }
        provider => Ok(provider),
    }
}

/// Refuses a configuration that is not AWS's.
fn kind(body: &Body) -> Result<(), Problem> {
    match body.text("/config/kind")? {
        None => Err(Problem::field("/config/kind", "must be AwsIntegrationConfig")),
        Some(kind) if kind.rsplit('.').next() == Some("AwsIntegrationConfig") => Ok(()),
        Some(kind) => {
            let rule = format!("{:?} is not served here: it must be AwsIntegrationConfig", short(kind));
            Err(Problem::field("/config/kind", &rule))
        }
    }
}

fn status(found: &IntegrationUse) -> &'static str {
    match &found.integration.role {
        None => "DRAFT",
        Some(_) if found.usages.is_empty() => "CREATED",
        Some(_) => "ACTIVE",
    }
}

/// How integrations are shown to this caller.
async fn shower<'a>(
    ask: &'a Ask,
    version: Version,
    environment: &'a EnvironmentId,
) -> Result<impl Fn(&IntegrationUse, &str) -> Value + use<'a>, Problem> {
    let organization = organization(ask).await?;
    let now = ask.now();
    let environment = environment_reference(ask, &organization, environment.as_str());
    Ok(move |found: &IntegrationUse, provider: &str| shown(found, version, provider, &environment, now))
}

fn shown(found: &IntegrationUse, version: Version, provider: &str, environment: &Value, now: Timestamp) -> Value {
    let integration = &found.integration;
    let mut value = json!({
        "api_version": version.name(),
        "kind": "Integration",
        "id": integration.id,
        "display_name": integration.display_name,
        "provider": provider,
        "config": config(integration, version, now),
        "usages": found.usages,
        "environment": environment,
    });
    match version {
        // As Confluent's page about these calls shows them, though their specification does not.
        Version::V1 => {
            value["created_at"] = json!(integration.created_at);
            value["updated_at"] = json!(integration.created_at);
        }
        Version::V2 => value["status"] = json!(status(found)),
    }
    value
}

/// Never null, whatever is missing: the CLI does not survive that.
fn config(integration: &Integration, version: Version, now: Timestamp) -> Value {
    let external_id = integration.live_ids(now).next().map(|issued| issued.value.as_str());
    let mut config = json!({
        "kind": "AwsIntegrationConfig",
        "iam_role_arn": integration.principal.as_str(),
        "external_id": external_id.unwrap_or_default(),
        "customer_iam_role_arn": integration.role.as_ref().map(iam::Arn::as_str).unwrap_or_default(),
    });
    if version == Version::V1 {
        // The page's name for our principal; the specification's is above.
        config["confluent_iam_role_arn"] = json!(integration.principal.as_str());
    }
    config
}
