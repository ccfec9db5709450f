//! What policies allow of S3: the role's own, and those that stand over it.

use iam::lint::{Options, lint};
use iam::{Caller, Document, Policies, PolicyKind, Request, evaluate};

use super::bucket_policy::{ACCESS_POINT, BUCKET_POLICY, NETWORK, Weighed};
use super::denial::By;
use super::grant::{bucket_statement, own_policy};
use super::refused::{Refused, account, caller, principal, refusals};
use super::shell::word;
use super::{Case, bucket, bucket_policy, encryption, object};
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static OTHER_HALF: Cause = Cause {
    row: "F42",
    code: "policy.on-the-other-half",
    title: "what is done to the bucket is allowed on its objects alone, or the other way round",
    symptom: "AccessDenied on listing though s3:ListBucket is in the policy, or on reading though s3:GetObject is",
    why: "a bucket is arn:aws:s3:::BUCKET and its objects are arn:aws:s3:::BUCKET/*, and each action matches one of them only",
    apart: "one of listing and reading works and the other does not",
    cure: "allow s3:ListBucket on the bucket's own ARN, and s3:GetObject and s3:PutObject on its objects'",
    texts: &["s3:listbucket", "listobjectsv2 operation: access denied", "s3:getobject"],
};

static UNKNOWN_ACTION: Cause = Cause {
    row: "F44",
    code: "policy.unknown-action",
    title: "the policy names actions that there are not",
    symptom: "AccessDenied, though the policy lists s3:ListObjects or s3:HeadObject",
    why: "IAM saves what it does not know, and no request ever asks for it: operations are called otherwise than their permissions",
    apart: "it shows in the policy itself",
    cure: "name the permission: s3:ListBucket for ListObjects, s3:GetObject for HeadObject",
    texts: &["s3:listobjects", "s3:headobject", "s3:headbucket", "s3:listbuckets"],
};

static CONTROL: Cause = Cause {
    row: "F53",
    code: "policy.organisation-refuses",
    title: "a service control policy or a resource control policy of the organisation refuses it",
    symptom: "AccessDenied, though the role's and the bucket's policies allow it",
    why: "what the organisation's policies do not allow, no policy of the account can",
    apart: "within an organisation AWS says so; across organisations only what is left when all else is ruled out",
    cure: "have whoever administers the organisation except it",
    texts: &["service control policy", "resource control policy"],
};

/// The role's own policies lack what is needed.
pub(super) static MISSING: Cause = Cause {
    row: "F60",
    code: "policy.permission-missing",
    title: "the role's own policies do not allow all that is needed",
    symptom: "AccessDenied, with \"because no identity-based policy allows\" where AWS says why",
    why: "a policy that was copied from a page or narrowed since lacks a permission that the work asks for",
    apart: "look whether the role's policies, its boundary and its session's policy allow the action on the resource",
    cure: "give the role the policy that is made from what is asked for",
    texts: &[
        "because no identity-based policy allows",
        "because no permissions boundary allows",
        "because no session policy allows",
    ],
};

pub(super) static CAUSES: &[&Cause] = &[&OTHER_HALF, &UNKNOWN_ACTION, &CONTROL, &MISSING];

pub(super) fn explain(case: &mut Case<'_>) {
    written(case);
    for refused in refusals(case) {
        let found = object::explain_refused(case, &refused)
            .or_else(|| encryption::explain_refused(case, &refused))
            .unwrap_or_else(|| by_policy(case, &refused));
        for diagnosis in found {
            case.explain(refused.check, diagnosis);
        }
    }
}

/// What is seen in the policy that was given.
fn written(case: &mut Case<'_>) {
    let target = case.target;
    let Some(text) = target.permission_policy.as_deref().filter(|_| case.is_unwell(Check::POLICIES)) else { return };
    let Ok(document) = Document::parse_as(PolicyKind::Identity, text) else { return };
    let findings = lint(&document, PolicyKind::Identity, &Options::default());
    for (cause, rules) in [
        (&UNKNOWN_ACTION, &["unknown-action"][..]),
        (&OTHER_HALF, &["object-action-on-bucket", "bucket-action-on-object"][..]),
    ] {
        let Some(finding) = findings.iter().find(|finding| rules.contains(&finding.rule)) else { continue };
        let mut diagnosis = Diagnosis::decided(cause, finding.what.clone());
        if let Some(mended) = &finding.mended {
            let paste = Paste::PermissionPolicy(format!("{mended:#}"));
            diagnosis = diagnosis.cure(Remedy::paste("replace the permission policy by this", paste));
        }
        case.explain(Check::POLICIES, diagnosis);
    }
}

/// The role's own policies, as far as they are known: what was given, or what IAM shows. Each with its name.
fn known<'a>(case: &Case<'a>) -> Vec<(&'a str, Document)> {
    let given = case.target.permission_policy.as_deref().map(|text| ("the policy that was given", text));
    let shown = case.facts.role_grants.iter().flat_map(|grants| &grants.policies);
    let shown = shown.map(|policy| (policy.name.as_str(), policy.text.as_str()));
    let read = |(name, text)| Some((name, Document::parse_as(PolicyKind::Identity, text).ok()?));
    given.into_iter().chain(shown).filter_map(read).collect()
}

