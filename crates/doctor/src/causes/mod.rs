//! The catalogue: which causes are known, and which facts point to them. One file an area.
//!
//! Each file has a table of [`Cause`]s, and one function that looks at all facts and adds its [`Diagnosis`]es to the
//! checks that they explain. A refusal's code and HTTP status are looked at first and its text second: AWS changes texts.

mod guess;
mod input;
mod object;
mod trust;

pub use guess::{Guess, guess};

use crate::{Cause, Check, CheckResult, Diagnosis, Facts, Status, Target};

/// All causes, by row.
pub fn all() -> Vec<&'static Cause> {
    let mut all: Vec<_> = [input::CAUSES, object::CAUSES, trust::CAUSES].into_iter().flatten().copied().collect();
    all.sort_by_key(|cause| cause.row);
    all
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
    trust::explain(&mut case);
    object::explain(&mut case);
    for (check, diagnosis) in case.found {
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
            assert!(
                cause
                    .title
                    .starts_with(|c: char| !c.is_uppercase() || cause.title[1..].starts_with(char::is_uppercase)),
                "{}",
                cause.title
            );
            for text in [cause.title, cause.symptom, cause.why, cause.apart, cause.cure] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", cause.row);
            }
            for text in cause.texts {
                assert!(text.len() > 5 && *text == text.to_lowercase(), "{}: {text}", cause.row);
            }
        }
    }
}
