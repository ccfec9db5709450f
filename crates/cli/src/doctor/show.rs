use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use ::doctor::{CheckResult, Diagnosis, Report, Status};
use fault::printable;
use world::Environment;

/// The report for programs: docs/doctor.schema.json.
pub(super) fn json(report: &Report) -> String {
    match serde_json::to_string_pretty(report) {
        Ok(text) => text + "\n",
        Err(error) => format!("{{\"error\":{:?}}}\n", error.to_string()),
    }
}

/// How a report looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// In colour.
    colour: bool,
    /// Where lines are broken; `None`: nowhere, as for a file.
    width: Option<usize>,
    /// How many causes are told of a check that is not well.
    causes: Causes,
}

/// How many causes are told of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Causes {
    /// The best few; how many more there are is said.
    #[default]
    Few,
    /// All.
    All,
}

/// AWS has one text for ten causes of a refused role: nobody looks after ten things at once.
const FEW: usize = 3;

/// A line of fewer columns than these is not broken well.
const NARROWEST: usize = 60;
/// Longer lines are not read well.
const WIDEST: usize = 140;
/// Where what is said of a check begins that is not well.
const UNDER: usize = 4;
/// How wide `cause`, `likely`, `apart` and the like are.
const WORD: usize = 8;

impl Look {
    /// As whoever reads stdout wants it.
    pub(crate) fn of_stdout(environment: &Environment) -> Self {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self::default();
        }
        let columns = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        let width = columns.filter(|columns| *columns > 0).map(|columns| columns.clamp(NARROWEST, WIDEST));
        // https://no-color.org
        Self { colour: environment.get("NO_COLOR").is_none(), width, causes: Causes::Few }
    }

    /// The same with that many causes of one check.
    pub(crate) fn telling(self, causes: Causes) -> Self {
        Self { causes, ..self }
    }
}

/// The report for people: a line a check; under what is not well, why, and what to do.
pub(crate) fn text(report: &Report, look: &Look) -> String {
    let mut page = Page { look: *look, out: String::new(), pasted: Pasted::new() };
    let width = report.checks.iter().map(|result| result.check.name.len()).max().unwrap_or(0);
    page.line(0, &format!("{} {}, depth {}", report.kind.name(), report.target, report.depth));
    for result in report.checks.iter().filter(|result| result.status != Status::Skipped) {
        page.check(result, width);
    }
    page.end(report);
    page.out
}

/// What is said of one check that is not well, by itself.
pub(super) fn diagnoses(diagnoses: &[Diagnosis], look: &Look) -> String {
    let mut page = Page { look: *look, out: String::new(), pasted: Pasted::new() };
    page.diagnoses("", diagnoses);
    page.out
}

struct Page {
    look: Look,
    out: String,
    pasted: Pasted,
}

/// Texts to paste that were shown already, each with where.
type Pasted = BTreeMap<String, Shown>;

struct Shown {
    check: &'static str,
    cause: &'static str,
    action: String,
}

impl Page {
    fn check(&mut self, result: &CheckResult, width: usize) {
        let status = self.status(result.status);
        let name = format!("{:width$}", result.check.name);
        self.words(&format!("  {status} {name}  "), 2 + 9 + 1 + width + 2, &result.reason);
        if result.status == Status::Passed {
            return;
        }
        let evidence = [
            ("code", result.code.as_deref()),
            ("as", result.identity.as_deref()),
            ("host", result.host.as_deref()),
            ("request", result.request_id.as_deref()),
        ];
        for (what, value) in evidence {
            // Most reasons say it already.
            if let Some(value) = value.filter(|value| !result.reason.contains(value)) {
                self.entry(what, value);
            }
        }
        for hint in &result.hints {
            self.bold_entry("do", hint);
        }
        self.diagnoses(result.check.name, &result.diagnoses);
    }

