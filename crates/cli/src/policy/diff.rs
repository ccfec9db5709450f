use clap::Args;

use crate::args::{Exit, Output};
use crate::policy::input;
use crate::screen::Screen;
use crate::stdout::print;

#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// A file that holds a policy (JSON); - is stdin.
    #[arg(value_name = "BEFORE")]
    before: String,
    /// A file that holds the other policy.
    #[arg(value_name = "AFTER")]
    after: String,
    /// How the result looks on stdout.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// `tidegate policy diff`: what two policies differ in, by meaning.
pub(super) fn diff(arguments: &DiffArguments, screen: &Screen) -> Exit {
    if arguments.before == "-" && arguments.after == "-" {
        screen.print(b"error: only one of the two policies can come from stdin\n");
        return Exit::Usage;
    }
    let [before, after] = [&arguments.before, &arguments.after].map(|path| input::read(path, None));
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before.document, after.document),
        (before, after) => {
            for text in [before.err(), after.err()].into_iter().flatten() {
                screen.print(format!("error: {text}\n").as_bytes());
            }
            return Exit::Refused;
        }
    };
    let difference = iam::diff::diff(&before, &after);
    let out = match arguments.output {
        Output::Json => format!("{:#}\n", serde_json::to_value(&difference).expect("a difference is JSON")),
        Output::Text => difference.to_string(),
    };
    print(&out, if difference.is_empty() { Exit::Done } else { Exit::Failed }, screen)
}
