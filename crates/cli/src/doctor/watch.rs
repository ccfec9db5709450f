use std::fmt::Write as _;

use ::doctor::{Change, Depth, Report, Status, Target, Verdict, baseline, changed_facts, changes};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::examined::{Examiner, Outcome, no_signals};
use super::show::{self, Look};
use super::usage::Usage;
use super::{Subject, exit_of, subject};
use crate::args::{Exit, Output};
use crate::run::Signals;
use crate::screen::Screen;
use crate::stdout::print;

/// Examines again and again until a signal comes, and tells what becomes otherwise. The exit code is of the last result.
pub(super) async fn watch(
    subject: &Subject,
    mut target: Target,
    depth: Depth,
    examiner: &Examiner<'_>,
    screen: &Screen,
) -> Result<Exit, Usage> {
    let arguments = &subject.arguments;
    let teller = Teller { output: arguments.output, look: subject.look() };
    let mut signals = Signals::new().map_err(no_signals)?;
    // What the next one is compared with.
    let mut last: Option<Report> = None;
    let mut verdict = None;
    let mut good: Option<(Timestamp, Report)> = None;
    loop {
        let now = match examiner.examine(&target, depth, screen).await? {
            Outcome::Ended(report) => *report,
            Outcome::Stopped => break,
        };
        let at = Timestamp::try_from(subject.clock.now()).unwrap_or_default();
        let told = match &last {
            None => teller.first(at, &now),
            Some(last) => teller.next(at, last, &now, good.as_ref()),
        };
        let printed = print(&told, Exit::Done, screen);
        if printed != Exit::Done {
            return Ok(printed);
        }
        if now.verdict == Verdict::Passed {
            good = Some((at, now.clone()));
        }
        verdict = Some(exit_of(&now));
        last = Some(last.map_or_else(|| now.clone(), |last| baseline(&last, &now)));
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(arguments.every) => {}
        }
        // What is written down may have been mended meanwhile. Standard input has been read.
        if arguments.target.as_deref() != Some("-") {
            match subject::find(arguments, &subject.environment).await {
                Ok(found) => target = found,
                Err(usage) => {
                    screen.print(format!("error: {usage}\nthe one before is examined\n").as_bytes());
                }
            }
        }
    }
    Ok(verdict.unwrap_or(Exit::NoProgress))
}

struct Teller {
    output: Output,
    look: Look,
}

impl Teller {
    fn first(&self, at: Timestamp, report: &Report) -> String {
        match self.output {
            Output::Text => format!("{at:.0}\n{}", show::text(report, &self.look)),
            Output::Json => line(&json!({ "at": at, "change": "began", "report": report })),
        }
    }

    /// Only what is otherwise.
    fn next(&self, at: Timestamp, last: &Report, now: &Report, good: Option<&(Timestamp, Report)>) -> String {
        let mut out = String::new();
        for change in changes(last, now) {
            out.push_str(&self.change(at, &change));
        }
        if out.is_empty() || now.verdict == Verdict::Passed {
            return out;
        }
        // What else is otherwise than when all was well may be why it is not.
        let Some((since, good)) = good else { return out };
        let otherwise = changed_facts(good, now);
        match self.output {
            Output::Json => {
                out.push_str(&line(
                    &json!({ "at": at, "change": "last_good", "since": since, "otherwise": otherwise }),
                ));
            }
            Output::Text => {
                let told: Vec<_> = otherwise.iter().filter_map(told_fact).collect();
                let told = if told.is_empty() { "nothing else is otherwise".to_owned() } else { told.join(", ") };
                writeln!(out, "{at:.0}  all was well at {since:.0}; since then: {told}")
                    .expect("writing to a String does not fail");
            }
        }
        out
    }

    fn change(&self, at: Timestamp, change: &Change) -> String {
        if self.output == Output::Json {
            let mut value = json!(change);
            if let Value::Object(members) = &mut value {
                members.insert("at".to_owned(), json!(at));
            }
            return line(&value);
        }
        match change {
            Change::Check { check, before, now, reason, diagnoses, .. } => {
                let what = match (before, now) {
                    (_, Status::Failed) => "now failing",
                    (_, Status::Passed) => "mended",
                    (_, Status::Warning) => "warning",
                    (_, Status::Unproven | Status::Skipped) => "not proven",
                };
                let reason = fault::printable(reason).into_owned();
                format!("{at:.0}  {what} {check}: {reason}\n{}", show::diagnoses(diagnoses, &self.look))
            }
            Change::Fact { .. } => {
                told_fact(change).map_or_else(String::new, |told| format!("{at:.0}  changed {told}\n"))
            }
        }
    }
}

/// `caller: a -> b`.
fn told_fact(change: &Change) -> Option<String> {
    let Change::Fact { fact, before, now } = change else { return None };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(fault::printable(&format!("{fact}: {} -> {}", shown(before), shown(now))).into_owned())
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_came_from_far_away_steers_no_terminal() {
        let teller = Teller { output: Output::Text, look: Look::default() };
        let (before, now) = (json!("a"), json!("b\u{1b}[2J"));
        let change = Change::Fact { fact: "caller".into(), before, now };
        let told = teller.change(Timestamp::UNIX_EPOCH, &change);
        assert!(told.ends_with("changed caller: a -> b\\u{1b}[2J\n"), "{told}");
    }
}
