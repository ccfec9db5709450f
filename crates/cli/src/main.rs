//! The `tidegate` binary: parse, call, print. stdout is data, stderr is talk.

mod allocator;
mod args;
mod check;
mod connection;
mod connector;
mod context;
mod demo;
mod doctor;
mod fault;
mod integrated;
mod integration;
mod keyless;
mod load;
mod local;
mod logging;
mod manage;
mod object;
mod place;
mod policy;
mod remote;
mod run;
mod screen;
mod serve;
mod status;
mod stdout;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use world::Environment;

use crate::args::{Arguments, Command, Exit};
use crate::screen::Screen;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap's own exit code for a usage error is 2, which means "configuration refused" here.
            if error.use_stderr() {
                error.print().ok();
                return Exit::Usage.into();
            }
            // Help and version are what was asked for.
            return stdout::print(&error.render().to_string(), Exit::Done, &Screen::new()).into();
        }
    };
    let screen = Screen::new();
    let mut log = arguments.log.clone();
    if log.log == "info" {
        // What it finds, the doctor says itself; and what is done with objects has its own lines on stderr, or none.
        match arguments.command {
            Command::Doctor(_) => "off".clone_into(&mut log.log),
            Command::Object(_) | Command::Bucket(_) | Command::Connector(_) => "warn".clone_into(&mut log.log),
            _ => {}
        }
    }
    let logging = match logging::start(&log, &screen) {
        Ok(logging) => logging,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            return Exit::Usage.into();
        }
    };
    let environment = Environment::process();
    match &arguments.command {
        Command::Backup(backup) => on_runtime(&screen, serve::backup(backup, &environment, &screen)),
        Command::Check(check) => on_runtime(&screen, check::check(check, &environment, &screen)),
        Command::Connection(command) => on_runtime(&screen, connection::connection(command, &environment, &screen)),
        Command::Connector(arguments) => on_runtime(&screen, connector::connector(arguments, &environment, &screen)),
        Command::Context(arguments) => on_runtime(&screen, context::context(arguments, &environment, &screen)),
        Command::Environment(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::Cluster(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::User(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::ServiceAccount(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::Key(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::RoleBinding(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::Audit(arguments) => on_runtime(&screen, manage::managed(arguments, &environment, &screen)),
        Command::Completion { shell } => completion(*shell, &screen).into(),
        Command::Run(run) => on_runtime(&screen, run::run(run, &environment, &screen)),
        Command::Doctor(doctor) => on_runtime(&screen, doctor::doctor(doctor, &environment, &screen)),
        Command::Demo(demo) => on_runtime(&screen, demo::demo(demo, &screen, &logging)),
        Command::Integration(arguments) => {
            on_runtime(&screen, integration::integration(arguments, &environment, &screen))
        }
        Command::Local(local) => match &local.plane {
            Some(plane) => on_runtime(&screen, fault::fault(plane, &screen)),
            None => on_runtime(&screen, local::local(local, &screen)),
        },
        Command::Object(arguments) => on_runtime(&screen, object::object(arguments, &environment, &screen)),
        Command::Bucket(arguments) => on_runtime(&screen, object::bucket(arguments, &environment, &screen)),
        Command::Serve(serve) => on_runtime(&screen, serve::serve(serve, &environment, &screen, &logging)),
        Command::Policy(policy) => on_runtime(&screen, policy::policy(policy, &environment, &screen)),
    }
}

/// Prints what a shell completes commands by.
fn completion(shell: clap_complete::Shell, screen: &Screen) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tidegate", &mut script);
    stdout::print(&String::from_utf8_lossy(&script), Exit::Done, screen)
}

fn on_runtime(screen: &Screen, work: impl Future<Output = Exit>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work).into(),
        Err(error) => {
            screen.print(format!("error: could not start the async runtime: {error}\n").as_bytes());
            Exit::Failed.into()
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
