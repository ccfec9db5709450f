use std::collections::BTreeMap;
use std::time::Duration;

use iam::{AccountId, Arn, Context, Document, PolicyKind, ResourcePolicy};

use super::{answer, credentials, is_active};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Asking, Facts, Who, authorize};
use crate::aws::connection::Door;
use crate::aws::directory::Directory;
use crate::aws::entity::Role;
use crate::aws::reply::Reply;
use crate::aws::session::{Mint, Session};
use crate::aws::sigv4::Verified;
use crate::aws::uri::Query;
use crate::aws::validate::{Faults, is_word, members};

/// How long a session made by a session may last at most.
const CHAINED_MAX: Duration = Duration::from_hours(1);

/// The most session tags.
const MAX_TAGS: usize = 50;

/// The most managed policies that narrow a session.
const MAX_POLICY_ARNS: usize = 10;

/// The longest session policy, in characters. AWS's model has dropped the number, its documentation has not.
const MAX_POLICY: usize = 2048;

/// A session policy of the greatest length fills half of it; the rest is for tags. An assumption: see
/// [`packed_size`].
const PACKED_SPACE: usize = 2 * MAX_POLICY;

/// The parameters, each within its own constraints.
struct Asked<'a> {
    role: Arn,
    account: AccountId,
    session_name: &'a str,
    duration: Duration,
    external_id: Option<&'a str>,
    source_identity: Option<&'a str>,
    policy: Option<&'a str>,
    policy_arns: Vec<String>,
    tags: BTreeMap<String, String>,
    transitive: Vec<String>,
}

