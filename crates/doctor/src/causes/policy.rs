//! What policies allow of S3: the role's own, the bucket's, and those that stand over both.

use iam::generate::{Need, S3Place, permission_policy};
use iam::lint::{Options, lint};
use iam::{
    AccountId, Caller, Context, Decision, Document, Draft, DraftStatement, Operator, Partition, Policies, PolicyError,
    PolicyKind, Request, ResourcePolicy, evaluate,
};

use super::denial::By;
use super::refused::{Refused, account, bucket_arn, caller, principal, refusals};
use super::{Case, bucket, encryption, object};
use crate::{Cause, Check, Diagnosis, Paste, Place, Remedy, Trial};

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

static NETWORK: Cause = Cause {
    row: "F52",
    code: "policy.network-refused",
    title: "a VPC endpoint's policy refuses it, or the bucket's policy takes requests through an endpoint alone",
    symptom: "AccessDenied from inside one network, and from no other",
    why: "an endpoint has a policy of its own, and a bucket may take what comes through one endpoint only (aws:SourceVpce)",
    apart: "the same examination from another network goes through",
    cure: "let the endpoint's policy allow the bucket, or the bucket's policy the endpoint",
    texts: &["vpc endpoint policy", "aws:sourcevpce", "vpce-"],
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

static BUCKET_POLICY: Cause = Cause {
    row: "F54",
    code: "bucket.policy-refuses",
    title: "the bucket's policy refuses it, or does not let in an account that is not its own",
    symptom: "AccessDenied, within an account with \"explicit deny in a resource-based policy\"",
    why: "a Deny of the bucket's policy (TLS only, one organisation only, some addresses only) outweighs every Allow, and across accounts the bucket's policy must allow too",
    apart: "look into the bucket's policy; s3:GetBucketPolicy lets this examination do so",
    cure: "let the bucket's policy name the role, or except it from the Deny",
    texts: &["explicit deny in a resource-based policy", "because no resource-based policy allows"],
};

static ACCESS_POINT: Cause = Cause {
    row: "F55",
    code: "bucket.access-point-only",
    title: "the bucket takes requests through an access point alone, or the access point's own policy refuses",
    symptom: "AccessDenied since an access point was introduced",
    why: "a bucket's owner may leave all access to its access points (s3:DataAccessPointAccount), each with a policy and a network of its own",
    apart: "the same request by the access point's alias in place of the bucket's name",
    cure: "name the access point's alias as the bucket, and let its policy name the role",
    texts: &["s3:dataaccesspoint", "accesspoint", "access point"],
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

pub(super) static CAUSES: &[&Cause] =
    &[&OTHER_HALF, &UNKNOWN_ACTION, &NETWORK, &CONTROL, &BUCKET_POLICY, &ACCESS_POINT, &MISSING];

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

/// Whether the policy that was given has the action on the wrong half.
fn is_half(case: &Case<'_>, action: &str) -> bool {
    let document =
        case.target.permission_policy.as_deref().and_then(|text| Document::parse_as(PolicyKind::Identity, text).ok());
    document.is_some_and(|document| {
        let findings = lint(&document, PolicyKind::Identity, &Options::default());
        let rules = ["object-action-on-bucket", "bucket-action-on-object"];
        findings.iter().any(|finding| rules.contains(&finding.rule) && finding.what.contains(action))
    })
}

/// A refusal that is about nothing but permissions.
fn by_policy(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    match refused.denial.by {
        Some(by) => match by.kind() {
            PolicyKind::ServiceControl | PolicyKind::ResourceControl => vec![control(case, refused, by)],
            PolicyKind::Endpoint => vec![endpoint(refused)],
            PolicyKind::Resource => by_bucket(case, refused),
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
        By::Explicit(_) => format!("AWS says that a statement of a {kind} policy denies {action}"),
    };
    let remedy = || match by.kind() {
        PolicyKind::Session => session_policy(case, refused),
        PolicyKind::Boundary => Remedy {
            action: "let the role's permissions boundary allow all of this".to_owned(),
            ..own_policy(case, refused)
        },
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
        Some(_) if is_half(case, action) => {
            let because = format!("the policy that was given has {action} on the wrong half");
            vec![Diagnosis::decided(&OTHER_HALF, because).cure(remedy())]
        }
        Some(_) => vec![
            Diagnosis::likely(&OTHER_HALF, because).cure(remedy()),
            Diagnosis::possible(&MISSING, format!("look whether {action} is in the role's policies at all"))
                .cure(remedy()),
        ],
        None => vec![Diagnosis::decided(&MISSING, because).cure(remedy())],
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

fn endpoint(refused: &Refused<'_>) -> Diagnosis {
    let because = "AWS says that the policy of a VPC endpoint refuses it";
    let statement =
        DraftStatement::allow([refused.action]).called("Tidegate").by("AWS", "*").on([refused.resource.clone()]);
    let remedy = match statement_text(&statement) {
        Ok(text) => Remedy::paste("add this statement to the endpoint's policy", Paste::ResourceStatement(text)),
        Err(_) => Remedy::to(NETWORK.cure),
    };
    Diagnosis::decided(&NETWORK, because).cure(remedy)
}

/// What the bucket's policy comes to.
enum Weighed {
    /// A statement denies: its place and what it looks at. `sure` if nothing that it looks at is unknown here.
    Denies { statement: DraftStatement, name: String, sure: bool },
    /// No statement lets us in. `sure` as above.
    Silent { sure: bool },
    /// It lets us in.
    Allows,
}

/// Weighs the bucket's policy, if it could be read, as AWS would: with everything that is known here of the request.
fn weigh(case: &Case<'_>, refused: &Refused<'_>) -> Option<Weighed> {
    let place = case.target.place.as_ref()?;
    let text = match case.facts.bucket_policy.as_ref()? {
        Ok(text) => text.as_str(),
        // No policy lets in nobody of another account.
        Err(trial) if trial.code() == Some("NoSuchBucketPolicy") => return Some(Weighed::Silent { sure: true }),
        Err(_) => return None,
    };
    let policy = Document::parse_as(PolicyKind::Resource, text).ok()?;
    let whoever = Caller::parse(caller(case)?).ok()?;
    let context = context(case, place, refused);
    // Whose the bucket is matters only for whether silence is consent; where S3 says no more than "no", it is not ours.
    let owner = if refused.denial.by.is_some() { account(case) } else { place.owner };
    let owner = owner.or_else(|| "000000000000".parse::<AccountId>().ok())?;
    let all = Document::parse(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#).ok()?;
    let request = Request {
        caller: &whoever,
        action: refused.action,
        resource: &refused.resource,
        resource_account: owner,
        context: &context,
    };
    let policies =
        Policies { identity: &[&all], resource: Some(ResourcePolicy::Other(&policy)), ..Policies::default() };
    let knows = |statement: &DraftStatement| statement.conditions.iter().all(|condition| context.has(&condition.key));
    let draft = Draft::from(&policy);
    Some(match evaluate(&request, &policies) {
        Decision::ExplicitlyDenied(place) => {
            let statement = draft.statements.get(place.statement)?.clone();
            let sid = place.sid.map_or_else(String::new, |sid| format!(" ({sid})"));
            let name = format!("statement {}{sid}", place.statement + 1);
            Weighed::Denies { sure: knows(&statement), statement, name }
        }
        Decision::ImplicitlyDenied(_) => Weighed::Silent { sure: draft.statements.iter().all(knows) },
        Decision::Allowed(_) => Weighed::Allows,
    })
}

fn context(case: &Case<'_>, place: &Place, refused: &Refused<'_>) -> Context {
    let mut context = Context::new();
    let plain = place.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
    context.set("aws:SecureTransport", if plain { "false" } else { "true" });
    if let Some(principal) = principal(case) {
        context.set("aws:PrincipalArn", principal.as_str());
        if let Some(account) = principal.account() {
            context.set("aws:PrincipalAccount", account.to_string());
        }
    }
    if let Some(owner) = place.owner {
        context.set("s3:ResourceAccount", owner.to_string());
    }
    if refused.action == "s3:ListBucket" {
        context.set("s3:prefix", place.prefix.clone());
    }
    if refused.action == "s3:PutObject" {
        let asked = [
            ("s3:x-amz-server-side-encryption", &place.server_side_encryption),
            ("s3:x-amz-server-side-encryption-aws-kms-key-id", &place.kms_key),
            ("s3:x-amz-acl", &place.acl),
        ];
        for (key, value) in asked {
            if let Some(value) = value {
                context.set(key, value.clone());
            }
        }
    }
    context
}

/// Keys that a writer sets himself: where they are absent, it is known that they are.
fn is_ours(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("s3:x-amz-")
}

/// AWS says that it is the bucket's policy.
fn by_bucket(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    match weigh(case, refused) {
        Some(Weighed::Denies { statement, name, .. }) => vec![by_statement(case, &statement, &name, true)],
        _ => {
            let because = "AWS says that the bucket's policy refuses it; it may not be read here";
            let mut found = vec![Diagnosis::likely(&BUCKET_POLICY, because).cure(bucket_statement(case, refused))];
            if refused.action == "s3:PutObject" {
                found.push(encryption::may_be_demanded(case));
            }
            found.push(Diagnosis::possible(&NETWORK, NETWORK.apart).cure(Remedy::to(NETWORK.cure)));
            found.push(Diagnosis::possible(&ACCESS_POINT, ACCESS_POINT.apart).cure(Remedy::to(ACCESS_POINT.cure)));
            found
        }
    }
}

/// A statement of the bucket's policy denies, and what it looks at says what is wrong.
fn by_statement(case: &Case<'_>, statement: &DraftStatement, name: &str, sure: bool) -> Diagnosis {
    let looks_at = |key: &str| statement.conditions.iter().any(|condition| condition.is_about(key));
    let values = |key: &str| {
        let about = statement.conditions.iter().filter(|condition| condition.is_about(key));
        about.flat_map(|condition| condition.values.clone()).collect::<Vec<_>>()
    };
    const SSE: &str = "s3:x-amz-server-side-encryption";
    const SSE_KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    if looks_at(SSE) || looks_at(SSE_KEY) {
        let kind = values(SSE).into_iter().find(|value| value.starts_with("aws:kms") || value == "AES256");
        let kind = kind.or_else(|| looks_at(SSE_KEY).then(|| "aws:kms".to_owned()));
        return encryption::demanded_by(case, name, kind.as_deref());
    }
    let keys: Vec<_> = statement.conditions.iter().map(|condition| condition.key.clone()).collect();
    let looks = if keys.is_empty() { String::new() } else { format!(", by {}", keys.join(" and ")) };
    let because = format!("{name} of the bucket's policy denies it{looks}");
    let networks = ["aws:SourceVpce", "aws:SourceVpc", "aws:VpcSourceIp"];
    let points = ["s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:AccessPointNetworkOrigin"];
    let find = |names: &[&str]| names.iter().find(|key| looks_at(key)).map(|key| values(key).join(", "));
    let (cause, first) = if let Some(through) = find(&networks) {
        (&NETWORK, Some(Remedy::to(format!("let the requests pass through {through}"))))
    } else if let Some(whose) = find(&points) {
        let setting = Paste::Setting("bucket = \"ALIAS-s3alias\"".to_owned());
        (
            &ACCESS_POINT,
            Some(Remedy::paste(
                format!("go by the alias of an access point of {whose} in place of the bucket's name"),
                setting,
            )),
        )
    } else if looks_at("aws:SecureTransport") {
        let setting = Paste::Setting("endpoints = { s3 = \"https://..\" }".to_owned());
        (&BUCKET_POLICY, Some(Remedy::paste("ask S3 over TLS", setting)))
    } else {
        (&BUCKET_POLICY, None)
    };
    let diagnosis = if sure { Diagnosis::decided(cause, because) } else { Diagnosis::likely(cause, because) };
    let diagnosis = first.into_iter().fold(diagnosis, Diagnosis::cure);
    match except_us(case, statement, name) {
        Some(remedy) => diagnosis.cure(remedy),
        None => diagnosis,
    }
}

/// The same statement, which spares our role.
fn except_us(case: &Case<'_>, statement: &DraftStatement, name: &str) -> Option<Remedy> {
    let principal = principal(case)?;
    let not: Operator = "ArnNotEquals".parse().ok()?;
    let spared = statement.clone().only_if(not, "aws:PrincipalArn", [principal.as_str()]);
    let text = statement_text(&spared).ok()?;
    let action = format!("or have the bucket's owner replace {name} by this, which spares the role");
    Some(Remedy::paste(action, Paste::ResourceStatement(text)))
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
    let mut found = Vec::new();
    match weigh(case, refused) {
        Some(Weighed::Denies { statement, name, sure }) => {
            let sure = sure || statement.conditions.iter().all(|condition| is_ours(&condition.key));
            found.push(by_statement(case, &statement, &name, sure));
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
            if is_half && done {
                let because = format!("{} is refused, and other things are done with the same bucket", refused.action);
                found.push(Diagnosis::likely(&OTHER_HALF, because).cure(own_policy(case, refused)));
            }
            found.push(Diagnosis::possible(&BUCKET_POLICY, BUCKET_POLICY.apart).cure(bucket_statement(case, refused)));
            found.push(own());
            found.extend((is_half && !done).then(half));
            found.extend((refused.action == "s3:PutObject").then(|| encryption::may_be_demanded(case)));
            found.extend((!done).then(|| bucket::may_be_foreign(case)).flatten());
            found.extend(over());
            found.push(Diagnosis::possible(&ACCESS_POINT, ACCESS_POINT.apart).cure(Remedy::to(ACCESS_POINT.cure)));
        }
    }
    found
}

/// The whole policy that the role needs for what the target does: made from the same list as the checks.
pub(super) fn own_policy(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let whose = principal(case).map_or_else(|| "the role".to_owned(), |arn| arn.to_string());
    let action = format!("give {whose} this policy");
    let needs = needs(case, refused);
    match permission_policy(&needs) {
        Ok(policy) if refused.action == "s3:PutObjectTagging" => {
            let tagging = DraftStatement::allow([refused.action]).called("TagObjects");
            let place = case.target.place.as_ref();
            let objects = place.map(|place| format!("{}/{}*", bucket_arn(place), place.prefix)).unwrap_or_default();
            let whole = Draft::from(&policy).with(tagging.on([objects])).build(PolicyKind::Identity).unwrap_or(policy);
            Remedy::paste(action, Paste::PermissionPolicy(format!("{whole:#}")))
        }
        Ok(policy) => Remedy::paste(action, Paste::PermissionPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("allow {whose} {} on {} ({error})", refused.action, refused.resource)),
    }
}

fn needs(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Need> {
    let target = case.target;
    let Some(place) = &target.place else { return Vec::new() };
    let key = encryption::key(case, refused);
    if let Some(plan) = &target.connector {
        return plan.needs(place.owner, key);
    }
    let where_to = S3Place {
        partition: Partition::of_region(&place.region),
        bucket: place.bucket.clone(),
        prefix: place.prefix.clone(),
        owner: place.owner,
        key,
    };
    let writes = place.writes && case.result(Check::MULTIPART).is_some();
    let mut needs = Vec::new();
    if place.reads || !writes {
        needs.push(Need::ReadObjects { place: where_to.clone() });
    }
    if place.deletes {
        needs.push(Need::DeleteObjects { place: where_to.clone() });
    }
    if writes {
        needs.push(Need::WriteObjects { place: where_to, manifests: None });
    }
    needs
}

/// A statement for the bucket's policy that lets our role in, and nobody else.
fn bucket_statement(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let Some(principal) = principal(case) else { return Remedy::to(BUCKET_POLICY.cure) };
    let action = "have the bucket's owner add this to the bucket's policy";
    let policy = permission_policy(&needs(case, refused));
    let statements = policy.map(|policy| Draft::from(&policy).statements).unwrap_or_default();
    let of_s3 =
        statements.into_iter().filter(|statement| statement.actions.list.iter().all(|name| name.starts_with("s3:")));
    let named: Vec<_> = of_s3.map(|statement| statement.by("AWS", principal.as_str())).collect();
    let draft = named.iter().cloned().fold(Draft::new(), Draft::with);
    match draft.build(PolicyKind::Resource) {
        Ok(policy) => Remedy::paste(action, Paste::ResourceStatement(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("let the bucket's policy name {principal} ({error})")),
    }
}

/// A statement of a resource's policy as it is pasted, if it is one.
pub(super) fn statement_text(statement: &DraftStatement) -> Result<String, PolicyError> {
    Draft::new().with(statement.clone()).build(PolicyKind::Resource)?;
    serde_json::to_string_pretty(statement).map_err(|error| PolicyError::Document { reason: error.to_string() })
}
