//! The `tidegate` binary: parse, call, print. stdout is data, stderr is talk.

mod args;
mod logging;
mod screen;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own exit code for a usage error is 2, which means "configuration refused" here.
            let help = !error.use_stderr();
            error.print().ok();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(args::Exit::Usage as u8) };
        }
    };
    let _ = arguments;
    ExitCode::SUCCESS
}
