//! What the bucket's own policy says, and that of the way to it: weighed as AWS would where it may be read.

use iam::{
    AccountId, Caller, Context, Decision, Document, Draft, DraftStatement, Operator, Policies, PolicyKind, Request,
    ResourcePolicy, evaluate,
};

use super::denial::By;
use super::grant::{bucket_statement, statement_text};
use super::refused::{Refused, account, bucket_arn, caller, principal};
use super::shell::word;
use super::{Case, encryption};
use crate::{Cause, Diagnosis, Paste, Place, Remedy};

pub(super) static NETWORK: Cause = Cause {
    row: "F52",
    code: "policy.network-refused",
    title: "a VPC endpoint's policy refuses it, or the bucket's policy takes requests through an endpoint alone",
    symptom: "AccessDenied from inside one network, and from no other",
    why: "an endpoint has a policy of its own, and a bucket may take what comes through one endpoint only (aws:SourceVpce)",
    apart: "the same examination from another network goes through",
    cure: "let the endpoint's policy allow the bucket, or the bucket's policy the endpoint",
    texts: &["vpc endpoint policy", "aws:sourcevpce"],
};

pub(super) static BUCKET_POLICY: Cause = Cause {
    row: "F54",
    code: "bucket.policy-refuses",
    title: "the bucket's policy refuses it, or does not let in an account that is not its own",
    symptom: "AccessDenied, within an account with \"explicit deny in a resource-based policy\"",
    why: "a Deny of the bucket's policy (TLS only, one organisation only, some addresses only) outweighs every Allow, and across accounts the bucket's policy must allow too",
    apart: "look into the bucket's policy; s3:GetBucketPolicy lets this examination do so",
    cure: "let the bucket's policy name the role, or except it from the Deny",
    texts: &["explicit deny in a resource-based policy", "because no resource-based policy allows"],
};

pub(super) static ACCESS_POINT: Cause = Cause {
    row: "F55",
    code: "bucket.access-point-only",
    title: "the bucket takes requests through an access point alone, or the access point's own policy refuses",
    symptom: "AccessDenied since an access point was introduced",
    why: "a bucket's owner may leave all access to its access points (s3:DataAccessPointAccount), each with a policy and a network of its own",
    apart: "the same request by the access point's alias in place of the bucket's name",
    cure: "name the access point's alias as the bucket, and let its policy name the role",
    texts: &["s3:dataaccesspoint", "accesspoint", "access point"],
};

pub(super) static CAUSES: &[&Cause] = &[&NETWORK, &BUCKET_POLICY, &ACCESS_POINT];

pub(super) fn endpoint(case: &Case<'_>, refused: &Refused<'_>) -> Diagnosis {
    let because = "AWS says that the policy of a VPC endpoint refuses it";
    // Not the one object that was tried.
    let objects = case.target.place.as_ref().map(|place| format!("{}/{}*", bucket_arn(place), place.prefix));
    let resource = objects.filter(|_| refused.resource.contains('/')).unwrap_or_else(|| refused.resource.clone());
    let statement = DraftStatement::allow([refused.action]).called("Tidegate").by("AWS", "*").on([resource]);
    // An endpoint's policy takes no role as its principal ("Control access to VPC endpoints using endpoint policies").
    let statement = match (principal(case), "ArnEquals".parse::<Operator>()) {
        (Some(principal), Ok(is)) => statement.only_if(is, "aws:PrincipalArn", [principal.as_str()]),
        _ => statement,
    };
    let remedy = match statement_text(&statement) {
        Ok(text) => Remedy::paste("add this statement to the endpoint's policy", Paste::ResourceStatement(text)),
        Err(_) => Remedy::to(NETWORK.cure),
    };
    Diagnosis::decided(&NETWORK, because).cure(remedy)
}

/// What the bucket's policy comes to.
pub(super) enum Weighed {
    /// A statement denies: its place and what it looks at. `sure` if nothing that it looks at is unknown here.
    Denies { statement: DraftStatement, name: String, sure: bool },
    /// No statement lets us in. `sure` as above.
    Silent { sure: bool },
    /// It lets us in.
    Allows,
}

/// Weighs the bucket's policy, if it could be read, as AWS would: with everything that is known here of the request.
pub(super) fn weigh(case: &Case<'_>, refused: &Refused<'_>) -> Option<Weighed> {
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

/// The condition keys of the request that are known here.
pub(super) fn context(case: &Case<'_>, place: &Place, refused: &Refused<'_>) -> Context {
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
pub(super) fn is_ours(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("s3:x-amz-")
}

/// AWS says that it is the bucket's policy.
pub(super) fn by_bucket(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    if let Some(Weighed::Denies { statement, name, .. }) = weigh(case, refused) {
        return vec![by_statement(case, &statement, &name, true)];
    }
    let because = "AWS says that the bucket's policy refuses it; it may not be read here";
    // No Allow outweighs a Deny.
    let remedy = match (refused.denial.by, &case.target.place) {
        (Some(By::Explicit(_)), Some(place)) => {
            let whom = principal(case).map_or_else(|| "us".to_owned(), |arn| arn.to_string());
            Remedy::paste(
                format!(
                    "have the bucket's owner look for the Deny that fits {}, and take it out or except {whom} from it",
                    refused.action
                ),
                Paste::Command(format!(
                    "aws s3api get-bucket-policy --bucket {} --query Policy --output text",
                    word(&place.bucket)
                )),
            )
        }
        _ => bucket_statement(case, refused),
    };
    let mut found = vec![Diagnosis::likely(&BUCKET_POLICY, because).cure(remedy)];
    if refused.action == "s3:PutObject" {
        found.push(encryption::may_be_demanded(case));
    }
    found.push(Diagnosis::possible(&NETWORK, NETWORK.apart).cure(Remedy::to(NETWORK.cure)));
    found.push(Diagnosis::possible(&ACCESS_POINT, ACCESS_POINT.apart).cure(Remedy::to(ACCESS_POINT.cure)));
    found
}

const SSE: &str = "s3:x-amz-server-side-encryption";
const SSE_KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";

/// A statement of the bucket's policy denies, and what it looks at says what is wrong.
pub(super) fn by_statement(case: &Case<'_>, statement: &DraftStatement, name: &str, sure: bool) -> Diagnosis {
    let looks_at = |key: &str| statement.conditions.iter().any(|condition| condition.is_about(key));
    let values = |key: &str| {
        let about = statement.conditions.iter().filter(|condition| condition.is_about(key));
        about.flat_map(|condition| condition.values.clone()).collect::<Vec<_>>()
    };
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
    let (row, first) = if let Some(through) = find(&networks) {
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
    let diagnosis = if sure { Diagnosis::decided(row, because) } else { Diagnosis::likely(row, because) };
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
