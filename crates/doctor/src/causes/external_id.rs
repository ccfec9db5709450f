//! External IDs: which one is sent, which one is asked for, and whether any is.

use control::Outcome;
use iam::PolicyKind;

use super::Case;
use super::remedy::{external_id_setting, trust_policy, update_command};
use crate::{Cause, Check, Diagnosis, Remedy};

pub(super) static DIFFERS: Cause = Cause {
    row: "F01",
    code: "trust.external-id-differs",
    title: "the trust policy asks for another external ID than the one that is sent",
    symptom: "AccessDenied on sts:AssumeRole",
    why: "the external ID in the trust policy is stale, is another tenant's, differs in case, or has a blank in it",
    apart: "compare the two, character by character",
    cure: "write the external ID that is sent into the trust policy",
    texts: &["is not authorized to perform: sts:assumerole on resource", "invalid role and externalid", "externalid"],
};

static OPEN: Cause = Cause {
    row: "F02",
    code: "trust.no-external-id-asked",
    title: "the trust policy does not ask for an external ID",
    symptom: "everything works",
    why: "whoever may use Tidegate could name this role, and would be let in: the confused deputy",
    apart: "the role lets us in without an external ID",
    cure: "put sts:ExternalId into the condition of every statement that lets us in",
    texts: &[],
};

pub(super) static OF_ANOTHER: Cause = Cause {
    row: "F18",
    code: "trust.external-id-of-another-integration",
    title: "the trust policy has the external ID of another integration",
    symptom: "it works for a colleague and is refused here, with a copied policy",
    why: "each integration has an external ID of its own, which it keeps; one that was deleted and made anew has a new one",
    apart: "compare the external ID in the trust policy with the one that this integration shows",
    cure: "paste this integration's own trust policy",
    texts: &[],
};

static CROSSED: Cause = Cause {
    row: "F28",
    code: "trust.external-ids-crossed",
    title: "one statement of the trust policy lists several principals and several external IDs",
    symptom: "everything works",
    why: "each of these principals may use each of these external IDs, not its own alone",
    apart: "the role lets us in with the external ID of somebody else",
    cure: "write one statement for each principal with its external ID",
    texts: &[],
};

pub(super) static CAUSES: &[&Cause] = &[&DIFFERS, &OPEN, &OF_ANOTHER, &CROSSED];

/// The rules of the linter that say that an external ID is worth nothing.
const OPEN_RULES: [&str; 5] =
    ["external-id-missing", "open-second-statement", "external-id-optional", "external-id-any", "external-id-pattern"];

pub(super) fn explain(case: &mut Case<'_>) {
    if case.facts.absent_id == Some(Outcome::LetIn) {
        let because = "the role let us in without an external ID";
        let diagnosis = Diagnosis::decided(&OPEN, because).cure(trust_policy(case, None));
        case.explain(Check::ID_REQUIRED, diagnosis);
    } else if case.facts.wrong_id == Some(Outcome::LetIn) {
        let because =
            "the role let us in with an external ID that is not the right one: any will do, or any of a pattern";
        let diagnosis = Diagnosis::decided(&OPEN, because).cure(trust_policy(case, None));
        case.explain(Check::WRONG_ID, diagnosis);
    }
    if let Some(id) = &case.facts.crossed_id {
        let because = format!("the role let us in with external ID {id:?}, which is not ours and stands beside it");
        let diagnosis = Diagnosis::decided(&CROSSED, because).cure(trust_policy(case, None));
        case.explain(Check::WRONG_ID, diagnosis);
    }
    given(case);
    for (kind, finding) in &case.facts.findings {
        let row = match finding.rule {
            "crossed-pairs" => &CROSSED,
            rule if OPEN_RULES.contains(&rule) => &OPEN,
            _ => continue,
        };
        if *kind != PolicyKind::Trust {
            continue;
        }
        let diagnosis = Diagnosis::decided(row, finding.to_string());
        let remedy = super::remedy::mended(finding).unwrap_or_else(|| Remedy::to(row.cure));
        case.explain(Check::POLICIES, diagnosis.cure(remedy));
    }
}