pub(super) fn assume_role(
    mint: &Mint,
    directory: &Directory,
    verified: &Verified,
    facts: &Facts,
    form: &Query,
    request_id: &str,
) -> Result<Reply, ApiError> {
    let asked = read(form)?;
    let requester = &verified.requester;
    if matches!(requester.who, Who::Root) {
        return Err(ApiError::of("AccessDenied").saying("Roles may not be assumed by root accounts."));
    }
    is_active(directory, asked.account, facts)?;
    // A role that does not exist is refused in the same words: nobody learns which roles there are.
    let role = asked.role.role_name().and_then(|name| directory.role(asked.account, name));
    let role = role.filter(|role| role.arn == asked.role);
    let calling = requester.session();

    // What a chain of sessions hands on.
    let inherited: BTreeMap<String, String> = calling
        .into_iter()
        .flat_map(|session| session.tags.iter().filter(|(key, _)| session.transitive.contains(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let inherited_identity = calling.and_then(|session| session.source_identity.as_deref());

    let may = |action: &str| may(directory, verified, facts, &asked, role, action, inherited_identity);
    let role = may("sts:AssumeRole")?;
    if !asked.tags.is_empty() || !inherited.is_empty() {
        may("sts:TagSession")?;
    }
    if asked.source_identity.is_some() || inherited_identity.is_some() {
        may("sts:SetSourceIdentity")?;
    }
    if let (Some(new), Some(old)) = (asked.source_identity, inherited_identity)
        && new != old
    {
        return Err(denied(verified, "sts:SetSourceIdentity", &asked.role));
    }
    if calling.is_some() && asked.duration > CHAINED_MAX {
        return Err(ApiError::of("ValidationError").saying(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if asked.duration > role.max_session {
        return Err(ApiError::of("ValidationError")
            .saying("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    if let Some(arn) = asked.policy_arns.iter().find(|arn| !is_of_account(directory, arn, asked.account)) {
        return Err(ApiError::of("MalformedPolicyDocument").saying(format!("Policy {arn} does not exist")));
    }
    let packed = packed_size(&asked)?;
    let (tags, transitive) = hand_on(&asked, inherited)?;

    let session = Session {
        account: asked.account.to_string(),
        role: role.arn.role_name().unwrap_or_default().to_owned(),
        role_id: role.id.clone(),
        name: asked.session_name.to_owned(),
        policy: asked.policy.map(str::to_owned),
        policy_arns: asked.policy_arns.clone(),
        taken_by: Some(requester.account)
            .filter(|account| *account != asked.account)
            .map(|account| account.to_string()),
        is_global: facts.door == Door::GlobalSts,
        tags,
        transitive,
        source_identity: asked.source_identity.or(inherited_identity).map(str::to_owned),
        ..Session::default()
    };
    let minted = mint.mint(session, asked.account, facts.now, asked.duration);
    let session = &minted.session;
    Ok(answer("AssumeRole", request_id, |xml| {
        xml.within("AssumedRoleUser", |xml| {
            xml.field("AssumedRoleId", format_args!("{}:{}", session.role_id, session.name));
            let (account, role, partition) = (&session.account, &session.role, asked.role.partition().name());
            xml.field("Arn", format_args!("arn:{partition}:sts::{account}:assumed-role/{role}/{}", session.name));
        });
        credentials(xml, &minted);
        xml.maybe("PackedPolicySize", packed);
        xml.maybe("SourceIdentity", session.source_identity.as_deref());
    }))
}

/// Whether the trust policy (and, where it must, the caller's own) allows one of the actions that make a session.
fn may<'d>(
    directory: &'d Directory,
    verified: &Verified,
    facts: &Facts,
    asked: &Asked<'_>,
    role: Option<&'d Role>,
    action: &str,
    inherited_identity: Option<&str>,
) -> Result<&'d Role, ApiError> {
    let role = role.ok_or_else(|| denied(verified, action, &asked.role))?;
    let keys = |context: &mut Context| {
        context.set("sts:RoleSessionName", asked.session_name);
        if let Some(id) = asked.external_id {
            context.set("sts:ExternalId", id);
        }
        if let Some(identity) = asked.source_identity.or(inherited_identity) {
            context.set("sts:SourceIdentity", identity);
        }
        if !asked.tags.is_empty() {
            context.set_many("aws:TagKeys", asked.tags.keys().cloned());
        }
        for (key, value) in &asked.tags {
            context.set(&format!("aws:RequestTag/{key}"), &**value);
        }
        if !asked.transitive.is_empty() {
            context.set_many("sts:TransitiveTagKeys", asked.transitive.iter().cloned());
        }
        for (key, value) in &role.tags {
            context.set(&format!("aws:ResourceTag/{key}"), &**value);
            context.set(&format!("iam:ResourceTag/{key}"), &**value);
        }
    };
    // A role whose first trust policy has not taken effect yet is, as far as one can see, not there.
    let trust = role.trust.at(facts.now).ok_or_else(|| denied(verified, action, &asked.role))?;
    let policy = Some(ResourcePolicy::Trust(&trust.enforced));
    let asking = Asking { action, resource: role.arn.as_str(), owner: asked.account, policy, said: None };
    authorize(directory, &verified.requester, facts, &asking, keys)
        .map_err(|denied| denied.refuse("AccessDenied", role.arn.as_str()))?;
    Ok(role)
}

fn denied(verified: &Verified, action: &str, role: &Arn) -> ApiError {
    let who = &verified.requester.arn;
    ApiError::of("AccessDenied")
        .saying(format!("User: {who} is not authorized to perform: {action} on resource: {role}"))
}

fn read(form: &Query) -> Result<Asked<'_>, ApiError> {
    let mut faults = Faults::default();
    let (arn, session_name) = (form.get("RoleArn"), form.get("RoleSessionName"));
    let external_id = form.get("ExternalId");
    let source_identity = form.get("SourceIdentity");
    let policy = form.get("Policy");
    let name = |c| is_word(c) || "+=,.@-".contains(c);
    let name_pattern = "[\\w+=,.@-]*";
    faults.text(
        "roleArn",
        arn,
        true,
        20..=2048,
        |c| !c.is_control(),
        "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    );
    faults.text("roleSessionName", session_name, true, 2..=64, name, name_pattern);
    let external = |c| is_word(c) || "+=,.@:/-".contains(c);
    faults.text("externalId", external_id, false, 2..=1224, external, "[\\w+=,.@:\\/-]*");
    faults.text("sourceIdentity", source_identity, false, 2..=64, name, name_pattern);
    let printable = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}');
    faults.text("policy", policy, false, 1..=MAX_POLICY, printable, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+");
    let duration = match form.get("DurationSeconds") {
        None => Duration::from_hours(1),
        Some(text) => faults.seconds("durationSeconds", text, 900..=43_200),
    };
    let policy_arns: Vec<String> = members(form, "PolicyArns", "arn").map(str::to_owned).collect();
    for (index, arn) in policy_arns.iter().enumerate() {
        let name = format!("policyArns.{}.member.arn", index + 1);
        faults.text(&name, Some(arn), true, 20..=2048, |c| !c.is_control(), "[\\u0009\\u000A\\u000D\\u0020-\\u007E]+");
    }
    if policy_arns.len() > MAX_POLICY_ARNS {
        let constraint = format!("Member must have length less than or equal to {MAX_POLICY_ARNS}");
        faults.add(&format!("[{} policies]", policy_arns.len()), "policyArns", &constraint);
    }
    let tags = read_tags(form, &mut faults);
    let transitive: Vec<String> = members(form, "TransitiveTagKeys", "").map(str::to_owned).collect();
    faults.result()?;

    let not_served = ["SerialNumber", "TokenCode", "ProvidedContexts.member.1.ProviderArn", "MinimumSessionTokenSize"];
    if let Some(name) = not_served.into_iter().find(|name| form.has(name)) {
        return Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not know {name} yet")));
    }
    if source_identity.is_some_and(|identity| identity.to_ascii_lowercase().starts_with("aws:")) {
        return Err(ApiError::of("ValidationError").saying("The source identity must not begin with aws:"));
    }
    if let Some(policy) = policy {
        Document::parse_as(PolicyKind::Session, policy)
            .map_err(|error| ApiError::of("MalformedPolicyDocument").saying(error.to_string()))?;
    }
    let arn = arn.unwrap_or_default();
    let invalid = || ApiError::of("ValidationError").saying(format!("{arn} is invalid"));
    let role: Arn = arn.parse().map_err(|_| invalid())?;
    let account = role.account().filter(|_| role.role_name().is_some()).ok_or_else(invalid)?;
    let tags = unique_tags(tags)?;
    if let Some(key) = transitive.iter().find(|key| !tags.contains_key(*key)) {
        return Err(ApiError::of("InvalidParameterValue")
            .saying(format!("The transitive tag key {key} is not among the session tags.")));
    }
    let session_name = session_name.unwrap_or_default();
    Ok(Asked {
        role,
        account,
        session_name,
        duration,
        external_id,
        source_identity,
        policy,
        policy_arns,
        tags,
        transitive,
    })
}

/// Whether a session policy is one of AWS's, or of the role's own account.
fn is_of_account(directory: &Directory, arn: &str, account: AccountId) -> bool {
    let own = arn.parse::<Arn>().is_ok_and(|arn| arn.account().is_none_or(|of| of == account));
    own && directory.managed_policy(arn).is_some()
}

fn read_tags(form: &Query, faults: &mut Faults) -> Vec<(String, String)> {
    let keys = members(form, "Tags", "Key");
    let tags: Vec<_> = keys
        .enumerate()
        .map(|(index, key)| {
            let value = form.get(&format!("Tags.member.{}.Value", index + 1));
            (key.to_owned(), value.unwrap_or_default().to_owned())
        })
        .collect();
    if tags.len() > MAX_TAGS {
        let constraint = format!("Member must have length less than or equal to {MAX_TAGS}");
        faults.add(&format!("[{} tags]", tags.len()), "tags", &constraint);
    }
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for (index, (key, value)) in tags.iter().enumerate() {
        let name = |part: &str| format!("tags.{}.member.{part}", index + 1);
        faults.text(&name("key"), Some(key), true, 1..=128, allowed, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+");
        faults.text(&name("value"), Some(value), true, 0..=256, allowed, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*");
    }
    tags
}

/// Keys of tags ignore case, and those that begin with `aws:` are AWS's own.
fn unique_tags(tags: Vec<(String, String)>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut unique = BTreeMap::new();
    for (key, value) in tags {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::of("InvalidParameterValue")
                .saying("System tags (those beginning with aws:) cannot be added, updated or deleted."));
        }
        if unique.keys().any(|known: &String| known.eq_ignore_ascii_case(&key)) {
            return Err(ApiError::of("InvalidParameterValue")
                .saying("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        unique.insert(key, value);
    }
    Ok(unique)
}

/// The new session's tags: its own and those that the calling session hands on.
fn hand_on(
    asked: &Asked<'_>,
    inherited: BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, Vec<String>), ApiError> {
    let clashes = |key: &String| inherited.keys().any(|known| known.eq_ignore_ascii_case(key));
    if asked.tags.keys().any(clashes) {
        return Err(ApiError::of("InvalidParameterValue").saying(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
        ));
    }
    let transitive = inherited.keys().chain(&asked.transitive).cloned().collect();
    let tags = asked.tags.clone().into_iter().chain(inherited).collect();
    Ok((tags, transitive))
}

/// How much of the space for policy and tags is taken, in percent. How AWS packs them is not told: this counts their
/// characters against [`PACKED_SPACE`].
fn packed_size(asked: &Asked<'_>) -> Result<Option<usize>, ApiError> {
    let tags: usize = asked.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let arns: usize = asked.policy_arns.iter().map(String::len).sum();
    let used = tags + arns + asked.policy.map_or(0, str::len);
    let percent = (used * 100).div_ceil(PACKED_SPACE);
    if percent > 100 {
        let what = if asked.policy.is_none() && asked.policy_arns.is_empty() {
            "session tags"
        } else {
            "session policy and session tags"
        };
        return Err(ApiError::of("PackedPolicyTooLarge")
            .saying(format!("Packed size of {what} consumes {percent}% of allotted space.")));
    }
    Ok((used > 0).then_some(percent))
}
