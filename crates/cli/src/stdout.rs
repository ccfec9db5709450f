use std::io::{self, ErrorKind, Write};

use crate::args::Exit;
use crate::screen::Screen;

/// Writes to stdout, all of it now. A reader that has seen enough (`| head`) is no failure; a disk that is full is one.
pub(crate) fn say(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("could not write to stdout: {error}")),
        _ => Ok(()),
    }
}

/// Prints the result of a command that ends with `exit`, unless it cannot be printed.
pub(crate) fn print(text: &str, exit: Exit, screen: &Screen) -> Exit {
    match say(text) {
        Ok(()) => exit,
        Err(why) => {
            screen.print(format!("error: {why}\n").as_bytes());
            Exit::Failed
        }
    }
}
