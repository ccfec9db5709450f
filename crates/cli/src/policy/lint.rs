use std::fmt::Write as _;

use clap::Args;
use iam::AccountId;
use iam::lint::{Finding, Options, Severity};
use serde_json::json;
use world::Clock;

use crate::args::{Exit, Output};
use crate::policy::{Kind, input};
use crate::screen::Screen;
use crate::stdout::print;

#[derive(Debug, Args)]
pub(super) struct LintArguments {
    /// Files that hold a policy each (JSON); - is stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// What the policies are attached to. Not set: as their statements show.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// An account of yours, whose users and roles are no third parties. May be given several times.
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = account)]
    accounts: Vec<AccountId>,
    /// The external ID that the other side has shown, to be put into the mended text.
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Print the mended policy, and nothing else, to stdout; the findings go to stderr.
    #[arg(long, conflicts_with = "output")]
    fix: bool,
    /// Warnings end with exit code 2 too.
    #[arg(long)]
    strict: bool,
    /// How the result looks on stdout.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

fn account(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|error: iam::ArnError| error.to_string())
}

/// `tidegate policy lint`: what is wrong with policies, and how they would be mended.
pub(super) fn lint(arguments: &LintArguments, screen: &Screen) -> Exit {
    if arguments.files.iter().filter(|file| *file == "-").count() > 1 {
        screen.print(b"error: only one of the policies can come from stdin\n");
        return Exit::Usage;
    }
    let now = jiff::Timestamp::try_from(Clock::system().now()).ok();
    let options = Options { own_accounts: arguments.accounts.clone(), external_id: arguments.external_id.clone(), now };
    let worst = if arguments.strict { Severity::Warning } else { Severity::Error };
    let (mut exit, mut out, mut reports) = (Exit::Done, String::new(), Vec::new());
    for path in &arguments.files {
        let input = match input::read(path, arguments.kind.map(Into::into)) {
            Ok(input) => input,
            Err(text) => {
                screen.print(format!("error: {text}\n").as_bytes());
                exit = Exit::Refused;
                continue;
            }
        };
        let findings = iam::lint::lint(&input.document, input.kind, &options);
        if findings.iter().any(|finding| finding.severity >= worst) {
            exit = Exit::Refused;
        }
        let mended = iam::lint::mend(&input.document, input.kind, &options);
        if arguments.fix {
            screen.print(describe(&input.name, &findings).as_bytes());
            writeln!(out, "{mended:#}").ok();
            continue;
        }
        out.push_str(&describe(&input.name, &findings));
        if mended != input.document {
            writeln!(out, "\nmended:\n{mended:#}").ok();
        }
        if arguments.output == Output::Text {
            continue;
        }
        reports.push(json!({
            "file": input.name,
            "kind": input.kind.name(),
            "size": input.document.size(),
            "findings": findings,
            "mended": (mended != input.document).then_some(mended),
        }));
    }
    if arguments.output == Output::Json {
        out = format!("{:#}\n", json!({ "policies": reports }));
    }
    print(&out, exit, screen)
}

fn describe(name: &str, findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        writeln!(out, "{name}: {finding}").ok();
    }
    if findings.is_empty() {
        writeln!(out, "{name}: nothing to say").ok();
    }
    out
}
