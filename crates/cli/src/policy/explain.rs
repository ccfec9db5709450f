use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use crate::args::{Exit, Output};
use crate::policy::input;
use crate::screen::Screen;
use crate::stdout::print;

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// A file that holds a policy (JSON); - is stdin.
    #[arg(value_name = "FILE")]
    file: String,
    /// How the result looks on stdout.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// `tidegate policy explain`: a sentence a statement.
pub(super) fn explain(arguments: &ExplainArguments, screen: &Screen) -> Exit {
    let input = match input::read(&arguments.file, None) {
        Ok(input) => input,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            return Exit::Refused;
        }
    };
    let sentences = iam::explain(&input.document);
    let sids = || input.document.statements().iter().map(iam::Statement::sid);
    let out = match arguments.output {
        Output::Json => {
            let statements: Vec<_> =
                sids().zip(&sentences).map(|(sid, text)| json!({"sid": sid, "text": text})).collect();
            format!("{:#}\n", json!({ "kind": input.kind.name(), "statements": statements }))
        }
        Output::Text => {
            let mut out = String::new();
            for (index, (sid, text)) in sids().zip(&sentences).enumerate() {
                let sid = sid.map(|sid| format!("({sid}) ")).unwrap_or_default();
                writeln!(out, "{}. {sid}{text}", index + 1).ok();
            }
            out
        }
    };
    print(&out, Exit::Done, screen)
}
