use std::fmt::Write as _;

use ::doctor::{CheckResult, Report, Status};

/// The report for people: a line a check; under what is not well, why, and what to do.
pub(super) fn text(report: &Report, colour: bool) -> String {
    let paint = Paint { on: colour };
    let mut out = String::new();
    let width = report.checks.iter().map(|result| result.check.name.len()).max().unwrap_or(0);
    line(&mut out, &format!("{} {}, depth {}", report.kind.name(), report.target, report.depth));
    for result in &report.checks {
        if result.status == Status::Skipped {
            continue;
        }
        let status = paint.status(result.status);
        line(&mut out, &format!("  {status} {:width$}  {}", result.check.name, result.reason));
        if result.status != Status::Passed {
            details(&mut out, result, &paint);
        }
    }
    let skipped = report.checks.iter().filter(|result| result.status == Status::Skipped);
    let because = skipped.filter_map(|result| Some(format!("{} ({})", result.check.name, result.because_of?)));
    let because: Vec<_> = because.collect();
    if !because.is_empty() {
        line(&mut out, &format!("  not made, because of another: {}", because.join(", ")));
    }
    let count = |status| report.checks.iter().filter(|result| result.status == status).count();
    line(
        &mut out,
        &format!(
            "{}: {} passed, {} failed, {} unproven, {} to be warned of; {} not tested (-o json lists them)",
            report.verdict.name(),
            count(Status::Passed),
            count(Status::Failed),
            count(Status::Unproven),
            count(Status::Warning),
            report.not_tested.len()
        ),
    );
    out
}

fn details(out: &mut String, result: &CheckResult, paint: &Paint) {
    let evidence = [
        ("code", result.code.as_deref()),
        ("as", result.identity.as_deref()),
        ("host", result.host.as_deref()),
        ("request", result.request_id.as_deref()),
    ];
    for (what, value) in evidence {
        // Most reasons say it already.
        if let Some(value) = value.filter(|value| !result.reason.contains(value)) {
            line(out, &format!("             {what:8} {value}"));
        }
    }
    for diagnosis in &result.diagnoses {
        let how = match diagnosis.certainty {
            ::doctor::Certainty::Decided => "cause",
            ::doctor::Certainty::Likely => "likely",
            ::doctor::Certainty::Possible => "maybe",
        };
        line(
            out,
            &format!(
                "             {} {} [{}]",
                paint.bold(&format!("{how:8}")),
                diagnosis.cause.title,
                diagnosis.cause.code
            ),
        );
        line(out, &format!("                      {}", diagnosis.because));
        for remedy in &diagnosis.remedies {
            line(out, &format!("             {} {}", paint.bold("do      "), remedy.action));
            if let Some(paste) = &remedy.paste {
                for text in paste.text().lines() {
                    line(out, &format!("                      {text}"));
                }
            }
        }
    }
}

/// One line, without what would steer the terminal: some of it came from far away.
fn line(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\u{1b}' => out.push(c),
            c if c.is_control() => {
                write!(out, "{}", c.escape_default()).expect("writing to a String does not fail");
            }
            c => out.push(c),
        }
    }
    out.push('\n');
}

struct Paint {
    on: bool,
}

impl Paint {
    fn status(&self, status: Status) -> String {
        let code = match status {
            Status::Passed => "32",
            Status::Failed => "31;1",
            Status::Warning | Status::Unproven => "33",
            Status::Skipped => "2",
        };
        self.paint(code, &format!("{:9}", status.name()))
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
