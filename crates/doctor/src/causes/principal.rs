//! Who asks: whom the trust policy names, and what our own policies allow.

use control::principal_of;
use iam::{Arn, Effect, PolicyKind, Principal};

use super::Case;
use super::remedy::{assume_statement, mended, trust_policy, update_command};
use crate::{Cause, Check, Diagnosis, Remedy};

pub(super) static OTHER: Cause = Cause {
    row: "F03",
    code: "trust.other-principal",
    title: "the trust policy names somebody else",
    symptom: "AccessDenied on sts:AssumeRole",
    why: "it names another account, role or user than the one that asks: another site's, an older one, a typing error",
    apart: "compare who asks with the principals of the trust policy",
    cure: "name who asks as principal of the trust policy",
    texts: &["is not authorized to perform: sts:assumerole on resource"],
};

pub(super) static RECREATED: Cause = Cause {
    row: "F05",
    code: "trust.principal-recreated",
    title: "the trust policy names somebody who was deleted and made anew under the same name",
    symptom: "AccessDenied on sts:AssumeRole, though the trust policy looked right",
    why: "AWS saves a principal by its unique id; whoever is made anew has another one, and the ARN in the policy becomes AROA.. or AIDA.. by itself",
    apart: "look for AROA or AIDA among the principals of the trust policy",
    cure: "save the trust policy once more, with the ARN",
    texts: &["is not authorized to perform: sts:assumerole on resource"],
};

static NOBODY: Cause = Cause {
    row: "F06",
    code: "trust.principal-does-not-exist",
    title: "the trust policy names a principal that does not exist",
    symptom: "MalformedPolicyDocument: Invalid principal in policy, when the trust policy is saved",
    why: "IAM looks each principal up: one that is not there yet, the role itself while it is being made, or one of another partition is refused",
    apart: "look whether each principal is there, in this partition",
    cure: "name the account's root with a condition on aws:PrincipalArn, which may be written before its role is made",
    texts: &["invalid principal in policy"],
};

static ROOT: Cause = Cause {
    row: "F12",
    code: "identity.root-assumes-no-role",
    title: "the keys are those of an account's root, which may not take on roles",
    symptom: "Roles may not be assumed by root accounts",
    why: "AWS lets users and roles take on roles, and the root of an account never",
    apart: "the caller's ARN ends in :root",
    cure: "make a user or a role, and use that",
    texts: &["may not be assumed by root accounts"],
};

pub(super) static NOT_ALLOWED: Cause = Cause {
    row: "F13",
    code: "identity.assume-role-not-allowed",
    title: "who asks may not call sts:AssumeRole on this role",
    symptom: "AccessDenied on sts:AssumeRole, though the trust policy is right",
    why: "across accounts both sides must allow it: the role's trust policy, and a policy of who asks",
    apart: "look whether a policy of who asks allows sts:AssumeRole on the role's ARN, and none denies it",
    cure: "allow sts:AssumeRole on the role, in a policy of who asks",
    texts: &[
        "is not authorized to perform: sts:assumerole on resource",
        "no identity-based policy allows the sts:assumerole action",
    ],
};

pub(super) static CAUSES: &[&Cause] = &[&OTHER, &RECREATED, &NOBODY, &ROOT, &NOT_ALLOWED];

pub(super) fn explain(case: &mut Case<'_>) {
    for (kind, finding) in &case.facts.findings {
        if *kind == PolicyKind::Trust && finding.rule == "deleted-principal" {
            let remedy = trust_policy_or(case, mended(finding));
            case.explain(Check::POLICIES, Diagnosis::decided(&RECREATED, finding.to_string()).cure(remedy));
        }
    }
    nobody(case);
}

fn trust_policy_or(case: &Case<'_>, other: Option<Remedy>) -> Remedy {
    let own = trust_policy(case, None);
    if own.paste.is_some() { own } else { other.unwrap_or(own) }
}

