//! How long a session shall live, and how long it may.

use std::time::Duration;

use identity::Error;

use super::Case;
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static CHAINED: Cause = Cause {
    row: "F09",
    code: "duration.chained",
    title: "more than an hour was asked for, and who asks is a role's session itself",
    symptom: "ValidationError: DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    why: "a role that is taken on by a role gives sessions of an hour at most, whatever its own maximum is",
    apart: "the ARN of who asks has assumed-role in it",
    cure: "ask for 3600 seconds: sessions are renewed by themselves",
    texts: &["session limit for roles assumed by role chaining", "role chaining"],
};

static MAXIMUM: Cause = Cause {
    row: "F10",
    code: "duration.above-role-maximum",
    title: "a longer session was asked for than the role gives",
    symptom: "ValidationError: DurationSeconds exceeds the MaxSessionDuration set for this role",
    why: "a role has a maximum, an hour if nobody has changed it",
    apart: "a shorter session is given",
    cure: "ask for less, or raise the role's maximum",
    texts: &["exceeds the maxsessionduration set for this role", "maxsessionduration"],
};

static OUT_OF_RANGE: Cause = Cause {
    row: "F11",
    code: "duration.out-of-range",
    title: "the session's duration is one that AWS never gives",
    symptom: "ValidationError: Member must have value greater than or equal to 900, or less than or equal to 43200",
    why: "sessions live 15 minutes to 12 hours",
    apart: "it shows in the setting itself",
    cure: "set a duration of 900 to 43200 seconds",
    texts: &[
        "member must have value greater than or equal to 900",
        "member must have value less than or equal to 43200",
    ],
};

pub(super) static CAUSES: &[&Cause] = &[&CHAINED, &MAXIMUM, &OUT_OF_RANGE];

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn explain(case: &mut Case<'_>) {
    for fault in &case.target.faults {
        let because = format!("{} {}", fault.key, fault.text);
        if fault.text.contains("must be 900 to 43200 seconds") {
            let remedy = Remedy::paste("set a duration that there is", setting(HOUR));
            case.explain(Check::INPUT, Diagnosis::decided(&OUT_OF_RANGE, because).cure(remedy));
        } else if fault.text.contains("role chaining") {
            let remedy = Remedy::paste("ask for an hour: sessions are renewed by themselves", setting(HOUR));
            case.explain(Check::INPUT, Diagnosis::decided(&CHAINED, because).cure(remedy));
        }
    }
    let Some((index, Error::Refused(refusal))) = &case.facts.hop_error else { return };
    let Some(connection) = &case.target.connection else { return };
    let (hop, caller) = (&connection.hops[*index], super::remedy::before(case, *index));
    let asked = hop.duration.asked();
    if refusal.code != "ValidationError" {
        return;
    }
    let Some(asked) = asked else { return };
    let is_chained = caller.is_some_and(|arn| arn.contains(":assumed-role/"));
    let of_duration = refusal.message.contains("DurationSeconds") || refusal.message.contains("durationSeconds");
    if refusal.message.contains("durationSeconds") && refusal.message.contains("Member must have value") {
        let remedy = Remedy::paste("set a duration that there is", setting(HOUR));
        let because = format!("AWS says: {}", refusal.message);
        case.explain(Check::ROLES, Diagnosis::decided(&OUT_OF_RANGE, because).cure(remedy));
    } else if is_chained && asked > HOUR && (of_duration || case.facts.longest.is_some()) {
        // Whatever the text says: the limit of an hour is met first.
        let because =
            format!("{} asks, which is a role's session, for {} s", caller.unwrap_or_default(), asked.as_secs());
        let remedy = Remedy::paste("ask for an hour: sessions are renewed by themselves", setting(HOUR));
        case.explain(Check::ROLES, Diagnosis::decided(&CHAINED, because).cure(remedy));
    } else if of_duration || case.facts.longest.is_some() {
        let given = case.facts.longest;
        let because = match given {
            Some(longest) => format!("{} s are refused, and {} s are given", asked.as_secs(), longest.as_secs()),
            None => format!("AWS says: {}", refusal.message),
        };
        let mut diagnosis = Diagnosis::decided(&MAXIMUM, because)
            .cure(Remedy::paste("ask for less: sessions are renewed by themselves", setting(given.unwrap_or(HOUR))));
        if let Some(name) = hop.role_arn.rsplit('/').next() {
            let seconds = asked.as_secs();
            let command = format!("aws iam update-role --role-name {} --max-session-duration {seconds}", word(name));
            diagnosis =
                diagnosis.cure(Remedy::paste("or raise the role's maximum, in its account", Paste::Command(command)));
        }
        case.explain(Check::ROLES, diagnosis);
    }
}

fn setting(duration: Duration) -> Paste {
    Paste::Setting(format!("duration = {}", duration.as_secs()))
}
