use std::time::Duration;

use iam::{Arn, Context, Document, PolicyKind};

use super::{answer, credentials, is_active};
use crate::aws::ambient::{Limit, Taking, Untaken, take};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Facts, network_keys};
use crate::aws::oidc::{Claims, audiences, verify};
use crate::aws::reply::Reply;
use crate::aws::server::Shared;
use crate::aws::uri::Query;
use crate::aws::validate::{Faults, is_word};

/// The longest session policy, in characters.
const MAX_POLICY: usize = 2048;

/// Parameters that exist and are not served.
const NOT_SERVED: [&str; 2] = ["ProviderId", "PolicyArns.member.1.arn"];

/// Exchanges a token of an issuer that the role's account trusts. It is not signed: the token is the proof.
pub(super) fn assume_role_with_web_identity(
    shared: &Shared,
    facts: &Facts,
    form: &Query,
    request_id: &str,
) -> Result<Reply, ApiError> {
    let denied = || ApiError::of("AccessDenied").saying("Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let Asked { role, session_name, token, policy, duration } = read(form)?;
    let account = role.account().ok_or_else(denied)?;

    is_active(&shared.directory(), account, facts)?;
    let issuers = &shared.ambient.issuers;
    let provider = |url: &str| audiences(shared, account, url);
    let claims = verify(token, provider, |url| issuers.keys(url), facts.now)?;
    let Claims { provider, subject, audience, methods, tags, transitive, source_identity, issuer } = claims;
    let mut actions = vec!["sts:AssumeRoleWithWebIdentity"];
    if !tags.is_empty() {
        actions.push("sts:TagSession");
    }
    if source_identity.is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    let caller = format!("arn:{}:iam::{account}:oidc-provider/{provider}", role.partition().name());
    let taking = Taking {
        role: &role,
        caller: &caller,
        actions: &actions,
        session_name,
        duration,
        limit: Some(Limit::Refuse),
        policy,
        tags,
        transitive,
        source_identity: source_identity.as_deref(),
    };
    let keys = |context: &mut Context| {
        context.set("aws:FederatedProvider", &*caller);
        network_keys(context, facts);
        context.set("aws:RequestedRegion", &*facts.region);
        if let Some(agent) = &facts.user_agent {
            context.set("aws:UserAgent", &**agent);
        }
        context.set(&format!("{provider}:sub"), &*subject);
        context.set(&format!("{provider}:aud"), &*audience);
        if !methods.is_empty() {
            context.set_many(&format!("{provider}:amr"), methods);
        }
    };
    let minted = take(shared, taking, facts.now, keys).map_err(|untaken| match untaken {
        Untaken::NoRole => denied(),
        Untaken::NotTrusted { action } if action == "sts:AssumeRoleWithWebIdentity" => denied(),
        Untaken::NotTrusted { action } => {
            ApiError::of("AccessDenied").saying(format!("Not authorized to perform {action}"))
        }
        Untaken::TooLong => ApiError::of("ValidationError")
            .saying("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    })?;
    let session = &minted.session;
    Ok(answer("AssumeRoleWithWebIdentity", request_id, |xml| {
        xml.field("SubjectFromWebIdentityToken", &subject);
        xml.field("Audience", &audience);
        xml.within("AssumedRoleUser", |xml| {
            xml.field("AssumedRoleId", format_args!("{}:{}", session.role_id, session.name));
            let (account, role, partition) = (&session.account, &session.role, role.partition().name());
            xml.field("Arn", format_args!("arn:{partition}:sts::{account}:assumed-role/{role}/{}", session.name));
        });
        credentials(xml, &minted);
        xml.field("Provider", &issuer);
        xml.maybe("SourceIdentity", session.source_identity.as_deref());
    }))
}

/// The parameters, each within its own constraints.
struct Asked<'a> {
    role: Arn,
    session_name: &'a str,
    token: &'a str,
    policy: Option<&'a str>,
    duration: Duration,
}

fn read(form: &Query) -> Result<Asked<'_>, ApiError> {
    let mut faults = Faults::default();
    let (arn, name, token) = (form.get("RoleArn"), form.get("RoleSessionName"), form.get("WebIdentityToken"));
    let policy = form.get("Policy");
    faults.text(
        "roleArn",
        arn,
        true,
        20..=2048,
        |c| !c.is_control(),
        "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    );
    faults.text("roleSessionName", name, true, 2..=64, |c| is_word(c) || "+=,.@-".contains(c), "[\\w+=,.@-]*");
    if token.is_none_or(|token| !(4..=20_000).contains(&token.len())) {
        // Not quoted: a token may still be good elsewhere.
        faults.add("null", "webIdentityToken", "Member must have length between 4 and 20000");
    }
    faults.text("policy", policy, false, 1..=MAX_POLICY, |_| true, "");
    let duration = match form.get("DurationSeconds").map(|text| (text, text.parse::<u64>())) {
        None => Duration::from_hours(1),
        Some((_, Ok(seconds @ 900..=43_200))) => Duration::from_secs(seconds),
        Some((text, Ok(0..900))) => {
            faults.add(text, "durationSeconds", "Member must have value greater than or equal to 900");
            Duration::ZERO
        }
        Some((text, _)) => {
            faults.add(text, "durationSeconds", "Member must have value less than or equal to 43200");
            Duration::ZERO
        }
    };
    faults.result()?;
    if let Some(name) = NOT_SERVED.into_iter().find(|name| form.has(name)) {
        return Err(ApiError::of("NotImplemented")
            .saying(format!("the embedded AWS does not serve the parameter {name} of AssumeRoleWithWebIdentity")));
    }
    if let Some(policy) = policy {
        Document::parse_as(PolicyKind::Session, policy)
            .map_err(|error| ApiError::of("MalformedPolicyDocument").saying(error.to_string()))?;
    }
    let role: Arn = arn
        .and_then(|arn| arn.parse().ok())
        .filter(|arn: &Arn| arn.role_name().is_some())
        .ok_or_else(|| ApiError::of("ValidationError").saying(format!("{} is invalid", arn.unwrap_or_default())))?;
    let (session_name, token) = (name.unwrap_or_default(), token.unwrap_or_default());
    Ok(Asked { role, session_name, token, policy, duration })
}
