//! What is written down wrongly: found without any request.

use super::Case;
use crate::{Cause, Check, Diagnosis, Remedy};

static BLANK: Cause = Cause {
    row: "F04",
    code: "input.blank-in-arn",
    title: "a blank or a line break is in the role's ARN",
    symptom: "AccessDenied on sts:AssumeRole, or the ARN is refused at once",
    why: "an ARN that was pasted with a blank or a line break names a role that there is not",
    apart: "it shows in the ARN itself",
    cure: "write the ARN without it",
    texts: &[],
};

pub(super) static CAUSES: &[&Cause] = &[&BLANK];

pub(super) fn explain(case: &mut Case<'_>) {
    let blank = case.target.faults.iter().find(|fault| fault.text.contains("must not hold blanks or line breaks"));
    if let Some(fault) = blank {
        let because = format!("{} is {:?}", fault.key, fault.value.as_deref().unwrap_or_default());
        let cured = fault.value.as_deref().unwrap_or_default().split_whitespace().collect::<String>();
        let remedy = Remedy::to(format!("write {cured} at {}", fault.key));
        case.explain(Check::INPUT, Diagnosis::decided(&BLANK, because).cure(remedy));
    }
}
