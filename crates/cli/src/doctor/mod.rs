//! `tidegate doctor`: what is wrong between Tidegate and AWS or Kafka, and what to paste.

mod args;
mod examined;
mod explain;
mod progress;
mod scenario;
mod show;
mod stdin;
mod subject;
mod usage;
mod watch;

use std::io::{BufRead as _, IsTerminal as _};

use ::doctor::{Depth, Report, Target, Verdict};
use world::{Clock, Environment};

pub(crate) use args::DoctorArguments;
pub(crate) use explain::causes_of;
pub(crate) use show::{Look, text};

use crate::args::{Exit, Output};
use crate::screen::Screen;
use crate::stdout::print;
use examined::{Examiner, Outcome};
use scenario::Played;
use usage::Usage;

/// Examines one thing and tells what was found.
pub(crate) async fn doctor(arguments: &DoctorArguments, environment: &Environment, screen: &Screen) -> Exit {
    match told(arguments, environment, screen).await {
        Ok(exit) => exit,
        Err(usage) => {
            screen.status("");
            screen.print(format!("error: {usage}\n").as_bytes());
            Exit::Usage
        }
    }
}

/// `Err` is for what makes no sense: nothing was examined.
async fn told(arguments: &DoctorArguments, environment: &Environment, screen: &Screen) -> Result<Exit, Usage> {
    if let Some(text) = &arguments.explain {
        let told = explain::explain(&explain::read(text)?, arguments.output);
        return Ok(print(&told, Exit::Done, screen));
    }
    let Some(name) = &arguments.fake_aws else {
        let subject =
            Subject { arguments: arguments.clone(), environment: environment.clone(), clock: Clock::system() };
        return examine(&subject, None, screen).await;
    };
    if name == "list" {
        return Ok(print(&scenario::list(arguments.output), Exit::Done, screen));
    }
    let played = Played::play(name, arguments, screen).await?;
    examine(&played.subject, Some(&played), screen).await
}

/// What is to be examined, and where.
struct Subject {
    arguments: DoctorArguments,
    environment: Environment,
    clock: Clock,
}

impl Subject {
    /// How what is found looks on stdout.
    fn look(&self) -> Look {
        let causes = if self.arguments.all { show::Causes::All } else { show::Causes::Few };
        Look::of_stdout(&self.environment).telling(causes)
    }
}

async fn examine(subject: &Subject, played: Option<&Played>, screen: &Screen) -> Result<Exit, Usage> {
    let arguments = &subject.arguments;
    let mut target = subject::find(arguments, &subject.environment).await?;
    if let Some(played) = played {
        played.complete(&mut target);
    }
    let asked = arguments.depth.map(Depth::from).or_else(|| played.and_then(Played::depth));
    let examiner = Examiner { clock: &subject.clock, environment: &subject.environment, keys: arguments.worker.keys() };
    if arguments.watch {
        let depth = asked.unwrap_or_else(|| target.depth().min(Depth::Read));
        if depth == Depth::Write && played.is_none() && !arguments.yes && !may_write(&target, screen) {
            return Ok(refused(screen));
        }
        return watch::watch(subject, target, depth, &examiner, screen).await;
    }
    let depth = asked.unwrap_or_else(|| target.depth());
    if depth == Depth::Write && played.is_none() && !arguments.yes && !may_write(&target, screen) {
        return Ok(refused(screen));
    }
    let report = match examiner.examine(&target, depth, screen).await? {
        Outcome::Ended(report) => report,
        Outcome::Stopped => return Ok(Exit::NoProgress),
    };
    let out = match arguments.output {
        Output::Json => show::json(&report),
        Output::Text => show::text(&report, &subject.look()),
    };
    let Some(expectation) = played.and_then(Played::expectation) else {
        return Ok(print(&out, exit_of(&report), screen));
    };
    let unmet = expectation.unmet(&report);
    let printed = print(&out, Exit::Done, screen);
    if printed != Exit::Done {
        return Ok(printed);
    }
    Ok(if unmet.is_empty() {
        screen.print(b"it is as the scenario expects\n");
        Exit::Done
    } else {
        screen.print(format!("it is not as the scenario expects: {}\n", unmet.join("; ")).as_bytes());
        Exit::Failed
    })
}

fn exit_of(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Unproven => Exit::NoProgress,
    }
}

fn refused(screen: &Screen) -> Exit {
    screen.print(b"nothing was done; --depth read looks without writing\n");
    Exit::Usage
}

/// Asks whoever sits at the terminal. Where nobody does, naming the target was asking for it.
fn may_write(target: &Target, screen: &Screen) -> bool {
    let Some(place) = target.place.as_ref().filter(|place| place.writes) else { return true };
    if !(std::io::stdin().is_terminal() && screen.is_terminal()) {
        return true;
    }
    let where_to = format!("s3://{}/{}.tidegate-doctor/", place.bucket, place.prefix);
    screen.print(format!("small objects are written under {where_to} and deleted again. go on? [y/N] ").as_bytes());
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}