    fn diagnoses(&mut self, check: &'static str, diagnoses: &[Diagnosis]) {
        // What is decided has no others beside it; what is likely is told in any case. They are ranked.
        let sure = diagnoses.iter().filter(|diagnosis| diagnosis.certainty != ::doctor::Certainty::Possible).count();
        let told = if self.look.causes == Causes::All { diagnoses.len() } else { FEW.max(sure).min(diagnoses.len()) };
        for diagnosis in &diagnoses[..told] {
            let how = match diagnosis.certainty {
                ::doctor::Certainty::Decided => "cause",
                ::doctor::Certainty::Likely => "likely",
                ::doctor::Certainty::Possible => "maybe",
            };
            self.bold_entry(how, &format!("{} [{}]", diagnosis.cause.title, diagnosis.cause.code));
            self.entry("", &diagnosis.because);
            let mut referred = Vec::new();
            for remedy in &diagnosis.remedies {
                let Some(paste) = &remedy.paste else {
                    self.bold_entry("do", &remedy.action);
                    continue;
                };
                // Causes of one refusal are often mended by one text, and so are refusals of one role: it is shown once.
                if let Some(shown) = self.pasted.get(paste.text()) {
                    let place = if shown.check == check { shown.cause } else { shown.check };
                    if shown.action != remedy.action {
                        let text = format!("{}: the text under {place} above", remedy.action);
                        self.bold_entry("do", &text);
                    } else if !referred.contains(&place) {
                        referred.push(place);
                        self.bold_entry("do", &format!("the same as under {place} above"));
                    }
                    continue;
                }
                let shown = Shown { check, cause: diagnosis.cause.code, action: remedy.action.clone() };
                self.pasted.insert(paste.text().to_owned(), shown);
                self.bold_entry("do", &format!("{}:", remedy.action));
                // Never broken: it is to be copied.
                for text in paste.text().lines() {
                    self.line(UNDER + WORD + 1, text);
                }
            }
        }
        if told < diagnoses.len() {
            self.entry("", &format!("and {} more: --all or -o json tells them", diagnoses.len() - told));
        }
    }

