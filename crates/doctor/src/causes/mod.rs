//! The catalogue: which causes are known, and which facts point to them. One file an area.
//!
//! Each file has a table of [`Cause`]s, and one function that looks at all facts and adds its [`Diagnosis`]es to the
//! checks that they explain. A refusal's code and HTTP status are looked at first and its text second: AWS changes texts.

mod ambient;
mod anywhere;
mod assume;
mod bucket;
mod bucket_policy;
mod condition;
mod conduct;
mod denial;
mod duration;
mod encryption;
mod external_id;
mod grant;
mod guess;
mod input;
mod kafka;
mod keys;
mod network;
mod object;
mod policy;
mod principal;
mod refused;
mod region;
mod remedy;
mod session_policy;
mod shell;
mod tags;
mod time;
mod trust;

pub use guess::{Guess, guess};

use crate::{Cause, Check, CheckResult, Diagnosis, Facts, Remedy, Status, Target};

/// All causes, by row.
pub fn all() -> Vec<&'static Cause> {
    let mut all = Vec::new();
    all.extend_from_slice(anywhere::CAUSES);
    all.extend_from_slice(ambient::CAUSES);
    all.extend_from_slice(bucket::CAUSES);
    all.extend_from_slice(bucket_policy::CAUSES);
    all.extend_from_slice(conduct::CAUSES);
    all.extend_from_slice(encryption::CAUSES);
    all.extend_from_slice(input::CAUSES);
    all.extend(kafka::CAUSES.iter().copied().flatten());
    all.extend_from_slice(condition::CAUSES);
    all.extend_from_slice(duration::CAUSES);
    all.extend_from_slice(external_id::CAUSES);
    all.extend_from_slice(keys::CAUSES);
    all.extend_from_slice(network::CAUSES);
    all.extend_from_slice(object::CAUSES);
    all.extend_from_slice(principal::CAUSES);
    all.extend_from_slice(policy::CAUSES);
    all.extend(region::CAUSES.iter().copied().flatten());
    all.extend_from_slice(session_policy::CAUSES);
    all.extend_from_slice(tags::CAUSES);
    all.extend_from_slice(time::CAUSES);
    all.sort_by_key(|cause| cause.row);
    all
}

/// A cause of another area.
pub(crate) fn by_row(row: &str) -> Option<&'static Cause> {
    all().into_iter().find(|cause| cause.row == row)
}

/// Everything that a cause can be judged by.
pub(crate) struct Case<'a> {
    pub(crate) target: &'a Target,
    pub(crate) facts: &'a Facts,
    results: &'a [CheckResult],
    found: Vec<(&'static Check, Diagnosis)>,
}

impl Case<'_> {
    /// What a check came to.
    pub(crate) fn result(&self, check: &Check) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.check == check)
    }

    /// Whether a check failed, was left open, or is to be warned of.
    pub(crate) fn is_unwell(&self, check: &Check) -> bool {
        let status = self.result(check).map(|result| result.status);
        matches!(status, Some(Status::Failed | Status::Unproven | Status::Warning))
    }

    /// Explains a check.
    pub(crate) fn explain(&mut self, check: &'static Check, diagnosis: Diagnosis) {
        self.found.push((check, diagnosis));
    }
}

/// Adds to each result what caused it.
pub(crate) fn explain(target: &Target, facts: &Facts, results: &mut [CheckResult]) {
    let mut case = Case { target, facts, results, found: Vec::new() };
    input::explain(&mut case);
    duration::explain(&mut case);
    session_policy::explain(&mut case);
    keys::explain(&mut case);
    tags::explain(&mut case);
    trust::explain(&mut case);
    external_id::explain(&mut case);
    principal::explain(&mut case);
    condition::explain(&mut case);
    bucket::explain(&mut case);
    object::explain(&mut case);
    encryption::explain(&mut case);
    policy::explain(&mut case);
    conduct::explain(&mut case);
    network::explain(&mut case);
    time::explain(&mut case);
    region::explain(&mut case);
    ambient::explain(&mut case);
    anywhere::explain(&mut case);
    kafka::explain(&mut case);
    for (check, mut diagnosis) in case.found {
        if diagnosis.remedies.is_empty() {
            diagnosis.remedies.push(Remedy::to(diagnosis.cause.cure));
        }
        if let Some(result) = results.iter_mut().find(|result| result.check == check) {
            if result.status == Status::Passed {
                // It works, and something is known to be wrong with it.
                result.status = Status::Warning;
            }
            result.diagnoses.push(diagnosis);
        }
    }
    for result in results {
        // A cause that is decided leaves no others; of the same certainty, the order is that in which they were found.
        if result.diagnoses.iter().any(|diagnosis| diagnosis.certainty == crate::Certainty::Decided) {
            result.diagnoses.retain(|diagnosis| diagnosis.certainty == crate::Certainty::Decided);
        }
        result.diagnoses.sort_by_key(|diagnosis| diagnosis.certainty);
        result.diagnoses.dedup_by_key(|diagnosis| diagnosis.cause.row);
        // Remedies have names in them, and go before what fits every error of a kind. Keys that AWS does not take may be of
        // something rare, and are mostly just wrong.
        let is_guess = result.check == Check::BASE
            && result.diagnoses.iter().all(|diagnosis| diagnosis.certainty == crate::Certainty::Possible);
        if !result.diagnoses.is_empty() && !is_guess {
            result.hints.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn rows_are_unique_and_texts_are_clauses() {
        let all = all();
        for (index, cause) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.row != cause.row), "{}", cause.row);
            // A name may have a capital at its beginning, and has another one behind it: `IAM`, `JsonConverter`, `Object Lock`.
            let first_two: String = cause.title.split(' ').take(2).collect();
            let is_name = first_two.chars().skip(1).any(char::is_uppercase);
            assert!(!cause.title.starts_with(char::is_uppercase) || is_name, "{}", cause.title);
            for text in [cause.title, cause.symptom, cause.why, cause.apart, cause.cure] {
                assert!(!text.is_empty() && (!text.ends_with('.') || text.ends_with("..")), "{}: {text}", cause.row);
            }
            for text in cause.texts {
                assert!(text.len() >= 5 && *text == text.to_lowercase(), "{}: {text}", cause.row);
            }
        }
    }
}
