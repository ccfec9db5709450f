use std::fmt::Write as _;

use clap::Subcommand;

use super::{Act, At, text};
use crate::args::Exit;
use crate::remote::{Column, Failure, list, segment};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the audit log, newest first.
    List {
        /// From then on, as in 2026-11-23T14:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Until then.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Of one principal: User:u-...
        #[arg(long)]
        principal: Option<String>,
        /// Actions that begin like this: connector, session.exchange.
        #[arg(long)]
        action: Option<String>,
        /// About this.
        #[arg(long)]
        resource: Option<String>,
        /// How many lines at most.
        #[arg(short, long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
}

const COLUMNS: &[Column] = &[
    ("at", |one| text(&one["at"])),
    ("who", |one| text(&one["principal"])),
    ("what", |one| text(&one["action"])),
    ("to", |one| text(&one["resource"])),
    ("from", |one| text(&one["address"])),
    ("by", |one| text(&one["surface"])),
    ("result", |one| text(&one["result"])),
];

impl Act for AuditCommand {
    async fn act(&self, at: &At<'_>) -> Result<Exit, Failure> {
        let Self::List { since, until, principal, action, resource, limit } = self;
        let given =
            [("since", since), ("until", until), ("principal", principal), ("action", action), ("resource", resource)];
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < *limit as usize {
            let left = (*limit as usize - items.len()).min(1000);
            let mut path = format!("/v1/audit?page_size={left}");
            for (name, value) in given {
                if let Some(value) = value {
                    write!(path, "&{name}={}", segment(value)).expect("writing to a String does not fail");
                }
            }
            if let Some(cursor) = &cursor {
                write!(path, "&cursor={}", segment(cursor)).expect("writing to a String does not fail");
            }
            let answer = at.api.get(&path).await?.body;
            items.extend(answer["items"].as_array().cloned().unwrap_or_default());
            match answer["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        list("lines", &items, COLUMNS, at.form)?;
        Ok(Exit::Done)
    }
}
