//! `tidegate doctor`: what is wrong between Tidegate and AWS or Kafka, and what to paste.

mod args;
mod progress;
mod show;
mod subject;

use std::io::{BufRead as _, IsTerminal as _};

use ::doctor::{Depth, Surroundings, Target, Verdict, examine};
use aws::Clients;
use world::{Clock, Environment};

pub(crate) use args::DoctorArguments;

use crate::args::{Exit, Output};
use crate::screen::Screen;
use crate::stdout::print;

/// Examines one thing and tells what was found.
pub(crate) async fn doctor(arguments: &DoctorArguments, environment: &Environment, screen: &Screen) -> Exit {
    let target = match subject::find(arguments, environment).await {
        Ok(target) => target,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            return Exit::Usage;
        }
    };
    let depth = arguments.depth.map_or_else(|| target.depth(), Depth::from);
    if depth == Depth::Write && !arguments.yes && !may_write(&target, screen) {
        screen.print(b"nothing was done; --depth read looks without writing\n");
        return Exit::Usage;
    }
    // Clients of its own: what a refusal teaches (AWS's hour) must not help the next examination.
    let clients = Clients::with_keys(Clock::system(), environment.clone(), arguments.worker.keys());
    let around = Surroundings { clients, environment: environment.clone(), clock: Clock::system() };
    let progress = progress::Progress::default();
    let report = examine(&target, depth, &around, &|check| progress.begins(check, screen)).await;
    screen.status("");
    let out = match arguments.output {
        Output::Json => match serde_json::to_string_pretty(&report) {
            Ok(text) => text + "\n",
            Err(error) => format!("{{\"error\":{:?}}}\n", error.to_string()),
        },
        Output::Text => show::text(&report, std::io::stdout().is_terminal() && environment.get("NO_COLOR").is_none()),
    };
    let exit = match report.verdict {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Unproven => Exit::NoProgress,
    };
    print(&out, exit, screen)
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