/// The policy that has the action on the wrong half, by name.
fn on_other_half<'a>(case: &Case<'a>, action: &str) -> Option<&'a str> {
    let rules = ["object-action-on-bucket", "bucket-action-on-object"];
    let is_half = |document: &Document| {
        let findings = lint(document, PolicyKind::Identity, &Options::default());
        findings.iter().any(|finding| rules.contains(&finding.rule) && finding.what.contains(action))
    };
    known(case).into_iter().find(|(_, document)| is_half(document)).map(|(name, _)| name)
}

/// Whether the role's own policies allow what was refused; `None` if they are not all known, or what they look at is not.
fn allows(case: &Case<'_>, refused: &Refused<'_>) -> Option<bool> {
    let grants = case.facts.role_grants.as_ref()?;
    let place = case.target.place.as_ref()?;
    let documents: Vec<_> = known(case).into_iter().map(|(_, document)| document).collect();
    let context = bucket_policy::context(case, place, refused);
    let knows = |document: &Document| {
        let conditions = document.statements().iter().flat_map(iam::Statement::conditions);
        conditions.into_iter().all(|condition| context.has(condition.key()))
    };
    let is_whole = grants.unread.is_empty() && grants.boundary.is_none() && documents.len() >= grants.policies.len();
    if !is_whole || !documents.iter().all(knows) {
        return None;
    }
    let whoever = Caller::parse(caller(case)?).ok()?;
    let identity: Vec<_> = documents.iter().collect();
    let request = Request {
        caller: &whoever,
        action: refused.action,
        resource: &refused.resource,
        resource_account: account(case)?,
        context: &context,
    };
    Some(evaluate(&request, &Policies { identity: &identity, ..Policies::default() }).is_allowed())
}

/// A refusal that is about nothing but permissions.
fn by_policy(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    match refused.denial.by {
        Some(by) => match by.kind() {
            PolicyKind::ServiceControl | PolicyKind::ResourceControl => vec![control(case, refused, by)],
            PolicyKind::Endpoint => vec![bucket_policy::endpoint(case, refused)],
            PolicyKind::Resource => bucket_policy::by_bucket(case, refused),
            PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Session | PolicyKind::Trust => {
                missing(case, refused, by)
            }
        },
        None => bare(case, refused),
    }
}

/// The role's own policies: a permission that is missing, or on the wrong half.
pub(super) fn missing(case: &Case<'_>, refused: &Refused<'_>, by: By) -> Vec<Diagnosis> {
    let action = refused.denial.action.as_deref().unwrap_or(refused.action);
    let kind = by.kind().name();
    let because = match by {
        By::Missing(_) => format!("AWS says that no {kind} policy allows {action}"),
        By::Explicit(_) => format!("AWS says that a statement of a {kind} policy denies {action}")
            .replace(" a identity-", " an identity-"),
    };
    let remedy = || match by.kind() {
        PolicyKind::Session => session_policy(case, refused),
        PolicyKind::Boundary => Remedy {
            action: "let the role's permissions boundary allow all of this".to_owned(),
            ..own_policy(case, refused)
        },
        PolicyKind::Identity if by == By::Explicit(PolicyKind::Identity) => without_deny(case, action),
        _ => own_policy(case, refused),
    };
    if by != By::Missing(PolicyKind::Identity) {
        return vec![Diagnosis::decided(&MISSING, because).cure(remedy())];
    }
    let facts = case.facts;
    let listed = facts.list.as_ref().is_some_and(Trial::is_done);
    let half = match refused.action {
        _ if refused.denial.is_of_kms() => None,
        "s3:ListBucket" => Some("whether the role may do something to the objects"),
        "s3:GetObject" if listed => Some("listing works"),
        _ => None,
    };
    match half {
        Some(_) if on_other_half(case, action).is_some() => {
            let name = on_other_half(case, action).unwrap_or_default();
            let because = format!("{name} has {action} on the wrong half");
            vec![Diagnosis::decided(&OTHER_HALF, because).cure(remedy())]
        }
        Some(_) if allows(case, refused) == Some(false) => {
            let because =
                format!("no policy of the role, and all could be read, allows {action} on {}", refused.resource);
            vec![Diagnosis::decided(&MISSING, because).cure(remedy())]
        }
        Some(_) => vec![
            Diagnosis::likely(&OTHER_HALF, because).cure(remedy()),
            Diagnosis::possible(&MISSING, format!("look whether {action} is in the role's policies at all"))
                .cure(remedy()),
        ],
        None => vec![Diagnosis::decided(&MISSING, because).cure(remedy())],
    }
}