/// A trust policy that was given and asks for other external IDs than the one that is sent: seen without any request.
fn given(case: &mut Case<'_>) {
    let (Some(text), Some(connection)) = (&case.target.trust_policy, &case.target.connection) else { return };
    let (Ok(document), Some(index)) = (iam::Document::parse(text), connection.hops.len().checked_sub(1)) else {
        return;
    };
    let allows = document.statements().iter().filter(|statement| statement.effect() == iam::Effect::Allow);
    let conditions = allows.flat_map(iam::Statement::conditions);
    let about_ids = conditions.filter(|condition| condition.key().eq_ignore_ascii_case("sts:ExternalId"));
    let wanted: Vec<String> = about_ids.flat_map(iam::Condition::values).map(str::to_owned).collect();
    let is_pattern = wanted.iter().any(|id| id.contains(['*', '?', '$']));
    let Some(sent) = connection.hops[index].external_id.as_deref() else { return };
    if !wanted.is_empty() && !is_pattern && !wanted.iter().any(|id| id == sent) {
        let diagnosis = differs(case, index, Some(sent), &wanted, "the trust policy that was given");
        case.explain(Check::POLICIES, diagnosis);
    }
}

/// What a trust policy that asks for one of `wanted` says where `sent` is sent by hop `index`.
pub(super) fn differs(case: &Case<'_>, index: usize, sent: Option<&str>, wanted: &[String], whose: &str) -> Diagnosis {
    let asks = wanted.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(" or ");
    let is_copied = case.target.integration.as_ref().is_some_and(|own| {
        let is_own = |id: &String| own.external_ids.contains(id);
        wanted.iter().any(|id| is_of_our_form(id)) && !wanted.iter().any(is_own)
    });
    let row = if is_copied { &OF_ANOTHER } else { &DIFFERS };
    let because = match sent {
        Some(sent) => {
            let how =
                wanted.iter().find_map(|id| likeness(id, sent)).map(|how| format!(" ({how})")).unwrap_or_default();
            format!("{whose} asks for external ID {asks}, and {sent:?} is sent{how}")
        }
        None => format!("{whose} asks for external ID {asks}, and none is sent"),
    };
    let diagnosis = Diagnosis::decided(row, because);
    let by_policy =
        |diagnosis: Diagnosis| diagnosis.cure(trust_policy(case, Some(index))).cure(update_command(case, index));
    match (&case.target.integration, wanted) {
        (None, [one]) if sent.is_none() => diagnosis.cure(external_id_setting(case, one)),
        (None, [one]) => by_policy(diagnosis).cure(external_id_setting(case, one)),
        // Of an integration its own ID is the one that counts.
        (_, _) => by_policy(diagnosis),
    }
}

/// In what two IDs differ that look the same.
fn likeness(wanted: &str, sent: &str) -> Option<&'static str> {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    if wanted.eq_ignore_ascii_case(sent) {
        Some("they differ in case alone")
    } else if squeezed(wanted) == squeezed(sent) {
        Some("they differ in a blank alone")
    } else if squeezed(wanted).eq_ignore_ascii_case(&squeezed(sent)) {
        Some("they differ in case and blanks alone")
    } else {
        None
    }
}

/// Whether it has the form of those that integrations are given: a UUID of lower-case digits.
fn is_of_our_form(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::{is_of_our_form, likeness};

    #[test]
    fn ids_that_look_the_same_are_told_apart() {
        assert_eq!(likeness("C-7F3", "c-7f3"), Some("they differ in case alone"));
        assert_eq!(likeness("c-7f3 ", "c-7f3"), Some("they differ in a blank alone"));
        assert_eq!(likeness("c-7f4", "c-7f3"), None);
    }

    #[test]
    fn an_id_of_ours_is_known_by_its_form() {
        assert!(is_of_our_form("0f8fad5b-d9cb-469f-a165-70867728950e"));
        assert!(!is_of_our_form("0F8FAD5B-D9CB-469F-A165-70867728950E") && !is_of_our_form("c-7f3"));
    }
}
