//! What is written down wrongly: found without any request, but for a role that there is not.

use iam::Arn;

use super::Case;
use crate::{Cause, Check, Diagnosis, Remedy};

static MISTYPED: Cause = Cause {
    row: "F04",
    code: "input.role-arn-mistyped",
    title: "the role's ARN has a blank or a line break in it, or names a role that there is not",
    symptom: "AccessDenied on sts:AssumeRole, or the ARN is refused at once",
    why: "AWS refuses a role that is not there in the same words as one that does not let us in",
    apart: "it shows in the ARN itself, or the role is not found in its account",
    cure: "write the ARN as the role's page shows it",
    texts: &["is not authorized to perform: sts:assumerole on resource"],
};

pub(super) static CAUSES: &[&Cause] = &[&MISTYPED];

pub(super) fn explain(case: &mut Case<'_>) {
    let blank = case.target.faults.iter().find(|fault| {
        fault.text.contains("must not hold blanks or line breaks")
            && !fault.key.contains("key")
            && !fault.key.contains("token")
    });
    if let Some(fault) = blank {
        // Its text has the value in quotes where the fault has none.
        let quoted =
            fault.text.strip_prefix('"').and_then(|rest| rest.split_once("\" must not")).map(|(value, _)| value);
        let shown = fault.value.as_deref().or(quoted).unwrap_or_default();
        let because = format!("{} is {shown:?}", fault.key);
        let plain = shown.replace("\\n", "").replace("\\t", "").replace("\\r", "");
        let cured = plain.split_whitespace().collect::<String>();
        let remedy = Remedy::to(format!("write {cured} at {}", fault.key));
        case.explain(Check::INPUT, Diagnosis::decided(&MISTYPED, because).cure(remedy));
    }
}

/// A role that there may not be: AWS says the same of it.
pub(super) fn may_not_exist(role: &Arn) -> Diagnosis {
    let account = role.account().map(|account| account.to_string()).unwrap_or_default();
    let name = role.role_name().unwrap_or_default();
    let apart = format!("look whether account {account} has the role: aws iam get-role --role-name {name}");
    Diagnosis::possible(&MISTYPED, apart).cure(Remedy::to(MISTYPED.cure))
}

/// A role of ours that IAM does not find.
pub(super) fn no_such_role(role: &Arn) -> Diagnosis {
    let account = role.account().map(|account| account.to_string()).unwrap_or_default();
    let because = format!("IAM finds no role {role} in account {account}");
    let remedy = Remedy::to("correct the ARN, its path too (aws iam list-roles shows them), or make the role");
    Diagnosis::decided(&MISTYPED, because).cure(remedy)
}