/// Principals of a given trust policy that IAM would not take.
fn nobody(case: &mut Case<'_>) {
    let (Some(text), Some(connection)) = (&case.target.trust_policy, &case.target.connection) else { return };
    let role = connection.hops.last().and_then(|hop| hop.role_arn.parse::<Arn>().ok());
    let (Ok(document), Some(role)) = (iam::Document::parse(text), role) else { return };
    let principals =
        document.statements().iter().filter_map(iam::Statement::principals).flat_map(iam::Principals::list);
    let mut faults = Vec::new();
    for principal in principals {
        let (Principal::Role(arn) | Principal::User(arn) | Principal::Session(arn)) = principal else { continue };
        if *arn == role {
            faults.push(format!("{arn} is the role itself, which is not there while it is being made"));
        } else if arn.partition() != role.partition() {
            let (theirs, ours) = (arn.partition().name(), role.partition().name());
            faults.push(format!("{arn} is of partition {theirs}, and the role is of {ours}"));
        }
    }
    if let Some(because) = faults.into_iter().next() {
        let diagnosis =
            Diagnosis::decided(&NOBODY, because).cure(before_it_exists(case)).cure(trust_policy(case, None));
        case.explain(Check::POLICIES, diagnosis);
    }
}

/// The trust policy in the form that may be saved before who is named in it is there.
fn before_it_exists(case: &Case<'_>) -> Remedy {
    super::remedy::trust_policy_as(case, None, false)
}

/// A refusal that is the root's.
pub(super) fn root(case: &Case<'_>, caller: &str) -> Option<Diagnosis> {
    let arn: Arn = caller.parse().ok()?;
    arn.is_root().then(|| {
        let because = format!("{caller} asks");
        let remedy = Remedy::to(format!(
            "make a user or a role in account {} that may call sts:AssumeRole, and use its keys",
            arn.account().map(|account| account.to_string()).unwrap_or_default()
        ));
        let hop = case.target.connection.as_ref().and_then(|connection| connection.hops.first());
        let diagnosis = Diagnosis::decided(&ROOT, because).cure(remedy);
        match hop {
            Some(_) => diagnosis.cure(assume_statement(case, 0)),
            None => diagnosis,
        }
    })
}

/// Who asks is not who the customer was told to trust.
pub(super) fn not_as_told(case: &Case<'_>, index: usize, caller: &str) -> Option<Diagnosis> {
    let is_last = case.target.connection.as_ref().is_some_and(|connection| index + 1 == connection.hops.len());
    let told = &case.target.integration.as_ref().filter(|_| is_last)?.principal;
    let asks = principal_of(caller)?;
    let is_same = told.parse::<Arn>().is_ok_and(|told| {
        let name = |arn: &Arn| arn.role_name().or(arn.user_name()).map(str::to_owned);
        (told.account(), name(&told)) == (asks.account(), name(&asks))
    });
    (!is_same).then(|| {
        let because = format!("{asks} asks, and the integration's trust policy names {told}");
        Diagnosis::decided(&OTHER, because)
            .cure(Remedy::to(format!("run as {told} (--as names a connection that does)")))
            .cure(super::remedy::trust_policy_as(case, Some(index), true))
    })
}

/// A trust policy that does not name who asks.
pub(super) fn not_named(
    case: &Case<'_>,
    index: usize,
    caller: &str,
    document: &iam::Document,
    whose: &str,
) -> Diagnosis {
    let allows = document.statements().iter().filter(|statement| statement.effect() == Effect::Allow);
    let named: Vec<&Principal> =
        allows.filter_map(iam::Statement::principals).flat_map(iam::Principals::list).collect();
    let gone: Vec<String> = named.iter().filter_map(|one| unique_id(one)).collect();
    let asks = principal_of(caller).map_or_else(|| caller.to_owned(), |arn| arn.to_string());
    let (row, because) = if gone.is_empty() {
        let named: Vec<String> = named.iter().map(|principal| told(principal)).collect();
        (&OTHER, format!("{asks} asks, and {whose} lets in {}", named.join(", ")))
    } else {
        let gone = gone.join(", ");
        (&RECREATED, format!("{whose} names {gone}: what is left of somebody who was deleted; {asks} asks"))
    };
    Diagnosis::decided(row, because).cure(trust_policy(case, Some(index))).cure(update_command(case, index))
}

fn unique_id(principal: &Principal) -> Option<String> {
    match principal {
        Principal::UniqueId(id) => Some(id.to_string()),
        _ => None,
    }
}

fn told(principal: &Principal) -> String {
    match principal {
        Principal::Anyone => "everybody".to_owned(),
        Principal::Account(account) => format!("account {account}"),
        Principal::User(arn) | Principal::Role(arn) | Principal::Session(arn) | Principal::FederatedUser(arn) => {
            arn.to_string()
        }
        Principal::UniqueId(id) | Principal::CanonicalUser(id) => id.to_string(),
        Principal::Service(name) | Principal::Federated(name) => name.to_string(),
    }
}
