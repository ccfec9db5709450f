//! `docs/errors/`: a page for each code that a failure or a cause has, made from what the code says of itself.
//!
//! Run these tests with `TIDEGATE_WRITE_DOCS=1` to write them.

mod rows;
mod sources;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use self::sources::Failure;
use crate::{Cause, causes};

/// Everything that has one code.
#[derive(Debug, Default)]
struct Page {
    failures: Vec<Failure>,
    causes: Vec<&'static Cause>,
}

fn pages() -> BTreeMap<String, Page> {
    let mut pages: BTreeMap<String, Page> = BTreeMap::new();
    for failure in sources::failures() {
        pages.entry(failure.code.clone()).or_default().failures.push(failure);
    }
    for cause in causes::all() {
        pages.entry(cause.code.to_owned()).or_default().causes.push(cause);
    }
    pages
}

impl Page {
    fn markdown(&self, code: &str) -> String {
        let mut out = format!("# {code}\n\n");
        for cause in &self.causes {
            cause_markdown(&mut out, cause);
        }
        if !self.causes.is_empty() && !self.failures.is_empty() {
            out.push_str("## As a failure of Tidegate\n\n");
        }
        for failure in &self.failures {
            failure_markdown(&mut out, failure);
        }
        out.push_str("All codes: [README.md](README.md). To have it looked into: `tidegate doctor TARGET` ([doctor.md](../doctor.md)).\n");
        out
    }

    /// What it is, in one clause.
    fn title(&self) -> String {
        let of_failure = |failure: &Failure| {
            let doc = failure.doc.clone().or_else(|| failure.display.clone()).unwrap_or_else(|| failure.name.clone());
            first_sentence(&doc).to_owned()
        };
        match (self.causes.first(), self.failures.first()) {
            (Some(cause), _) => cause.title.to_owned(),
            (None, Some(failure)) => of_failure(failure),
            (None, None) => String::new(),
        }
    }
}

fn cause_markdown(out: &mut String, cause: &Cause) {
    write!(out, "## {}: {}\n\n", cause.row, escaped(cause.title)).expect("writing to a String does not fail");
    let parts = [
        ("What one sees", cause.symptom),
        ("Why", cause.why),
        ("What tells it apart", cause.apart),
        ("What to do", cause.cure),
    ];
    for (what, text) in parts {
        writeln!(out, "- **{what}:** {}.", escaped(text)).expect("writing to a String does not fail");
    }
    if !cause.texts.is_empty() {
        let texts: Vec<_> = cause.texts.iter().map(|text| format!("`{text}`")).collect();
        writeln!(out, "- **Error messages that may be of it hold:** {}.", texts.join(", "))
            .expect("writing to a String does not fail");
    }
    let shown = rows::shown();
    if let Some(shown) = shown.get(cause.row) {
        writeln!(out, "- **Shown by:** {}.", links(shown)).expect("writing to a String does not fail");
    }
    out.push('\n');
}

fn failure_markdown(out: &mut String, failure: &Failure) {
    let mut say = |what: &str, text: &str| {
        writeln!(out, "- **{what}:** {text}").expect("writing to a String does not fail");
    };
    if let Some(doc) = &failure.doc {
        say("What it is", &escaped(doc));
    }
    if let Some(display) = failure.display.as_ref().filter(|display| display.contains(' ')) {
        say("What it says", &format!("`{}`", display.replace('`', "'")));
    }
    let blame = match failure.blame.as_deref() {
        Some("Operator") => Some("a person: the configuration, a policy or a record is to be changed."),
        Some("Remote") => Some("the far side; waiting may mend it."),
        Some("Bug") => Some("us: please report it."),
        _ => None,
    };
    if let Some(blame) = blame {
        say("Who can mend it", blame);
    }
    let retry = match failure.retry.as_deref() {
        Some("Never") => Some("no; it fails the same way until something is changed."),
        Some("Backoff") => Some("yes, after a pause that grows."),
        Some("Throttled") => Some("yes, more slowly: the far side asks for fewer requests."),
        Some("After") => Some("yes, when the far side has said that it may be."),
        _ => None,
    };
    if let Some(retry) = retry {
        say("Tried again", retry);
    }
    for hint in &failure.hints {
        say("What to do", &format!("{}.", escaped(hint.trim_end_matches('.'))));
    }
    say("Where", &format!("crate `{}`, `{}`", failure.krate, failure.name));
    out.push('\n');
}

