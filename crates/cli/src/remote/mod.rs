//! What the verbs over a server's `/v1` share: which server, as whom, one HTTP client, and how answers are shown.

mod access;
mod answer;
mod client;
pub(crate) mod contexts;
mod secret;
mod show;

pub(crate) use access::{Access, ServerArguments};
pub(crate) use answer::{Failure, told};
pub(crate) use client::{Api, Hints, segment};
pub(crate) use secret::read_secret;
pub(crate) use show::{Column, Form, as_yaml, confirmed, list, one, say};

/// Ends a command: prints what went wrong, if something did.
pub(crate) fn end(result: Result<crate::args::Exit, Failure>, screen: &crate::screen::Screen) -> crate::args::Exit {
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            screen.status("");
            screen.print(format!("error: {}\n", failure.text).as_bytes());
            failure.exit
        }
    }
}