    fn end(&mut self, report: &Report) {
        let skipped = report.checks.iter().filter(|result| result.status == Status::Skipped);
        let because = skipped.filter_map(|result| Some((result.because_of?, result.check.name)));
        let mut stopped: Vec<(&str, Vec<&str>)> = Vec::new();
        for (cause, name) in because {
            match stopped.iter_mut().find(|(other, _)| *other == cause) {
                Some((_, names)) => names.push(name),
                None => stopped.push((cause, vec![name])),
            }
        }
        for (cause, names) in stopped {
            self.words("  ", 4, &format!("not made, because {cause} stands before it: {}", names.join(", ")));
        }
        let count = |status| report.checks.iter().filter(|result| result.status == status).count();
        let counts = [
            (count(Status::Passed), "passed"),
            (count(Status::Failed), "failed"),
            (count(Status::Unproven), "unproven"),
            (count(Status::Warning), "to be warned of"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let mut end = format!("{}: {}", report.verdict.name(), counts.collect::<Vec<_>>().join(", "));
        if !report.not_tested.is_empty() {
            write!(end, "; {} not tested (-o json lists them)", report.not_tested.len())
                .expect("writing to a String does not fail");
        }
        self.words("", 2, &end);
    }

    fn entry(&mut self, what: &str, text: &str) {
        self.words(&format!("{:UNDER$}{what:WORD$} ", ""), UNDER + WORD + 1, text);
    }

    fn bold_entry(&mut self, what: &str, text: &str) {
        let what = self.paint("1", &format!("{what:WORD$}"));
        self.words(&format!("{:UNDER$}{what} ", ""), UNDER + WORD + 1, text);
    }

    /// A line that is broken between words where it is too long; what follows is put under its beginning, `indent`.
    /// `head` is ours, and may have colours.
    fn words(&mut self, head: &str, indent: usize, text: &str) {
        self.out.push_str(head);
        let text = printable(text);
        let Some(width) = self.look.width else {
            self.out.push_str(&text);
            self.out.push('\n');
            return;
        };
        // Where the head alone fills the line, what follows it goes to the next one.
        let indent = if indent + NARROWEST / 2 > width { UNDER + WORD + 1 } else { indent };
        let mut column = indent;
        for (index, word) in text.split(' ').enumerate() {
            let length = word.chars().count();
            if index > 0 && column + 1 + length > width {
                self.out.push('\n');
                self.out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else if index > 0 {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(word);
            column += length;
        }
        self.out.push('\n');
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(&printable(text));
        self.out.push('\n');
    }

    fn status(&self, status: Status) -> String {
        let code = match status {
            Status::Passed => "32",
            Status::Failed => "31;1",
            Status::Warning | Status::Unproven => "33",
            Status::Skipped => "2",
        };
        self.paint(code, &format!("{:9}", status.name()))
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.look.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Page, Pasted};

    fn broken(width: Option<usize>, text: &str) -> String {
        let mut page = Page { look: Look { width, ..Look::default() }, out: String::new(), pasted: Pasted::new() };
        page.words("  failed ", 9, text);
        page.out
    }

    #[test]
    fn a_line_is_broken_between_words_on_a_terminal_alone() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        assert_eq!(broken(None, text), format!("  failed {text}\n"));
        let told = broken(Some(60), text);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "  failed one two three four five six seven eight nine ten");
        assert_eq!(lines[1], "         eleven twelve");
        // An ARN that is longer than the line stays in one piece, to be copied.
        let arn = "a".repeat(100);
        assert!(broken(Some(60), &format!("of {arn}")).contains(&arn));
    }

    #[test]
    fn a_text_to_paste_is_shown_once_and_referred_to_by_where_it_stands() {
        let causes = ::doctor::causes::all();
        let command = |action: &str| {
            ::doctor::Remedy::paste(action, ::doctor::Paste::Command("aws iam get-role --role-name orders".to_owned()))
        };
        let mut page = Page { look: Look::default(), out: String::new(), pasted: Pasted::new() };
        let first = ::doctor::Diagnosis::possible(causes[0], "one").cure(command("look"));
        let second = ::doctor::Diagnosis::possible(causes[1], "two").cure(command("look")).cure(command("look"));
        page.diagnoses("roles-assumed", &[first, second]);
        let third = ::doctor::Diagnosis::possible(causes[2], "three").cure(command("ask for it"));
        page.diagnoses("bucket-found", &[third]);
        let told = page.out;
        assert_eq!(told.matches("aws iam get-role").count(), 1, "{told}");
        assert_eq!(told.matches(&format!("the same as under {} above\n", causes[0].code)).count(), 1, "{told}");
        assert!(told.contains("ask for it: the text under roles-assumed above"), "{told}");
    }

    #[test]
    fn the_three_best_of_many_causes_are_told_and_the_others_counted() {
        let causes = ::doctor::causes::all();
        let five: Vec<_> = (0..5).map(|n| ::doctor::Diagnosis::possible(causes[n], format!("apart {n}"))).collect();
        let told = |diagnoses: &[::doctor::Diagnosis], look: Look| super::diagnoses(diagnoses, &look);
        let few = told(&five, Look::default());
        assert_eq!(few.matches("maybe").count(), 3, "{few}");
        assert!(few.contains("apart 2") && few.ends_with("and 2 more: --all or -o json tells them\n"), "{few}");
        let all = told(&five, Look::default().telling(super::Causes::All));
        assert!(all.matches("maybe").count() == 5 && !all.contains("more"), "{all}");
        assert!(!told(&five[..3], Look::default()).contains("more"));
        // What something speaks for is told, however many there are.
        let likely: Vec<_> = (0..4).map(|n| ::doctor::Diagnosis::likely(causes[n], "seen")).collect();
        assert_eq!(told(&likely, Look::default()).matches("likely").count(), 4);
    }

    #[test]
    fn what_came_from_far_away_steers_no_terminal() {
        let told = broken(None, "a\u{1b}[31mb\nc\u{9b}d\u{202e}e");
        assert_eq!(told, "  failed a\\u{1b}[31mb\\nc\\u{9b}d\\u{202e}e\n");
    }
}