fn index(pages: &BTreeMap<String, Page>) -> String {
    let all = causes::all();
    let mut out = "# Codes of failures and causes\n\n\
        Made from the code; `TIDEGATE_WRITE_DOCS=1 cargo test -p doctor pages` writes it.\n\n\
        Every failure that Tidegate tells has a code, which is never renamed, and so has every cause that\n\
        [`tidegate doctor`](../doctor.md) knows. A message of another product is explained by `tidegate doctor --explain TEXT`.\n\n"
        .to_owned();
    out.push_str("## Codes\n\n| code | what it is |\n| --- | --- |\n");
    for (code, page) in pages {
        writeln!(out, "| [{code}]({code}.md) | {} |", cell(&page.title())).expect("writing to a String does not fail");
    }
    let shown = rows::shown();
    let known = all.len();
    write!(
        out,
        "\n## Rows of the catalogue\n\nEach row is a way in which others have failed, and what shows that the doctor knows it: a scenario of the embedded AWS\n\
        (`tidegate doctor --fake-aws NAME` plays it) or a test. {known} of {} are known.\n\n| row | cause | code | shown by |\n| --- | --- | --- | --- |\n",
        rows::ROWS
    )
    .expect("writing to a String does not fail");
    for number in 1..=rows::ROWS {
        let row = format!("F{number:02}");
        let cause = all.iter().find(|cause| cause.row == row);
        let (title, code) = cause.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |cause| (cell(cause.title), format!("[{0}]({0}.md)", cause.code)),
        );
        let by = shown.get(&row).map_or_else(|| "-".to_owned(), |shown| links(shown));
        writeln!(out, "| {row} | {title} | {code} | {by} |").expect("writing to a String does not fail");
    }
    out
}

fn links(shown: &[(String, String)]) -> String {
    shown.iter().map(|(name, file)| format!("[{name}]({file})")).collect::<Vec<_>>().join(", ")
}

/// Braces and brackets of our texts are no markup.
fn escaped(text: &str) -> String {
    text.replace('<', "\\<").replace('*', "\\*").replace("[`", "`").replace("`]", "`")
}

fn cell(text: &str) -> String {
    escaped(text).replace('|', "\\|")
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

#[test]
fn each_code_has_a_page_and_each_page_is_what_the_code_says() {
    let pages = pages();
    let mut wanted: BTreeMap<String, String> =
        pages.iter().map(|(code, page)| (format!("{code}.md"), page.markdown(code))).collect();
    wanted.insert("README.md".to_owned(), index(&pages));
    let dir = dir();
    let there = || -> BTreeMap<String, PathBuf> {
        let entries = std::fs::read_dir(&dir).into_iter().flatten().map(|entry| entry.expect("it can be read").path());
        entries.map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path)).collect()
    };
    if world::Environment::process().get("TIDEGATE_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(&dir).expect("it can be made");
        for (_, path) in there().iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            std::fs::remove_file(path).expect("it can be removed");
        }
        for (name, text) in &wanted {
            std::fs::write(dir.join(name), text).expect("it can be written");
        }
    }
    let there = there();
    let mut wrong: Vec<String> =
        there.keys().filter(|name| !wanted.contains_key(*name)).map(|name| format!("{name} is of no code")).collect();
    for (name, text) in &wanted {
        match there.get(name).map(std::fs::read_to_string) {
            Some(Ok(written)) if written == *text => {}
            Some(_) => wrong.push(format!("{name} is old")),
            None => wrong.push(format!("{name} is missing")),
        }
    }
    let told = wrong.join("\n");
    assert!(wrong.is_empty(), "docs/errors: run this test with TIDEGATE_WRITE_DOCS=1\n{told}");
}

#[test]
fn the_codes_of_the_sources_are_found() {
    let failures = sources::failures();
    let found = |code: &str, name: &str| failures.iter().find(|failure| failure.code == code && failure.name == name);
    let denied = found("identity.access-denied", "Kind::Denied").expect("a kind in a match in a match");
    assert_eq!(denied.retry.as_deref(), Some("Never"), "{denied:?}");
    let listen = found("metrics.listen", "ListenError").expect("one that is alone");
    assert_eq!((listen.blame.as_deref(), listen.retry.as_deref()), (Some("Operator"), Some("Never")));
    assert_eq!(listen.display.as_deref(), Some("could not listen for metrics on {address}"));
    assert!(listen.hints[0].contains("--metrics-addr"), "{listen:?}");
    // Every literal of an `fn code` that looks like a code, found without a parser.
    let mut missing = Vec::new();
    for path in sources::files() {
        let text = std::fs::read_to_string(&path).expect("a source can be read");
        let bodies = text.split("fn code(&self) -> Code {").skip(1);
        for body in bodies.map(|rest| rest.split("\n    }\n").next().unwrap_or_default()) {
            let literals = body.split('"').skip(1).step_by(2).filter(|literal| sources::is_code(literal));
            missing.extend(
                literals.filter(|code| !failures.iter().any(|failure| failure.code == *code)).map(str::to_owned),
            );
        }
    }
    assert!(missing.is_empty(), "{missing:?} are not found");
}