/// No Allow outweighs a Deny.
fn without_deny(case: &Case<'_>, action: &str) -> Remedy {
    let Some(arn) = principal(case) else {
        return Remedy::to(format!("take the Deny of {action} out of the policies of who asks"));
    };
    let what = format!("take the Deny of {action} out of the policies of {arn}, which these list");
    match arn.role_name() {
        Some(name) => Remedy::paste(
            what,
            Paste::Command(format!(
                "aws iam list-role-policies --role-name {0}\naws iam list-attached-role-policies --role-name {0}",
                word(name)
            )),
        ),
        None => Remedy::to(format!("take the Deny of {action} out of the policies of {arn}")),
    }
}

fn session_policy(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let place = case.target.place.as_ref();
    let whole = place.map_or_else(String::new, |place| format!("s3://{}/{}", place.bucket, place.prefix));
    Remedy::to(format!(
        "widen the fence of the connection (bucket, prefix, kms_key) or the policy of its last role: it must allow {} on {whole}",
        refused.denial.action.as_deref().unwrap_or(refused.action)
    ))
}

fn control(case: &Case<'_>, refused: &Refused<'_>, by: By) -> Diagnosis {
    let kind = by.kind().name();
    let because = format!("AWS says that a {kind} policy refuses {}", refused.action);
    let whose = match (by.kind(), account(case)) {
        (PolicyKind::ServiceControl, Some(account)) => format!(" of account {account}"),
        _ => String::new(),
    };
    let principal = principal(case).map(|arn| arn.to_string()).unwrap_or_default();
    let remedy = Remedy::to(format!(
        "have whoever administers the organisation{whose} allow {} on {} to {principal} in its {kind} policies",
        refused.action, refused.resource
    ));
    Diagnosis::decided(&CONTROL, because).cure(remedy)
}

/// S3 says no more than no: the bucket is of another account, or the object is.
fn bare(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    let half = || Diagnosis::possible(&OTHER_HALF, OTHER_HALF.apart).cure(own_policy(case, refused));
    let own = || Diagnosis::possible(&MISSING, MISSING.apart).cure(own_policy(case, refused));
    let over = || {
        [
            Diagnosis::possible(&CONTROL, CONTROL.apart).cure(Remedy::to(CONTROL.cure)),
            Diagnosis::possible(&NETWORK, NETWORK.apart).cure(Remedy::to(NETWORK.cure)),
        ]
    };
    let is_half = matches!(refused.action, "s3:ListBucket" | "s3:GetObject");
    let allowed = allows(case, refused);
    if allowed == Some(false) {
        let because =
            format!("no policy of the role, and all could be read, allows {} on {}", refused.action, refused.resource);
        let diagnosis = match on_other_half(case, refused.action) {
            Some(name) => Diagnosis::decided(&OTHER_HALF, format!("{name} has {} on the wrong half", refused.action)),
            None => Diagnosis::decided(&MISSING, because),
        };
        return vec![diagnosis.cure(own_policy(case, refused))];
    }
    let mut found = Vec::new();
    match bucket_policy::weigh(case, refused) {
        Some(Weighed::Denies { statement, name, sure }) => {
            let sure = sure || statement.conditions.iter().all(|condition| bucket_policy::is_ours(&condition.key));
            found.push(bucket_policy::by_statement(case, &statement, &name, sure));
        }
        Some(Weighed::Silent { sure }) => {
            let who = principal(case).map_or_else(|| "us".to_owned(), |arn| arn.to_string());
            let because = format!("no statement of the bucket's policy allows {} to {who}", refused.action);
            let diagnosis = if sure {
                Diagnosis::decided(&BUCKET_POLICY, because)
            } else {
                Diagnosis::likely(&BUCKET_POLICY, because)
            };
            found.push(diagnosis.cure(bucket_statement(case, refused)));
        }
        Some(Weighed::Allows) => {
            let because = "the bucket's policy, which could be read, allows it";
            found.push(Diagnosis::likely(&MISSING, because).cure(own_policy(case, refused)));
            found.extend(is_half.then(half));
            found.extend(over());
        }
        None => {
            let facts = case.facts;
            let done = [&facts.list, &facts.put, &facts.multipart].into_iter().flatten().any(Trial::is_done)
                || facts.reads.iter().any(|(_, trial)| trial.is_done());
            if is_half && done && allowed.is_none() {
                let because = format!("{} is refused, and other things are done with the same bucket", refused.action);
                found.push(Diagnosis::likely(&OTHER_HALF, because).cure(own_policy(case, refused)));
            }
            let by_bucket = if allowed == Some(true) {
                Diagnosis::likely(&BUCKET_POLICY, "the role's own policies, which could be read, allow it")
            } else {
                Diagnosis::possible(&BUCKET_POLICY, BUCKET_POLICY.apart)
            };
            found.push(by_bucket.cure(bucket_statement(case, refused)));
            if allowed.is_none() {
                found.push(own());
                found.extend((is_half && !done).then(half));
            }
            found.extend((refused.action == "s3:PutObject").then(|| encryption::may_be_demanded(case)));
            found.extend((!done).then(|| bucket::may_be_foreign(case)).flatten());
            found.extend(over());
            found.push(Diagnosis::possible(&ACCESS_POINT, ACCESS_POINT.apart).cure(Remedy::to(ACCESS_POINT.cure)));
        }
    }
    found
}
