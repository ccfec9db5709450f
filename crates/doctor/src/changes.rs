use serde::Serialize;

use crate::{CheckResult, Diagnosis, Report, Status};

/// A clock that moved by less than this between two examinations is measured, not moved: a request takes that long.
const CLOCK_MOVED_MS: i64 = 5_000;

/// Something that is otherwise than it was at the examination before.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A check has another status than before.
    Check {
        /// Its name.
        check: &'static str,
        /// What it was; `None` if it was not made.
        before: Option<Status>,
        /// What it is.
        now: Status,
        /// What was seen.
        reason: String,
        /// AWS's or Kafka's code.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What caused it, the likeliest first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        diagnoses: Vec<Diagnosis>,
    },
    /// Something that was learnt is not what it was: who we are, the bucket's region, our address, the clock.
    Fact {
        /// Its name.
        fact: String,
        /// What it was.
        before: serde_json::Value,
        /// What it is; null if it was not learnt.
        now: serde_json::Value,
    },
}

impl Change {
    /// Whether it is one for the better.
    pub fn is_mended(&self) -> bool {
        matches!(self, Self::Check { now: Status::Passed, .. })
    }
}

/// What is otherwise in `now` than in `before`: checks first, in their order, then facts.
///
/// A check that is skipped is none: what stands before it says so itself.
pub fn changes(before: &Report, now: &Report) -> Vec<Change> {
    let mut changes: Vec<Change> = now.checks.iter().filter_map(|result| change_of(before, result)).collect();
    changes.extend(facts(before, now));
    changes
}

fn change_of(before: &Report, now: &CheckResult) -> Option<Change> {
    let old = before.check(now.check);
    if now.status == Status::Skipped || old.is_some_and(|old| is_same(old, now)) {
        return None;
    }
    // What was not made and is well now is no news by itself.
    let was = old.map(|old| old.status);
    if now.status == Status::Passed && matches!(was, None | Some(Status::Skipped)) {
        return None;
    }
    Some(Change::Check {
        check: now.check.name,
        before: was,
        now: now.status,
        reason: now.reason.clone(),
        code: now.code.clone(),
        diagnoses: now.diagnoses.clone(),
    })
}

/// Reasons hold seconds and request ids, which are others each time; what matters is in the status, code and causes.
fn is_same(old: &CheckResult, now: &CheckResult) -> bool {
    let rows = |result: &CheckResult| {
        result.diagnoses.iter().map(|diagnosis| (diagnosis.cause.row, diagnosis.certainty)).collect::<Vec<_>>()
    };
    old.status == now.status && old.code == now.code && old.threshold == now.threshold && rows(old) == rows(now)
}

/// What the examination after `now` is compared with: `now`, with what was known before in place of what it did not learn.
///
/// A check that was skipped is as it was last, so that it is told once when it is mended after all. And a clock that moves too
/// slowly to be told from one examination to the next is compared with what was told last, so that its drift adds up.
#[must_use]
pub fn baseline(before: &Report, now: &Report) -> Report {
    let mut base = now.clone();
    for result in &mut base.checks {
        if result.status == Status::Skipped
            && let Some(old) = before.check(result.check)
        {
            result.clone_from(old);
        }
    }
    for (name, old) in &before.facts {
        let told = now.facts.get(name).is_some_and(|new| is_moved(name, old, new));
        if !told {
            base.facts.insert(name.clone(), old.clone());
        }
    }
    base
}

/// Whether a fact is another than it was. Not one that is another each time: when a session ends.
fn is_moved(name: &str, old: &serde_json::Value, new: &serde_json::Value) -> bool {
    match (name, old.as_i64(), new.as_i64()) {
        ("session_ends_at" | "longest_session_seconds" | "packed_policy_percent", ..) => false,
        ("clock_offset_ms", Some(old), Some(new)) => old.abs_diff(new) >= CLOCK_MOVED_MS.unsigned_abs(),
        _ => old != new,
    }
}

