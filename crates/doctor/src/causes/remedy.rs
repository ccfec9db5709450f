//! Texts to paste for roles: trust policies, statements, commands, settings.

use control::principal_of;
use iam::Arn;
use iam::generate::{Trust, Trusted};
use iam::lint::Finding;
use serde_json::json;

use super::Case;
use super::shell::word;
use crate::{Paste, Remedy};

/// The trust policy that would let us in, and nobody else; of hop `index`, or of the last.
pub(super) fn trust_policy(case: &Case<'_>, index: Option<usize>) -> Remedy {
    trust_policy_as(case, index, true)
}

/// The same; `exists` is whether IAM can look up who is named in it.
pub(super) fn trust_policy_as(case: &Case<'_>, index: Option<usize>, exists: bool) -> Remedy {
    let hops = case.target.connection.as_ref().map_or(&[][..], |connection| &connection.hops);
    let last = hops.len().saturating_sub(1);
    let index = index.unwrap_or(last);
    let name = hops.get(index).map_or("the role", |hop| hop.role_arn.as_str());
    let action = format!("let the trust policy of {name} be this; if it lets in others too, add the statement to it");
    if let Some(integration) = case.target.integration.as_ref().filter(|_| index == last && exists) {
        return Remedy::paste(action, Paste::TrustPolicy(integration.trust_policy.clone()));
    }
    let told = case.target.integration.as_ref().and_then(|known| known.principal.parse::<Arn>().ok());
    let principal = told.filter(|_| index == last).or_else(|| principal(case, index));
    let (Some(hop), Some(principal)) = (hops.get(index), principal) else {
        return Remedy::to("let the role's trust policy name who we are, with the external ID as its condition");
    };
    let principal = principal.as_str().to_owned();
    let is_own = principal.parse::<Arn>().ok().and_then(|arn| arn.account())
        == hop.role_arn.parse::<Arn>().ok().and_then(|arn| arn.account());
    let trusted = match hop.external_id.clone() {
        Some(external_id) => Trusted::Party { principal, external_id, exists },
        None if is_own => Trusted::Own { principal },
        None => {
            return Remedy::to(format!(
                "agree on an external ID, set it as external_id of {name}, and let its trust policy name {principal} with it"
            ));
        }
    };
    // What is handed on from hop to hop must be allowed by each.
    let (tag_session, set_source_identity) = handed_on(case, index);
    let trust = Trust { trusted: vec![trusted], tag_session, set_source_identity, ..Trust::default() };
    match trust.policy() {
        Ok(policy) => Remedy::paste(action, Paste::TrustPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("let the trust policy of {name} name who we are ({error})")),
    }
}

/// Whether tags, and a source identity, come with the request for hop `index`: its own, those of the roles before it, and
/// what AWS names, which sees what a profile or a pod's identity has set.
fn handed_on(case: &Case<'_>, index: usize) -> (bool, bool) {
    let Some(connection) = &case.target.connection else { return (false, false) };
    let hops = connection.hops.iter().take(index + 1).cloned().collect();
    let handed = identity::Connection { hops, ..connection.clone() }.hands_on();
    let names = |action: &str| match &case.facts.hop_error {
        Some((refused, identity::Error::Refused(refusal))) => *refused == index && refusal.message.contains(action),
        _ => false,
    };
    (handed.tags || names("sts:TagSession"), handed.source_identity || names("sts:SetSourceIdentity"))
}

/// Whom a trust policy names that lets in who asks for hop `index`. A session's ARN has lost its role's path: where it is
/// known, it is taken from what names the role.
pub(super) fn principal(case: &Case<'_>, index: usize) -> Option<Arn> {
    let asks = principal_of(before(case, index)?)?;
    let connection = case.target.connection.as_ref()?;
    let named = match index.checked_sub(1) {
        Some(before) => connection.hops.get(before).map(|hop| hop.role_arn.as_str()),
        None => match &connection.base {
            identity::Base::WebIdentity(web) => Some(web.role_arn.as_str()),
            identity::Base::RolesAnywhere(anywhere) => Some(anywhere.role_arn.as_str()),
            _ => None,
        },
    };
    let read = case.facts.ours.grants.as_ref().map(|grants| grants.arn.as_str());
    let same = |arn: &Arn| {
        arn.account() == asks.account() && arn.role_name().is_some_and(|name| asks.role_name() == Some(name))
    };
    let whole = named.into_iter().chain(read).filter_map(|arn| arn.parse::<Arn>().ok()).find(same);
    Some(whole.unwrap_or(asks))
}

/// Who asks for hop `index`.
pub(super) fn before<'a>(case: &Case<'a>, index: usize) -> Option<&'a str> {
    match index.checked_sub(1) {
        None => case.facts.base_arn.as_deref(),
        Some(before) => case.facts.hop_arns.get(before).map(String::as_str),
    }
}

/// The command that puts a trust policy into force.
pub(super) fn update_command(case: &Case<'_>, index: usize) -> Remedy {
    let arn =
        case.target.connection.as_ref().and_then(|connection| connection.hops.get(index)?.role_arn.parse::<Arn>().ok());
    match arn.as_ref().and_then(|arn| Some((arn.role_name()?, arn.account()?))) {
        Some((name, account)) => Remedy::paste(
            format!("put it into force in account {account}, from a file"),
            Paste::Command(format!(
                "aws iam update-assume-role-policy --role-name {} --policy-document file://trust-policy.json",
                word(name)
            )),
        ),
        None => Remedy::to("save it in the role's account"),
    }
}

/// The statement that lets who asks for hop `index` ask for it.
pub(super) fn assume_statement(case: &Case<'_>, index: usize) -> Remedy {
    let whom = principal(case, index).map_or_else(|| "who asks".to_owned(), |arn| arn.to_string());
    assume_statement_for(case, index, format!("attach this to {whom}"))
}

/// The same, with what to do with it.
pub(super) fn assume_statement_for(case: &Case<'_>, index: usize, action: String) -> Remedy {
    let connection = case.target.connection.as_ref();
    let Some(hop) = connection.and_then(|connection| connection.hops.get(index)) else {
        return Remedy::to("allow sts:AssumeRole on the role");
    };
    let (tag_session, set_source_identity) = handed_on(case, index);
    let mut actions = vec!["sts:AssumeRole"];
    actions.extend(set_source_identity.then_some("sts:SetSourceIdentity"));
    actions.extend(tag_session.then_some("sts:TagSession"));
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": hop.role_arn}],
    });
    Remedy::paste(action, Paste::PermissionPolicy(format!("{policy:#}")))
}

/// A setting that sends this external ID.
pub(super) fn external_id_setting(case: &Case<'_>, id: &str) -> Remedy {
    // A connector that names no connection has it among its own keys.
    let is_own = case.target.connector.is_some() && case.target.spec.is_none();
    let text = if is_own { format!("aws.sts.role.external.id={id}") } else { format!("external_id = {}", json!(id)) };
    Remedy::paste("or send the external ID that it asks for", Paste::Setting(text))
}

/// A policy in which a reviewer's remark is mended.
pub(super) fn mended(finding: &Finding) -> Option<Remedy> {
    let mended = finding.mended.as_ref()?;
    Some(Remedy::paste("replace the policy by this", Paste::TrustPolicy(format!("{mended:#}"))))
}