/// Facts that differ. Not those that are other ones each time: when a session ends.
pub fn facts(before: &Report, now: &Report) -> Vec<Change> {
    let differing = before.facts.iter().filter_map(|(name, old)| {
        // What could not be learnt this time is a check's to tell.
        let new = now.facts.get(name)?;
        is_moved(name, old, new).then(|| Change::Fact { fact: name.clone(), before: old.clone(), now: new.clone() })
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Change, baseline, changes};
    use crate::{Check, CheckResult, Depth, Report, Status, TargetKind, Verdict};

    fn report(checks: &[(&'static Check, Status)], facts: &[(&str, serde_json::Value)]) -> Report {
        let checks: Vec<_> =
            checks.iter().map(|(check, status)| CheckResult::new(check, *status, Duration::ZERO, "seen")).collect();
        Report {
            version: 1,
            target: "lake".to_owned(),
            kind: TargetKind::Connection,
            depth: Depth::Read,
            verdict: Verdict::of(&checks),
            checks,
            not_tested: Vec::new(),
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }

    fn told(before: &Report, now: &Report) -> Vec<String> {
        let tell = |change: Change| match change {
            Change::Check { check, before, now, .. } => {
                format!("{check} {} -> {now}", before.map_or("none", Status::name))
            }
            Change::Fact { fact, before, now } => format!("{fact} {before} -> {now}"),
        };
        changes(before, now).into_iter().map(tell).collect()
    }

    #[test]
    fn only_what_is_otherwise_is_told() {
        use Status::{Failed, Passed, Skipped, Unproven};
        let well = report(&[(Check::BASE, Passed), (Check::ROLES, Passed), (Check::LIST, Passed)], &[]);
        let ill = report(&[(Check::BASE, Passed), (Check::ROLES, Failed), (Check::LIST, Skipped)], &[]);
        let open = report(&[(Check::BASE, Passed), (Check::ROLES, Unproven), (Check::LIST, Skipped)], &[]);
        assert!(told(&well, &well).is_empty());
        assert_eq!(told(&well, &ill), ["roles-assumed passed -> failed"]);
        assert!(told(&ill, &ill).is_empty());
        // What could not be made meanwhile, and is well, is no news.
        assert_eq!(told(&ill, &well), ["roles-assumed failed -> passed"]);
        assert_eq!(told(&well, &open), ["roles-assumed passed -> unproven"]);
    }

    #[test]
    fn a_clock_that_moves_and_another_identity_are_told_and_a_new_session_is_not() {
        let facts = |offset: i64, caller: &str, end: &str| {
            let facts =
                [("clock_offset_ms", offset.into()), ("caller", caller.into()), ("session_ends_at", end.into())];
            report(&[], &facts)
        };
        let first = facts(100, "a", "12:00");
        assert!(told(&first, &facts(4_900, "a", "13:00")).is_empty());
        assert_eq!(told(&first, &facts(5_100, "a", "13:00")), ["clock_offset_ms 100 -> 5100"]);
        assert_eq!(told(&first, &facts(100, "b", "13:00")), ["caller \"a\" -> \"b\""]);
        assert!(told(&first, &report(&[], &[])).is_empty());
    }

    #[test]
    fn each_step_to_the_end_is_told_once() {
        let mut last = report(&[(Check::CERTIFICATE, Status::Passed)], &[]);
        let mut said = Vec::new();
        let steps =
            [None, Some("30 days"), Some("30 days"), Some("7 days"), Some("7 days"), Some("1 day"), Some("1 day")];
        for step in steps {
            let status = if step.is_some() { Status::Warning } else { Status::Passed };
            let mut now = report(&[(Check::CERTIFICATE, status)], &[]);
            now.checks[0].threshold = step;
            said.push(told(&last, &now).len());
            last = baseline(&last, &now);
        }
        assert_eq!(said, [0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn what_was_not_seen_for_a_while_is_compared_with_what_was_seen_last() {
        use Status::{Failed, Passed, Skipped};
        let of = |list: Status, caller: Option<&str>, offset: i64| {
            let mut facts = vec![("clock_offset_ms", offset.into())];
            facts.extend(caller.map(|caller| ("caller", caller.into())));
            report(&[(Check::LIST, list)], &facts)
        };
        let first = of(Failed, Some("a"), 0);
        let gap = of(Skipped, None, 3_000);
        assert!(told(&first, &gap).is_empty());
        let second = of(Passed, Some("b"), 6_000);
        assert_eq!(
            told(&baseline(&first, &gap), &second),
            ["prefix-listable failed -> passed", "clock_offset_ms 0 -> 6000", "caller \"a\" -> \"b\""]
        );
    }
}
